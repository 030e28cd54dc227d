/* Entities in memory: accounting, room, and what is read from disk on demand. */
#include "notes_app.h"

#include <sessionstream/limits.h>

#include "shard/context.h"
#include "shard/shard_state.h"

static const struct ss_name *note_kind(struct fixture *f)
{
    return ss__registry_find(f->registry, SS_SPACE_ENTITY, ss_str("Note"));
}

static int put(struct ss_context *context, struct fixture *fixture, struct ss_str id,
               const struct ss_str *payload, uint64_t ordinal)
{
    struct ss_entity_change change;
    struct ss_shard *shard = context->view.shard;
    struct ss_state *state = context->view.state;
    int err = ss__state_prepare(shard, state, note_kind(fixture), id, payload, &change);
    if (err == 0) {
        ss__state_apply(shard, state, &change, ordinal, 9);
    }
    return err;
}

static int put_and_look(struct ss_context *context, struct fixture *fixture)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_state *state = context->view.state;
    struct ss_str payload = ss_str("\x0a\x01x");
    size_t empty = state->bytes;
    ss_check(put(context, fixture, ss_str("a"), &payload, 1) == 0);
    size_t one = state->bytes;
    ss_check(one > empty + payload.len && state->live_count == 1 && state->dirty_count == 1);
    struct ss_str longer = ss_str("\x0a\x03xyz");
    ss_check(put(context, fixture, ss_str("a"), &longer, 2) == 0);
    ss_check(state->bytes == one + 2 && state->live_count == 1 && state->dirty_count == 1);
    ss_check(put(context, fixture, ss_str("a"), NULL, 3) == 0);
    ss_check(state->bytes == one - payload.len && state->live_count == 0);
    ss_check(put(context, fixture, ss_str("b"), NULL, 4) == 0);
    ss_check(state->dirty_count == 1);    /* nothing was there to remove */
    ss_check(shard->state_bytes == state->bytes);
    return 0;
}

SS_TEST(state, accounts_for_every_byte_and_entity)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", put_and_look);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}

SS_TEST(state, room_is_judged_by_both_limits)
{
    struct ss_state state = { .live_count = SS_SESSION_ENTITIES_MAX - 1,
                              .bytes = SS_SESSION_STATE_BYTES_MAX - 10 };
    ss_check(ss__state_has_room(&state, 1, 10));
    ss_check(!ss__state_has_room(&state, 2, 10));
    ss_check(!ss__state_has_room(&state, 1, 11));
    state.live_count = SS_SESSION_ENTITIES_MAX + 5;
    state.bytes = SS_SESSION_STATE_BYTES_MAX + 5;
    ss_check(ss__state_has_room(&state, 0, 0));    /* what shrinks it is welcome */
}

static int find_stored(struct ss_context *context, struct fixture *fixture)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_state *state = context->view.state;
    struct ss_entity_slot *slot;
    ss_check(!state->whole && state->entities.count == 0);
    ss_check(ss__state_find(shard, state, note_kind(fixture), ss_str("n3"), &slot) == 0);
    ss_check(slot != NULL && slot->created_ordinal == 4 && state->entities.count == 1);
    ss_check(ss__state_find(shard, state, note_kind(fixture), ss_str("none"), &slot) == 0);
    ss_check(slot == NULL);
    ss_check(ss__state_read_whole(shard, state) == 0 && state->whole);
    ss_check(state->entities.count == 20 && state->live_count == 20);
    return 0;
}

SS_TEST(state, reads_single_entities_on_demand_and_all_of_them_once)
{
    struct fixture f;
    char id[16];
    fixture_init(&f);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "n%d", i);
        post_put(&f, "s", id, "1");
    }
    step_all(&f);
    ss__shard_close(f.shard);    /* everything is in the checkpoint */
    fixture_restart(&f);
    call_in(&f, "s", find_stored);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}

SS_TEST(state, snapshots_in_its_cache_count_as_its_memory_but_not_against_its_limit)
{
    struct fixture f;
    char text[4096];
    struct ss_str id = ss_str("s");
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    struct ss_state *state = ss__channel_get(f.shard, id, ss__map_hash(id), false)->state;
    size_t bytes = state->bytes;
    ss_check(f.shard->state_bytes == bytes);
    post_subscribe(&f, "s", 7, 1);
    post_subscribe_v2(&f, "s", 8, 2);
    step_all(&f);
    struct ss_request *v1 = take_snapshot(&f, text, sizeof text);
    struct ss_request *v2 = take_snapshot(&f, text, sizeof text);
    size_t cached = v1->snapshot->len + v2->snapshot->len;
    ss_check(state->bytes == bytes && state->snapshot_bytes == cached);
    ss_check(f.shard->state_bytes == bytes + cached && ss__state_bytes(state) == bytes + cached);
    ss__msg_free(&v1->base);
    ss__msg_free(&v2->base);
    ss__state_free(f.shard, state);
    ss_check(f.shard->state_bytes == 0);
    fixture_deinit(&f);
}

static int prepare_and_discard(struct ss_context *context, struct fixture *fixture)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_state *state = context->view.state;
    struct ss_entity_change first;
    struct ss_entity_change second;
    struct ss_str payload = ss_str("\x0a\x01x");
    size_t before = state->bytes;
    ss_check(ss__state_prepare(shard, state, note_kind(fixture), ss_str("a"), &payload,
                               &first) == 0);
    ss_check(ss__state_prepare(shard, state, note_kind(fixture), ss_str("a"), &payload,
                               &second) == 0);
    ss_check(first.created && !second.created && first.slot == second.slot);
    ss_check(state->live_count == 0 && state->dirty_count == 0);
    ss__state_discard(shard, state, &first);
    ss__state_discard(shard, state, &second);
    ss_check(state->bytes == before && state->entities.count == 0);
    return 0;
}

SS_TEST(state, a_change_that_was_prepared_and_discarded_leaves_no_trace)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", prepare_and_discard);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}
