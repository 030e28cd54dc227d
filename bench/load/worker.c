#include "load/worker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define JOINING_MAX 256u
#define TICK_MS 2
#define SECOND_NS UINT64_C(1000000000)

/* ---- what connections tell ---- */

void ss__load_violation(struct ss_load_worker *worker, const char *format, ...)
{
    uint64_t before = atomic_load_explicit(&worker->counts.violations, memory_order_relaxed);
    ss__load_count(&worker->counts.violations, 1);
    if (before < SS_LOAD_VIOLATIONS_KEPT) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(worker->violations[before], sizeof *worker->violations, format, args);
        va_end(args);
    }
}

static void fail(struct ss_load_worker *worker, const char *what, const char *why)
{
    if (!atomic_load(&worker->counts.failed)) {
        (void)ss__fail(&worker->failure, SS_E_IO, "%s: %s", what, why);
        atomic_store(&worker->counts.failed, true);
    }
}

void ss__load_error(struct ss_load_worker *worker, struct ss_str code)
{
    char text[40];
    size_t i = 0;
    (void)snprintf(text, sizeof text, "%.*s", (int)(code.len > 39 ? 39 : code.len), code.data);
    ss__load_count(&worker->counts.errors, 1);
    while (i < SS_LOAD_ERROR_CODES - 1 && worker->errors[i].count > 0 &&
           strcmp(worker->errors[i].code, text) != 0) {
        i++;
    }
    memcpy(worker->errors[i].code, text, sizeof text);
    worker->errors[i].count++;
    if (strncmp(text, "unknown_", 8) == 0 || strcmp(text, "bad_client_frame") == 0) {
        fail(worker, "the server does not know the bench application (start it with --app bench)",
             text);
    }
}

void ss__load_worker_opened(struct ss_load_worker *worker)
{
    ss__load_count(&worker->counts.open_publishers, 1);
}

void ss__load_worker_left(struct ss_load_worker *worker, bool followed)
{
    if (followed) {
        ss__load_count(&worker->counts.following, (uint64_t)-1);
    } else {
        worker->joining--;
    }
}

void ss__load_worker_lost(struct ss_load_worker *worker, bool unwanted, const char *why)
{
    if (unwanted && !worker->stopping) {
        ss__load_count(&worker->counts.disconnects, 1);
        if (atomic_load(&worker->run->phase) == SS_LOAD_JOIN) {
            fail(worker, "cannot join", why);
        }
    }
}

/* ---- joining ---- */

static void join_due(struct ss_load_worker *worker, uint64_t now_ns)
{
    while (worker->due_first != NULL && worker->due_first->due_ns <= now_ns &&
           worker->joining < JOINING_MAX) {
        struct ss_load_follower *follower = worker->due_first;
        worker->due_first = follower->next_due;
        if (worker->due_first == NULL) {
            worker->due_last = NULL;
        }
        worker->joining++;
        ss__load_follower_join(follower);
    }
}

void ss__load_worker_join_later(struct ss_load_worker *worker, struct ss_load_follower *follower,
                                uint64_t delay_ns)
{
    if (worker->stopping) {
        return;
    }
    struct ss_load_follower **at = &worker->due_first;
    follower->due_ns = ss__load_now_ns() + delay_ns;
    if (worker->due_last != NULL && worker->due_last->due_ns <= follower->due_ns) {
        at = &worker->due_last->next_due;
    }
    while (*at != NULL && (*at)->due_ns <= follower->due_ns) {    /* before the rest of a ramp */
        at = &(*at)->next_due;
    }
    follower->next_due = *at;
    *at = follower;
    if (follower->next_due == NULL) {
        worker->due_last = follower;
    }
}

/* The last snapshot of a session: kept for the comparison. */
static void keep_final(struct ss_load_worker *worker, struct ss_load_follower *checker)
{
    checker->session->final = checker->fold;
    checker->fold = NULL;
    ss__load_count(&worker->counts.unchecked, (uint64_t)-1);
    ss__load_follower_leave(checker);
}

void ss__load_worker_joined(struct ss_load_worker *worker, struct ss_load_follower *follower)
{
    worker->joining--;
    ss__load_count(&worker->counts.following, 1);
    if (follower->checker) {
        keep_final(worker, follower);
    } else {
        ss__load_count(&worker->counts.joins, 1);
        join_due(worker, ss__load_now_ns());
    }
}

/* ---- publishing ---- */

static void set_pace(struct ss_load_worker *worker, uint64_t at_ns)
{
    if (at_ns == worker->pace_ns) {
        return;
    }
    struct itimerspec when = { .it_value = { (time_t)(at_ns / SECOND_NS),
                                             (long)(at_ns % SECOND_NS) } };
    worker->pace_ns = at_ns;
    if (timerfd_settime(worker->pace_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) {
        abort();    /* the descriptor and the time are good */
    }
}

static void pump(struct ss_load_worker *worker)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        uint64_t due_ns = ss__load_publisher_pump(&worker->publishers[i]);
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    if (next_ns != UINT64_MAX) {
        set_pace(worker, next_ns);
    }
}

static void on_check(uv_check_t *check)
{
    pump(check->data);
}

static void on_pace(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct ss_load_worker *worker = poll->data;
    uint64_t expirations;
    worker->pace_ns = 0;
    (void)!read(worker->pace_fd, &expirations, sizeof expirations);    /* on_check publishes */
}

/* ---- time ---- */

static uint64_t next_random(struct ss_load_worker *worker)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random;
}

static void churn(struct ss_load_worker *worker, uint64_t passed_ns)
{
    const struct ss_load_options *options = worker->run->options;
    if (worker->follower_count == 0 || !ss__load_publishing(worker->run)) {
        return;
    }
    worker->churn_due += options->churn / options->threads * (double)passed_ns / 1e9;
    for (; worker->churn_due >= 1; worker->churn_due--) {
        struct ss_load_follower *follower =
            &worker->followers[next_random(worker) % worker->follower_count];
        if (follower->subscribed) {
            ss__load_follower_leave(follower);
        }
    }
}

static void reconnect(struct ss_load_worker *worker, uint64_t now_ns)
{
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        struct ss_load_publisher *publisher = &worker->publishers[i];
        if (publisher->retry_ns != 0 && publisher->retry_ns <= now_ns) {
            ss__load_publisher_connect(publisher);
        }
    }
}

static uint64_t acked_of(const struct ss_load_follower *follower)
{
    return atomic_load_explicit(&follower->session->acked, memory_order_acquire);
}

/* Of a peer that showed a late follower nothing yet, nobody knows what it owes. */
static bool lags(const struct ss_load_follower *follower)
{
    bool owes = follower->next != 0 || follower->connection.worker->run->options->dialect->numbered;
    return !follower->subscribed || (owes && follower->next <= acked_of(follower));
}

static void count_lagging(struct ss_load_worker *worker)
{
    uint64_t lagging = 0;
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        lagging += worker->publishers[i].unanswered > 0;
    }
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        lagging += lags(&worker->followers[i]);
    }
    worker->drained = true;
    atomic_store(&worker->counts.lagging, lagging);
}

/* Says what a drain waited for in vain. */
static void name_lagging(struct ss_load_worker *worker)
{
    bool acks = worker->run->options->dialect->acks != SS_LOAD_ACKS_NONE;
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        if (worker->publishers[i].unanswered > 0) {
            ss__load_violation(worker, "no answer: %u messages of publisher %u",
                               worker->publishers[i].unanswered, worker->publishers[i].index);
        }
    }
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        const struct ss_load_follower *follower = &worker->followers[i];
        struct ss_str id = follower->session->id;
        if (!follower->subscribed) {
            ss__load_violation(worker, "a follower of %.*s could not come back", (int)id.len,
                               id.data);
        } else if (lags(follower)) {
            ss__load_violation(worker, "lost: a follower of %.*s waits for %" PRIu64 ", %" PRIu64
                               " was %s", (int)id.len, id.data, follower->next,
                               acked_of(follower), acks ? "acked" : "sent");
        }
    }
}

static void start_checks(struct ss_load_worker *worker)
{
    while (worker->checked < worker->checker_count && worker->joining < JOINING_MAX) {
        worker->joining++;
        ss__load_follower_join(&worker->checkers[worker->checked++]);
    }
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (handle->type != UV_TCP && !uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void stop(struct ss_load_worker *worker)
{
    if (worker->stopping) {
        return;
    }
    worker->stopping = true;
    if (worker->drained && atomic_load(&worker->counts.lagging) > 0) {
        name_lagging(worker);
    }
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        ss__load_connection_close(&worker->followers[i].connection, "the run is over");
    }
    for (uint32_t i = 0; i < worker->checked; i++) {
        ss__load_connection_close(&worker->checkers[i].connection, "the run is over");
    }
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        ss__load_connection_close(&worker->publishers[i].connection, "the run is over");
    }
    uv_walk(&worker->loop, close_handle, NULL);
}

static void end_second(struct ss_load_worker *worker, uint64_t now_ns)
{
    worker->second_ns = now_ns;
    atomic_store(&worker->counts.p50_ns, ss__histogram_at(&worker->interval, 5000));
    atomic_store(&worker->counts.p99_ns, ss__histogram_at(&worker->interval, 9900));
    memset(&worker->interval, 0, sizeof worker->interval);
}

static void on_tick(uv_timer_t *timer)
{
    struct ss_load_worker *worker = timer->data;
    uint64_t now_ns = ss__load_now_ns();
    uint64_t passed_ns = now_ns - worker->ticked_ns;
    int phase = atomic_load(&worker->run->phase);
    worker->ticked_ns = now_ns;
    if (phase == SS_LOAD_STOP) {
        stop(worker);
        return;
    }
    join_due(worker, now_ns);
    reconnect(worker, now_ns);
    churn(worker, passed_ns);
    if (phase == SS_LOAD_DRAIN) {
        count_lagging(worker);
    } else if (phase == SS_LOAD_CHECK) {
        start_checks(worker);
    }
    if (now_ns - worker->second_ns >= SECOND_NS) {
        end_second(worker, now_ns);
    }
}

static void on_wake(uv_async_t *async)
{
    (void)async;    /* on_check publishes */
}

/* ---- life ---- */

static void run_worker(void *arg)
{
    struct ss_load_worker *worker = arg;
    worker->ticked_ns = worker->second_ns = ss__load_now_ns();
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        ss__load_publisher_connect(&worker->publishers[i]);
    }
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);    /* nothing is left when it returns */
    if (worker->run->options->dialect->release != NULL) {
        worker->run->options->dialect->release();
    }
}

int ss__load_worker_start(struct ss_load_worker *worker)
{
    worker->pace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (worker->pace_fd < 0 || uv_loop_init(&worker->loop) != 0 ||
        uv_async_init(&worker->loop, &worker->wake, on_wake) != 0 ||
        uv_check_init(&worker->loop, &worker->check) != 0 ||
        uv_timer_init(&worker->loop, &worker->tick) != 0 ||
        uv_poll_init(&worker->loop, &worker->pace, worker->pace_fd) != 0 ||
        uv_check_start(&worker->check, on_check) != 0 ||
        uv_timer_start(&worker->tick, on_tick, 0, TICK_MS) != 0 ||
        uv_poll_start(&worker->pace, UV_READABLE, on_pace) != 0) {
        return SS_E_IO;
    }
    worker->check.data = worker->tick.data = worker->pace.data = worker;
    return uv_thread_create(&worker->thread, run_worker, worker) == 0 ? 0 : SS_E_IO;
}

void ss__load_worker_join(struct ss_load_worker *worker)
{
    (void)uv_thread_join(&worker->thread);    /* it was created, and is joined once */
    (void)uv_loop_close(&worker->loop);       /* its loop ended with nothing left */
    (void)close(worker->pace_fd);
}
