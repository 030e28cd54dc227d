/* Blocking work: on the pool after the commit, back on the shard, exactly one of done and
 * on_cancel. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <sessionstream/work.h>

#include "notes_app.h"

struct record {
    atomic_uint runs;
    unsigned dones;
    unsigned cancels;
    int reason;
    _Atomic(pthread_t) runner;
    atomic_bool wait;            /* run waits until it is cleared or the work is cancelled */
    atomic_bool canceled_seen;
};

static void run(void *arg)
{
    struct record *record = arg;
    record->runner = pthread_self();
    atomic_fetch_add(&record->runs, 1);
    while (atomic_load(&record->wait) && !ss_work_canceled()) {
        (void)sched_yield();
    }
    record->canceled_seen = ss_work_canceled();
}

static int done(struct ss_context *context, void *arg)
{
    struct record *record = arg;
    record->dones++;
    Sessionstream__Test__Notes__Note note = make_note("work", "done");
    return ss_publish(context, "Put", &note.base);
}

static void on_cancel(void *arg, int reason)
{
    struct record *record = arg;
    record->cancels++;
    record->reason = reason;
}

static const struct ss_work_ops ops = { run, done, on_cancel };

static int start(struct ss_context *context, struct fixture *fixture)
{
    return ss_work(context, &ops, fixture->given);
}

static int put_and_start(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "begun");
    int err = ss_publish(context, "Put", &note.base);
    return err != 0 ? err : start(context, fixture);
}

static int put(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("a", "more");
    return ss_publish(context, "Put", &note.base);
}

static void open_with_pool(struct fixture *f)
{
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    ss_check(ss__pool_new(2, &f->work_pool) == 0);
    fixture_open(f);
}

static void close_with_pool(struct fixture *f)
{
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->shard = NULL;
    ss__pool_free(f->work_pool);
    f->work_pool = NULL;
    fixture_deinit(f);
}

static void step_until_no_work(struct fixture *f)
{
    while (f->shard->works_count > 0) {
        step_all(f);
        (void)sched_yield();
    }
    step_all(f);
}

static void await_runs(struct record *record, unsigned runs)
{
    while (atomic_load(&record->runs) < runs) {
        (void)sched_yield();
    }
}

SS_TEST(work, runs_on_another_thread_and_comes_back_to_the_session)
{
    struct fixture f;
    struct record record = { 0 };
    open_with_pool(&f);
    f.given = &record;
    call_in(&f, "s", put_and_start);
    step_until_no_work(&f);
    ss_check(atomic_load(&record.runs) == 1 && record.dones == 1 && record.cancels == 0);
    ss_check(!pthread_equal(record.runner, pthread_self()) && !record.canceled_seen);
    post_put(&f, "s", "a", "last");
    step_all(&f);
    ss_check(f.done_ordinal == 3);    /* what done published is an event like any other */
    close_with_pool(&f);
}

SS_TEST(work, without_a_pool_runs_inline_in_the_same_order)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start);
    step_until_no_work(&f);
    ss_check(atomic_load(&record.runs) == 1 && record.dones == 1);
    ss_check(pthread_equal(record.runner, pthread_self()));
    ss_check(!ss_work_canceled());    /* nothing runs here */
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
SS_TEST(work, does_not_begin_when_its_commit_fails)
{
    struct fixture f;
    struct record record = { 0 };
    open_with_pool(&f);
    f.given = &record;
    ss__fault_arm("log.write", 1, 2, EIO);
    call_in(&f, "s", put_and_start);
    step_until_no_work(&f);
    ss_check(atomic_load(&record.runs) == 0 && record.dones == 0);
    ss_check(record.cancels == 1 && record.reason == SS_E_COMMIT);
    ss_check(f.done_err == SS_E_COMMIT);
    close_with_pool(&f);
}

SS_TEST(work, that_runs_is_cancelled_by_a_later_commit_that_fails)
{
    struct fixture f;
    struct record record = { .wait = true };
    open_with_pool(&f);
    f.given = &record;
    call_in(&f, "s", put_and_start);
    await_runs(&record, 1);
    ss__fault_arm("log.write", 1, 2, EIO);
    call_in(&f, "s", put);
    ss_check(f.done_err == SS_E_COMMIT);
    step_until_no_work(&f);
    ss_check(record.dones == 0 && record.cancels == 1 && record.reason == SS_E_COMMIT);
    ss_check(record.canceled_seen);
    close_with_pool(&f);
}

SS_TEST(work, of_another_session_outlives_a_commit_that_fails)
{
    struct fixture f;
    struct record record = { .wait = true };
    open_with_pool(&f);
    f.given = &record;
    call_in(&f, "s", put_and_start);
    await_runs(&record, 1);
    ss__fault_arm("log.write", 1, 2, EIO);
    call_in(&f, "other", put);
    ss_check(f.done_err == SS_E_COMMIT);
    atomic_store(&record.wait, false);
    step_until_no_work(&f);
    ss_check(record.dones == 1 && record.cancels == 0);
    close_with_pool(&f);
}
#endif

SS_TEST(work, that_runs_at_the_end_is_told_and_awaited)
{
    struct fixture f;
    struct record record = { .wait = true };
    open_with_pool(&f);
    f.given = &record;
    call_in(&f, "s", put_and_start);
    await_runs(&record, 1);
    ss__shard_close(f.shard);
    ss_check(record.dones == 0 && record.cancels == 1 && record.reason == SS_E_STOPPING);
    ss_check(record.canceled_seen);
    close_with_pool(&f);
}

static int start_many(struct ss_context *context, struct fixture *fixture)
{
    for (unsigned i = 0; i < SS_SHARD_WORKS_MAX; i++) {
        ss_check(start(context, fixture) == 0);
    }
    ss_check(start(context, fixture) == SS_E_LIMIT);
    return 0;
}

SS_TEST(work, is_bounded_and_each_one_ends_once_when_the_shard_stops_under_load)
{
    struct fixture f;
    struct record record = { .wait = true };
    open_with_pool(&f);
    f.given = &record;
    call_in(&f, "s", start_many);
    await_runs(&record, 2);
    ss__shard_close(f.shard);
    ss_check(record.dones + record.cancels == SS_SHARD_WORKS_MAX && record.dones == 0);
    ss_check(atomic_load(&record.runs) == 2);    /* the others were taken back before their turn */
    ss_check(f.shard->works_count == 0);
    close_with_pool(&f);
}

SS_TEST(work, begun_while_the_shard_drains_is_cancelled)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    ss__shard_stop(f.shard);
    step_all(&f);
    f.call = start;
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, ss_str("s"), ss_str(NULL),
                                                 ss_str(NULL));
    ss_check(request != NULL);
    request->name = ss__registry_find(f.registry, SS_SPACE_COMMAND, ss_str("Call"));
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_INSIDE) == 0);
    step_all(&f);
    ss_check(record.cancels == 1 && record.reason == SS_E_STOPPING && record.dones == 0);
    fixture_deinit(&f);
}

SS_TEST(work, begun_in_the_batch_of_the_stop_is_cancelled_once)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    f.call = start;
    post_note(&f, SS_REQUEST_SUBMIT, "Call", "s", "", "");
    ss__shard_stop(f.shard);
    step_all(&f);
    ss_check(record.cancels == 1 && record.reason == SS_E_STOPPING && record.dones == 0);
    fixture_deinit(&f);
}
