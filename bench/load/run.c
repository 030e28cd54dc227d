#include "load/run.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/report.h"
#include "load/worker.h"

#define STEP_NS 10000000
#define SECOND_NS UINT64_C(1000000000)
#define JOIN_PATIENCE_NS (30 * SECOND_NS)

/* ---- sums ---- */

static void add_totals(const struct ss_load_run *run, struct ss_load_totals *ret_totals)
{
    struct ss_load_totals totals = { 0 };
    for (uint32_t i = 0; i < run->options->threads; i++) {
        const struct ss_load_counts *counts = &run->workers[i]->counts;
        totals.published += atomic_load(&counts->published);
        totals.acked += atomic_load(&counts->acked);
        totals.delivered += atomic_load(&counts->delivered);
        totals.bytes_in += atomic_load(&counts->bytes_in);
        totals.following += atomic_load(&counts->following);
        totals.joins += atomic_load(&counts->joins);
        totals.disconnects += atomic_load(&counts->disconnects);
        totals.resyncs += atomic_load(&counts->resyncs);
        totals.errors += atomic_load(&counts->errors);
        totals.unanswered += atomic_load(&counts->unanswered);
        totals.violations += atomic_load(&counts->violations);
    }
    *ret_totals = totals;
}

static uint64_t sum(const struct ss_load_run *run, size_t offset)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < run->options->threads; i++) {
        const char *counts = (const char *)&run->workers[i]->counts;
        total += atomic_load((const _Atomic uint64_t *)(const void *)(counts + offset));
    }
    return total;
}

static int failed(const struct ss_load_run *run, struct ss_failure *failure)
{
    for (uint32_t i = 0; i < run->options->threads; i++) {
        if (atomic_load(&run->workers[i]->counts.failed)) {
            *failure = run->workers[i]->failure;
            return SS_E_IO;
        }
    }
    return 0;
}

/* ---- usage ---- */

static void usage_of_generator(struct ss_load_usage *ret_usage)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);    /* cannot fail */
    ret_usage->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    ret_usage->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
}

/* /proc/PID/stat: fields 14 and 15 are ticks, 24 is pages; they count from the command's ')'. */
static void usage_of_server(int32_t pid, struct ss_load_usage *ret_usage)
{
    char path[64];
    char text[1024];
    unsigned long user = 0;
    unsigned long system = 0;
    long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid == 0 ? NULL : fopen(path, "re");
    if (file == NULL) {
        return;
    }
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    if (at != NULL &&
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d "
               "%*d %*u %*u %ld", &user, &system, &pages) == 3) {
        ret_usage->cpu_seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        ret_usage->rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
}

/* ---- phases ---- */

static void pause_step(void)
{
    struct timespec step = { 0, STEP_NS };
    (void)nanosleep(&step, NULL);    /* shorter is no harm */
}

/* Waits until @until_ns with a line of progress each second. */
static int wait_until(struct ss_load_run *run, struct ss_load_progress *progress,
                      uint64_t until_ns, struct ss_failure *failure)
{
    int err = 0;
    while (err == 0 && ss__load_now_ns() < until_ns) {
        struct ss_load_totals totals;
        pause_step();
        add_totals(run, &totals);
        ss__load_progress_show(progress, run, &totals);
        err = failed(run, failure);
    }
    return err;
}

static int join_all(struct ss_load_run *run, struct ss_load_progress *progress,
                    struct ss_failure *failure)
{
    const struct ss_load_options *options = run->options;
    uint64_t wanted = (uint64_t)options->sessions * options->followers;
    uint64_t last = 0;
    uint64_t last_ns = ss__load_now_ns();
    for (;;) {
        uint64_t following = sum(run, offsetof(struct ss_load_counts, following));
        uint64_t open = sum(run, offsetof(struct ss_load_counts, open_publishers));
        if (open == options->publishers && (following == wanted || options->ramp > 0)) {
            return 0;
        }
        int err = wait_until(run, progress, ss__load_now_ns() + STEP_NS, failure);
        if (err != 0) {
            return err;
        }
        if (following + open != last) {
            last = following + open;
            last_ns = ss__load_now_ns();
        } else if (ss__load_now_ns() - last_ns > JOIN_PATIENCE_NS) {
            return ss__fail(failure, SS_E_IO, "only %" PRIu64 " of %" PRIu64 " followers and "
                            "%" PRIu64 " of %u publishers are connected and no more come",
                            following, wanted, open, options->publishers);
        }
    }
}

static void begin_usage(const struct ss_load_run *run, struct ss_load_result *result)
{
    usage_of_generator(&result->generator);
    usage_of_server(run->options->server_pid, &result->server);
    add_totals(run, &result->window);
}

static void end_usage(const struct ss_load_run *run, struct ss_load_result *result)
{
    struct ss_load_usage generator = { 0 };
    struct ss_load_usage server = { 0 };
    struct ss_load_totals end;
    usage_of_generator(&generator);
    usage_of_server(run->options->server_pid, &server);
    add_totals(run, &end);
    generator.cpu_seconds -= result->generator.cpu_seconds;
    server.cpu_seconds -= result->server.cpu_seconds;
    result->generator = generator;
    result->server = server;
    struct ss_load_totals *window = &result->window;
    window->published = end.published - window->published;
    window->acked = end.acked - window->acked;
    window->delivered = end.delivered - window->delivered;
    window->bytes_in = end.bytes_in - window->bytes_in;
}

static int publish(struct ss_load_run *run, struct ss_load_progress *progress,
                   struct ss_load_result *result, struct ss_failure *failure)
{
    const struct ss_load_options *options = run->options;
    double warmup = options->warmup > options->ramp ? options->warmup : options->ramp;
    uint64_t from_ns = ss__load_now_ns() + (uint64_t)(warmup * 1e9);
    uint64_t until_ns = from_ns + (uint64_t)(options->duration * 1e9);
    atomic_store(&run->measure_until_ns, (int64_t)until_ns);
    atomic_store(&run->measure_from_ns, (int64_t)from_ns);
    atomic_store(&run->phase, SS_LOAD_PUBLISH);
    for (uint32_t i = 0; i < options->threads; i++) {
        (void)uv_async_send(&run->workers[i]->wake);    /* its loop runs */
    }
    int err = wait_until(run, progress, from_ns, failure);
    if (err == 0) {
        uint64_t begin_ns = ss__load_now_ns();
        begin_usage(run, result);
        err = wait_until(run, progress, until_ns, failure);
        end_usage(run, result);
        result->seconds = (double)(ss__load_now_ns() - begin_ns) / 1e9;
    }
    return err;
}

/* Waits for what is on its way; returns the connections that still lag at the end. A count may be
 * older than what other workers published meanwhile, so all are made to count twice more. */
static uint64_t drain(struct ss_load_run *run, struct ss_load_progress *progress)
{
    struct ss_failure failure;
    uint64_t until_ns = ss__load_now_ns() + (uint64_t)(run->options->drain * 1e9);
    uint64_t left;
    unsigned settled = 0;
    atomic_store(&run->phase, SS_LOAD_DRAIN);
    do {
        for (uint32_t i = 0; i < run->options->threads; i++) {
            atomic_store(&run->workers[i]->counts.lagging, 1);
        }
        (void)wait_until(run, progress, ss__load_now_ns() + 2 * STEP_NS, &failure);
        left = sum(run, offsetof(struct ss_load_counts, lagging));
        settled = left == 0 ? settled + 1 : 0;
    } while (settled < 3 && ss__load_now_ns() < until_ns);
    return left;
}

/* Returns the sessions without their last snapshot at the end. */
static uint64_t check_snapshots(struct ss_load_run *run, struct ss_load_progress *progress)
{
    struct ss_failure failure;
    uint64_t until_ns = ss__load_now_ns() + (uint64_t)(run->options->drain * 1e9);
    uint64_t left;
    atomic_store(&run->phase, SS_LOAD_CHECK);
    do {
        (void)wait_until(run, progress, ss__load_now_ns() + STEP_NS, &failure);
        left = sum(run, offsetof(struct ss_load_counts, unchecked));
    } while (left > 0 && ss__load_now_ns() < until_ns);
    return left;
}

/* Each follower's entities against the last snapshot of its session. */
static void compare_folds(struct ss_load_run *run)
{
    for (uint32_t i = 0; i < run->options->threads; i++) {
        struct ss_load_worker *worker = run->workers[i];
        for (uint32_t f = 0; f < worker->follower_count; f++) {
            struct ss_load_follower *follower = &worker->followers[f];
            const struct ss_load_session *session = follower->session;
            if (session->final != NULL && follower->fold != NULL &&
                memcmp(session->final, follower->fold,
                       run->options->entities * sizeof *follower->fold) != 0) {
                ss__load_violation(worker, "a follower of %.*s knows other entities than a new "
                                   "snapshot", (int)session->id.len, session->id.data);
            }
        }
    }
}

/* ---- life ---- */

static int resolve(struct ss_load_run *run, struct ss_failure *failure)
{
    for (unsigned i = 0; i < run->options->url_count; i++) {
        const struct ss_url *url = &run->options->urls[i];
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *found;
        int code = getaddrinfo(url->host, url->port, &hints, &found);
        if (code != 0) {
            return ss__fail(failure, SS_E_ADDRESS, "%s: %s", url->host, gai_strerror(code));
        }
        memcpy(&run->addresses[i], found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
    }
    return 0;
}

static int make_sessions(struct ss_load_run *run)
{
    const struct ss_load_options *options = run->options;
    size_t id_bytes = strlen(options->prefix) + 12;
    char *ids = malloc(id_bytes * options->sessions);
    run->sessions = calloc(options->sessions, sizeof *run->sessions);
    if (ids == NULL || run->sessions == NULL) {
        free(ids);
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < options->sessions; i++) {
        struct ss_load_session *session = &run->sessions[i];
        int len = snprintf(ids + i * id_bytes, id_bytes, "%s-%u", options->prefix, i);
        session->id = ss_str_of(ids + i * id_bytes, (size_t)len);
        session->index = i;
        if (options->followers > 1) {
            session->ring = calloc(SS_LOAD_RING, sizeof *session->ring);
            if (session->ring == NULL) {
                return SS_E_NOMEM;
            }
        }
    }
    return 0;
}

static int make_workers(struct ss_load_run *run)
{
    run->workers = calloc(run->options->threads, sizeof(struct ss_load_worker *));
    if (run->workers == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < run->options->threads; i++) {
        run->workers[i] = ss__load_worker_new(run, i);
        if (run->workers[i] == NULL) {
            return SS_E_NOMEM;
        }
    }
    return 0;
}

static void free_run(struct ss_load_run *run)
{
    for (uint32_t i = 0; run->workers != NULL && i < run->options->threads; i++) {
        ss__load_worker_free(run->workers[i]);
    }
    free(run->workers);
    if (run->sessions != NULL) {
        free((void *)(uintptr_t)run->sessions[0].id.data);    /* all ids, one piece */
        for (uint32_t i = 0; i < run->options->sessions; i++) {
            free(run->sessions[i].ring);
            free(run->sessions[i].final);
        }
    }
    free(run->sessions);
}

static int drive(struct ss_load_run *run, struct ss_load_result *result,
                 struct ss_failure *failure)
{
    struct ss_load_progress progress = { .begin_ns = ss__load_now_ns() };
    int err = join_all(run, &progress, failure);
    if (err != 0) {
        return err;
    }
    result->join_seconds = (double)(ss__load_now_ns() - progress.begin_ns) / 1e9;
    err = publish(run, &progress, result, failure);
    if (err != 0) {
        return err;
    }
    result->lagging = drain(run, &progress);
    if (run->options->fold && result->lagging == 0) {
        uint64_t unchecked = check_snapshots(run, &progress);
        if (unchecked > 0) {
            return ss__fail(failure, SS_E_IO, "%" PRIu64 " sessions gave no last snapshot in time",
                            unchecked);
        }
    }
    return 0;
}

static int run_workers(struct ss_load_run *run, struct ss_load_result *result,
                       struct ss_failure *failure)
{
    uint32_t started = 0;
    int err = 0;
    while (started < run->options->threads && err == 0) {
        err = ss__load_worker_start(run->workers[started]);
        started += err == 0;
    }
    err = err != 0 ? ss__fail(failure, err, "a thread cannot be started")
                   : drive(run, result, failure);
    atomic_store(&run->phase, SS_LOAD_STOP);
    for (uint32_t i = 0; i < started; i++) {
        ss__load_worker_join(run->workers[i]);
    }
    if (err == 0) {
        compare_folds(run);
    }
    add_totals(run, &result->totals);
    ss__load_report_samples(run, result);
    return err;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);    /* too few shows when connecting */
    }
}

int ss__load_run(const struct ss_load_options *options, struct ss_load_result *ret_result,
                 struct ss_failure *failure)
{
    struct ss_load_run run = { .options = options };
    raise_file_limit();
    int err = resolve(&run, failure);
    if (err == 0) {
        err = make_sessions(&run);
        err = err != 0 ? err : make_workers(&run);
        err = err != 0 ? ss__fail(failure, err, "out of memory")
                       : run_workers(&run, ret_result, failure);
    }
    free_run(&run);
    return err;
}
