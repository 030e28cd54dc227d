/* More than the shards can take: what is refused, what is lost (nothing), and whether the work
 * that gets done becomes less. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "scenarios.h"

#define SESSIONS 64
#define EVENTS_MAX 1024
#define WINDOW_MIN 8           /* unanswered submits of a connection, to find the sustainable rate */
#define WINDOW_MAX 64
#define OVERLOAD 3
#define GOODPUT_MIN 0.9
#define COST_MAX 1.25
#define DRAIN_NS (UINT64_C(60) * 1000000000)
#define PAGE 1000
#define FAILURES_SHOWN 20

struct publisher {
    struct peer peer;
    char session[24];
    struct ss_bytes out;       /* not taken by the kernel */
    size_t out_at;
    uint32_t unanswered;
    uint32_t index;            /* of its session */
};

/* What was accepted, by session and ordinal: the id of its submit. */
struct ledger {
    uint64_t *ids;             /* at ordinal - 1; 0: nobody was told of it */
    size_t len;
    size_t cap;
};

struct overload {
    const struct settings *settings;
    struct daemon daemon;
    struct publisher *publishers;
    uint32_t count;
    int epoll;
    struct ledger ledgers[SESSIONS];
    uint64_t next_id;
    uint64_t *sent_ns;         /* by id; 0: answered */
    uint64_t sent_max;
    uint32_t payload;
    uint64_t sent;
    uint64_t accepted;
    uint64_t refused;          /* "overloaded" */
    uint64_t failed;           /* anything else */
    uint64_t doubles;
    struct ss_histogram latency;
    double cpu_us;             /* of the daemon for each that was accepted, newest load */
    unsigned failures;
};

static struct overload run;

static void expect(bool good, const char *what, double got, double want)
{
    if (!good && run.failures++ < FAILURES_SHOWN) {
        (void)printf("  FAILED  overload: %s: %g, wanted %g\n", what, got, want);
    }
}

/* ---- what was accepted ---- */

static void enter(struct ledger *ledger, uint64_t ordinal, uint64_t id)
{
    if (ordinal > ledger->cap) {
        size_t cap = ordinal * 2 < 4096 ? 4096 : ordinal * 2;
        uint64_t *ids = realloc(ledger->ids, cap * sizeof *ids);
        if (ids == NULL) {
            exit(2);
        }
        memset(ids + ledger->cap, 0, (cap - ledger->cap) * sizeof *ids);
        ledger->ids = ids;
        ledger->cap = cap;
    }
    run.doubles += ledger->ids[ordinal - 1] != 0;
    ledger->ids[ordinal - 1] = id;
    ledger->len = ordinal > ledger->len ? ordinal : ledger->len;
}

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
        enter(&run.ledgers[publisher->index], number_behind(text, "\"ordinal\":\""), id);
        run.accepted++;
    } else if (memmem(text.data, text.len, "\"overloaded\"", 12) != NULL) {
        run.refused++;
    } else {
        run.failed++;
    }
    run.sent_ns[id % run.sent_max] = 0;
}

/* ---- load ---- */

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
    frame_submit(&publisher->out, publisher->session, id, run.payload, 0);
    run.sent_ns[id % run.sent_max] = now_ns();
    publisher->unanswered++;
    run.sent++;
    flush(publisher);
}

static void read_answers(int ms)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run.epoll, events, EVENTS_MAX, ms);
    for (int i = 0; i < count; i++) {
        struct publisher *publisher = events[i].data.ptr;
        peer_read(&publisher->peer, SIZE_MAX);
        if (publisher->peer.ended) {
            expect(false, "publishers that were cut off", 1, 0);
            (void)epoll_ctl(run.epoll, EPOLL_CTL_DEL, publisher->peer.fd, NULL);
        }
    }
}

/* A connection has its next submit when its last is on the way and fewer than @window are
 * unanswered; with a @rate, when that has one due. Returns what was accepted a second. */
static double load(double seconds, uint32_t window, double rate)
{
    uint64_t began = now_ns();
    uint64_t until = began + (uint64_t)(seconds * 1e9);
    uint64_t accepted = run.accepted;
    double cpu = daemon_cpu_seconds(&run.daemon);
    uint64_t sent = run.sent;
    uint32_t turn = 0;
    memset(&run.latency, 0, sizeof run.latency);
    for (uint64_t now = began; now < until; now = now_ns()) {
        double due = rate > 0 ? rate * (double)(now - began) / 1e9 - (double)(run.sent - sent)
                              : 1e9;
        due = due < 4096 ? due : 4096;
        for (uint32_t tried = 0; tried < run.count && due >= 1; tried++) {
            struct publisher *publisher = &run.publishers[turn++ % run.count];
            if (publisher->out.len > 0) {
                flush(publisher);
            }
            while (publisher->out.len == 0 && publisher->unanswered < window && due >= 1) {
                submit(publisher);
                due--;
            }
        }
        read_answers(1);
    }
    double count = (double)(run.accepted - accepted);
    run.cpu_us = count > 0 ? (daemon_cpu_seconds(&run.daemon) - cpu) * 1e6 / count : 0;
    return count / ((double)(now_ns() - began) / 1e9);
}

static uint64_t unanswered(void)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < run.count; i++) {
        if (run.publishers[i].out.len > 0) {
            flush(&run.publishers[i]);
        }
        left += run.publishers[i].unanswered;
    }
    return left;
}

static double drain(void)
{
    uint64_t began = now_ns();
    while (unanswered() > 0 && now_ns() < began + DRAIN_NS) {
        read_answers(2);
    }
    expect(unanswered() == 0, "submits without an answer", (double)unanswered(), 0);
    return (double)(now_ns() - began) / 1e9;
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
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = publisher };
        (void)epoll_ctl(run.epoll, EPOLL_CTL_ADD, publisher->peer.fd, &event);
        publisher->peer.on_frame = on_frame;
        publisher->peer.ctx = publisher;
        publisher->peer.polite = true;
        publisher->index = i % SESSIONS;
        publisher->out = (struct ss_bytes){ .max = SIZE_MAX };
        (void)snprintf(publisher->session, sizeof publisher->session, "load-%u", i % SESSIONS);
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

/* ---- afterwards ---- */

/* Compares one page of stored events; returns how many it had. */
static uint64_t check_page(const struct ledger *ledger, uint64_t after, char *text)
{
    uint64_t count = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct ss_str view = ss_str_of(line, strlen(line));
        uint64_t ordinal = number_behind(view, "\"ordinal\":\"");
        uint64_t id = number_behind(view, "\"sentNs\":\"");
        if (!begins_with(view, "{\"ordinal\"")) {
            continue;    /* what stands around the events */
        }
        count++;
        expect(ordinal == after + count, "the next stored ordinal", (double)ordinal,
               (double)(after + count));
        if (ordinal <= ledger->len && ledger->ids[ordinal - 1] != 0) {
            expect(ledger->ids[ordinal - 1] == id, "the event of an accepted ordinal", (double)id,
                   (double)ledger->ids[ordinal - 1]);
        }
    }
    return count;
}

/* Every accepted ordinal is there, with its event. */
static void verify(const char *when)
{
    char path[96];
    uint64_t events = 0;
    for (uint32_t s = 0; s < SESSIONS && run.failures < FAILURES_SHOWN; s++) {
        uint64_t after = 0;
        for (uint64_t got = 1; got > 0 && run.failures < FAILURES_SHOWN; after += got) {
            (void)snprintf(path, sizeof path,
                           "/v1/sessions/load-%u/events?after=%llu&limit=%d", s,
                           (unsigned long long)after, PAGE);
            char *text = daemon_get(&run.daemon, path, NULL);
            got = text == NULL ? 0 : check_page(&run.ledgers[s], after, text);
            free(text);
        }
        expect(after >= run.ledgers[s].len, "the newest stored ordinal", (double)after,
               (double)run.ledgers[s].len);
        events += after;
    }
    expect(events == run.accepted, "events that are stored", (double)events,
           (double)run.accepted);
    (void)printf("  %s: %llu events stored, %llu were accepted\n", when,
                 (unsigned long long)events, (unsigned long long)run.accepted);
}

static void print_load(const char *what, double rate, uint64_t rss)
{
    (void)printf("%-34s %8.0f accepted/s, %llu refused, %llu sent; p50 %.1f p99 %.1f max %.1f ms, "
                 "%.0f MiB, %.1f us of a processor each\n", what, rate, (unsigned long long)run.refused,
                 (unsigned long long)run.sent,
                 (double)ss__histogram_at(&run.latency, 5000) / 1e6,
                 (double)ss__histogram_at(&run.latency, 9900) / 1e6,
                 (double)run.latency.max / 1e6, (double)rss / 1048576.0, run.cpu_us);
    (void)fflush(stdout);
    run.refused = run.sent = 0;
}

/* The shard is as quick as ever as soon as the load has ended. */
static void expect_recovered(void)
{
    (void)load(0.2, 1, 100);
    (void)drain();
    double p50 = (double)ss__histogram_at(&run.latency, 5000) / 1e6;
    (void)printf("  after the load: p50 %.1f ms at 100 a second\n", p50);
    expect(run.settings->ratio_max == 0 || p50 < 100, "ms of a submit after the load", p50, 100);
    expect(daemon_metric(&run.daemon, "sessionstream_inbox_messages", "shard") <= 4,
           "messages in the inboxes after the load",
           daemon_metric(&run.daemon, "sessionstream_inbox_messages", "shard"), 0);
}

/* Publishers that never wait: at first the server stops reading them; where what it has read fills
 * an inbox all the same, it refuses. */
static void one_load(const char *what, uint32_t connections, uint32_t payload)
{
    char text[64];
    double seconds = run.settings->seconds;
    uint64_t rss = daemon_rss_bytes(&run.daemon);
    run.payload = payload;
    if (!connect_publishers(connections)) {
        expect(false, "publishers that could connect", 0, connections);
        return;
    }
    (void)load(seconds / 2, WINDOW_MIN, 0);
    double peak = load(seconds, WINDOW_MIN, 0);
    double cost = run.cpu_us;
    double wide = load(seconds, WINDOW_MAX, 0);
    cost = wide > peak ? run.cpu_us : cost;
    peak = wide > peak ? wide : peak;
    (void)snprintf(text, sizeof text, "%s, sustainable", what);
    print_load(text, peak, daemon_rss_bytes(&run.daemon));
    (void)drain();
    double goodput = load(seconds, UINT32_MAX, OVERLOAD * peak);
    uint64_t most = daemon_rss_bytes(&run.daemon);
    uint64_t refused = run.refused;
    (void)snprintf(text, sizeof text, "%s, %d times that", what, OVERLOAD);
    print_load(text, goodput, most);
    double left = drain();
    /* Inboxes of two shards, their answers, what one connection may have unanswered, buffers. */
    uint64_t bound = 2 * 64 * MIB * 2 + connections * (128 * UINT64_C(1024)) + 128 * MIB;
    /* Where others take the processor away, what each costs tells whether refusing is dear. */
    bool dearer = run.cpu_us > COST_MAX * cost;
    expect(run.settings->ratio_max == 0 || goodput >= GOODPUT_MIN * peak || !dearer,
           "part of the sustainable rate that is left", goodput / peak, GOODPUT_MIN);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect(most < rss + bound, "memory", (double)most, (double)(rss + bound));
#else
    (void)bound;
    (void)rss;
#endif
    (void)printf("  %.2f of the sustainable rate; %llu refused; the rest was answered in %.2f s\n",
                 peak > 0 ? goodput / peak : 0, (unsigned long long)refused, left);
    expect(run.failed == 0, "other errors", (double)run.failed, 0);
    expect(run.doubles == 0, "ordinals that were given twice", (double)run.doubles, 0);
    expect_recovered();
    run.refused = run.sent = 0;
    disconnect_publishers();
}

bool overload_run(const struct settings *settings)
{
    static const char *const flags[] = { "--store-map", "4GiB", NULL };
    run = (struct overload){ .settings = settings, .epoll = epoll_create1(EPOLL_CLOEXEC),
                             .next_id = 1, .sent_max = 1 << 22 };
    run.sent_ns = calloc(run.sent_max, sizeof *run.sent_ns);
    if (run.sent_ns == NULL || run.epoll < 0) {
        return false;
    }
    daemon_open(&run.daemon, settings, flags);
    one_load("few connections", 8, 100);
    one_load("many connections", settings_count(settings, 2000), 100);
    one_load("large events", settings_count(settings, 300), 30000);
    verify("afterwards");
    (void)daemon_stop(&run.daemon, SIGKILL);
    daemon_start(&run.daemon);
    verify("after kill -9 and a restart");
    (void)daemon_stop(&run.daemon, SIGTERM);
    daemon_close(&run.daemon, run.failures > 0);
    for (uint32_t s = 0; s < SESSIONS; s++) {
        free(run.ledgers[s].ids);
    }
    free(run.sent_ns);
    frame_release();
    (void)printf("overload: %s\n", run.failures == 0 ? "ok" : "FAILED");
    return run.failures == 0;
}
