/* The state half of shard/session.h. */
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/fault.h"
#include "shard/live.h"
#include "shard/session.h"
#include "shard/shard_state.h"
#include "shard/state_slots.h"
#include "shard/unreadable.h"

/* (kind, id) as one key; the kind's registration stands for its name. */
struct key {
    uint8_t bytes[sizeof(void *) + SS_ENTITY_ID_BYTES_MAX];
    size_t len;
};

static struct ss_str make_key(struct key *key, const struct ss_name *kind, struct ss_str id)
{
    memcpy(key->bytes, &kind, sizeof kind);
    memcpy(key->bytes + sizeof kind, id.data, id.len);
    key->len = sizeof kind + id.len;
    return ss_str_of(key->bytes, key->len);
}

static bool slot_matches(const void *value, struct ss_str key)
{
    const struct ss_entity_slot *slot = value;
    const struct ss_name *kind;
    memcpy(&kind, key.data, sizeof kind);
    return slot->kind == kind &&
           ss_str_equal(slot->id, ss_str_of(key.data + sizeof kind, key.len - sizeof kind));
}

struct ss_state *ss__state_new(struct ss_shard *shard, struct ss_channel *channel)
{
    SS_REQUIRE(channel->state == NULL);
    uint32_t timelines = shard->options.registry->timelines_count;
    size_t bytes = sizeof(struct ss_state) + timelines * sizeof(struct ss_timeline_state);
    struct ss_state *state = calloc(1, bytes);
    if (state == NULL) {
        return NULL;
    }
    state->channel = channel;
    state->timelines_count = timelines;
    state->bytes = bytes + SS_STATE_BESIDE_BYTES + channel->id.len;
    ss__map_init(&state->entities, slot_matches);
    ss__list_init(&state->dirty);
    ss__list_init(&state->touched_link);
    ss__list_init(&state->staged);
    ss__list_init(&state->due);
    ss__list_init(&state->flushing);
    ss__list_init(&state->unwritten);
    ss__list_push_back(&shard->recent, &state->recent);
    shard->state_bytes += state->bytes;
    shard->states_count++;
    channel->states++;
    channel->state = state;
    return state;
}

static void forget_snapshot(struct ss_snapshot_cache *cache)
{
    ss__buf_unref(cache->buf);
    *cache = (struct ss_snapshot_cache){ .buf = NULL };
}

void ss__state_forget_snapshots(struct ss_shard *shard, struct ss_state *state)
{
    shard->state_bytes -= state->snapshot_bytes;
    state->snapshot_bytes = 0;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        forget_snapshot(&state->snapshots[i]);
    }
    forget_snapshot(&state->document);
}

void ss__state_keep_snapshot(struct ss_shard *shard, struct ss_state *state,
                             struct ss_snapshot_cache *cache, struct ss_buf *buf,
                             uint64_t ordinal)
{
    size_t before = cache->buf == NULL ? 0 : cache->buf->len;
    state->snapshot_bytes += buf->len - before;
    shard->state_bytes += buf->len - before;
    ss__buf_unref(cache->buf);
    *cache = (struct ss_snapshot_cache){ .buf = buf, .ordinal = ordinal,
                                         .made_ns = shard->now_ns };
}

static void run_unload_hook(struct ss_shard *shard, struct ss_channel *channel)
{
    const struct ss_registry *registry = shard->options.registry;
    if (registry->hooks.unload != NULL) {
        void *data = channel->data;
        channel->data = NULL;
        registry->hooks.unload(channel->id, data, registry->hooks_ctx);
    }
}

void ss__state_free(struct ss_shard *shard, struct ss_state *state)
{
    size_t at = 0;
    if (state->announced) {
        run_unload_hook(shard, state->channel);
    }
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        ss__buf_unref(slot->payload);
        free(slot);
    }
    ss__map_deinit(&state->entities);
    ss__state_forget_snapshots(shard, state);
    ss__live_drop(shard, state);
    ss__list_remove(&state->touched_link);
    ss__list_remove(&state->due);
    ss__list_remove(&state->flushing);
    ss__list_remove(&state->recent);
    ss__list_remove(&state->unwritten);
    shard->state_bytes -= state->bytes;
    shard->states_count--;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        if ((state->voided >> i & 1) != 0) {
            ss__store_keep_timeline(state->stored, shard->timeline_ids[i]);
        }
    }
    if (state->stored != NULL && state->channel->retrying != 0) {
        ss__store_renew_epoch(shard->store, state->stored);    /* a load may make others */
    } else if (state->stored != NULL && state->remade != 0) {
        ss__store_restore_epoch(shard->store, state->stored);
    }
    if (state->stored != NULL) {
        ss__store_put_session(shard->store, state->stored);
    }
    state->channel->state = NULL;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        free(state->timelines[i].failed);
    }
    free(state);
}

void ss__state_account(struct ss_shard *shard, struct ss_state *state, ptrdiff_t more)
{
    state->bytes = (size_t)((ptrdiff_t)state->bytes + more);
    shard->state_bytes = (size_t)((ptrdiff_t)shard->state_bytes + more);
}

ptrdiff_t ss__slot_bytes(const struct ss_entity_slot *slot)
{
    return (ptrdiff_t)(sizeof *slot + slot->id.len + 2 * sizeof(struct ss_map_slot));
}

uint64_t ss__slot_hash(const struct ss_entity_slot *slot)
{
    struct key key;
    return ss__map_hash(make_key(&key, slot->kind, slot->id));
}

static struct ss_entity_slot *add_slot(struct ss_shard *shard, struct ss_state *state,
                                       const struct ss_name *kind, struct ss_str id)
{
    struct ss_entity_slot *slot = calloc(1, sizeof *slot + id.len);
    if (slot == NULL) {
        return NULL;
    }
    ss__list_init(&slot->dirty);
    slot->kind = kind;
    memcpy(slot->memory, id.data, id.len);
    slot->id = ss_str_of(slot->memory, id.len);
    if (ss__map_put(&state->entities, ss__slot_hash(slot), slot) != 0) {
        free(slot);
        return NULL;
    }
    ss__state_account(shard, state, ss__slot_bytes(slot));
    return slot;
}

struct ss_entity_slot *ss__state_peek(struct ss_state *state, const struct ss_name *kind,
                                      struct ss_str id)
{
    struct key key;
    struct ss_str bytes = make_key(&key, kind, id);
    return ss__map_get(&state->entities, ss__map_hash(bytes), bytes);
}

void ss__state_forget_slot(struct ss_shard *shard, struct ss_state *state,
                           struct ss_entity_slot *slot)
{
    SS_REQUIRE(slot->payload == NULL && ss__list_empty(&slot->dirty));
    (void)ss__map_remove(&state->entities, ss__slot_hash(slot), slot);
    ss__state_account(shard, state, -ss__slot_bytes(slot));
    if (slot->last_ordinal > state->tombstones_after) {
        state->tombstones_after = slot->last_ordinal;
    }
    free(slot);
}

int ss__state_add_stored(struct ss_shard *shard, struct ss_state *state,
                         const struct ss_entity_row *row, struct ss_buf *payload)
{
    const struct ss_name *kind =
        ss__registry_find(shard->options.registry, SS_SPACE_ENTITY, row->kind);
    if (kind == NULL || row->id.len > SS_ENTITY_ID_BYTES_MAX ||
        shard->timeline_ids[kind->timeline] != row->projection) {
        ss__unreadable(shard, state, "kind", row->kind);
        return 0;    /* of a kind its projection no longer has: kept on disk, not shown */
    }
    if (ss__state_peek(state, kind, row->id) != NULL) {
        return 0;
    }
    bool readable = ss__readable(kind, shard->entity_type_ids[kind->index], row->type_id,
                                 row->payload);
    if (!readable) {
        ss__unreadable(shard, state, "kind", row->kind);
    }
    payload = payload != NULL ? ss__buf_ref(payload)
                              : ss__buf_copy(row->payload.data, row->payload.len);
    struct ss_entity_slot *slot = payload == NULL ? NULL : add_slot(shard, state, kind, row->id);
    if (slot == NULL) {
        ss__buf_unref(payload);
        return SS_E_NOMEM;
    }
    slot->payload = payload;
    slot->unreadable = !readable;
    slot->created_ordinal = row->created_ordinal;
    slot->last_ordinal = row->last_ordinal;
    slot->time_us = row->time_us;
    ss__state_account(shard, state, (ptrdiff_t)row->payload.len);
    state->live_count++;
    return 0;
}

int ss__state_find(struct ss_shard *shard, struct ss_state *state, const struct ss_name *kind,
                   struct ss_str id, struct ss_entity_slot **ret_slot)
{
    struct ss_entity_slot *slot = ss__state_peek(state, kind, id);
    if (slot == NULL && !state->whole && state->stored != NULL) {
        struct ss_entity_row row;
        int err = SS_FAULT("shard.read");
        if (err == 0) {
            err = ss__store_read_entity(shard->store, state->stored,
                                        shard->timeline_ids[kind->timeline], kind->name, id,
                                        &row);
        }
        if (err == 0) {
            err = ss__state_add_stored(shard, state, &row, NULL);
            slot = err == 0 ? ss__state_peek(state, kind, id) : NULL;
        }
        if (err != 0 && err != SS_E_NOTFOUND) {
            return err;
        }
    }
    *ret_slot = slot;
    return 0;
}

void ss__state_dirty(struct ss_shard *shard, struct ss_state *state, struct ss_entity_slot *slot)
{
    ss__list_push_back(&state->dirty, &slot->dirty);
    if (state->dirty_count++ == 0) {
        ss__list_push_back(&shard->unwritten, &state->unwritten);
    }
}

static void mark_dirty(struct ss_shard *shard, struct ss_state *state, struct ss_entity_slot *slot)
{
    if (slot->staged) {
        ss__list_remove(&slot->dirty);    /* the checkpoint under way has an older version */
        slot->staged = false;
    }
    if (ss__list_empty(&slot->dirty)) {
        ss__state_dirty(shard, state, slot);
    }
}

bool ss__state_has_room(const struct ss_state *state, uint32_t entities, size_t bytes)
{
    return (entities == 0 || state->live_count + entities <= SS_SESSION_ENTITIES_MAX) &&
           (bytes == 0 || state->bytes + bytes <= SS_SESSION_STATE_BYTES_MAX);
}

int ss__state_prepare(struct ss_shard *shard, struct ss_state *state, const struct ss_name *kind,
                      struct ss_str id, const struct ss_str *payload,
                      struct ss_entity_change *ret_change)
{
    struct ss_entity_change change = { 0 };
    int err = ss__state_find(shard, state, kind, id, &change.slot);
    if (err != 0) {
        return err;
    }
    change.retired = ss__arena_alloc(&shard->arena, sizeof *change.retired);
    if (change.retired == NULL) {
        return SS_E_NOMEM;
    }
    if (payload != NULL) {
        change.payload = SS_FAULT("shard.change") != 0 ? NULL
                                                     : ss__buf_copy(payload->data, payload->len);
        if (change.payload == NULL) {
            return SS_E_NOMEM;
        }
        if (change.slot == NULL) {
            change.slot = add_slot(shard, state, kind, id);
            change.created = true;
        }
        if (change.slot == NULL) {
            ss__buf_unref(change.payload);
            return SS_E_NOMEM;
        }
    }
    *ret_change = change;
    return 0;
}

void ss__state_discard(struct ss_shard *shard, struct ss_state *state,
                       const struct ss_entity_change *change)
{
    ss__buf_unref(change->payload);
    if (change->created) {
        ss__state_forget_slot(shard, state, change->slot);
    }
}

void ss__state_apply(struct ss_shard *shard, struct ss_state *state,
                     const struct ss_entity_change *change, uint64_t ordinal, uint64_t time_us)
{
    struct ss_entity_slot *slot = change->slot;
    if (slot == NULL) {
        return;
    }
    struct ss_buf *old = slot->payload;
    slot->payload = change->payload;
    slot->unreadable = false;
    ss__state_account(shard, state,
                      (slot->payload == NULL ? 0 : (ptrdiff_t)slot->payload->len) -
                          (old == NULL ? 0 : (ptrdiff_t)old->len));
    state->live_count += slot->payload != NULL && old == NULL;
    state->live_count -= slot->payload == NULL && old != NULL;
    ss__shard_retire(shard, change->retired, old);
    if (old == NULL) {
        slot->created_ordinal = ordinal;
    }
    slot->last_ordinal = ordinal;
    slot->time_us = time_us;
    mark_dirty(shard, state, slot);
}

int ss__state_read_whole(struct ss_shard *shard, struct ss_state *state)
{
    if (state->whole || state->stored == NULL) {
        state->whole = true;
        return 0;
    }
    struct ss_image_request *request;
    int err = ss__store_image_request(shard->store, state->stored, true, &request);
    if (err != 0) {
        return err;
    }
    struct ss_image image;
    err = ss__store_read_image(shard->store, request, &image);
    ss__store_image_request_free(request);
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < image.entities_count && err == 0; i++) {
        err = ss__state_add_stored(shard, state, &image.entities[i], NULL);
    }
    ss__image_deinit(&image);
    state->whole = err == 0;
    return err;
}

void ss__state_touch(struct ss_shard *shard, struct ss_state *state)
{
    if (!state->touched) {
        state->touched = true;
        ss__list_push_back(&shard->touched, &state->touched_link);
    }
    ss__list_remove(&state->recent);
    ss__list_push_back(&shard->recent, &state->recent);
}
