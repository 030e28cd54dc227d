/* What is loaded after a crash or an eviction is what was there before. */
#include "notes_app.h"

static void snapshot_of(struct fixture *f, const char *session, char *out, size_t cap)
{
    post_subscribe(f, session, 9, 1);
    step_all(f);
    struct ss_request *answer = take_snapshot(f, out, cap);
    ss__msg_free(&answer->base);
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 9, 1 }, ss_str(session));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    step_all(f);
}

SS_TEST(load, a_restart_shows_the_same_snapshot_and_ordinals_go_on)
{
    static char before[1 << 20];
    static char after[1 << 20];
    struct fixture f;
    char id[32];
    fixture_init(&f);
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof id, "n%d", i % 7);
        post_put(&f, "s", id, i % 11 == 10 ? "delete" : "x");
    }
    step_all(&f);
    snapshot_of(&f, "s", before, sizeof before);
    for (int round = 0; round < 5; round++) {
        fixture_restart(&f);
        snapshot_of(&f, "s", after, sizeof after);
        ss_check(strcmp(before, after) == 0);
    }
    post_put(&f, "s", "n1", "y");
    step_all(&f);
    ss_check(f.done_ordinal == 501);
    fixture_deinit(&f);
}

SS_TEST(load, an_orderly_end_and_a_start_show_the_same_too)
{
    static char before[1 << 18];
    static char after[1 << 18];
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 100; i++) {
        post_put(&f, "s", "n", "x");
        post_put(&f, "t", "n", "y");
    }
    step_all(&f);
    snapshot_of(&f, "s", before, sizeof before);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    fixture_open(&f);
    ss_check(ss__shard_report(f.shard)->recovered_records == 0);
    ss_check(ss__shard_report(f.shard)->sessions == 2);
    snapshot_of(&f, "s", after, sizeof after);
    ss_check(strcmp(before, after) == 0);
    fixture_deinit(&f);
}

SS_TEST(load, failed_events_are_not_replayed)
{
    static char before[1 << 16];
    static char after[1 << 16];
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_fail(&f, "s", false, true);
    post_fail(&f, "s", true, false);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    snapshot_of(&f, "s", before, sizeof before);
    fixture_restart(&f);
    snapshot_of(&f, "s", after, sizeof after);
    ss_check(strcmp(before, after) == 0);
    fixture_deinit(&f);
}

SS_TEST(load, sessions_that_were_running_are_recovered_without_being_asked)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "busy", "a", "run");
    post_put(&f, "idle", "a", "x");
    step_all(&f);
    f.recovered = 0;
    fixture_restart(&f);
    step_all(&f);
    ss_check(f.recovered == 1 && f.was_running);
    post_put(&f, "busy", "a", "y");
    post_put(&f, "idle", "a", "y");
    step_all(&f);
    ss_check(f.recovered == 2);    /* once per session and process */
    fixture_deinit(&f);
}
