#include "shard/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

bool ss__checkpoint_due(const struct ss_shard *shard, const struct ss_state *state)
{
    if (state->stored == NULL) {
        return false;
    }
    uint64_t events = ss__timelines_unwritten(shard, state);
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
    if (a->projection != b->projection) {
        return a->projection < b->projection ? -1 : 1;
    }
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

/* A payload may be replaced while it is written. */
static bool keep_payload(struct ss_shard *shard, struct ss_buf *payload)
{
    struct ss_retired *kept = ss__arena_alloc(&shard->flush_arena, sizeof *kept);
    if (kept == NULL) {
        return false;
    }
    *kept = (struct ss_retired){ shard->flush_payloads, ss__buf_ref(payload) };
    shard->flush_payloads = kept;
    return true;
}

static bool make_row(struct ss_shard *shard, const struct ss_entity_slot *slot,
                     struct ss_entity_row *ret_row)
{
    struct ss_str id = ss__arena_str(&shard->flush_arena, slot->id);
    if (id.data == NULL || (slot->payload != NULL && !keep_payload(shard, slot->payload))) {
        return false;
    }
    *ret_row = (struct ss_entity_row){
        .projection = shard->timeline_ids[slot->kind->timeline],
        .kind = slot->kind->name,
        .id = id,
        .created_ordinal = slot->created_ordinal,
        .last_ordinal = slot->last_ordinal,
        .time_us = slot->time_us,
        .type_id = shard->entity_type_ids[slot->kind->index],
        .tombstone = slot->payload == NULL,
        .payload = slot->payload == NULL ? (struct ss_str){ NULL, 0 }
                                         : ss_str_of(slot->payload->data, slot->payload->len),
    };
    return true;
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
    ss__list_remove(&state->unwritten);
}

/* Where a projection stands, and which of the sorted rows are its. */
static int make_timeline(struct ss_shard *shard, const struct ss_state *state, uint32_t index,
                         const struct ss_entity_row *rows, size_t count,
                         struct ss_timeline_checkpoint *ret_timeline)
{
    const struct ss_timeline_state *timeline = &state->timelines[index];
    uint32_t projection = shard->timeline_ids[index];
    size_t first = 0;
    while (first < count && rows[first].projection != projection) {
        first++;
    }
    size_t end = first;
    while (end < count && rows[end].projection == projection) {
        end++;
    }
    struct ss_failed_set *failed = NULL;
    if (timeline->failed != NULL && timeline->failed->total > 0) {
        failed = ss__arena_alloc(&shard->flush_arena, sizeof *failed);
        if (failed == NULL) {
            return SS_E_NOMEM;
        }
        *failed = *timeline->failed;
    }
    *ret_timeline = (struct ss_timeline_checkpoint){
        .row = { .projection = projection,
                 .version = shard->options.registry->timelines[index].version,
                 .ordinal = ss__timeline_shown(state, timeline),
                 .halted = timeline->halted_at != 0,
                 .failed = failed },
        .entities = rows + first,
        .entities_count = end - first,
    };
    return 0;
}

static int make_rows(struct ss_shard *shard, const struct ss_state *state,
                     struct ss_entity_row *rows)
{
    size_t count = 0;
    for (struct ss_list *link = state->dirty.next; link != &state->dirty; link = link->next) {
        const struct ss_entity_slot *slot = ss__container_of(link, struct ss_entity_slot, dirty);
        if (!make_row(shard, slot, &rows[count++])) {
            return SS_E_NOMEM;
        }
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    return 0;
}

static int stage(struct ss_shard *shard, struct ss_state *state)
{
    if (ss__store_row(state->stored)->quarantined) {
        return SS_E_CORRUPT;
    }
    size_t count = state->dirty_count;
    struct ss_entity_row *rows = ss__arena_alloc(&shard->flush_arena, (count + 1) * sizeof *rows);
    struct ss_timeline_checkpoint *timelines =
        ss__arena_alloc(&shard->flush_arena, (state->timelines_count + 1) * sizeof *timelines);
    int err = rows == NULL || timelines == NULL ? SS_E_NOMEM : make_rows(shard, state, rows);
    for (uint32_t i = 0; i < state->timelines_count && err == 0; i++) {
        err = make_timeline(shard, state, i, rows, count, &timelines[i]);
    }
    if (err == 0) {
        err = ss__store_stage_checkpoint(shard->store, state->stored, timelines,
                                         state->timelines_count);
    }
    if (err == 0) {
        move_to_staged(state);
        ss__list_push_back(&shard->flushing, &state->flushing);
    }
    return err;
}

static struct ss_entity_slot *take_staged(struct ss_state *state)
{
    if (ss__list_empty(&state->staged)) {
        return NULL;
    }
    struct ss_entity_slot *slot =
        ss__container_of(state->staged.next, struct ss_entity_slot, dirty);
    ss__list_remove(&slot->dirty);
    slot->staged = false;
    return slot;
}

static void written(struct ss_shard *shard, struct ss_state *state)
{
    state->remade = state->voided = 0;
    for (struct ss_entity_slot *slot; (slot = take_staged(state)) != NULL;) {
        if (slot->payload == NULL && state->channel->loading) {
            /* The read under way may bring back the entity, which the slot prevents. */
            ss__state_dirty(shard, state, slot);
        } else if (slot->payload == NULL) {
            ss__state_forget_slot(shard, state, slot);
        }
    }
}

static void not_written(struct ss_shard *shard, struct ss_state *state)
{
    for (struct ss_entity_slot *slot; (slot = take_staged(state)) != NULL;) {
        ss__state_dirty(shard, state, slot);
    }
    ss__checkpoint_want(shard, state);
}

static void move(struct ss_list *from, struct ss_list *to)
{
    while (!ss__list_empty(from)) {
        struct ss_list *link = from->next;
        ss__list_remove(link);
        ss__list_push_back(to, link);
    }
}

void ss__checkpoint_stage(struct ss_shard *shard)
{
    struct ss_list left;
    uint64_t rows = 0;
    ss__list_init(&left);
    while (!ss__list_empty(&shard->due) && rows < SS_FLUSH_ROWS_MAX) {
        struct ss_state *state = ss__container_of(shard->due.next, struct ss_state, due);
        ss__list_remove(&state->due);
        rows += state->dirty_count;
        bool nothing = state->dirty_count == 0 && ss__timelines_unwritten(shard, state) == 0;
        int err = nothing ? 0 : stage(shard, state);
        if (err != 0 && err != SS_E_CORRUPT) {    /* one set aside is never written again */
            ss__list_push_back(&left, &state->due);
        }
    }
    move(&left, &shard->due);
    shard->due_rows -= rows < shard->due_rows ? rows : shard->due_rows;
    shard->due_rows = ss__list_empty(&shard->due) ? 0 : shard->due_rows;
}

void ss__checkpoint_settle(struct ss_shard *shard, bool good)
{
    while (!ss__list_empty(&shard->flushing)) {
        struct ss_state *state =
            ss__container_of(shard->flushing.next, struct ss_state, flushing);
        ss__list_remove(&state->flushing);
        /* Of a session that the flush has set aside nothing may have been moved. */
        if (good && !ss__store_row(state->stored)->quarantined) {
            written(shard, state);
        } else {
            not_written(shard, state);
        }
    }
    for (struct ss_retired *at = shard->flush_payloads; at != NULL; at = at->next) {
        ss__buf_unref(at->buf);
    }
    shard->flush_payloads = NULL;
    ss__arena_reset(&shard->flush_arena);
}
