/* A shard that stands still, as behind a disk that hangs: its inbox fills, what comes then is
 * refused, and the other shard serves. When it goes on, it does what it had accepted and nothing
 * else, and whoever was refused tries again. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "ledger.h"
#include "scenarios.h"

#define PAYLOAD 780000u
#define PUBLISHERS_MAX 400
#define REFUSED_MIN 8          /* over websockets, and as many over HTTP */
#define INBOX_BYTES (64 * MIB) /* SS_INBOX_BYTES_MAX */
#define EVENT_BYTES (PAYLOAD + 65536u)
#define PATIENCE_NS (UINT64_C(120) * 1000000000)

struct publisher {
    struct peer peer;
    struct ledger *ledger;
    uint64_t id;
    bool http;
    bool answered;
    bool refused;
};

struct standstill {
    struct daemon daemon;
    struct publisher *publishers;
    uint32_t count;
    uint32_t refused[2];       /* over websockets, over HTTP */
    uint64_t accepted;
    struct ledger stuck;       /* of the session on the shard that stands still */
    struct ledger served;      /* of one on the other */
    unsigned failures;
};

static struct standstill run;

static void expect(bool good, const char *what, double got, double want)
{
    if (!good) {
        run.failures++;
        (void)printf("  FAILED  standstill: %s: %g, wanted %g\n", what, got, want);
    }
}

/* ---- publishers ---- */

/* A websocket's frame or the body of an answer. */
static void on_answer(struct peer *peer, struct ss_str text)
{
    struct publisher *publisher = peer->ctx;
    publisher->refused = memmem(text.data, text.len, "\"overloaded\"", 12) != NULL;
    uint64_t ordinal = number_behind(text, "\"ordinal\":\"");
    if (ordinal > 0) {
        ledger_enter(publisher->ledger, ordinal, publisher->id);
        run.accepted += publisher->ledger == &run.stuck;
    }
    expect(publisher->refused || ordinal > 0, "answers that are neither an ordinal nor a refusal",
           1, 0);
    publisher->answered = true;
}

static bool open_publisher(struct publisher *publisher, struct ledger *ledger, bool http)
{
    static uint64_t ids;
    bool good = http ? peer_connect(&publisher->peer, run.daemon.port, 0)
                     : peer_upgrade(&publisher->peer, run.daemon.port, 0);
    publisher->peer.ctx = publisher;
    publisher->peer.on_frame = on_answer;
    publisher->peer.polite = true;
    publisher->ledger = ledger;
    publisher->http = http;
    publisher->id = ++ids;
    return good;
}

static void write_request(struct ss_bytes *out, const struct publisher *publisher)
{
    static char body[PAYLOAD / 3 * 4 + 100];
    char head[256];
    if (!publisher->http) {
        frame_submit(out, publisher->ledger->session, publisher->id, PAYLOAD, 0);
        return;
    }
    int len = snprintf(body, sizeof body, "{\"sentNs\":\"%llu\",\"payload\":\"",
                       (unsigned long long)publisher->id);
    memset(body + len, 'A', PAYLOAD / 3 * 4);
    (void)strcpy(body + len + PAYLOAD / 3 * 4, "\"}");
    (void)snprintf(head, sizeof head, "POST /v1/sessions/%s/commands/BenchPublish HTTP/1.1\r\n"
                   "Host: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   publisher->ledger->session, strlen(body));
    ss__bytes_text(out, head);
    ss__bytes_text(out, body);
}

static bool submit(struct publisher *publisher)
{
    struct ss_bytes out = { .max = SIZE_MAX };
    publisher->answered = publisher->refused = false;
    write_request(&out, publisher);
    bool sent = peer_send_all(&publisher->peer, out.data, out.len);
    ss__bytes_deinit(&out);
    expect(sent, "submits that the server took", 0, 1);
    return sent;
}

static void read_answer(struct publisher *publisher, int ms)
{
    struct pollfd wait = { publisher->peer.fd, POLLIN, 0 };
    (void)poll(&wait, 1, ms);
    peer_read(&publisher->peer, SIZE_MAX);
}

static bool await_answer(struct publisher *publisher)
{
    uint64_t until = now_ns() + PATIENCE_NS;
    while (!publisher->answered && !publisher->peer.ended && now_ns() < until) {
        read_answer(publisher, 100);
    }
    expect(publisher->answered, "submits that were answered", 0, 1);
    return publisher->answered;
}

static double of_shard(const char *metric)
{
    return daemon_metric(&run.daemon, metric, "shard=\"0\"");
}

/* ---- the shard ---- */

static pid_t thread_of(const struct daemon *daemon, const char *name)
{
    char path[96];
    char comm[32] = "";
    pid_t found = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", daemon->pid);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        (void)snprintf(path, sizeof path, "/proc/%d/task/%.16s/comm", daemon->pid, entry->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fgets(comm, sizeof comm, file) != NULL &&
            strncmp(comm, name, strlen(name)) == 0) {
            found = (pid_t)atoi(entry->d_name);
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

/* The thread stops wherever it is, and only that thread: a debugger does the same. */
static bool stop_thread(pid_t thread)
{
    int status;
    return ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
           waitpid(thread, &status, __WALL) == thread;
}

/* Names of a session on each shard, with one event. */
static bool find_sessions(void)
{
    struct publisher publisher = { .answered = false };
    double before = of_shard("sessionstream_events_total");
    for (unsigned i = 0; i < 64 && (run.stuck.len == 0 || run.served.len == 0); i++) {
        struct ledger ledger = { .len = 0 };
        (void)snprintf(ledger.session, sizeof ledger.session, "session-%u", i);
        if (!open_publisher(&publisher, &ledger, false) || !submit(&publisher) ||
            !await_answer(&publisher)) {
            return false;
        }
        peer_close(&publisher.peer, false);
        double now = of_shard("sessionstream_events_total");
        struct ledger *kept = now > before ? &run.stuck : &run.served;
        before = now;
        if (kept->len == 0) {
            *kept = ledger;
        } else {
            ledger_deinit(&ledger);
        }
    }
    expect(run.stuck.len > 0 && run.served.len > 0, "shards with a session", 1, 2);
    return run.stuck.len > 0 && run.served.len > 0;
}

/* ---- what happens ---- */

/* Each publisher has one submit, which waits in the inbox or is refused. */
static void fill_inbox(void)
{
    double waiting = of_shard("sessionstream_inbox_bytes");
    while (run.count < PUBLISHERS_MAX && run.failures == 0 &&
           (run.refused[false] < REFUSED_MIN || run.refused[true] < REFUSED_MIN)) {
        struct publisher *publisher = &run.publishers[run.count];
        double now = waiting;
        uint64_t until = now_ns() + PATIENCE_NS;
        if (!open_publisher(publisher, &run.stuck, run.count++ % 2 == 1) || !submit(publisher)) {
            expect(false, "publishers that are served", run.count - 1, run.count);
            return;
        }
        /* Bytes: other messages, which are small, come as well. */
        while (!publisher->answered && now < waiting + PAYLOAD / 2 && now_ns() < until) {
            read_answer(publisher, 1);
            now = of_shard("sessionstream_inbox_bytes");
        }
        expect(publisher->answered || now >= waiting + PAYLOAD / 2, "submits that got nowhere", 1,
               0);
        waiting = now;
        run.refused[publisher->http] += publisher->refused;
    }
}

static void expect_refusals(void)
{
    uint32_t refused = run.refused[false] + run.refused[true];
    double counted = daemon_metric(&run.daemon, "sessionstream_errors_total",
                                   "code=\"overloaded\"");
    double bytes = of_shard("sessionstream_inbox_bytes");
    for (uint32_t i = 0; i < run.count; i++) {
        const struct peer *peer = &run.publishers[i].peer;
        if (run.publishers[i].refused && run.publishers[i].http) {
            expect(peer->status == 503, "status of a refusal over HTTP", peer->status, 503);
            expect(memmem(peer->head, peer->head_len, "\r\nRetry-After: 1\r\n", 18) != NULL,
                   "refusals over HTTP with Retry-After", 0, 1);
        }
    }
    (void)printf("  %u submits wait, %.0f MiB; %u were refused over websockets, %u over HTTP\n",
                 run.count - refused, bytes / 1048576.0, run.refused[false], run.refused[true]);
    expect(run.refused[false] >= REFUSED_MIN && run.refused[true] >= REFUSED_MIN,
           "refusals over websockets and over HTTP", refused, 2 * REFUSED_MIN);
    expect(counted == refused, "refusals that were counted", counted, refused);
    expect(run.accepted == 1, "answers from a shard that stands still", (double)run.accepted, 1);
    expect(bytes <= (double)(INBOX_BYTES + EVENT_BYTES), "bytes in the inbox", bytes,
           (double)INBOX_BYTES);
}

/* The other shard neither waits nor refuses. */
static void expect_served(void)
{
    struct publisher publisher = { .answered = false };
    if (open_publisher(&publisher, &run.served, false) && submit(&publisher) &&
        await_answer(&publisher)) {
        expect(!publisher.refused, "refusals of the other shard", 1, 0);
    }
    peer_close(&publisher.peer, false);
}

/* @before: of the shard when the session had its first. */
static void expect_done(const char *when, double before, uint64_t wanted)
{
    double events = of_shard("sessionstream_events_total") - before + 1;
    (void)printf("  %s: %llu accepted\n", when, (unsigned long long)run.accepted);
    expect(run.accepted == wanted, when, (double)run.accepted, (double)wanted);
    expect(events == (double)wanted, "events of the session", events, (double)wanted);
}

/* What waited is done; what was refused has left nothing, and is accepted now. */
static void go_on(double before)
{
    uint32_t refused = run.refused[false] + run.refused[true];
    for (uint32_t i = 0; i < run.count; i++) {
        (void)await_answer(&run.publishers[i]);
    }
    expect_done("after those that waited", before, 1 + run.count - refused);
    for (uint32_t i = 0; i < run.count; i++) {
        struct publisher *publisher = &run.publishers[i];
        if (publisher->refused && submit(publisher) && await_answer(publisher)) {
            expect(!publisher->refused, "refusals afterwards", 1, 0);
        }
    }
    expect_done("after a second try", before, 1 + run.count);
    uint64_t stored = ledger_compare(&run.stuck, &run.daemon, &run.failures);
    expect(stored == run.accepted, "events that are stored", (double)stored,
           (double)run.accepted);
}

static void stand_still(void)
{
    double before = of_shard("sessionstream_events_total");
    pid_t shard = thread_of(&run.daemon, "ss-shard-0");
    bool stopped = shard > 0 && stop_thread(shard);
    expect(stopped, "shards that can be stopped (ptrace must be allowed)", 0, 1);
    if (!stopped) {
        return;
    }
    fill_inbox();
    expect_refusals();
    expect_served();
    (void)ptrace(PTRACE_DETACH, shard, NULL, NULL);
    go_on(before);
}

bool standstill_run(const struct settings *settings)
{
    /* However slow the machine, nobody is closed for saying nothing meanwhile. */
    static const char *const flags[] = { "--handshake-timeout", "600s", "--ping-interval", "1h",
                                         "--dead-timeout", "2h", NULL };
    run = (struct standstill){ .publishers = calloc(PUBLISHERS_MAX, sizeof *run.publishers) };
    if (run.publishers == NULL) {
        return false;
    }
    daemon_open(&run.daemon, settings, flags);
    if (find_sessions()) {
        run.accepted = 1;
        stand_still();
    }
    int status = daemon_stop(&run.daemon, SIGTERM);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status of the daemon", status, 0);
    for (uint32_t i = 0; i < run.count; i++) {
        peer_close(&run.publishers[i].peer, false);
    }
    daemon_close(&run.daemon, run.failures > 0);
    ledger_deinit(&run.stuck);
    ledger_deinit(&run.served);
    free(run.publishers);
    frame_release();
    (void)printf("standstill: %s\n", run.failures == 0 ? "ok" : "FAILED");
    return run.failures == 0;
}
