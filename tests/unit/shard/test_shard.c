/* Ordinals, snapshots before live frames, tasks, policies: a shard stepped on one thread. */
#include "notes_app.h"

#include "shard/batch.h"
#include "shard/shard_state.h"

SS_TEST(shard, i1_ordinals_have_no_gaps_and_frames_follow_them)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    for (int i = 0; i < 300; i++) {
        post_put(&f, "s", "n", "x");
    }
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strcmp(text, "{\"snapshot\":{\"sessionId\":\"s\"}}") == 0);
    for (uint64_t ordinal = 1; ordinal <= 300; ordinal++) {
        ss_check(take_frame(&f) == ordinal);
    }
    ss_check(next_message(&f) == NULL);
    ss_check(f.dones == 300 && f.done_err == 0 && f.done_ordinal == 300);
    fixture_deinit(&f);
}

SS_TEST(shard, i3_a_snapshot_in_the_middle_has_every_later_frame_once)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "b", "2");
    post_subscribe(&f, "s", 7, 1);
    post_put(&f, "s", "a", "3");
    post_subscribe(&f, "s", 7, 2);
    post_put(&f, "s", "a", "4");
    step_all(&f);
    struct ss_request *first = take_snapshot(&f, text, sizeof text);
    ss_check(first->ordinal == 2 && first->number == 1);
    ss_check(strstr(text, "\"snapshotOrdinal\":\"2\"") != NULL);
    ss_check(take_frame(&f) == 3);
    struct ss_request *second = take_snapshot(&f, text, sizeof text);
    ss_check(second->number == 2 && second->ordinal + second->frames_count == 3);
    ss_check(take_frame(&f) == 4);
    ss__msg_free(&first->base);
    ss__msg_free(&second->base);
    fixture_deinit(&f);
}

SS_TEST(shard, a_subscriber_during_a_burst_gets_a_cached_snapshot_and_the_frames_after_it)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    for (int i = 0; i < 5; i++) {
        post_put(&f, "s", "a", "x");
        step_all(&f);
        (void)take_frame(&f);
    }
    post_subscribe(&f, "s", 7, 2);
    step_all(&f);
    struct ss_request *late = take_snapshot(&f, text, sizeof text);
    ss_check(late->ordinal == 1 && late->frames_count == 5);
    struct ss_str last = ss__ws_payload(late->frames[4]);
    ss_check(memmem(last.data, last.len, "\"eventOrdinal\":\"6\"", 18) != NULL);
    ss_check(total_of(f.stats->snapshots) == 1 && atomic_load(&f.stats->snapshot_hits) == 1);
    ss__msg_free(&late->base);
    fixture_deinit(&f);
}

SS_TEST(shard, more_frames_than_the_ring_holds_lead_to_a_new_snapshot)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    for (int i = 0; i < 400; i++) {
        post_put(&f, "s", "b", "delete");
    }
    post_subscribe(&f, "s", 7, 2);
    step_all(&f);
    for (uint64_t ordinal = 2; ordinal <= 401; ordinal++) {
        ss_check(take_frame(&f) == ordinal);
    }
    struct ss_request *late = take_snapshot(&f, text, sizeof text);
    ss_check(late->ordinal + late->frames_count == 401);
    ss__msg_free(&late->base);
    fixture_deinit(&f);
}

SS_TEST(shard, a_failing_handler_keeps_what_it_published)
{
    struct fixture f;
    fixture_init(&f);
    post_note(&f, SS_REQUEST_SUBMIT, "Broken", "s", "a", "1");
    step_all(&f);
    ss_check(f.dones == 1 && f.done_err == SS_E_HANDLER && f.done_ordinal == 1);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(shard, a_failed_projection_keeps_the_event_and_not_the_timeline)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_fail(&f, "s", false, true);
    step_all(&f);
    ss_check(f.done_err == SS_E_PROJECTION && f.done_ordinal == 2);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "\"snapshotOrdinal\":\"1\"") != NULL);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(take_frame(&f) == 3);
    fixture_deinit(&f);
}

SS_TEST(shard, tasks_run_after_their_delay_and_publish)
{
    struct fixture f;
    fixture_init(&f);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "1");
    step_all(&f);
    ss_check(f.task_runs == 0);
    f.now_ns += 2000000;
    step_all(&f);
    ss_check(f.task_runs == 1 && f.task_canceled == 0);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_ordinal == 3);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "1");
    step_all(&f);
    ss__shard_close(f.shard);
    ss_check(f.task_canceled == SS_E_STOPPING && f.task_runs == 1);
    ss__shard_free(f.shard);
    f.shard = NULL;
    fixture_deinit(&f);
}

SS_TEST(shard, an_uninterested_gateway_gets_no_more_frames)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 7, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &msg->base.node, SS_POST_INSIDE) == 0);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(next_message(&f) == NULL && f.done_ordinal == 1);
    fixture_deinit(&f);
}

SS_TEST(shard, interval_mode_answers_at_once_and_syncs_later)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.durability = SS_DURABILITY_INTERVAL;
    fixture_open(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(f.dones == 1 && f.shard->interval_due_ns == f.now_ns + 50000000);
    ss_check(ss__batch_wait_ms(f.shard) <= 50);
    f.now_ns += 49000000;
    step_all(&f);
    ss_check(f.shard->interval_due_ns != 0);
    f.now_ns += 1000000;
    step_all(&f);
    ss_check(f.shard->interval_due_ns == 0);
    fixture_deinit(&f);
}
