/* overlay.h - bytes appended behind a field of an entity, in memory only. Shard thread.
 *
 * They are part of what a snapshot shows, and of nothing else: the next durable change of the
 * entity takes their place, replay and checkpoint do not know them, and they go with the state. An
 * entity has at most one field with such bytes. Followers get them as live-only frames. */
#ifndef SS_SHARD_OVERLAY_H
#define SS_SHARD_OVERLAY_H

#include "core/failure.h"
#include "shard/session.h"

/* Appends validated or to be refused bytes to @field of the entity and sends them to the followers.
 * Errors: SS_E_NOTFOUND (no such entity), SS_E_TYPE (no singular string or bytes field outside a
 * oneof has that name), SS_E_PAYLOAD (no UTF-8, or NUL, for a string), SS_E_LIMIT, SS_E_TOOBIG,
 * SS_E_NOMEM, and those of ss__state_find. */
int ss__overlay_append(struct ss_shard *shard, struct ss_channel *channel,
                       const struct ss_name *kind, struct ss_str id, const char *field,
                       struct ss_str bytes, struct ss_failure *failure);

/* The entity has changed: what was appended to it is forgotten. */
void ss__overlay_clear(struct ss_shard *shard, struct ss_state *state,
                       const struct ss_entity_slot *slot);

/* Forgets all; followers, who have been shown them, begin again from a snapshot. */
void ss__overlays_drop(struct ss_shard *shard, struct ss_state *state);

/* True if something was appended to the entity. */
bool ss__overlay_has(const struct ss_state *state, const struct ss_entity_slot *slot);

/* The payload of an entity with what was appended, in the batch arena, or the payload itself.
 * @ret_field is empty and @ret_bytes 0 if there is nothing. SS_E_NOMEM. */
int ss__overlay_payload(struct ss_shard *shard, const struct ss_state *state,
                        const struct ss_entity_slot *slot, struct ss_str *ret_payload,
                        struct ss_str *ret_field, uint64_t *ret_bytes);

#endif
