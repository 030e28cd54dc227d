/* Delayed calls: armed by the commit, cancelled with a reason, run once. */
#include "notes_app.h"

#include "shard/task.h"

struct record {
    unsigned runs;
    unsigned cancels;
    int reason;
    struct ss_task *task;
};

static int run(struct ss_context *context, void *arg)
{
    struct record *record = arg;
    (void)context;
    record->runs++;
    return 0;
}

static void on_cancel(void *arg, int reason)
{
    struct record *record = arg;
    record->cancels++;
    record->reason = reason;
}

static const struct ss_task_ops ops = { run, on_cancel };

static int start(struct ss_context *context, struct fixture *fixture)
{
    struct record *record = fixture->given;
    return ss_after(context, 10, &ops, record, &record->task);
}

static int start_and_cancel(struct ss_context *context, struct fixture *fixture)
{
    struct record *record = fixture->given;
    ss_check(start(context, fixture) == 0);
    ss_task_cancel(context, record->task);
    ss_check(record->cancels == 1 && record->reason == SS_E_CANCELED);
    return 0;
}

static int cancel(struct ss_context *context, struct fixture *fixture)
{
    struct record *record = fixture->given;
    ss_task_cancel(context, record->task);
    return 0;
}

static void pass_ms(struct fixture *f, uint64_t ms)
{
    f->now_ns += ms * 1000000;
    step_all(f);
}

SS_TEST(task, runs_once_when_it_is_due_and_not_before)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start);
    pass_ms(&f, 8);
    ss_check(record.runs == 0);
    pass_ms(&f, 3);
    pass_ms(&f, 100);
    ss_check(record.runs == 1 && record.cancels == 0);
    fixture_deinit(&f);
}

SS_TEST(task, cancelled_in_the_batch_that_made_it_never_runs)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start_and_cancel);
    pass_ms(&f, 100);
    ss_check(record.runs == 0 && record.cancels == 1);
    fixture_deinit(&f);
}

SS_TEST(task, cancelled_while_it_waits_never_runs)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start);
    call_in(&f, "s", cancel);
    pass_ms(&f, 100);
    ss_check(record.runs == 0 && record.cancels == 1 && record.reason == SS_E_CANCELED);
    fixture_deinit(&f);
}

static int start_too_many(struct ss_context *context, struct fixture *fixture)
{
    struct record *record = fixture->given;
    for (unsigned i = 0; i < SS_SESSION_TASKS_MAX; i++) {
        ss_check(ss_after(context, 10, &ops, record, NULL) == 0);
    }
    return ss_after(context, 10, &ops, record, NULL);
}

SS_TEST(task, i6_a_session_has_a_bounded_number)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start_too_many);
    ss_check(f.done_err == SS_E_LIMIT);
    pass_ms(&f, 11);
    ss_check(record.runs == SS_BATCH_SESSION_MESSAGES_MAX);    /* its share of a batch */
    for (int turn = 0; turn < 200; turn++) {
        pass_ms(&f, 1);
    }
    ss_check(record.runs == SS_SESSION_TASKS_MAX && record.cancels == 0);
    fixture_deinit(&f);
}

static int run_again(struct ss_context *context, void *arg)
{
    static const struct ss_task_ops again = { run_again, on_cancel };
    struct record *record = arg;
    record->runs++;
    return record->runs < 5 ? ss_after(context, 0, &again, record, NULL) : 0;
}

static int start_chain(struct ss_context *context, struct fixture *fixture)
{
    static const struct ss_task_ops again = { run_again, on_cancel };
    return ss_after(context, 0, &again, fixture->given, NULL);
}

SS_TEST(task, may_start_the_next_one)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start_chain);
    for (unsigned i = 0; i < 10; i++) {
        pass_ms(&f, 1);
    }
    ss_check(record.runs == 5 && record.cancels == 0);
    fixture_deinit(&f);
}

static int start_far(struct ss_context *context, struct fixture *fixture)
{
    return ss_after(context, UINT64_MAX, &ops, fixture->given, NULL);
}

SS_TEST(task, one_in_the_far_future_waits_until_the_shard_stops)
{
    struct fixture f;
    struct record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    call_in(&f, "s", start_far);
    pass_ms(&f, 1000000000);
    ss_check(record.runs == 0 && record.cancels == 0);
    ss__shard_close(f.shard);
    ss_check(record.runs == 0 && record.cancels == 1 && record.reason == SS_E_STOPPING);
    ss__shard_free(f.shard);
    f.shard = NULL;
    fixture_deinit(&f);
}
