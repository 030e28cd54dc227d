#include "stage.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define POLL_MAX 1024          /* offenders looked at in one call */
#define GONE_MS 20000
#define QUIET_SECONDS_MAX 20.0
#define HEALTHY_RATE 200

/* Red zones, shadow memory and what is kept of freed memory are not what the bounds are about. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define JUDGES_MEMORY false
#else
#define JUDGES_MEMORY true
#endif

void stage_expect(struct stage *stage, bool good, const char *format, ...)
{
    if (good) {
        return;
    }
    va_list args;
    stage->failures++;
    (void)printf("  FAILED  %s: ", stage->scenario->name);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)printf("\n");
}

/* ---- offenders ---- */

void stage_crowd(struct stage *stage, uint32_t count)
{
    stage->peers = calloc(count, sizeof *stage->peers);
    stage->peer_max = count;
    if (stage->peers == NULL) {
        (void)fprintf(stderr, "hostile: out of memory\n");
        exit(2);
    }
}

static struct peer *add(struct stage *stage, int rcvbuf, bool websocket)
{
    if (stage->peer_count == stage->peer_max) {
        return NULL;
    }
    struct peer *peer = &stage->peers[stage->peer_count++];
    bool good = websocket ? peer_upgrade(peer, stage->daemon.port, rcvbuf)
                          : peer_connect(peer, stage->daemon.port, rcvbuf);
    stage_expect(stage, good, "offender %u could not connect", stage->peer_count);
    peer->deaf = rcvbuf > 0;
    return good ? peer : NULL;
}

struct peer *stage_connect(struct stage *stage, int rcvbuf)
{
    return add(stage, rcvbuf, false);
}

struct peer *stage_upgrade(struct stage *stage, int rcvbuf)
{
    return add(stage, rcvbuf, true);
}

bool stage_connect_again(struct stage *stage, struct peer *peer)
{
    peer_close(peer, false);
    bool good = peer_connect(peer, stage->daemon.port, 0);
    stage_expect(stage, good, "an offender could not connect again");
    return good;
}

static void begin_phase(struct stage *stage, enum healthy_phase phase)
{
    stage->began_ns = now_ns();
    stage->until_ns = stage->began_ns + (uint64_t)(stage->settings->seconds * 1e9);
    atomic_store(&stage->healthy.phase, phase);
}

void stage_begin(struct stage *stage)
{
    begin_phase(stage, HEALTHY_HOSTILE);
}

void stage_begin_honest(struct stage *stage)
{
    begin_phase(stage, HEALTHY_HONEST);
}

bool stage_over(struct stage *stage)
{
    return now_ns() >= stage->until_ns;
}

uint32_t stage_due(const struct stage *stage, double rate)
{
    double due = rate * stage->settings->scale * (double)(now_ns() - stage->began_ns) / 1e9 -
                 (double)stage->operations;
    return due <= 0 ? 0 : (uint32_t)due;
}

void stage_poll(struct stage *stage, int ms)
{
    static struct pollfd waits[POLL_MAX];
    static uint32_t places[POLL_MAX];
    uint32_t at = 0;
    do {
        nfds_t count = 0;
        uint32_t from = at;
        for (; at < stage->peer_count && count < POLL_MAX; at++) {
            if (stage->peers[at].fd >= 0 && !stage->peers[at].ended &&
                !stage->peers[at].deaf) {
                places[count] = at;
                waits[count++] = (struct pollfd){ stage->peers[at].fd, POLLIN, 0 };
            }
        }
        if (poll(waits, count, from == 0 ? ms : 0) > 0) {
            for (nfds_t i = 0; i < count; i++) {
                if (waits[i].revents != 0) {
                    peer_read(&stage->peers[places[i]], SIZE_MAX);
                }
            }
        }
    } while (at < stage->peer_count);
}

static uint32_t count_ended(const struct stage *stage)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        ended += stage->peers[i].ended || stage->peers[i].fd < 0;
    }
    return ended;
}

bool stage_await_ends(struct stage *stage, uint32_t ms)
{
    uint64_t until = now_ns() + (uint64_t)(ms + stage->settings->patience_ms) * 1000000;
    while (count_ended(stage) < stage->peer_count && now_ns() < until) {
        stage_poll(stage, 10);
    }
    uint32_t left = stage->peer_count - count_ended(stage);
    stage_expect(stage, left == 0, "%u of %u offenders are still connected", left,
                 stage->peer_count);
    return left == 0;
}

bool stage_expect_end(struct stage *stage, const struct peer *peer, int status,
                      uint16_t close_code, uint32_t after_ms)
{
    uint64_t took_ms = (peer->ended_ns - peer->began_ns) / 1000000;
    if (!peer->ended) {
        return true;
    }
    if (peer->status != status || (close_code != 0 && peer->close_code != close_code)) {
        stage_expect(stage, false, "an offender was answered with status %d and close code %u, "
                     "not with %d and %u", peer->status, peer->close_code, status, close_code);
        return false;
    }
    bool early = took_ms + 50 < after_ms;    /* its clock is that of the turn */
    bool late = took_ms > after_ms + stage->settings->patience_ms;
    if (after_ms > 0 && stage->settings->ratio_max > 0 && (early || late)) {
        stage_expect(stage, false, "an offender was ended after %llu ms, not after %u",
                     (unsigned long long)took_ms, after_ms);
        return false;
    }
    return true;
}

void stage_expect_ends(struct stage *stage, int status, uint16_t close_code, uint32_t after_ms)
{
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        if (!stage_expect_end(stage, &stage->peers[i], status, close_code, after_ms)) {
            return;
        }
    }
}

uint64_t stage_deadline(const struct stage *stage)
{
    uint64_t ms = stage->settings->patience_ms;
    return now_ns() + (ms > GONE_MS ? ms : GONE_MS) * 1000000;
}

bool stage_await_metric(struct stage *stage, const char *name, const char *part, double value)
{
    uint64_t until = stage_deadline(stage);
    double seen = daemon_metric(&stage->daemon, name, part);
    while (seen > value && now_ns() < until) {
        stage_poll(stage, 20);
        seen = daemon_metric(&stage->daemon, name, part);
    }
    stage_expect(stage, seen <= value, "%s is %g at the end, not %g", name, seen, value);
    return seen <= value;
}

/* ---- phases ---- */

static void rest(double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now = now_ns(); now < until; now = now_ns()) {
        (void)poll(NULL, 0, (int)((until - now) / 1000000 + 1));
    }
}

void stage_end_phase(struct stage *stage)
{
    struct healthy *healthy = &stage->healthy;
    uint64_t until = stage_deadline(stage);
    while (atomic_load(&healthy->measured[atomic_load(&healthy->phase)]) == 0 &&
           !atomic_load(&healthy->failed) && now_ns() < until) {
        stage_poll(stage, 1);
    }
    atomic_store(&healthy->phase, HEALTHY_IDLE);
}

static void measure_quiet(struct stage *stage)
{
    atomic_store(&stage->healthy.phase, HEALTHY_QUIET);
    double seconds = stage->settings->seconds;
    rest(seconds < QUIET_SECONDS_MAX ? seconds : QUIET_SECONDS_MAX);
    stage_end_phase(stage);
}

static void *sample(void *arg)
{
    struct stage *stage = arg;
    while (atomic_load(&stage->sampling)) {
        uint64_t rss = daemon_rss_bytes(&stage->daemon);
        if (rss > atomic_load(&stage->rss_peak)) {
            atomic_store(&stage->rss_peak, rss);
        }
        (void)poll(NULL, 0, 10);
    }
    return NULL;
}

void stage_forget_memory(struct stage *stage)
{
    atomic_store(&stage->rss_before, daemon_rss_bytes(&stage->daemon));
    atomic_store(&stage->rss_peak, 0);
}

static void start_sampler(struct stage *stage)
{
    stage_forget_memory(stage);
    atomic_store(&stage->sampling, true);
    if (pthread_create(&stage->sampler, NULL, sample, stage) != 0) {
        exit(2);
    }
}

/* What the daemon took at most. */
static uint64_t stop_sampler(struct stage *stage)
{
    atomic_store(&stage->sampling, false);
    (void)pthread_join(stage->sampler, NULL);
    uint64_t before = atomic_load(&stage->rss_before);
    uint64_t peak = atomic_load(&stage->rss_peak);
    return peak > before ? peak - before : 0;
}

static void close_crowd(struct stage *stage)
{
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        peer_close(&stage->peers[i], false);
    }
    free(stage->peers);
    stage->peers = NULL;
    stage->peer_count = stage->peer_max = 0;
}

/* Nothing is left of the offenders. */
static void expect_gone(struct stage *stage, double connections, uint32_t descriptors)
{
    (void)stage_await_metric(stage, "sessionstream_connections", "", connections);
    (void)stage_await_metric(stage, "sessionstream_inbox_messages", "", 10);
    (void)stage_await_metric(stage, "sessionstream_snapshot_pages_bytes", "", 0);
    (void)stage_await_metric(stage, "sessionstream_followers", "", stage->healthy.count);
    uint64_t until = stage_deadline(stage);
    uint32_t open = daemon_descriptors(&stage->daemon);
    while (open > descriptors + 2 && now_ns() < until) {    /* the log changes its files */
        (void)poll(NULL, 0, 20);
        open = daemon_descriptors(&stage->daemon);
    }
    stage_expect(stage, open <= descriptors + 2, "%u descriptors are open, %u were before", open,
                 descriptors);
}

static void expect_served(struct stage *stage)
{
    stage_expect(stage, !atomic_load(&stage->healthy.failed),
                 "a well-behaved client lost its connection");
    for (unsigned i = 0; i < stage->healthy.count; i++) {
        const struct healthy_pair *pair = &stage->healthy.pairs[i];
        stage_expect(stage, pair->errors == 0, "%llu errors for the well-behaved clients of %s",
                     (unsigned long long)pair->errors, pair->session);
        stage_expect(stage, pair->accepted == pair->sent,
                     "of %llu submits to %s %llu were accepted", (unsigned long long)pair->sent,
                     pair->session, (unsigned long long)pair->accepted);
        stage_expect(stage, pair->next_ordinal > pair->acked_ordinal && pair->gaps == 0 &&
                     pair->doubles == 0 && pair->snapshots == 0,
                     "the follower of %s is at %llu of %llu, with %llu gaps, %llu doubles, "
                     "%llu more snapshots", pair->session,
                     (unsigned long long)pair->next_ordinal - 1,
                     (unsigned long long)pair->acked_ordinal, (unsigned long long)pair->gaps,
                     (unsigned long long)pair->doubles, (unsigned long long)pair->snapshots);
    }
}

static double ms_at(const struct ss_histogram *histogram, unsigned permyriad)
{
    return (double)ss__histogram_at(histogram, permyriad) / 1e6;
}

void stage_print_header(void)
{
    (void)printf("%-20s %12s %9s %9s %8s %8s %8s %8s %6s %6s\n", "scenario", "operations", "per s",
                 "MiB more", "p50 ms", "with", "p99 ms", "with", "ratio", "result");
}

/* Deliveries and answers of all pairs. */
static void merge(const struct stage *stage, enum healthy_phase phase, struct ss_histogram *all)
{
    memset(all, 0, sizeof *all);
    for (unsigned i = 0; i < stage->healthy.count; i++) {
        ss__histogram_merge(all, &stage->healthy.pairs[i].ack[phase]);
        ss__histogram_merge(all, &stage->healthy.pairs[i].delivery[phase]);
    }
}

static enum stage_result report(struct stage *stage, uint64_t rss_more)
{
    static struct ss_histogram quiet;
    static struct ss_histogram honest;
    static struct ss_histogram hostile;
    merge(stage, HEALTHY_QUIET, &quiet);
    merge(stage, HEALTHY_HONEST, &honest);
    merge(stage, HEALTHY_HOSTILE, &hostile);
    bool beside_honest = ms_at(&honest, 9900) > ms_at(&quiet, 9900);
    const struct ss_histogram *base = beside_honest ? &honest : &quiet;
    double before = ms_at(base, 9900);
    double during = ms_at(&hostile, 9900);
    double ratio = before > 0 ? during / before : 0;
    double took = (double)(stage->ended_ns - stage->began_ns) / 1e9;
    stage_expect(stage, quiet.count > 0 && hostile.count > 0, "nothing was measured");
    bool slow = stage->settings->ratio_max > 0 && ratio > stage->settings->ratio_max;
    (void)printf("%-20s %12llu %9.0f %9.1f %8.3f %8.3f %8.3f %8.3f %6.2f %6s   %s%s\n",
                 stage->scenario->name, (unsigned long long)stage->operations,
                 took > 0 ? (double)stage->operations / took : 0, (double)rss_more / 1048576.0,
                 ms_at(base, 5000), ms_at(&hostile, 5000), before, during, ratio,
                 stage->failures > 0 ? "FAILED" : slow ? "SLOW" : "ok",
                 stage->operation == NULL ? "" : stage->operation,
                 beside_honest ? ", beside as many honest ones" : "");
    (void)fflush(stdout);
    return stage->failures > 0 ? STAGE_BAD : slow ? STAGE_SLOW : STAGE_GOOD;
}

/* Where time decides nothing, nobody needs to wait long for it, nor is a request late that was kept
 * from the processor between its connection and its first byte. */
static const char *const quick[] = { "--ping-interval", "700ms", "--dead-timeout", "3s", NULL };

static void choose_flags(struct stage *stage)
{
    const char **flags = stage->flags;
    const char *const *given = stage->scenario->flags;
    bool timed = stage->settings->ratio_max > 0;
    for (unsigned i = 0; given[i] != NULL; i++) {
        *flags++ = timed || strcmp(given[i], HANDSHAKE_TIMEOUT) != 0 ? given[i] : "2s";
    }
    for (unsigned i = 0; !timed && quick[i] != NULL; i++) {
        *flags++ = quick[i];
    }
}

static void set_up(struct stage *stage)
{
    const struct scenario *scenario = stage->scenario;
    choose_flags(stage);
    daemon_open(&stage->daemon, stage->settings, stage->flags);
    stage->healthy.count = 2;
    stage->healthy.careful = stage->settings->ratio_max == 0;
    stage->healthy.pairs[0] = (struct healthy_pair){ .session = "apart", .rate = HEALTHY_RATE,
                                                     .payload = 100 };
    stage->healthy.pairs[1] = (struct healthy_pair){
        .session = "busy", .rate = HEALTHY_RATE,
        .payload = scenario->busy_payload > 0 ? scenario->busy_payload : 100,
    };
    if (!healthy_start(&stage->healthy, stage->daemon.port)) {
        (void)fprintf(stderr, "hostile: well-behaved clients cannot connect\n");
        daemon_close(&stage->daemon, false);
        exit(2);
    }
    rest(stage->settings->ratio_max > 0 ? 0.3 : 0);
}

/* The offenders' thread alone: on other machines they would take no processor from the server. Where
 * latencies are not judged others may want all processors, and it has to get on. */
static void stand_back(const struct settings *settings)
{
    const struct sched_param none = { 0 };
    if (settings->ratio_max == 0 || sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
        (void)setpriority(PRIO_PROCESS, 0, 5);
    }
}

enum stage_result stage_run(const struct scenario *scenario, const struct settings *settings)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    stage.scenario = scenario;
    stage.settings = settings;
    stage.rss_bound = 32 * MIB;
    set_up(&stage);
    stand_back(settings);
    double connections = daemon_metric(&stage.daemon, "sessionstream_connections", "");
    uint32_t descriptors = daemon_descriptors(&stage.daemon);
    measure_quiet(&stage);
    start_sampler(&stage);
    scenario->run(&stage);
    stage_end_phase(&stage);
    stage.ended_ns = stage.ended_ns == 0 ? now_ns() : stage.ended_ns;
    uint64_t more = stop_sampler(&stage);
    stage_expect(&stage, !JUDGES_MEMORY || more <= stage.rss_bound,
                 "the daemon took %.1f MiB more, allowed are %.1f", (double)more / 1048576.0,
                 (double)stage.rss_bound / 1048576.0);
    close_crowd(&stage);
    expect_gone(&stage, connections, descriptors);
    measure_quiet(&stage);
    healthy_stop(&stage.healthy);
    expect_served(&stage);
    int status = daemon_stop(&stage.daemon, SIGTERM);
    stage_expect(&stage, WIFEXITED(status) && WEXITSTATUS(status) == 0,
                 "the daemon ended with status %d:\n%s", status, stage.daemon.last_log);
    daemon_close(&stage.daemon, false);
    return report(&stage, more);
}
