/* state_slots.h - the entities of a state, for those that look at or replace many of them. Shard
 * thread. */
#ifndef SS_SHARD_STATE_SLOTS_H
#define SS_SHARD_STATE_SLOTS_H

#include <stddef.h>

#include "shard/session.h"

/* Its place in the map. */
uint64_t ss__slot_hash(const struct ss_entity_slot *slot);

/* Memory of a slot without its payload. */
ptrdiff_t ss__slot_bytes(const struct ss_entity_slot *slot);

/* The slot, if it is in memory. */
struct ss_entity_slot *ss__state_peek(struct ss_state *state, const struct ss_name *kind,
                                      struct ss_str id);

void ss__state_account(struct ss_shard *shard, struct ss_state *state, ptrdiff_t more);
void ss__state_forget_snapshots(struct ss_shard *shard, struct ss_state *state);

/* Frees slots that are in no map, linked by their dirty list. */
void ss__slots_free(struct ss_list *slots);

/* Whether both show the same in the entities of these projections (bit per index). The first is
 * whole, or else nobody knows: false. */
bool ss__state_same(struct ss_state *state, uint32_t timelines, struct ss_state *made);

/* Puts the entities of @made, all of which are of these projections, in the place of those that the
 * state has of them; @made has none afterwards. All are dirty then. What they replace goes to
 * @ret_old, which is initialised and may be freed when nobody looks at it any more: after the
 * batch. No checkpoint of the state is being written. SS_E_NOMEM: nothing has changed. */
int ss__state_replace(struct ss_shard *shard, struct ss_state *state, uint32_t timelines,
                      struct ss_state *made, struct ss_list *ret_old);

#endif
