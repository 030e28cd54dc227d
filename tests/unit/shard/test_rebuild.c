/* Rebuilds: beside the live timeline, in its place at once, or not at all. */
#include "notes_app.h"
#include "rebuild_notes.h"

SS_TEST(rebuild, what_is_appended_is_appended_once_from_wherever)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "x", "b");
    put(&f, "x", "c");
    for (uint64_t from = 0; from <= 3; from++) {
        ss_check(rebuild(&f, from, &shown) == 0 && shown.ordinal == 3);
        ss_check(shows(&f, "x:1:3:abc\n"));
    }
    fixture_deinit(&f);
}

SS_TEST(rebuild, other_code_replaces_everything_in_memory_and_on_disk)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "y", "b");
    put(&f, "y", "delete");
    put(&f, "z", "c");
    flush_everything(&f);
    code.mark = "-";
    code.calls = 0;
    ss_check(shows(&f, "x:1:1:a\nz:4:4:c\n"));
    ss_check(rebuild(&f, 0, &shown) == 0 && shown.ordinal == 4 && code.calls == 4);
    ss_check(shows(&f, "x:1:1:-a\nz:4:4:-c\n"));
    put(&f, "x", "d");
    ss_check(shows(&f, "x:1:5:-a-d\nz:4:4:-c\n"));
    code.calls = 0;
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:5:-a-d\nz:4:4:-c\n"));
    ss_check(code.calls == 1);    /* the checkpoint has the others */
    fixture_deinit(&f);
}

SS_TEST(rebuild, from_an_event_it_begins_with_the_entities_as_they_were)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "x", "b");
    ss__checkpoint_want(f.shard, channel_of(&f, "s")->state);
    ss_check(fixture_flush(&f) > 0);
    put(&f, "x", "c");
    put(&f, "y", "d");
    code.mark = "-";
    ss_check(rebuild(&f, 3, &shown) == 0);    /* event 3 by the code of now, on those of then */
    ss_check(shows(&f, "x:1:3:ab-c\ny:4:4:-d\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, an_event_that_fails_is_named_and_nothing_changes)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "x", "b");
    put(&f, "x", "c");
    code = (struct code){ .mark = "-", .fails_at = 2 };
    ss_check(rebuild(&f, 0, &shown) == SS_E_PROJECTION);
    ss_check_msg(strstr(shown.message, "event 2 ") != NULL, "%s", shown.message);
    ss_check(shows(&f, "x:1:3:abc\n"));
    ss_check(rebuild(&f, 2, &shown) == SS_E_PROJECTION);    /* it takes event 2 as well */
    code.fails_at = 0;
    put(&f, "x", "d");
    ss_check(shows(&f, "x:1:4:abc-d\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    ss_check(shows(&f, "x:1:4:-a-b-c-d\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, failed_events_are_tried_and_those_before_are_left_alone)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    code.fails_at = 2;
    ss_check(publish(&f, "x", "b") == SS_E_PROJECTION);
    put(&f, "x", "c");
    code.fails_at = 4;
    ss_check(publish(&f, "x", "d") == SS_E_PROJECTION);
    put(&f, "x", "e");
    ss_check(rebuild(&f, 0, &shown) == SS_E_PROJECTION);
    code.fails_at = 0;
    ss_check(rebuild(&f, 3, &shown) == 0 && shown.ordinal == 1);    /* event 2 is still missing */
    ss_check(shows(&f, "x:1:5:acde\n"));
    const struct ss_failed_set *failed = channel_of(&f, "s")->state->timelines[0].failed;
    ss_check(failed->total == 1 && failed->named == 1 && failed->ordinals[0] == 2);
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:5:acde\n"));
    ss_check(rebuild(&f, 0, &shown) == 0 && shown.ordinal == 5);
    ss_check(shows(&f, "x:1:5:abcde\n"));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:5:abcde\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, a_halt_ends_when_its_event_is_taken)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    ss__shard_close(f.shard);
    f.timeline_policy = SS_POLICY_HALT;
    fixture_restart(&f);
    put(&f, "x", "a");
    code.fails_at = 2;
    ss_check(publish(&f, "x", "b") == SS_E_PROJECTION);
    put(&f, "x", "c");
    ss_check(shows(&f, "x:1:1:a\n"));
    ss_check(rebuild(&f, 2, &shown) == SS_E_INVAL);
    ss_check(rebuild(&f, 1, &shown) == SS_E_PROJECTION);
    code.fails_at = 0;
    ss_check(rebuild(&f, 1, &shown) == 0 && shown.ordinal == 3);
    ss_check(shows(&f, "x:1:3:abc\n"));
    put(&f, "x", "d");
    ss_check(shows(&f, "x:1:4:abcd\n"));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:4:abcd\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, what_cannot_be_rebuilt_is_refused_at_once)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    ss_check(rebuild(&f, 0, &shown) == SS_E_NOTFOUND);
    put(&f, "x", "a");
    ss_check(rebuild(&f, 2, &shown) == SS_E_INVAL);
    ss_check_msg(strstr(shown.message, "newest event of the session is 1") != NULL, "%s",
                 shown.message);
    ss_check(!channel_of(&f, "s")->rebuilding);
    fixture_deinit(&f);
}

/* ---- the disk ---- */

#ifdef SS_FAULTS

/* By other code; the flush that would write it fails once. */
static void rebuild_but_not_on_disk(struct fixture *f, struct code *code, struct shown *shown)
{
    ss__checkpoint_want(f->shard, channel_of(f, "s")->state);
    ss_check(fixture_flush(f) > 0);
    code->mark = "-";
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    post_rebuild(f, 0, shown);
    step_all(f);
}

SS_TEST(rebuild, what_is_not_written_when_the_process_ends_has_never_been)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "y", "b");
    rebuild_but_not_on_disk(&f, &code, &shown);
    ss_check(shown.calls == 0);    /* it is shown, and waits for the disk */
    ss_check(shows(&f, "x:1:1:-a\ny:2:2:-b\n"));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:1:a\ny:2:2:b\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, a_flush_that_fails_is_tried_again_and_then_it_lasts)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "y", "b");
    rebuild_but_not_on_disk(&f, &code, &shown);
    put(&f, "x", "c");
    ss_check(shown.calls == 0);
    f.now_ns += UINT64_C(200000000);
    f.shard->flush_wanted = true;
    step_all(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:3:-a-c\ny:2:2:-b\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, without_memory_for_it_nothing_changes)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    code.mark = "-";
    ss__fault_arm("shard.rebuild", 1, 1, SS_E_NOMEM);
    ss_check(rebuild(&f, 0, &shown) == SS_E_NOMEM);
    ss__fault_arm("store.history", 1, 1, SS_E_STOREIO);
    ss_check(rebuild(&f, 0, &shown) == SS_E_STOREIO);
    ss_check(shows(&f, "x:1:1:a\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    ss_check(shows(&f, "x:1:1:-a\n"));
    fixture_deinit(&f);
}

SS_TEST(rebuild, a_commit_that_fails_before_it_is_written_brings_the_old_entities_back)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    rebuild_but_not_on_disk(&f, &code, &shown);
    ss_check(shown.calls == 0);
    ss__fault_arm("store.commit.before", 1, 2, SS_E_STOREIO);
    (void)publish(&f, "x", "lost");
    ss__fault_reset();
    ss_check_msg(f.done_err == SS_E_COMMIT, "%s", ss_error_name(f.done_err));
    ss_check(shows(&f, "x:1:1:a\n"));
    f.now_ns += UINT64_C(200000000);
    f.shard->flush_wanted = true;
    put(&f, "x", "b");
    step_all(&f);
    ss_check_msg(shown.calls == 1 && shown.err == SS_E_COMMIT, "%u %s", shown.calls,
                 ss_error_name(shown.err));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:2:a-b\n"));
    fixture_deinit(&f);
}

#endif

SS_TEST(rebuild, followers_get_a_snapshot_if_something_is_different_and_later_frames_once)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    char text[2048];
    init(&f, &code);
    put(&f, "x", "a");
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(rebuild(&f, 0, &shown) == 0);
    ss_check(next_message(&f) == NULL);    /* nothing is different */
    code.mark = "-";
    ss_check(rebuild(&f, 0, &shown) == 0);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_RESYNC);
    ss__msg_free(msg);
    put(&f, "x", "b");
    ss_check(next_message(&f) == NULL);    /* it asks anew first */
    post_subscribe_v2(&f, "s", 7, 2);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"text\":\"-a-b\"") != NULL, "%s", text);
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}
