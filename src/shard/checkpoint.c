#include "shard/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "shard/shard_state.h"

bool ss__checkpoint_due(const struct ss_state *state)
{
    if (state->stored == NULL) {
        return false;
    }
    uint64_t events = ss__store_replay_count(state->stored);
    return events >= SS_CHECKPOINT_EVENTS_MAX ||
           (events >= SS_CHECKPOINT_EVENTS_MIN &&
            events >= (uint64_t)SS_CHECKPOINT_EVENTS_PER_ENTITY * state->dirty_count);
}

static int compare_str(struct ss_str a, struct ss_str b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The store's key order: neighbours share pages. */
static int compare_rows(const void *left, const void *right)
{
    const struct ss_entity_row *a = left;
    const struct ss_entity_row *b = right;
    int order = compare_str(a->kind, b->kind);
    return order != 0 ? order : compare_str(a->id, b->id);
}

static void move_to_staged(struct ss_state *state)
{
    while (!ss__list_empty(&state->dirty)) {
        struct ss_entity_slot *slot =
            ss__container_of(state->dirty.next, struct ss_entity_slot, dirty);
        ss__list_remove(&slot->dirty);
        ss__list_push_back(&state->staged, &slot->dirty);
        slot->staged = true;
    }
    state->dirty_count = 0;
}

int ss__checkpoint_stage(struct ss_shard *shard, struct ss_state *state)
{
    if (ss__store_row(state->stored)->quarantined) {
        return SS_E_CORRUPT;
    }
    struct ss_entity_row *rows =
        ss__arena_alloc(&shard->arena, (state->dirty_count + 1) * sizeof *rows);
    if (rows == NULL) {
        return SS_E_NOMEM;
    }
    size_t count = 0;
    for (struct ss_list *link = state->dirty.next; link != &state->dirty; link = link->next) {
        const struct ss_entity_slot *slot = ss__container_of(link, struct ss_entity_slot, dirty);
        rows[count++] = (struct ss_entity_row){
            .kind = slot->kind->name,
            .id = slot->id,
            .created_ordinal = slot->created_ordinal,
            .last_ordinal = slot->last_ordinal,
            .time_us = slot->time_us,
            .type_id = shard->entity_type_ids[slot->kind->index],
            .tombstone = slot->payload == NULL,
            .payload = slot->payload == NULL
                           ? (struct ss_str){ NULL, 0 }
                           : ss_str_of(slot->payload->data, slot->payload->len),
        };
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    int err = ss__store_stage_checkpoint(shard->store, state->stored, rows, count, state->ordinal,
                                         shard->options.registry->timeline_version);
    if (err == 0) {
        state->checkpoint_staged = true;
        ss__state_await_commit(shard, state);
        move_to_staged(state);
    }
    return err;
}

void ss__checkpoint_committed(struct ss_shard *shard, struct ss_state *state)
{
    state->checkpoint_staged = false;
    while (!ss__list_empty(&state->staged)) {
        struct ss_entity_slot *slot =
            ss__container_of(state->staged.next, struct ss_entity_slot, dirty);
        ss__list_remove(&slot->dirty);
        slot->staged = false;
        if (slot->payload != NULL) {
            continue;
        }
        if (state->channel->loading) {
            /* The read under way may bring back the entity, which the slot prevents. */
            ss__list_push_back(&state->dirty, &slot->dirty);
            state->dirty_count++;
        } else {
            ss__state_forget_slot(shard, state, slot);
        }
    }
}

void ss__checkpoint_undone(struct ss_state *state)
{
    state->checkpoint_staged = false;
    while (!ss__list_empty(&state->staged)) {
        struct ss_entity_slot *slot =
            ss__container_of(state->staged.next, struct ss_entity_slot, dirty);
        ss__list_remove(&slot->dirty);
        slot->staged = false;
        ss__list_push_back(&state->dirty, &slot->dirty);
        state->dirty_count++;
    }
}
