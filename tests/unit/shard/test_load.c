/* What is loaded after a crash or an eviction is what was there before. */
#include <errno.h>

#include "notes_app.h"

#include <sched.h>
#include <semaphore.h>

#include "runtime/pool.h"
#include "shard/batch.h"
#include "shard/checkpoint.h"
#include "shard/load.h"
#include "shard/pipeline.h"
#include "shard/shard_state.h"

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

SS_TEST(load, that_fails_leaves_nothing_behind_and_is_tried_again)
{
    struct fixture f;
    static char text[1 << 16];
    fixture_init(&f);
    for (int i = 0; i < 70; i++) {
        post_put(&f, "s", "a", "x");    /* a checkpoint, and events behind it */
    }
    step_all(&f);
    ss_check(fixture_flush(&f) > 0);
    post_put(&f, "s", "b", "y");
    post_put(&f, "s", "a", "z");
    step_all(&f);
    fixture_restart(&f);
    ss__fault_arm("shard.read", 2, 1, SS_E_STOREIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_STOREIO && f.done_ordinal == 0);
    ss_check(f.shard->channels.count == 0 && f.shard->state_bytes == 0);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 73);
    snapshot_of(&f, "s", text, sizeof text);
    ss_check(strstr(text, "+x+x+z+2\"") != NULL && strstr(text, "lost") == NULL);
    fixture_deinit(&f);
}

SS_TEST(load, a_task_of_a_session_that_left_memory_finds_its_events)
{
    struct fixture f;
    static char text[1 << 16];
    fixture_init(&f);
    ss__shard_free(f.shard);
    f.cache_bytes = 1;
    fixture_open(&f);
    post_put(&f, "s", "timed", "before");
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "x");
    step_all(&f);
    for (int i = 0; i < 3; i++) {
        post_put(&f, "other", "a", "x");
        step_all(&f);
    }
    ss_check(atomic_load(&f.stats->sessions_evicted) == 1);
    f.now_ns += 3000000;
    step_all(&f);
    ss_check(f.task_runs == 1);
    snapshot_of(&f, "s", text, sizeof text);
    ss_check_msg(strstr(text, "\"text\":\"before+later\"") != NULL, "%s", text);
    fixture_deinit(&f);
}

/* ---- while the pool reads ---- */

static sem_t reader_in;
static sem_t reader_gate;

static void hold_reader(struct ss_pool_job *job)
{
    (void)job;
    (void)sem_post(&reader_in);
    (void)sem_wait(&reader_gate);
}

/* A cold session "s" with a checkpoint and a few events behind it, read by a pool of one thread. */
struct cold {
    struct fixture f;
    struct ss_pool *pool;
    struct ss_pool_job job;
};

static void cold_init(struct cold *cold, uint64_t cache_bytes)
{
    struct fixture *f = &cold->f;
    cold->job = (struct ss_pool_job){ .run = hold_reader };
    ss_check(ss__pool_new(1, &cold->pool) == 0);
    ss_check(sem_init(&reader_in, 0, 0) == 0 && sem_init(&reader_gate, 0, 0) == 0);
    fixture_init(f);
    for (int i = 0; i < 70; i++) {
        post_put(f, "s", "k", ".");
    }
    step_all(f);
    ss_check(fixture_flush(f) > 0);
    post_put(f, "s", "after", "once");
    step_all(f);
    f->pool = cold->pool;
    f->cache_bytes = cache_bytes;
    fixture_restart(f);
    step_all(f);
}

static void cold_deinit(struct cold *cold)
{
    fixture_deinit(&cold->f);
    ss__pool_free(cold->pool);
}

/* A subscribe, which needs the whole session, begins a read that does not end. */
static void begin_load(struct cold *cold)
{
    ss_check(ss__pool_post(cold->pool, &cold->job) == 0);
    (void)sem_wait(&reader_in);
    post_subscribe(&cold->f, "s", 7, 5);
    step_all(&cold->f);
    ss_check(cold->f.shard->jobs == 1);
}

static void await_load(struct cold *cold)
{
    (void)sem_post(&reader_gate);
    while (ss__inbox_depth(ss__shard_inbox(cold->f.shard)) < 2) {    /* and the parked subscribe */
        (void)sched_yield();
    }
}

static void settle(struct fixture *f)
{
    while (ss__shard_step(f->shard) || f->shard->jobs > 0 ||
           ss__inbox_depth(ss__shard_inbox(f->shard)) > 0) {
        (void)sched_yield();
    }
}

static void end_load(struct cold *cold)
{
    await_load(cold);
    settle(&cold->f);
}

static void check_text(struct fixture *f, const char *want)
{
    char text[8192];
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check_msg(strstr(text, want) != NULL && strstr(text, "once+once") == NULL, "%s", text);
    for (struct ss_msg *msg; (msg = next_message(f)) != NULL;) {
        ss__msg_free(msg);
    }
    fixture_restart(f);
    post_subscribe(f, "s", 7, 6);
    settle(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check_msg(strstr(text, want) != NULL && strstr(text, "once+once") == NULL, "%s", text);
}

static void run_tasks_during_a_load(int tasks, const char *want)
{
    struct cold cold;
    cold_init(&cold, 0);
    for (int i = 0; i < tasks; i++) {
        post_note(&cold.f, SS_REQUEST_SUBMIT, "Timed", "s", "cmd", "c");
    }
    step_all(&cold.f);
    begin_load(&cold);
    cold.f.now_ns += 3000000;
    step_all(&cold.f);
    ss_check(cold.f.task_runs == (unsigned)tasks);
    end_load(&cold);
    check_text(&cold.f, want);
    cold_deinit(&cold);
}

SS_TEST(load, a_task_that_runs_meanwhile_finds_every_event_once)
{
    run_tasks_during_a_load(1, "\"text\":\"later\"");
}

SS_TEST(load, so_do_two_of_them)
{
    run_tasks_during_a_load(2, "\"text\":\"later+later\"");
}

/* The state did not show its events when the read began: the task needs them first. */
SS_TEST(load, a_task_meanwhile_replays_what_the_read_was_to_bring)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    struct ss_failure failure;
    cold_init(&cold, 0);
    begin_load(&cold);
    struct ss_channel *channel =
        ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss_check(channel->loading && !channel->state->replayed);
    ss_check(ss__load_now(f->shard, channel) == 0 && ss__load_now(f->shard, channel) == 0);
    ss_check(channel->state->replayed && channel->state->ordinal == 71);
    Sessionstream__Test__Notes__Note note = make_note("after", "twice");
    uint8_t packed[64];
    uint64_t ordinal;
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    const struct ss_name *name = ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str("Put"));
    ss_check(ss__pipeline_publish(f->shard, channel, name, payload, &ordinal, &failure) == 0);
    ss_check(ordinal == 72);
    end_load(&cold);
    check_text(f, "\"text\":\"once+twice\"");
    cold_deinit(&cold);
}

/* The read saw the entity, the checkpoint that deletes it was committed since. */
SS_TEST(load, does_not_bring_back_what_was_deleted_meanwhile)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    struct ss_failure failure;
    char text[8192];
    cold_init(&cold, 0);
    post_put(f, "s", "cmd", "c");    /* without the checkpoint's entities in memory */
    step_all(f);
    begin_load(&cold);
    await_load(&cold);
    struct ss_channel *channel =
        ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    Sessionstream__Test__Notes__Note note = make_note("k", "delete");
    uint8_t packed[64];
    uint64_t ordinal;
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    const struct ss_name *name = ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str("Put"));
    ss_check(ss__pipeline_publish(f->shard, channel, name, payload, &ordinal, &failure) == 0);
    ss_check(ss__batch_commit(f->shard) == 0);
    ss__checkpoint_want(f->shard, channel->state);
    ss_check(fixture_flush(f) > 0);
    end_load(&cold);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"k\"") == NULL && strstr(text, "\"after\"") != NULL, "%s", text);
    cold_deinit(&cold);
}

/* A checkpoint gets into LMDB between the read of the pool and that of a task. */
static void write_behind_the_read(struct fixture *f, const char *id, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note(id, text);
    uint8_t packed[64];
    struct ss_store_session *stored;
    const struct ss_name *kind =
        ss__registry_find(f->registry, SS_SPACE_ENTITY, ss_str("Note"));
    struct ss_entity_row row = { .kind = kind->name, .id = ss_str(id), .created_ordinal = 1,
                                 .last_ordinal = 71,
                                 .type_id = f->shard->entity_type_ids[kind->index] };
    row.payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    ss_check(ss__store_get_session(f->shard->store, ss_str("s"), &stored) == 0);
    struct ss_timeline_checkpoint timeline = {
        .row = { .projection = f->shard->timeline_ids[0], .version = 1, .ordinal = 71 },
        .entities = &row,
        .entities_count = 1,
    };
    ss_check(ss__store_stage_checkpoint(f->shard->store, stored, &timeline, 1) == 0);
    ss_check(ss__store_flush(f->shard->store, 0) > 0);
    ss__store_put_session(f->shard->store, stored);
}

SS_TEST(load, older_than_what_a_task_has_read_meanwhile_brings_nothing_back)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    char text[8192];
    cold_init(&cold, 0);
    begin_load(&cold);
    await_load(&cold);
    write_behind_the_read(f, "k", "newer");
    struct ss_channel *channel =
        ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss_check(ss__load_now(f->shard, channel) == 0 && channel->state->ordinal == 71);
    settle(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"text\":\"newer\"") != NULL, "%s", text);
    cold_deinit(&cold);
}

SS_TEST(load, a_commit_that_fails_meanwhile_makes_it_begin_again)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    cold_init(&cold, 0);
    post_note(f, SS_REQUEST_SUBMIT, "Timed", "s", "cmd", "c");
    step_all(f);
    begin_load(&cold);
    ss__fault_arm("log.write", 1, 2, EIO);
    f->now_ns += 3000000;
    step_all(f);
    ss_check(atomic_load(&f->stats->commit_errors) == 1 && f->task_runs == 1);
    end_load(&cold);
    check_text(f, "\"text\":\"c\"");
    cold_deinit(&cold);
}

/* The state that the read belongs to is gone, another one has taken its place. */
SS_TEST(load, for_a_state_that_was_dropped_is_not_added_to_its_successor)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    cold_init(&cold, 0);
    post_put(f, "s", "cmd", "c");
    step_all(f);
    begin_load(&cold);
    struct ss_channel *channel =
        ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss__state_free(f->shard, channel->state);
    ss_check(ss__load_now(f->shard, channel) == 0 && !channel->state->whole);
    await_load(&cold);
    (void)ss__shard_step(f->shard);
    ss_check(f->shard->jobs == 0 && !channel->state->whole);
    settle(f);
    ss_check(channel->state->whole);    /* those who waited began another */
    check_text(f, "\"text\":\"c\"");
    cold_deinit(&cold);
}

SS_TEST(load, of_a_session_larger_than_the_cache_serves_those_who_waited)
{
    struct cold cold;
    cold_init(&cold, 1);
    begin_load(&cold);
    end_load(&cold);
    check_text(&cold.f, "\"text\":\"once\"");
    ss_check(atomic_load(&cold.f.stats->sessions_loaded) <= 4);
    cold_deinit(&cold);
}

static void set_data(struct ss_context *context, struct fixture *fixture)
{
    ss_check(ss_context_data(context) == NULL);
    ss_context_set_data(context, fixture);
}

SS_TEST(load, hooks_are_called_in_pairs)
{
    struct fixture f;
    fixture_init(&f);
    f.load = set_data;
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.loads == 1 && f.unloads == 0 && f.recovered == 0);
    fixture_restart(&f);
    ss_check(f.unloads == 1 && f.unloaded == &f && f.unloaded_id_bytes == 1);
    post_put(&f, "s", "a", "3");
    step_all(&f);
    ss_check(f.loads == 2 && f.recovered == 1);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && f.unloads == 2);
    post_put(&f, "s", "a", "4");
    step_all(&f);
    ss_check(f.done_ordinal == 4 && f.loads == 3);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss_check(f.unloads == 3);
    fixture_deinit(&f);
}

SS_TEST(load, the_hook_of_a_session_without_events_leaves_nothing_behind)
{
    struct fixture f;
    static char text[1 << 16];
    fixture_init(&f);
    f.load = set_data;
    snapshot_of(&f, "nothing", text, sizeof text);
    ss_check(f.loads > 0 && f.loads == f.unloads && f.unloaded == &f);
    fixture_deinit(&f);
}

static void post_delete(struct fixture *f)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_DELETE, ss_str("s"), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

SS_TEST(load, a_deletion_meanwhile_comes_behind_those_who_wait)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    char text[8192];
    cold_init(&cold, 0);
    begin_load(&cold);
    post_delete(f);
    post_put(f, "s", "k", "next");
    step_all(f);
    unsigned dones = f->dones;
    (void)sem_post(&reader_gate);
    while (f->dones < dones + 2) {
        settle(f);
    }
    ss_check(f->done_err == 0 && f->done_ordinal == 1);    /* in the next life */
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check(strstr(text, "\"text\":\"once\"") != NULL);    /* of the one before */
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && ((const struct ss_msg_frame *)(const void *)msg)->ends);
    ss__msg_free(msg);
    ss_check(take_frame(f) == 1);
    cold_deinit(&cold);
}

SS_TEST(load, that_fails_does_not_fail_a_deletion_behind_it)
{
    struct cold cold;
    struct fixture *f = &cold.f;
    cold_init(&cold, 0);
    begin_load(&cold);
    post_delete(f);
    post_put(f, "s", "k", "next");
    step_all(f);
    unsigned dones = f->dones;
    ss__fault_arm("shard.load", 1, 1, SS_E_CORRUPT);
    (void)sem_post(&reader_gate);
    while (f->dones < dones + 2) {
        settle(f);
    }
    ss_check(f->done_err == 0 && f->done_ordinal == 1);
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    ss_check(((const struct ss_request *)(const void *)msg)->err == SS_E_CORRUPT);
    ss__msg_free(msg);
    cold_deinit(&cold);
}
