#include "apps/jobs/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sessionstream/work.h>

#include "apps/jobs/options.h"
#include "apps/jobs/project.h"
#include "apps/jobs/report.h"

/* A step is worked in so many parts; after each of them followers are told. */
#define PARTS 10
#define SLICE_MS 20

/* Until the store has room again. */
#define LATER_MS 1000

/* An attempt of a step, on a thread or waiting for its time. */
struct attempt {
    const struct ss_jobs_options *options;
    uint32_t step;
    uint32_t attempt;
    uint32_t part;
};

/* ---- a batch of events ---- */

#define BATCH_EVENTS_MAX 4

/* What happens at once is published at once: a step never ends without saying what follows. */
struct batch {
    struct ss_batch_event events[BATCH_EVENTS_MAX];
    size_t count;
    SS_JOBS(LogWrittenEvent) line;
    char text[SS_JOBS_TITLE_BYTES_MAX + 100];
};

static void add(struct batch *batch, const char *event, const ProtobufCMessage *payload)
{
    batch->events[batch->count++] = (struct ss_batch_event){ event, payload };
}

SS_PRINTF(3, 4)
static void add_line(struct batch *batch, struct ss_context *context, const char *format, ...)
{
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(batch->text, sizeof batch->text, format, args);    /* the titles fit */
    va_end(args);
    sessionstream__examples__jobs__v1__log_written_event__init(&batch->line);
    batch->line.number = job == NULL ? 1 : job->log_lines + 1;
    batch->line.text = batch->text;
    add(batch, "LogWritten", &batch->line.base);
}

static int publish(struct ss_context *context, const struct batch *batch)
{
    return ss_publish_batch(context, batch->events, batch->count);
}

/* ---- ends ---- */

/* @batch may hold what led there. */
static int end_job(struct ss_context *context, struct batch *batch, SS_JOBS(State) state)
{
    SS_JOBS(JobEndedEvent) ended = SESSIONSTREAM__EXAMPLES__JOBS__V1__JOB_ENDED_EVENT__INIT;
    ended.state = state;
    add(batch, "JobEnded", &ended.base);
    ss_set_running(context, false);
    int err = publish(context, batch);
    if (err != 0) {
        ss_set_running(context, true);
        return err;
    }
    ss__jobs_send_report(context);
    return 0;
}

/* ---- work ---- */

static int step_over(struct ss_context *context, const struct attempt *attempt);
static int fail_step(struct ss_context *context, const struct attempt *attempt);

/* What takes long: on a thread of the pool, where waiting is allowed. */
static void work(void *arg)
{
    const struct attempt *attempt = arg;
    uint32_t left_ms = attempt->options->step_ms / PARTS;
    while (left_ms > 0 && !ss_work_canceled()) {
        uint32_t slice_ms = left_ms < SLICE_MS ? left_ms : SLICE_MS;
        struct timespec slice = { .tv_nsec = (long)slice_ms * 1000000 };
        (void)nanosleep(&slice, NULL);    /* a shorter night does no harm */
        left_ms -= slice_ms;
    }
}

static bool still_counts(struct ss_context *context, const struct attempt *attempt,
                         SS_JOBS(State) state)
{
    const struct ss_view *view = ss_context_view(context);
    const SS_JOBS(JobEntity) *job = ss__jobs_job(view);
    const SS_JOBS(StepEntity) *step = ss__jobs_step(view, attempt->step);
    return job != NULL && job->state == SS_JOBS_RUNNING && step != NULL && step->state == state &&
           step->attempt == attempt->attempt;
}

static void on_cancel(void *arg, int reason)
{
    (void)reason;    /* the recover hook starts again what the store says is under way */
    free(arg);
}

/* What could not be stored is tried again later; otherwise the attempt is over. */
static int finish(struct ss_context *context, struct attempt *attempt,
                  const struct ss_task_ops *again, int err)
{
    if (err == SS_E_STOREFULL && ss_after(context, LATER_MS, again, attempt, NULL) == 0) {
        return 0;
    }
    free(attempt);
    return err;
}

static int on_step_over(struct ss_context *context, void *arg);

static const struct ss_task_ops step_over_ops = { on_step_over, on_cancel };

static int on_step_over(struct ss_context *context, void *arg)
{
    struct attempt *attempt = arg;
    int err = still_counts(context, attempt, SS_JOBS_RUNNING) ? step_over(context, attempt) : 0;
    return finish(context, attempt, &step_over_ops, err);
}

static int on_part_done(struct ss_context *context, void *arg);

static const struct ss_work_ops work_ops = { work, on_part_done, on_cancel };

static int on_part_done(struct ss_context *context, void *arg)
{
    struct attempt *attempt = arg;
    if (!still_counts(context, attempt, SS_JOBS_RUNNING)) {
        free(attempt);
        return 0;
    }
    attempt->part++;
    SS_JOBS(ProgressUpdate) progress = SESSIONSTREAM__EXAMPLES__JOBS__V1__PROGRESS_UPDATE__INIT;
    progress.step = attempt->step;
    progress.percent = attempt->part * 100 / PARTS;
    (void)ss_publish_live(context, "Progress", &progress.base);    /* the next one tells more */
    if (attempt->part == PARTS) {
        return on_step_over(context, attempt);
    }
    int err = ss_work(context, &work_ops, attempt);
    if (err != 0) {
        err = fail_step(context, attempt);
        free(attempt);
    }
    return err;
}

static struct attempt *new_attempt(const struct ss_jobs_options *options, uint32_t step,
                                   uint32_t number)
{
    struct attempt *attempt = malloc(sizeof *attempt);
    if (attempt != NULL) {
        *attempt = (struct attempt){ .options = options, .step = step, .attempt = number };
    }
    return attempt;
}

/* An attempt for which there is no thread has failed like any other. */
static int begin_work(struct ss_context *context, const struct ss_jobs_options *options,
                      uint32_t step, uint32_t number)
{
    struct attempt *attempt = new_attempt(options, step, number);
    if (attempt == NULL || ss_work(context, &work_ops, attempt) != 0) {
        struct attempt failed = { .options = options, .step = step, .attempt = number };
        free(attempt);
        return fail_step(context, &failed);
    }
    return 0;
}

/* Publishes @batch with the start of an attempt behind it, and begins. */
static int begin_attempt(struct ss_context *context, const struct ss_jobs_options *options,
                         struct batch *batch, uint32_t step, uint32_t number)
{
    SS_JOBS(StepStartedEvent) started = SESSIONSTREAM__EXAMPLES__JOBS__V1__STEP_STARTED_EVENT__INIT;
    started.step = step;
    started.attempt = number;
    add(batch, "StepStarted", &started.base);
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    bool running = job != NULL && job->state == SS_JOBS_RUNNING;
    ss_set_running(context, true);
    int err = publish(context, batch);
    if (err != 0) {
        ss_set_running(context, running);
    } else {
        err = begin_work(context, options, step, number);
    }
    if (err == 0) {
        ss__jobs_send_report(context);
    }
    return err;
}

/* ---- timers ---- */

static int on_retry_due(struct ss_context *context, void *arg);

static const struct ss_task_ops retry_ops = { on_retry_due, on_cancel };

static int on_retry_due(struct ss_context *context, void *arg)
{
    struct attempt *attempt = arg;
    int err = 0;
    if (still_counts(context, attempt, SS_JOBS_WAITING)) {
        struct batch batch = { .count = 0 };
        add_line(&batch, context, "step %u: attempt %u", attempt->step, attempt->attempt + 1);
        err = begin_attempt(context, attempt->options, &batch, attempt->step,
                            attempt->attempt + 1);
    }
    return finish(context, attempt, &retry_ops, err);
}

static int wait_for_retry(struct ss_context *context, const struct ss_jobs_options *options,
                          const SS_JOBS(StepEntity) *step)
{
    uint64_t now_ms = ss_context_time_us(context) / 1000;
    uint64_t left_ms = step->retry_at_ms > now_ms ? step->retry_at_ms - now_ms : 0;
    struct attempt *attempt = new_attempt(options, step->number, step->attempt);
    int err = attempt == NULL ? SS_E_NOMEM : ss_after(context, left_ms, &retry_ops, attempt, NULL);
    if (err != 0) {
        free(attempt);
    }
    return err;
}

/* ---- from step to step ---- */

static int fail_step(struct ss_context *context, const struct attempt *attempt)
{
    const struct ss_jobs_options *options = attempt->options;
    bool again = attempt->attempt < options->attempts;
    struct batch batch = { .count = 0 };
    SS_JOBS(StepFailedEvent) failed = SESSIONSTREAM__EXAMPLES__JOBS__V1__STEP_FAILED_EVENT__INIT;
    failed.step = attempt->step;
    failed.retry_at_ms = again ? ss_context_time_us(context) / 1000 + options->retry_ms : 0;
    add(&batch, "StepFailed", &failed.base);
    add_line(&batch, context, "step %u: attempt %u failed", attempt->step, attempt->attempt);
    if (!again) {
        return end_job(context, &batch, SS_JOBS_FAILED);
    }
    int err = publish(context, &batch);
    return err != 0 ? err
                    : wait_for_retry(context, options,
                                     ss__jobs_step(ss_context_view(context), attempt->step));
}

static int step_over(struct ss_context *context, const struct attempt *attempt)
{
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    if (attempt->step == job->fail_step && attempt->attempt <= job->failures) {
        return fail_step(context, attempt);
    }
    struct batch batch = { .count = 0 };
    SS_JOBS(StepDoneEvent) done = SESSIONSTREAM__EXAMPLES__JOBS__V1__STEP_DONE_EVENT__INIT;
    done.step = attempt->step;
    add(&batch, "StepDone", &done.base);
    add_line(&batch, context, "step %u of %u is done", attempt->step, job->steps);
    return attempt->step >= job->steps
               ? end_job(context, &batch, SS_JOBS_DONE)
               : begin_attempt(context, attempt->options, &batch, attempt->step + 1, 1);
}

/* ---- commands ---- */

int ss__jobs_start(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const SS_JOBS(StartJobCommand) *start = (const SS_JOBS(StartJobCommand) *)command->payload;
    SS_JOBS(JobAcceptedEvent) accepted =
        SESSIONSTREAM__EXAMPLES__JOBS__V1__JOB_ACCEPTED_EVENT__INIT;
    char untitled[] = "Job";
    if (ss_str_equal(command->session_id, ss_str(SS_JOBS_BOARD))) {
        return ss_fail(context, SS_E_INVAL, "\"" SS_JOBS_BOARD "\" lists jobs and is none");
    }
    if (ss__jobs_job(ss_context_view(context)) != NULL) {
        return ss_fail(context, SS_E_EXISTS, "a session is one job: start the next one elsewhere");
    }
    if (strlen(start->title) > SS_JOBS_TITLE_BYTES_MAX || start->steps > SS_JOBS_STEPS_MAX) {
        return ss_fail(context, SS_E_TOOBIG, "a job has a title of %d bytes and %d steps at most",
                       SS_JOBS_TITLE_BYTES_MAX, SS_JOBS_STEPS_MAX);
    }
    accepted.title = start->title[0] == '\0' ? untitled : start->title;
    accepted.steps = start->steps == 0 ? 3 : start->steps;
    accepted.fail_step = start->fail_step;
    accepted.failures = start->failures;
    struct batch batch = { .count = 0 };
    add(&batch, "JobAccepted", &accepted.base);
    add_line(&batch, context, "%s: %u steps", accepted.title, accepted.steps);
    return begin_attempt(context, ctx, &batch, 1, 1);
}

int ss__jobs_cancel(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    struct batch batch = { .count = 0 };
    (void)command;
    (void)ctx;
    if (job == NULL || job->state != SS_JOBS_RUNNING) {
        return ss_fail(context, SS_E_NOTFOUND, "no job is under way here");
    }
    add_line(&batch, context, "cancelled");
    return end_job(context, &batch, SS_JOBS_CANCELED);
}

int ss__jobs_retry(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const SS_JOBS(RetryStepCommand) *retry = (const SS_JOBS(RetryStepCommand) *)command->payload;
    const SS_JOBS(StepEntity) *step = ss__jobs_step(ss_context_view(context), retry->step);
    struct batch batch = { .count = 0 };
    if (step == NULL || (step->state != SS_JOBS_FAILED && step->state != SS_JOBS_WAITING)) {
        return ss_fail(context, SS_E_NOTFOUND, "step %u did not fail", retry->step);
    }
    uint32_t number = step->attempt + 1;
    add_line(&batch, context, "step %u: attempt %u, asked for", retry->step, number);
    return begin_attempt(context, ctx, &batch, retry->step, number);
}

void ss__jobs_recover(struct ss_context *context, bool was_running, void *ctx)
{
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    const SS_JOBS(StepEntity) *step =
        job == NULL ? NULL : ss__jobs_step(ss_context_view(context), job->step);
    struct batch batch = { .count = 0 };
    (void)was_running;
    if (ss_str_equal(ss_context_session_id(context), ss_str(SS_JOBS_BOARD))) {
        ss__jobs_ask_running(context);
        return;
    }
    if (job == NULL || job->state != SS_JOBS_RUNNING || step == NULL) {
        return;
    }
    ss_set_running(context, true);
    add_line(&batch, context, "step %u: the server came back", job->step);
    (void)publish(context, &batch);    /* the work matters more than its log */
    ss__jobs_send_report(context);     /* the newest one may be lost */
    if (step->state == SS_JOBS_WAITING) {
        (void)wait_for_retry(context, ctx, step);    /* out of memory: at the next start */
    } else {
        (void)begin_work(context, ctx, step->number, step->attempt);
    }
}
