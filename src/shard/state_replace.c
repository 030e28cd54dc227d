/* Entities made elsewhere take the place of those of a session, all at once. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "shard/overlay.h"
#include "shard/shard_state.h"
#include "shard/state_slots.h"

static bool is_of(const struct ss_entity_slot *slot, uint32_t timelines)
{
    return (timelines >> slot->kind->timeline & 1) != 0;
}

void ss__slots_free(struct ss_list *slots)
{
    while (!ss__list_empty(slots)) {
        struct ss_entity_slot *slot =
            ss__container_of(slots->next, struct ss_entity_slot, dirty);
        ss__list_remove(&slot->dirty);
        ss__buf_unref(slot->payload);
        free(slot);
    }
}

static bool same_entity(const struct ss_entity_slot *a, const struct ss_entity_slot *b)
{
    return a->payload != NULL && b->payload != NULL && a->payload->len == b->payload->len &&
           memcmp(a->payload->data, b->payload->data, a->payload->len) == 0 &&
           a->created_ordinal == b->created_ordinal && a->last_ordinal == b->last_ordinal;
}

bool ss__state_same(struct ss_state *state, uint32_t timelines, struct ss_state *made)
{
    size_t at = 0;
    uint32_t count = 0;
    bool same = state->whole;
    for (const struct ss_entity_slot *slot;
         same && (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        count += slot->payload != NULL && is_of(slot, timelines);
    }
    at = 0;
    for (const struct ss_entity_slot *slot;
         same && (slot = ss__map_next(&made->entities, &at)) != NULL;) {
        const struct ss_entity_slot *old = ss__state_peek(state, slot->kind, slot->id);
        same = slot->payload == NULL || (old != NULL && same_entity(old, slot));
    }
    return same && count == made->live_count;
}

/* All that the state has afterwards. Removals need no slot: a checkpoint begins with nothing. */
static int make_map(struct ss_state *state, uint32_t timelines, struct ss_state *made,
                    struct ss_map *ret_map)
{
    struct ss_map map;
    size_t at = 0;
    int err = 0;
    ss__map_init(&map, state->entities.matches);
    for (struct ss_entity_slot *slot;
         err == 0 && (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        err = is_of(slot, timelines) ? 0 : ss__map_put(&map, ss__slot_hash(slot), slot);
    }
    at = 0;
    for (struct ss_entity_slot *slot;
         err == 0 && (slot = ss__map_next(&made->entities, &at)) != NULL;) {
        SS_REQUIRE(is_of(slot, timelines));
        err = slot->payload == NULL ? 0 : ss__map_put(&map, ss__slot_hash(slot), slot);
    }
    if (err != 0) {
        ss__map_deinit(&map);
        return SS_E_NOMEM;
    }
    *ret_map = map;
    return 0;
}

static ptrdiff_t bytes_of(const struct ss_entity_slot *slot)
{
    return ss__slot_bytes(slot) + (slot->payload == NULL ? 0 : (ptrdiff_t)slot->payload->len);
}

static void take_out(struct ss_shard *shard, struct ss_state *state, uint32_t timelines,
                     struct ss_list *old)
{
    size_t at = 0;
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        if (!is_of(slot, timelines)) {
            continue;
        }
        SS_REQUIRE(!slot->staged);
        if (state->live != NULL) {
            ss__overlay_clear(shard, state, slot);
        }
        state->dirty_count -= !ss__list_empty(&slot->dirty);
        state->live_count -= slot->payload != NULL;
        ss__state_account(shard, state, -bytes_of(slot));
        ss__list_remove(&slot->dirty);
        ss__list_push_back(old, &slot->dirty);
    }
}

static void put_in(struct ss_shard *shard, struct ss_state *state, struct ss_state *made,
                   struct ss_list *old)
{
    size_t at = 0;
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&made->entities, &at)) != NULL;) {
        ss__list_remove(&slot->dirty);
        if (slot->payload == NULL) {
            ss__list_push_back(old, &slot->dirty);
            continue;
        }
        ss__list_push_back(&state->dirty, &slot->dirty);
        state->dirty_count++;
        state->live_count++;
        ss__state_account(shard, state, bytes_of(slot));
    }
    made->dirty_count = made->live_count = 0;
    ss__list_remove(&made->unwritten);
    ss__list_remove(&state->unwritten);
    if (state->dirty_count > 0) {
        ss__list_push_back(&shard->unwritten, &state->unwritten);
    }
}

int ss__state_replace(struct ss_shard *shard, struct ss_state *state, uint32_t timelines,
                      struct ss_state *made, struct ss_list *ret_old)
{
    struct ss_map map;
    int err = make_map(state, timelines, made, &map);
    if (err != 0) {
        return err;
    }
    ss__list_init(ret_old);
    take_out(shard, state, timelines, ret_old);
    put_in(shard, state, made, ret_old);
    ss__map_deinit(&state->entities);
    state->entities = map;
    ss_map_matches_fn *matches = made->entities.matches;
    ss__map_deinit(&made->entities);
    ss__map_init(&made->entities, matches);
    return 0;
}
