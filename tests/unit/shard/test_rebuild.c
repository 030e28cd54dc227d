/* Rebuilds: beside the live timeline, in its place at once, or not at all. */
#include "as_of_notes.h"
#include "notes_app.h"

#include "shard/fold.h"
#include "shard/rebuild.h"

/* The code that runs: what it puts before each text, and the event it fails for. */
struct code {
    const char *mark;
    uint64_t fails_at;
    atomic_uint calls;
};

static int append_raw(struct ss_timeline *timeline, const struct ss_event *event,
                      const struct ss_view *view, struct fixture *f)
{
    struct code *code = f->given;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(note->id));
    char text[2000] = "";
    atomic_fetch_add(&code->calls, 1);
    if (event->ordinal == code->fails_at) {
        return SS_E_HANDLER;
    }
    if (strcmp(note->text, "delete") == 0) {
        return ss_tombstone(timeline, "Note", ss_str(note->id));
    }
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *before = (const void *)ss_entity_payload(view, old);
        snprintf(text, sizeof text, "%.1800s", before->text);
    }
    strcat(text, code->mark);
    strcat(text, note->text);
    Sessionstream__Test__Notes__Note entity = make_note(note->id, text);
    return ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
}

static void init(struct fixture *f, struct code *code)
{
    *code = (struct code){ .mark = "" };
    fixture_init(f);
    f->raw_timeline = append_raw;
    f->given = code;
}

static int publish(struct fixture *f, const char *id, const char *text)
{
    post_note(f, SS_REQUEST_PUBLISH, "Raw", "s", id, text);
    step_all(f);
    return f->done_err;
}

static void put(struct fixture *f, const char *id, const char *text)
{
    ss_check(publish(f, id, text) == 0);
}

static void on_rebuilt(const struct ss_result *result, void *ctx)
{
    struct shown *shown = ctx;
    shown->calls++;
    shown->err = result->err;
    shown->ordinal = result->ordinal;
    snprintf(shown->message, sizeof shown->message, "%s", result->message);
}

static void post_rebuild(struct fixture *f, const char *session, uint64_t from,
                         struct shown *shown)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_REBUILD, ss_str(session), none, none);
    ss_check(request != NULL);
    *shown = (struct shown){ .calls = 0 };
    request->at = from;
    request->done = on_rebuilt;
    request->ctx = shown;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static int rebuild(struct fixture *f, uint64_t from, struct shown *shown)
{
    post_rebuild(f, "s", from, shown);
    step_jobs(f);
    ss_check(shown->calls == 1);
    ss_check(f->shard->folds_count == 0 && ss__list_empty(&f->shard->rebuilds_over));
    return shown->err;
}

static bool shows(struct fixture *f, const char *text)
{
    struct shown *shown = malloc(sizeof *shown);
    ss_check(shown != NULL && as_of(f, "s", 0, shown) == 0);
    bool same = strcmp(shown->text, text) == 0;
    if (!same) {
        fprintf(stderr, "%s instead of %s", shown->text, text);
    }
    free(shown);
    return same;
}

static struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

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

SS_TEST(rebuild, what_is_not_written_when_the_process_ends_has_never_been)
{
    struct fixture f;
    struct code code;
    struct shown shown;
    init(&f, &code);
    put(&f, "x", "a");
    put(&f, "y", "b");
    ss__checkpoint_want(f.shard, channel_of(&f, "s")->state);
    ss_check(fixture_flush(&f) > 0);
    code.mark = "-";
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
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
    ss__checkpoint_want(f.shard, channel_of(&f, "s")->state);
    ss_check(fixture_flush(&f) > 0);
    code.mark = "-";
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
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
    ss__checkpoint_want(f.shard, channel_of(&f, "s")->state);
    ss_check(fixture_flush(&f) > 0);
    code.mark = "-";
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
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
    ss_check_msg(shown.calls == 1 && shown.err == SS_E_COMMIT, "%u %s", shown.calls, ss_error_name(shown.err));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:2:a-b\n"));
    fixture_deinit(&f);
}

#endif

/* ---- while the session goes on ---- */

struct gate {
    struct ss_pool_job job;
    atomic_bool entered;
    atomic_bool open;
};

static void hold_thread(struct ss_pool_job *job)
{
    struct gate *gate = ss__container_of(job, struct gate, job);
    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open)) {
        sched_yield();
    }
}

/* Keeps the only thread of the pool. */
static void close_gate(struct gate *gate, struct ss_pool *pool)
{
    gate->job.run = hold_thread;
    atomic_init(&gate->entered, false);
    atomic_init(&gate->open, false);
    ss_check(ss__pool_post(pool, &gate->job) == 0);
    while (!atomic_load(&gate->entered)) {
        sched_yield();
    }
}

static void init_with_gate(struct fixture *f, struct code *code, struct ss_pool **pool,
                           struct gate *gate)
{
    ss_check(ss__pool_new(1, pool) == 0);
    init(f, code);
    put(f, "x", "a");
    put(f, "y", "b");
    with_pool(f, *pool);
    ss_check(shows(f, "x:1:1:a\ny:2:2:b\n"));
    close_gate(gate, *pool);
}

SS_TEST(rebuild, what_is_published_meanwhile_is_in_it)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    put(&f, "x", "c");
    put(&f, "y", "delete");
    put(&f, "z", "d");
    put(&f, "y", "e");
    struct shown *now = malloc(sizeof *now);
    ss_check(now != NULL);
    post_snapshot(&f, "s", 0, now);
    step_all(&f);
    ss_check(now->calls == 1 && strcmp(now->text, "x:1:3:ac\nz:5:5:d\ny:6:6:e\n") == 0);
    free(now);
    code.mark = "-";
    put(&f, "x", "f");
    ss_check(shown.calls == 0);
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0 && shown.ordinal == 7);
    ss_check(shows(&f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    fixture_restart(&f);
    step_jobs(&f);
    ss_check(shows(&f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, an_event_that_fails_meanwhile_stays_out)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    code.fails_at = 3;
    ss_check(publish(&f, "x", "c") == SS_E_PROJECTION);
    put(&f, "x", "d");
    code = (struct code){ .mark = "-" };
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0 && shown.ordinal == 2);
    ss_check(shows(&f, "x:1:4:-a-d\ny:2:2:-b\n"));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:4:-a-d\ny:2:2:-b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, a_second_one_and_a_retry_are_refused_meanwhile)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    struct shown second;
    init_with_gate(&f, &code, &pool, &gate);
    code.fails_at = 3;
    ss_check(publish(&f, "x", "c") == SS_E_PROJECTION);
    code.fails_at = 0;
    post_rebuild(&f, "s", 0, &shown);
    post_rebuild(&f, "s", 0, &second);
    step_all(&f);
    ss_check(shown.calls == 0 && second.calls == 1 && second.err == SS_E_BUSY);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    request->done = on_rebuilt;
    request->ctx = &second;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    ss_check(second.calls == 2 && second.err == SS_E_BUSY);
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    ss_check(shows(&f, "x:1:3:ac\ny:2:2:b\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, a_state_that_is_dropped_meanwhile_is_read_again)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    struct ss_channel *channel = channel_of(&f, "s");
    ss__state_free(f.shard, channel->state);
    ss__channel_release_later(f.shard, channel);
    post_put(&f, "other", "x", "t");
    step_all(&f);
    ss_check(channel_of(&f, "s") == channel);    /* the rebuild needs it */
    code.mark = "-";
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    ss_check(shows(&f, "x:1:1:-a\ny:2:2:-b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

static void post_bare(struct fixture *f, enum ss_request_kind kind, struct shown *shown)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, ss_str("s"), none, none);
    ss_check(request != NULL);
    *shown = (struct shown){ .calls = 0 };
    request->done = on_rebuilt;
    request->ctx = shown;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

SS_TEST(rebuild, a_session_that_is_deleted_meanwhile_stays_deleted)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    struct shown deleted;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    post_bare(&f, SS_REQUEST_CLOSE, &deleted);
    step_all(&f);
    ss_check(deleted.calls == 1 && deleted.err == SS_E_IN_USE);
    post_bare(&f, SS_REQUEST_DELETE, &deleted);
    step_all(&f);
    ss_check(deleted.calls == 1 && deleted.err == 0);
    code.mark = "-";
    put(&f, "z", "n");    /* another life */
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == SS_E_DELETED);
    ss_check(shows(&f, "z:1:1:-n\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    ss_check(shows(&f, "z:1:1:-n\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, other_sessions_are_served_meanwhile)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    unsigned before = f.dones;
    for (unsigned i = 0; i < 100; i++) {
        char session[16];
        snprintf(session, sizeof session, "other%u", i);
        post_put(&f, session, "x", "t");
    }
    step_all(&f);
    ss_check(f.dones == before + 100 && shown.calls == 0);
    atomic_store(&gate.open, true);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, the_end_of_the_shard_ends_it)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    code.mark = "-";
    atomic_store(&gate.open, true);
    ss__shard_close(f.shard);
    ss_check(shown.calls == 1 && shown.err == SS_E_STOPPING);
    f.pool = NULL;
    fixture_restart(&f);
    code.mark = "";
    ss_check(shows(&f, "x:1:1:a\ny:2:2:b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

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

static int publish_many(struct ss_context *context, struct fixture *f)
{
    (void)f;
    int err = 0;
    for (unsigned i = 0; i < 1000 && err == 0; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", i % 50);
        Sessionstream__Test__Notes__Note note = make_note(id, i < 950 ? "delete" : "t");
        err = ss_publish(context, "Raw", &note.base);
    }
    return err;
}

SS_TEST(rebuild, of_a_long_session_that_grows_it_catches_up_in_the_pool)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    ss_check(ss__pool_new(1, &pool) == 0);
    init(&f, &code);
    with_pool(&f, pool);
    call_in(&f, "s", publish_many);
    step_jobs(&f);
    close_gate(&gate, pool);
    post_rebuild(&f, "s", 0, &shown);
    step_all(&f);
    for (unsigned i = 0; i < 3; i++) {
        call_in(&f, "s", publish_many);
    }
    code.mark = "-";
    atomic_store(&gate.open, true);
    step_jobs(&f);
    for (f.now_ns += UINT64_C(200000000); shown.calls == 0; step_jobs(&f)) {
        sched_yield();
    }
    ss_check(shown.err == 0 && shown.ordinal == 4000);
    ss_check(fold_events(&f) == 4000);
    struct shown *after = malloc(sizeof *after);
    ss_check(after != NULL && as_of(&f, "s", 0, after) == 0);
    ss_check(after->count == 50 && strncmp(after->text, "n0:3951:3951:-t\n", 16) == 0);
    free(after);
    fixture_deinit(&f);
    ss__pool_free(pool);
}
