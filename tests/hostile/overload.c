/* More than the shards can take: what is lost (nothing), and whether the work that gets done
 * becomes less. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "ledger.h"
#include "scenarios.h"

#define SESSIONS 64
#define EVENTS_MAX 1024
#define IN_FLIGHT_MIN 64       /* of all connections, where the search begins ... */
#define IN_FLIGHT_MAX (UINT64_C(1) << 20)
#define IN_FLIGHT_BYTES_MAX (256 * MIB)    /* ... and where it ends */
#define FEW_LARGE 40           /* more than a connection may have unanswered, in bytes */
#define TRIES 2                /* of each window */
#define ROUNDS_MAX 9
#define OVERLOAD 3
#define GOODPUT_MIN 0.9
#define DRAIN_NS (UINT64_C(120) * 1000000000)
#define FAILURES_SHOWN 20

struct publisher {
    struct peer peer;
    struct ss_bytes out;       /* not taken by the kernel, which tells when it takes more */
    size_t out_at;
    uint32_t unanswered;
    struct ledger *ledger;     /* of its session */
};

/* What one load was answered. */
struct outcome {
    double rate;               /* accepted a second */
    double cpu_us;             /* of the daemon for each */
    double own_us;             /* of the publishers */
};

struct overload {
    const struct settings *settings;
    struct daemon daemon;
    struct publisher *publishers;
    uint32_t count;
    uint32_t payload;
    int epoll;
    struct ledger ledgers[SESSIONS];
    uint64_t next_id;
    uint64_t *sent_ns;         /* by id; 0: answered */
    uint64_t sent_max;
    uint64_t sent;
    uint64_t accepted;
    uint64_t refused;          /* "overloaded" */
    uint64_t failed;           /* anything else */
    struct ss_histogram latency;
    unsigned failures;
};

static struct overload run;

static const struct load {
    const char *name;
    uint32_t connections;
    uint32_t payload;
} loads[] = {
    { "overload-few", 8, 100 },
    { "overload-many", 2000, 100 },
    { "overload-large", 300, 30000 },
};

static void expect(bool good, const char *what, double got, double want)
{
    if (!good && run.failures++ < FAILURES_SHOWN) {
        (void)printf("  FAILED  overload: %s: %g, wanted %g\n", what, got, want);
    }
}

/* ---- publishers ---- */

static void on_frame(struct peer *peer, struct ss_str text)
{
    struct publisher *publisher = peer->ctx;
    uint64_t id = number_behind(text, "\"requestId\":\"");
    if (id == 0 || id >= run.next_id || run.sent_ns[id % run.sent_max] == 0) {
        return;
    }
    publisher->unanswered--;
    if (begins_with(text, "{\"accepted\"")) {
        ss__histogram_add(&run.latency, now_ns() - run.sent_ns[id % run.sent_max]);
        ledger_enter(publisher->ledger, number_behind(text, "\"ordinal\":\""), id);
        run.accepted++;
    } else if (memmem(text.data, text.len, "\"overloaded\"", 12) != NULL) {
        run.refused++;
    } else {
        run.failed++;
    }
    run.sent_ns[id % run.sent_max] = 0;
}

static void flush(struct publisher *publisher)
{
    struct ss_bytes *out = &publisher->out;
    publisher->out_at += peer_send(&publisher->peer, out->data + publisher->out_at,
                                   out->len - publisher->out_at);
    if (publisher->out_at == out->len) {
        ss__bytes_clear(out);
        publisher->out_at = 0;
    }
}

static void submit(struct publisher *publisher)
{
    uint64_t id = run.next_id++;
    frame_submit(&publisher->out, publisher->ledger->session, id, run.payload, 0);
    run.sent_ns[id % run.sent_max] = now_ns();
    publisher->unanswered++;
    run.sent++;
    flush(publisher);
}

static void turn(int ms)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run.epoll, events, EVENTS_MAX, ms);
    for (int i = 0; i < count; i++) {
        struct publisher *publisher = events[i].data.ptr;
        peer_read(&publisher->peer, SIZE_MAX);
        if (publisher->peer.ended) {
            expect(false, "publishers that were cut off, with close code",
                   publisher->peer.close_code, 0);
            (void)epoll_ctl(run.epoll, EPOLL_CTL_DEL, publisher->peer.fd, NULL);
        } else if (publisher->out.len > 0) {
            flush(publisher);
        }
    }
}

static bool connect_publishers(uint32_t count)
{
    run.publishers = calloc(count, sizeof *run.publishers);
    run.count = count;
    for (uint32_t i = 0; run.publishers != NULL && i < count; i++) {
        struct publisher *publisher = &run.publishers[i];
        if (!peer_upgrade(&publisher->peer, run.daemon.port, 0)) {
            return false;
        }
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
                                     .data.ptr = publisher };
        (void)epoll_ctl(run.epoll, EPOLL_CTL_ADD, publisher->peer.fd, &event);
        publisher->peer.on_frame = on_frame;
        publisher->peer.ctx = publisher;
        publisher->peer.polite = true;
        publisher->peer.out = &publisher->out;
        publisher->ledger = &run.ledgers[i % SESSIONS];
        publisher->out = (struct ss_bytes){ .max = SIZE_MAX };
    }
    return run.publishers != NULL;
}

static void disconnect_publishers(void)
{
    for (uint32_t i = 0; i < run.count; i++) {
        peer_close(&run.publishers[i].peer, false);
        ss__bytes_deinit(&run.publishers[i].out);
    }
    free(run.publishers);
    run.publishers = NULL;
    run.count = 0;
}

/* ---- load ---- */

static double own_cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);    /* it exists on every Linux */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A connection has its next submit when its last is on the way and fewer than @window are
 * unanswered; with a @rate, when that has one due. */
static void press(double seconds, uint32_t window, double rate)
{
    uint64_t began = now_ns();
    uint64_t until = began + (uint64_t)(seconds * 1e9);
    uint64_t sent = run.sent;
    uint32_t next = 0;
    for (uint64_t now = began; now < until; now = now_ns()) {
        double due = rate > 0 ? rate * (double)(now - began) / 1e9 - (double)(run.sent - sent)
                              : 4096;
        due = due < 4096 ? due : 4096;
        for (uint32_t tried = 0; tried < run.count && due >= 1; tried++) {
            struct publisher *publisher = &run.publishers[next++ % run.count];
            while (publisher->out.len == 0 && publisher->unanswered < window && due >= 1) {
                submit(publisher);
                due--;
            }
        }
        turn(1);
    }
}

/* The same, measured when it has been so for a while. */
static struct outcome measure(double seconds, uint32_t window, double rate)
{
    press(seconds / 4, window, rate);
    uint64_t began = now_ns();
    uint64_t accepted = run.accepted;
    double cpu = daemon_cpu_seconds(&run.daemon);
    double own = own_cpu_seconds();
    memset(&run.latency, 0, sizeof run.latency);
    press(seconds, window, rate);
    double count = (double)(run.accepted - accepted);
    double each = count > 0 ? 1 / count : 0;
    return (struct outcome){
        .rate = count / ((double)(now_ns() - began) / 1e9),
        .cpu_us = (daemon_cpu_seconds(&run.daemon) - cpu) * 1e6 * each,
        .own_us = (own_cpu_seconds() - own) * 1e6 * each,
    };
}

static uint64_t unanswered(void)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < run.count; i++) {
        left += run.publishers[i].unanswered;
    }
    return left;
}

static double drain(void)
{
    uint64_t began = now_ns();
    while (unanswered() > 0 && now_ns() < began + DRAIN_NS) {
        turn(2);
    }
    expect(unanswered() == 0, "submits without an answer", (double)unanswered(), 0);
    return (double)(now_ns() - began) / 1e9;
}

static void print_load(const char *what, const struct outcome *outcome)
{
    (void)printf("  %-22s %8.0f accepted/s; p50 %.1f p99 %.1f max %.1f ms; each %.1f us of a "
                 "processor, %.1f us for the publishers; %.0f MiB\n", what,
                 outcome->rate,
                 (double)ss__histogram_at(&run.latency, 5000) / 1e6,
                 (double)ss__histogram_at(&run.latency, 9900) / 1e6,
                 (double)run.latency.max / 1e6, outcome->cpu_us, outcome->own_us,
                 (double)daemon_rss_bytes(&run.daemon) / 1048576.0);
    (void)fflush(stdout);
}

/* The window with which most is accepted, each tried a few times. */
static uint32_t find_window(double *ret_peak)
{
    uint32_t best = 1;
    uint64_t size = run.payload / 3 * 4 + 300;
    *ret_peak = 0;
    for (uint64_t window = 1; window * run.count <= IN_FLIGHT_MAX && window <= 4096; window *= 2) {
        if (window * run.count < IN_FLIGHT_MIN) {
            continue;
        }
        if (window * run.count * size > IN_FLIGHT_BYTES_MAX && *ret_peak > 0) {
            break;
        }
        double most = 0;
        for (unsigned i = 0; i < TRIES; i++) {
            struct outcome outcome = measure(run.settings->seconds / 4, (uint32_t)window, 0);
            most = outcome.rate > most ? outcome.rate : most;
        }
        (void)printf("  window %-15llu %8.0f accepted/s\n", (unsigned long long)window, most);
        (void)fflush(stdout);
        if (most > *ret_peak) {
            *ret_peak = most;
            best = (uint32_t)window;
        } else if (most < *ret_peak * 0.4) {
            break;
        }
    }
    return best;
}

static int by_value(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return difference < 0 ? -1 : difference > 0;
}

static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_value);
    return sorted[count / 2];
}

/* The best window and three times its rate in turn, so that what else the machine does, and how
 * full the store is, meets both. Where the part that is left is too small, there are more rounds. */
static void compare_rates(uint32_t window, double peak)
{
    double sustained[ROUNDS_MAX];
    double goodput[ROUNDS_MAX];
    double part = 0;
    for (unsigned i = 0; i < ROUNDS_MAX && (i % 3 != 0 || part < GOODPUT_MIN); i++) {
        struct outcome outcome = measure(run.settings->seconds, window, 0);
        print_load("sustainable", &outcome);
        sustained[i] = outcome.rate;
        peak = outcome.rate > peak ? outcome.rate : peak;
        (void)drain();
        outcome = measure(run.settings->seconds, UINT32_MAX, OVERLOAD * peak);
        print_load("three times that", &outcome);
        goodput[i] = outcome.rate;
        (void)drain();
        part = median(goodput, i + 1) / median(sustained, i + 1);
    }
    (void)printf("  %.2f of the sustainable rate is left\n", part);
    expect(part >= GOODPUT_MIN, "part of the sustainable rate that is left", part, GOODPUT_MIN);
}

/* The shard is as quick as ever as soon as the load has ended. */
static void expect_recovered(void)
{
    (void)measure(0.2, 1, 100);
    (void)drain();
    double p50 = (double)ss__histogram_at(&run.latency, 5000) / 1e6;
    (void)printf("  after the load: p50 %.1f ms at 100 a second\n", p50);
    expect(run.settings->ratio_max == 0 || p50 < 100, "ms of a submit after the load", p50, 100);
    double left = 5;
    for (uint64_t until = now_ns() + DRAIN_NS; left > 4 && now_ns() < until;) {
        left = daemon_metric(&run.daemon, "sessionstream_inbox_messages", "shard");
    }
    expect(left <= 4, "messages in the inboxes after the load", left, 0);
}

/* Publishers that never wait: at first the server stops reading them; where what it has read fills
 * an inbox all the same, it refuses. */
static void one_load(const struct load *kind, uint32_t connections)
{
    uint64_t rss = daemon_rss_bytes(&run.daemon);
    double peak;
    run.payload = kind->payload;
    if (!connect_publishers(connections)) {
        expect(false, "publishers that could connect", 0, connections);
        return;
    }
    (void)printf("%s: %u connections, payloads of %u bytes\n", kind->name, connections,
                 kind->payload);
    if (run.settings->ratio_max > 0) {
        uint32_t window = find_window(&peak);
        (void)drain();
        compare_rates(window, peak);
    } else {
        uint32_t window = kind->payload > 1000 ? FEW_LARGE : UINT32_MAX;
        struct outcome outcome = measure(run.settings->seconds, window, 0);
        print_load("without a pause", &outcome);
    }
    uint64_t most = daemon_rss_bytes(&run.daemon);
    double left = drain();
    /* Inboxes of two shards, their answers, what one connection may have unanswered, buffers. */
    uint64_t bound = 2 * 64 * MIB * 2 + connections * (128 * UINT64_C(1024)) + 128 * MIB;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect(most < rss + bound, "memory", (double)most, (double)(rss + bound));
#else
    (void)bound;
    (void)most;
    (void)rss;
#endif
    (void)printf("  %llu sent in all, %llu refused; the rest was answered in %.2f s\n",
                 (unsigned long long)run.sent, (unsigned long long)run.refused, left);
    expect(run.failed == 0, "other errors", (double)run.failed, 0);
    expect_recovered();
    run.refused = run.sent = 0;
    disconnect_publishers();
}

/* Every accepted ordinal is there, with its event, and nothing else. */
static void verify(const char *when)
{
    uint64_t events = 0;
    for (uint32_t s = 0; s < SESSIONS && run.failures < FAILURES_SHOWN; s++) {
        events += ledger_compare(&run.ledgers[s], &run.daemon, &run.failures);
        expect(run.ledgers[s].doubles == 0, "ordinals that were given twice",
               (double)run.ledgers[s].doubles, 0);
    }
    expect(events == run.accepted, "events that are stored", (double)events,
           (double)run.accepted);
    (void)printf("  %s: %llu events stored, %llu were accepted\n", when,
                 (unsigned long long)events, (unsigned long long)run.accepted);
    (void)fflush(stdout);
}

bool overload_run(const struct settings *settings)
{
    static const char *const flags[] = { "--store-map", "16GiB", NULL };
    run = (struct overload){ .settings = settings, .epoll = epoll_create1(EPOLL_CLOEXEC),
                             .next_id = 1, .sent_max = 1 << 22 };
    run.sent_ns = calloc(run.sent_max, sizeof *run.sent_ns);
    if (run.sent_ns == NULL || run.epoll < 0) {
        return false;
    }
    for (unsigned s = 0; s < SESSIONS; s++) {
        (void)snprintf(run.ledgers[s].session, sizeof run.ledgers[s].session, "load-%u", s);
    }
    daemon_open(&run.daemon, settings, flags);
    (void)setpriority(PRIO_PROCESS, 0, 5);    /* publishers are elsewhere: the daemon goes first */
    for (unsigned i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (strcmp(settings->scenario, "overload") == 0 ||
            strcmp(settings->scenario, loads[i].name) == 0) {
            uint32_t connections = loads[i].connections;
            one_load(&loads[i], connections > 100 ? settings_count(settings, connections)
                                                  : connections);
        }
    }
    verify("afterwards");
    (void)daemon_stop(&run.daemon, SIGKILL);
    daemon_start(&run.daemon);
    verify("after kill -9 and a restart");
    (void)daemon_stop(&run.daemon, SIGTERM);
    daemon_close(&run.daemon, run.failures > 0);
    for (uint32_t s = 0; s < SESSIONS; s++) {
        ledger_deinit(&run.ledgers[s]);
    }
    free(run.sent_ns);
    frame_release();
    (void)printf("overload: %s\n", run.failures == 0 ? "ok" : "FAILED");
    return run.failures == 0;
}
