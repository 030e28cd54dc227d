/* What a load makes of stored events again; what failed is in test_load.c and test_retry.c, what
 * cannot be read in test_unreadable.c. */
#include "notes_app.h"

#include "shard/desk.h"
#include "shard/replay.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

SS_TEST(replay, leaves_out_what_was_not_in_the_timeline)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "x", "a");
    step_all(&f);
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    struct ss_shard *desk = ss__desk_new(f.shard, channel);
    ss_check(desk != NULL);
    struct ss_state *state = ss__desk_channel(desk)->state;
    const struct ss_name *put = ss__registry_find(f.registry, SS_SPACE_EVENT, ss_str("Put"));
    Sessionstream__Test__Notes__Note note = make_note("y", "b");
    uint8_t packed[64];
    struct ss_record record = {
        .ordinal = 1,
        .time_us = 5,
        .type_id = f.shard->event_type_ids[put->index],
        .flags = SS_RECORD_UI_FAILED,    /* under the policy that then refuses the event */
        .payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed)),
    };
    ss_check(ss__replay(desk, ss__desk_channel(desk), &record) == 0);
    ss_check(state->ordinal == 1 && state->timeline_ordinal == 0 && state->live_count == 0);
    ss_check(ss__timeline_has_failed(&state->timelines[0]));
    record.ordinal = 2;
    record.flags = SS_RECORD_UI_FAILED | SS_RECORD_ADVANCED;
    ss_check(ss__replay(desk, ss__desk_channel(desk), &record) == 0);
    ss_check(state->ordinal == 2 && state->timeline_ordinal == 2 && state->live_count == 1);
    ss__desk_free(desk);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS

static int publish_raw(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "raw");
    (void)fixture;
    return ss_publish(context, "Raw", &note.base);
}

static int put_two(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, struct fixture *fixture)
{
    (void)event;
    (void)view;
    (void)fixture;
    Sessionstream__Test__Notes__Note first = make_note("b", "new");
    Sessionstream__Test__Notes__Note second = make_note("a", "new");
    int err = ss_put_entity(timeline, "Note", ss_str("b"), &first.base);
    return err != 0 ? err : ss_put_entity(timeline, "Note", ss_str("a"), &second.base);
}

SS_TEST(replay, that_is_cut_short_begins_again)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_timeline = put_two;
    post_put(&f, "s", "a", "old");
    step_all(&f);
    call_in(&f, "s", publish_raw);
    post_put(&f, "s", "a", "more");
    step_all(&f);
    fixture_restart(&f);
    ss__fault_arm("shard.change", 3, 1, SS_E_NOMEM);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_NOMEM);
    post_put(&f, "s", "a", "last");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 4);
    post_subscribe(&f, "s", 9, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"text\":\"new+more+last\"") != NULL, "%s", text);
    fixture_deinit(&f);
}
#endif
