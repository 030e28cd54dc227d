/* I2 and the rule of effects: a commit that fails releases nothing. */
#include <errno.h>

#include "notes_app.h"

#include "shard/checkpoint.h"
#include "shard/shard_state.h"

SS_TEST(commit_failure, i2_nothing_leaves_and_the_session_goes_on)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);

    ss__fault_arm("log.write", 1, 2, EIO);    /* the try and its repetition */
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "lost");
    post_put(&f, "new", "a", "lost");
    ss_check(!ss__shard_step(f.shard));
    ss_check(f.dones == 3 && f.done_err == SS_E_COMMIT && f.done_ordinal == 0);
    ss_check(next_message(&f) == NULL);
    ss_check(f.task_canceled == SS_E_COMMIT && f.task_runs == 0);

    f.now_ns += 5000000;
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2 && f.task_runs == 0);
    ss_check(take_frame(&f) == 2);    /* the follower is still one */
    post_subscribe(&f, "s", 7, 2);
    step_all(&f);
    struct ss_request *answer = take_snapshot(&f, text, sizeof text);
    ss_check(strstr(text, "\"text\":\"1+2\"") != NULL && strstr(text, "lost") == NULL);
    ss__msg_free(&answer->base);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, i4_a_handler_that_failed_is_not_told_that_its_events_are_stored)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_note(&f, SS_REQUEST_SUBMIT, "Broken", "s", "a", "lost");
    step_all(&f);
    ss_check(f.dones == 1 && f.done_err == SS_E_COMMIT && f.done_ordinal == 0);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    fixture_deinit(&f);
}

static int run_on(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_set_running(context, true);
    return 0;
}

/* Although it published nothing itself. */
SS_TEST(commit_failure, a_session_is_not_running_when_what_said_so_is_undone)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "other", "a", "lost");
    call_in(&f, "s", run_on);
    ss_check(f.dones == 3 && f.done_err == SS_E_COMMIT);
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss_check(channel == NULL || !channel->running);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    fixture_restart(&f);
    step_all(&f);
    ss_check(!f.was_running);
    fixture_deinit(&f);
}

/* A frame for which there is no memory at all is not left out: its event is undone. */
SS_TEST(commit_failure, i3_an_event_that_cannot_be_shown_is_not_stored)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(take_frame(&f) == 1);
    ss__fault_arm("shard.effect", 1, 1, 1);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && f.done_ordinal == 0 && next_message(&f) == NULL);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2 && take_frame(&f) == 2);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, subscribes_of_the_batch_are_answered_afterwards)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    struct ss_request *answer = take_snapshot(&f, text, sizeof text);
    ss_check(answer->ordinal == 0 && f.done_err == SS_E_COMMIT);
    ss__msg_free(&answer->base);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(take_frame(&f) == 1);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, a_failed_sync_stops_acking_and_reads_go_on)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__fault_arm("log.sync", 1, 1, EIO);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT);
    post_put(&f, "s", "a", "3");
    step_all(&f);
    ss_check(f.done_err == SS_E_STOREIO && atomic_load(&f.stats->store_failed) == 1);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    struct ss_request *answer = take_snapshot(&f, text, sizeof text);
    ss_check(answer->ordinal == 1);
    ss__msg_free(&answer->base);
    fixture_deinit(&f);
}

static uint64_t epoch_in(const char *text)
{
    const char *at = strstr(text, "\"epoch\":\"");
    ss_check(at != NULL);
    return strtoull(at + strlen("\"epoch\":\""), NULL, 10);
}

static void open_interval(struct fixture *f)
{
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->durability = SS_DURABILITY_INTERVAL;
    fixture_open(f);
}

SS_TEST(commit_failure, interval_events_that_could_not_be_written_are_not_shown)
{
    struct fixture f;
    char text[4096];
    open_interval(&f);
    post_put(&f, "s", "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && next_message(&f) == NULL);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2 && take_frame(&f) == 2);
    fixture_deinit(&f);
}

/* What was shown may be gone after a power failure: clients learn of it by the epoch. */
SS_TEST(commit_failure, interval_events_whose_sync_failed_change_the_epoch_at_the_next_start)
{
    struct fixture f;
    char text[4096];
    open_interval(&f);
    post_put(&f, "s", "a", "1");
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    uint64_t before = epoch_in(text);
    ss__fault_arm("log.sync", 1, 1, EIO);
    f.now_ns += 60000000;
    step_all(&f);
    ss_check(atomic_load(&f.stats->store_failed) == 1);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == SS_E_STOREIO);
    fixture_restart(&f);
    post_subscribe_v2(&f, "s", 7, 2);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "\"text\":\"1\"") != NULL && epoch_in(text) != before);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, a_running_session_that_was_cut_off_is_recovered_without_a_client)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "run");
    post_put(&f, "idle", "a", "1");
    step_all(&f);
    ss_check(f.recovered == 0);    /* both began in this process */
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    post_put(&f, "idle", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT);
    ss_check(f.recovered == 1 && f.was_running);
    f.was_running = false;
    post_put(&f, "idle", "a", "2");
    step_all(&f);
    ss_check(f.recovered == 2 && !f.was_running && f.done_ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, a_flush_that_fails_disturbs_nobody_and_is_made_up_for)
{
    struct fixture f;
    struct ss_str id = ss_str("s");
    fixture_init(&f);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "run");
    post_put(&f, "s", "b", "run");
    step_all(&f);
    struct ss_state *state = ss__channel_get(f.shard, id, ss__map_hash(id), false)->state;
    uint32_t dirty = state->dirty_count;
    ss__checkpoint_want(f.shard, state);
    f.shard->flush_wanted = true;
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    post_put(&f, "other", "a", "1");
    step_all(&f);
    ss_check(f.done_err == 0 && f.recovered == 0 && f.task_canceled == 0);
    ss_check(atomic_load(&f.stats->flush_errors) == 1 && atomic_load(&f.stats->store_failed) == 0);
    ss_check(ss__channel_get(f.shard, id, ss__map_hash(id), false)->state == state);
    ss_check(state->dirty_count == dirty && !ss__list_empty(&state->due));
    f.now_ns += 5000000000;
    f.shard->flush_wanted = true;
    step_all(&f);
    ss_check(f.task_runs == 1 && ss__list_empty(&state->due));
    ss_check(atomic_load(&f.stats->flushes) == 1);
    fixture_deinit(&f);
}

SS_TEST(commit_failure, leaves_no_channel_behind_that_nobody_needs)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    post_put(&f, "t", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && f.shard->channels.count == 0);
    fixture_deinit(&f);
}
