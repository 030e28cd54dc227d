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

void ss__checkpoint_want(struct ss_shard *shard, struct ss_state *state)
{
    if (ss__list_empty(&state->due)) {
        ss__list_push_back(&shard->due, &state->due);
        shard->due_rows += state->dirty_count;
    }
}

static int stage(struct ss_shard *shard, struct ss_state *state)
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
    return ss__store_stage_checkpoint(shard->store, state->stored, rows, count, state->ordinal,
                                      shard->options.registry->timeline_version);
}

static void move(struct ss_list *from, struct ss_list *to)
{
    while (!ss__list_empty(from)) {
        struct ss_list *link = from->next;
        ss__list_remove(link);
        ss__list_push_back(to, link);
    }
}

static void forget_dirty(struct ss_shard *shard, struct ss_state *state)
{
    struct ss_list keep;
    ss__list_init(&keep);
    state->dirty_count = 0;
    while (!ss__list_empty(&state->dirty)) {
        struct ss_entity_slot *slot =
            ss__container_of(state->dirty.next, struct ss_entity_slot, dirty);
        ss__list_remove(&slot->dirty);
        if (slot->payload != NULL) {
            continue;
        }
        if (state->channel->loading) {
            /* The read under way may bring back the entity, which the slot prevents. */
            ss__list_push_back(&keep, &slot->dirty);
            state->dirty_count++;
        } else {
            ss__state_forget_slot(shard, state, slot);
        }
    }
    move(&keep, &state->dirty);
}

/* Stages what is due, as much as one flush should hold; what cannot be staged now stays due. */
static void stage_due(struct ss_shard *shard, struct ss_list *staged)
{
    struct ss_list left;
    uint64_t rows = 0;
    ss__list_init(&left);
    while (!ss__list_empty(&shard->due) && rows < SS_FLUSH_ROWS_MAX) {
        struct ss_state *state = ss__container_of(shard->due.next, struct ss_state, due);
        ss__list_remove(&state->due);
        rows += state->dirty_count;
        bool nothing = state->dirty_count == 0 && ss__store_replay_count(state->stored) == 0;
        int err = nothing ? SS_E_CORRUPT : stage(shard, state);
        if (err != SS_E_CORRUPT) {    /* a session set aside is never written again */
            ss__list_push_back(err == 0 ? staged : &left, &state->due);
        }
    }
    move(&left, &shard->due);
    shard->due_rows -= rows < shard->due_rows ? rows : shard->due_rows;
    shard->due_rows = ss__list_empty(&shard->due) ? 0 : shard->due_rows;
}

int ss__checkpoint_flush(struct ss_shard *shard, unsigned tails_max)
{
    struct ss_list staged;
    ss__list_init(&staged);
    stage_due(shard, &staged);
    bool some = !ss__list_empty(&staged);
    int flushed = ss__store_flush(shard->store, tails_max);
    if (flushed < 0) {
        move(&staged, &shard->due);
        return flushed;
    }
    while (!ss__list_empty(&staged)) {
        struct ss_state *state = ss__container_of(staged.next, struct ss_state, due);
        ss__list_remove(&state->due);
        forget_dirty(shard, state);
    }
    return flushed > 0 || !some ? flushed : 1;
}
