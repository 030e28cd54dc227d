/* Session metadata: made once on the pool while the requests of its session wait, kept while the
 * session is in memory, destroyed once. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <sessionstream/metadata.h>
#include <sessionstream/work.h>

#include "notes_app.h"
#include "shard/metadata.h"

#define ANSWERS_MAX 16

struct record {
    struct fixture *fixture;
    atomic_uint creates;
    unsigned destroys;
    unsigned unloads_at_destroy;
    _Atomic(pthread_t) creator;
    atomic_bool hold;            /* the session "slow" waits until it is cleared, or for the stop */
    atomic_bool fail;
    void *seen[ANSWERS_MAX];     /* by handlers, tasks, works and hooks, in their order */
    unsigned seen_count;
    struct ss_result answers[ANSWERS_MAX];
    char text[256];              /* of the newest answer */
    unsigned answers_count;
};

static int create(struct ss_metadata_call *call, struct ss_str session_id, void *ctx,
                  void **ret_metadata)
{
    struct record *record = ctx;
    record->creator = pthread_self();
    atomic_fetch_add(&record->creates, 1);
    bool slow = ss_str_equal(session_id, ss_str("slow"));
    while (slow && atomic_load(&record->hold) && !ss_work_canceled()) {
        (void)sched_yield();
    }
    if (atomic_load(&record->fail)) {
        return ss_metadata_fail(call, SS_E_NOTFOUND, "no tenant has %d", 7);
    }
    if (ss_work_canceled()) {
        return SS_E_CANCELED;
    }
    *ret_metadata = malloc(session_id.len + 1);    /* a leak if nobody destroys it */
    memcpy(*ret_metadata, session_id.data, session_id.len);
    ((char *)*ret_metadata)[session_id.len] = '\0';
    return 0;
}

static void destroy(void *metadata, void *ctx)
{
    struct record *record = ctx;
    record->destroys++;
    record->unloads_at_destroy = record->fixture->unloads;
    free(metadata);
}

static int see(struct ss_context *context, struct fixture *fixture)
{
    struct record *record = fixture->given;
    void *metadata = ss_context_metadata(context);
    ss_check(metadata != NULL && record->seen_count < ANSWERS_MAX);
    ss_check(ss_str_equal(ss_str(metadata), ss_context_session_id(context)));
    record->seen[record->seen_count++] = metadata;
    return 0;
}

static void see_in_load(struct ss_context *context, struct fixture *fixture)
{
    (void)see(context, fixture);
}

static void open_record(struct fixture *f, struct record *record)
{
    static const struct ss_metadata_ops ops = { create, destroy };
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    *record = (struct record){ .fixture = f };
    f->given = record;
    f->call = see;
    f->registry->metadata = ops;
    f->registry->metadata_ctx = record;
    f->registry->hooks.load = NULL;    /* a test that wants them sets them again */
    f->registry->hooks.unload = NULL;
    ss_check(ss__pool_new(2, &f->work_pool) == 0);
    fixture_open(f);
}

static void end_shard(struct fixture *f)
{
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->shard = NULL;
}

static void close_record(struct fixture *f)
{
    end_shard(f);
    ss__pool_free(f->work_pool);
    f->work_pool = NULL;
    fixture_deinit(f);
}

static void on_answer(const struct ss_result *result, void *ctx)
{
    struct record *record = ctx;
    ss_check(record->answers_count < ANSWERS_MAX);
    record->answers[record->answers_count++] = *result;
    (void)snprintf(record->text, sizeof record->text, "%s", result->message);
}

static void post(struct fixture *f, enum ss_request_kind kind, const char *name,
                 const char *session)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, ss_str(session), none, none);
    ss_check(request != NULL);
    enum ss_name_space space = kind == SS_REQUEST_SUBMIT ? SS_SPACE_COMMAND : SS_SPACE_EVENT;
    request->name = ss__registry_find(f->registry, space, ss_str(name));
    request->done = on_answer;
    request->ctx = f->given;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_INSIDE) == 0);
}

static void post_call(struct fixture *f, const char *session)
{
    post(f, SS_REQUEST_SUBMIT, "Call", session);
}

static void step_until_answers(struct fixture *f, unsigned count)
{
    struct record *record = f->given;
    while (record->answers_count < count) {
        step_all(f);
        (void)sched_yield();
    }
    step_all(f);    /* what the last batch used can be evicted only now */
}

static void await_creates(struct record *record, unsigned creates)
{
    while (atomic_load(&record->creates) < creates) {
        (void)sched_yield();
    }
}

SS_TEST(metadata, is_made_once_on_the_pool_for_commands_that_come_together)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    for (unsigned i = 0; i < 5; i++) {
        post_call(&f, "s");
    }
    step_until_answers(&f, 5);
    post_call(&f, "s");
    step_until_answers(&f, 6);
    ss_check(atomic_load(&record.creates) == 1 && record.seen_count == 6);
    ss_check(!pthread_equal(record.creator, pthread_self()));
    for (unsigned i = 0; i < 6; i++) {
        ss_check(record.seen[i] == record.seen[0] && record.answers[i].err == 0);
    }
    ss_check(record.destroys == 0);
    close_record(&f);
    ss_check(record.destroys == 1);
}

SS_TEST(metadata, that_cannot_be_made_fails_all_who_wait_and_is_tried_again_by_the_next)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    atomic_store(&record.fail, true);
    for (unsigned i = 0; i < 3; i++) {
        post_call(&f, "s\n");
    }
    step_until_answers(&f, 3);
    ss_check(atomic_load(&record.creates) == 1 && record.seen_count == 0);
    for (unsigned i = 0; i < 3; i++) {
        ss_check(record.answers[i].err == SS_E_NOTFOUND);
    }
    ss_check_msg(strcmp(record.text, "session metadata for \"s\\x0a\": no tenant has 7") == 0, "%s",
                 record.text);
    ss_check(f.shard->metadata.count == 0 && f.shard->channels.count == 0);
    atomic_store(&record.fail, false);
    post_call(&f, "s\n");
    step_until_answers(&f, 4);
    ss_check(record.answers[3].err == 0 && record.seen_count == 1);
    ss_check(atomic_load(&record.creates) == 2 && record.destroys == 0);
    close_record(&f);
    ss_check(record.destroys == 1);
}

SS_TEST(metadata, that_takes_long_holds_its_session_and_no_other_of_the_shard)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    atomic_store(&record.hold, true);
    post_call(&f, "slow");
    post_put(&f, "slow", "a", "behind");
    post_call(&f, "quick");
    step_until_answers(&f, 1);
    ss_check(record.seen_count == 1 && strcmp(record.seen[0], "quick") == 0);
    post_put(&f, "quick", "a", "more");
    step_all(&f);
    ss_check(f.dones == 1 && f.done_ordinal == 1);    /* of "quick": it has what it needs */
    ss_check(record.answers_count == 1);
    atomic_store(&record.hold, false);
    step_until_answers(&f, 2);
    ss_check(record.seen_count == 2 && strcmp(record.seen[1], "slow") == 0);
    ss_check(f.dones == 2 && f.done_err == 0 && f.done_ordinal == 1);
    close_record(&f);
    ss_check(record.destroys == 2);
}

SS_TEST(metadata, goes_with_a_session_that_is_evicted_and_is_made_anew)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    end_shard(&f);
    f.cache_bytes = 1;
    f.registry->hooks.load = on_load;
    f.registry->hooks.unload = on_unload;
    fixture_open(&f);
    post_put(&f, "s", "a", "one");
    while (f.dones < 1) {
        step_all(&f);
    }
    while (f.shard->states_count > 0) {
        step_all(&f);    /* written first */
    }
    ss_check(f.unloads == 1 && record.destroys == 1 && record.unloads_at_destroy == 1);
    ss_check(f.shard->channels.count == 0 && f.shard->metadata.count == 0);
    post_put(&f, "s", "a", "two");
    while (f.dones < 2) {
        step_all(&f);
    }
    ss_check(f.done_ordinal == 2 && atomic_load(&record.creates) == 2);
    close_record(&f);
    ss_check(record.destroys == 2 && f.unloads == 2);
}

SS_TEST(metadata, of_a_session_without_events_is_kept_until_memory_is_short)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    post_call(&f, "s");
    step_until_answers(&f, 1);
    post_call(&f, "s");
    step_until_answers(&f, 2);
    ss_check(atomic_load(&record.creates) == 1 && f.shard->states_count == 1);
    f.shard->options.session_cache_bytes = 1;
    step_all(&f);
    ss_check(f.shard->states_count == 0 && f.shard->channels.count == 0 && record.destroys == 1);
    close_record(&f);
    ss_check(record.destroys == 1);
}

static void forget(void *arg, int reason)
{
    (void)arg;
    (void)reason;
}

static int see_later(struct ss_context *context, void *arg)
{
    return see(context, arg);
}

static void look(void *arg)
{
    struct record *record = ((struct fixture *)arg)->given;
    ss_check(strcmp(record->seen[0], "s") == 0);
}

static int keep_busy(struct ss_context *context, struct fixture *fixture)
{
    static const struct ss_task_ops task = { see_later, forget };
    static const struct ss_work_ops work = { look, see_later, forget };
    (void)see(context, fixture);
    ss_check(ss_after(context, 10, &task, fixture, NULL) == 0);
    return ss_work(context, &work, fixture);
}

SS_TEST(metadata, stays_while_a_task_or_a_work_may_use_it)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    end_shard(&f);
    f.cache_bytes = 1;
    fixture_open(&f);
    f.call = keep_busy;
    post_call(&f, "s");
    step_until_answers(&f, 1);
    while (f.shard->works_count > 0) {
        step_all(&f);
        (void)sched_yield();
    }
    step_all(&f);
    ss_check(f.shard->states_count == 0 && record.destroys == 0);
    f.now_ns += 10000000;
    step_all(&f);
    step_all(&f);
    ss_check(record.seen_count == 3 && record.seen[1] == record.seen[0]);
    ss_check(record.seen[2] == record.seen[0] && record.destroys == 1);
    ss_check(atomic_load(&record.creates) == 1 && f.shard->channels.count == 0);
    close_record(&f);
}

static int set_data(struct ss_context *context, struct fixture *fixture)
{
    ss_context_set_data(context, ss_context_data(context) == NULL ? fixture : NULL);
    return see(context, fixture);
}

SS_TEST(metadata, stays_while_the_application_has_data_in_the_session)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    end_shard(&f);
    f.cache_bytes = 1;
    fixture_open(&f);
    f.call = set_data;
    post_call(&f, "s");
    step_until_answers(&f, 1);
    ss_check(f.shard->states_count == 0 && record.destroys == 0);
    post_call(&f, "s");
    step_until_answers(&f, 2);
    ss_check(record.seen[1] == record.seen[0] && record.destroys == 1);
    close_record(&f);
}

SS_TEST(metadata, is_not_made_for_those_who_only_read_or_publish)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    atomic_store(&record.fail, true);
    post(&f, SS_REQUEST_PUBLISH, "Raw", "s");
    post(&f, SS_REQUEST_SNAPSHOT, "Put", "s");
    post_subscribe(&f, "s", 1, 1);
    step_until_answers(&f, 2);
    ss_check(record.answers[0].err == 0 && record.answers[1].err == 0);
    char text[1024];
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(atomic_load(&record.creates) == 0);
    close_record(&f);
}

SS_TEST(metadata, that_fails_lets_pass_what_waits_and_does_not_need_it)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    atomic_store(&record.hold, true);
    atomic_store(&record.fail, true);
    post_call(&f, "slow");
    post(&f, SS_REQUEST_SNAPSHOT, "Put", "slow");
    step_all(&f);
    await_creates(&record, 1);
    ss_check(record.answers_count == 0);
    atomic_store(&record.hold, false);
    step_until_answers(&f, 2);
    ss_check(record.answers[0].err == SS_E_NOTFOUND && record.answers[1].err == 0);
    close_record(&f);
}

static void recover(struct ss_context *context, bool was_running, void *ctx)
{
    (void)was_running;
    (void)see(context, ctx);
}

SS_TEST(metadata, is_there_for_the_hooks_of_a_load)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    post(&f, SS_REQUEST_PUBLISH, "Raw", "s");
    step_until_answers(&f, 1);
    f.registry->hooks.recover = recover;
    fixture_restart(&f);
    post(&f, SS_REQUEST_SNAPSHOT, "Put", "s");
    step_until_answers(&f, 2);
    ss_check(record.seen_count == 1 && atomic_load(&record.creates) == 1);
    f.registry->hooks.load = on_load;
    f.load = see_in_load;
    post(&f, SS_REQUEST_SNAPSHOT, "Put", "new");
    step_until_answers(&f, 3);
    ss_check(record.seen_count == 2 && strcmp(record.seen[1], "new") == 0);
    atomic_store(&record.fail, true);
    post(&f, SS_REQUEST_SNAPSHOT, "Put", "newer");
    step_until_answers(&f, 4);
    ss_check(record.answers[3].err == SS_E_NOTFOUND);    /* its load hook could not have run */
    close_record(&f);
}

#ifdef SS_FAULTS
SS_TEST(metadata, outlives_a_commit_that_fails)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    post_call(&f, "s");
    step_until_answers(&f, 1);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    post_subscribe(&f, "s", 1, 1);
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && record.destroys == 0);
    post_call(&f, "s");
    step_until_answers(&f, 2);
    ss_check(record.seen[1] == record.seen[0] && atomic_load(&record.creates) == 1);
    close_record(&f);
    ss_check(record.destroys == 1);
}
#endif

SS_TEST(metadata, that_is_being_made_is_told_of_a_stop_and_its_requests_are_answered)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    atomic_store(&record.hold, true);
    post_call(&f, "slow");
    step_all(&f);
    await_creates(&record, 1);
    ss__shard_stop(f.shard);
    post_call(&f, "other");
    step_until_answers(&f, 2);
    ss_check(record.answers[0].err == SS_E_STOPPING);    /* "other": nothing is begun any more */
    ss_check(record.answers[1].err == SS_E_CANCELED);
    ss_check(atomic_load(&record.creates) == 1 && record.seen_count == 0);
    atomic_store(&record.hold, false);
    close_record(&f);
    ss_check(record.destroys == 0);
}

SS_TEST(metadata, that_comes_after_the_end_is_destroyed_once)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    post_call(&f, "s");
    (void)ss__shard_step(f.shard);
    await_creates(&record, 1);
    end_shard(&f);
    ss_check(record.destroys <= 1 && record.answers_count == 0);
    ss__pool_free(f.work_pool);
    f.work_pool = NULL;
    fixture_deinit(&f);
}

SS_TEST(metadata, without_a_pool_is_made_here)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    f.shard->options.work_pool = NULL;
    post_call(&f, "s");
    step_until_answers(&f, 1);
    ss_check(record.seen_count == 1 && pthread_equal(record.creator, pthread_self()));
    close_record(&f);
}

SS_TEST(metadata, goes_with_a_session_that_is_closed_or_deleted)
{
    struct fixture f;
    struct record record;
    open_record(&f, &record);
    for (unsigned i = 0; i < 2; i++) {
        post(&f, SS_REQUEST_PUBLISH, "Raw", "s");
        post_call(&f, "s");
        post_subscribe(&f, "s", 1, 1);    /* a follower keeps the channel */
        step_until_answers(&f, 3 * i + 2);
        post(&f, i == 0 ? SS_REQUEST_CLOSE : SS_REQUEST_DELETE, "Raw", "s");
        step_until_answers(&f, 3 * i + 3);
        ss_check_msg(record.answers[3 * i + 2].err == 0, "%s", record.text);
        ss_check(record.destroys == i + 1 && f.shard->metadata.count == 0);
    }
    ss_check(atomic_load(&record.creates) == 2);
    close_record(&f);
    ss_check(record.destroys == 2);
}
