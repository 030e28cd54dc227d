/* Entities in memory: accounting, room, and what is read from disk on demand. */
#include "notes_app.h"

#include <sessionstream/limits.h>

#include "shard/context.h"
#include "shard/shard_state.h"

static const struct ss_name *note_kind(struct fixture *f)
{
    return ss__registry_find(f->registry, SS_SPACE_ENTITY, ss_str("Note"));
}

static int put_and_look(struct ss_context *context, struct fixture *fixture)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_state *state = context->view.state;
    struct ss_str payload = ss_str("\x0a\x01x");
    size_t empty = state->bytes;
    ss_check(ss__state_put(shard, state, note_kind(fixture), ss_str("a"), &payload, 1, 9) == 0);
    size_t one = state->bytes;
    ss_check(one > empty + payload.len && state->live_count == 1 && state->dirty_count == 1);
    struct ss_str longer = ss_str("\x0a\x03xyz");
    ss_check(ss__state_put(shard, state, note_kind(fixture), ss_str("a"), &longer, 2, 9) == 0);
    ss_check(state->bytes == one + 2 && state->live_count == 1 && state->dirty_count == 1);
    ss_check(ss__state_put(shard, state, note_kind(fixture), ss_str("a"), NULL, 3, 9) == 0);
    ss_check(state->bytes == one - payload.len && state->live_count == 0);
    ss_check(ss__state_put(shard, state, note_kind(fixture), ss_str("b"), NULL, 4, 9) == 0);
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
