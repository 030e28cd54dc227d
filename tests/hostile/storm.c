/* All connections drop and come back at once, with the cursors they had. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scenarios.h"

#define SESSION_FOLLOWERS 10
#define LIVE_MS_MAX 5000       /* all are live again within */
#define PATIENCE_NS (UINT64_C(120) * 1000000000)
#define EVENTS_MAX 1024
#define SOURCES 4              /* addresses that they come from: ports wait for two minutes */

enum step { STEP_GONE, STEP_CONNECTING, STEP_SHAKING, STEP_ASKED, STEP_LIVE };

struct client {
    struct peer peer;
    enum step step;
    uint32_t session;
    uint64_t ordinal;          /* of the newest frame */
    uint64_t faults;           /* gaps and doubles */
    uint32_t recovered;
    uint32_t snapshots;        /* after the first */
    char cursor[64];
};

struct storm {
    const struct settings *settings;
    struct daemon daemon;
    struct client *clients;
    uint32_t count;
    uint32_t live;
    int epoll;
    unsigned failures;
    double daemon_cpu;         /* of the newest coming back */
    double own_cpu;
};

static struct storm storm;

static void expect(bool good, const char *what, uint64_t got, uint64_t want)
{
    if (!good) {
        storm.failures++;
        (void)printf("  FAILED  storm: %s: %llu, not %llu\n", what, (unsigned long long)got,
                     (unsigned long long)want);
    }
}

/* ---- one client ---- */

static void keep_cursor(struct client *client, struct ss_str text)
{
    struct ss_str cursor = text_behind(text, "\"cursor\":\"");
    if (cursor.len > 0 && cursor.len < sizeof client->cursor) {
        memcpy(client->cursor, cursor.data, cursor.len);
        client->cursor[cursor.len] = '\0';
    }
}

static void on_frame(struct peer *peer, struct ss_str text)
{
    struct client *client = peer->ctx;
    keep_cursor(client, text);
    if (begins_with(text, "{\"uiEvent\"")) {
        uint64_t ordinal = number_behind(text, "\"eventOrdinal\":\"");
        client->faults += ordinal != client->ordinal + 1;
        client->ordinal = ordinal;
    } else if (begins_with(text, "{\"snapshot\"")) {
        client->snapshots++;
        client->ordinal = number_behind(text, "\"snapshotOrdinal\":\"");
    } else if (begins_with(text, "{\"subscribed\"")) {
        client->recovered += memmem(text.data, text.len, "\"recovered\":true", 16) != NULL;
        client->step = STEP_LIVE;
        storm.live++;
    }
}

static void watch(struct client *client, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = client };
    if (epoll_ctl(storm.epoll, EPOLL_CTL_MOD, client->peer.fd, &event) != 0) {
        (void)epoll_ctl(storm.epoll, EPOLL_CTL_ADD, client->peer.fd, &event);
    }
}

/* Begins to connect and does not wait. */
static void come(struct client *client)
{
    uint32_t place = (uint32_t)(client - storm.clients);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(storm.daemon.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + place % SOURCES) };
    int on = 1;
    client->peer = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                               0),
                                  .on_frame = on_frame, .ctx = client, .polite = true };
    ss__bytes_init(&client->peer.in, 0);
    client->step = STEP_CONNECTING;
    (void)setsockopt(client->peer.fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &on,
                     sizeof on);
    if (client->peer.fd < 0 || bind(client->peer.fd, (const struct sockaddr *)&from,
                                    sizeof from) != 0 ||
        (connect(client->peer.fd, (const struct sockaddr *)&to, sizeof to) != 0 &&
         errno != EINPROGRESS)) {
        perror("hostile: storm");
        exit(2);
    }
    watch(client, EPOLLOUT);
}

static void leave(struct client *client)
{
    storm.live -= client->step == STEP_LIVE;
    client->step = STEP_GONE;
    peer_close(&client->peer, true);
}

static void ask(struct client *client)
{
    char text[256];
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"storm-%u\"%s%s%s}}",
                   client->session, client->cursor[0] == '\0' ? "" : ",\"resume\":\"",
                   client->cursor, client->cursor[0] == '\0' ? "" : "\"");
    (void)peer_send_text(&client->peer, text);
    client->step = STEP_ASKED;
}

static void attend(struct client *client)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (client->step == STEP_CONNECTING) {
        (void)getsockopt(client->peer.fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err != 0) {
            leave(client);
            come(client);    /* refused while the daemon starts */
            return;
        }
        (void)peer_send(&client->peer, upgrade_request, strlen(upgrade_request));
        client->step = STEP_SHAKING;
        watch(client, EPOLLIN);
        return;
    }
    peer_read(&client->peer, SIZE_MAX);
    if (client->step == STEP_SHAKING && client->peer.websocket) {
        ask(client);
    }
    if (client->peer.ended) {
        leave(client);
        come(client);
    }
}

/* ---- all of them ---- */

static void turn(int ms)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(storm.epoll, events, EVENTS_MAX, ms);
    for (int i = 0; i < count; i++) {
        attend(events[i].data.ptr);
    }
}

static bool await_live(void)
{
    uint64_t until = now_ns() + PATIENCE_NS;
    while (storm.live < storm.count && now_ns() < until) {
        turn(10);
    }
    return storm.live == storm.count;
}

static uint32_t session_count(void)
{
    return (storm.count + SESSION_FOLLOWERS - 1) / SESSION_FOLLOWERS;
}

/* One event for each session, durable when it returns. */
static void publish_to_all(uint64_t id)
{
    struct peer peer;
    struct ss_bytes out = { .max = SIZE_MAX };
    char name[32];
    bool good = peer_upgrade(&peer, storm.daemon.port, 0);
    peer.polite = true;
    for (uint32_t i = 0; good && i < session_count(); i++) {
        ss__bytes_clear(&out);
        (void)snprintf(name, sizeof name, "storm-%u", i);
        frame_submit(&out, name, id, 100, 0);
        good = peer_send_all(&peer, out.data, out.len);
        turn(0);
        peer_read(&peer, SIZE_MAX);
    }
    uint64_t until = now_ns() + PATIENCE_NS;
    while (good && peer.accepted < session_count() && now_ns() < until) {
        turn(1);
        peer_read(&peer, SIZE_MAX);
    }
    expect(peer.accepted == session_count(), "accepted events", peer.accepted, session_count());
    peer_close(&peer, false);
    ss__bytes_deinit(&out);
    frame_release();
}

static void await_ordinal(uint64_t ordinal)
{
    uint64_t until = now_ns() + PATIENCE_NS;
    uint32_t there = 0;
    while (there < storm.count && now_ns() < until) {
        turn(5);
        there = 0;
        for (uint32_t i = 0; i < storm.count; i++) {
            there += storm.clients[i].ordinal >= ordinal;
        }
    }
    expect(there == storm.count, "clients with every event", there, storm.count);
}

static double own_cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);    /* it exists on every Linux */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *what, uint64_t took_ns, uint64_t ordinal)
{
    uint64_t recovered = 0;
    uint64_t snapshots = 0;
    uint64_t faults = 0;
    await_ordinal(ordinal);
    for (uint32_t i = 0; i < storm.count; i++) {
        recovered += storm.clients[i].recovered;
        snapshots += storm.clients[i].snapshots;
        faults += storm.clients[i].faults;
        storm.clients[i].recovered = storm.clients[i].snapshots = 0;
    }
    (void)printf("%-28s %u live again after %.3f s (%.2f s of a processor for the daemon, %.2f s "
                 "for the clients), %llu resumed, %llu new snapshots\n", what, storm.count,
                 (double)took_ns / 1e9, storm.daemon_cpu, storm.own_cpu,
                 (unsigned long long)recovered, (unsigned long long)snapshots);
    (void)fflush(stdout);
    expect(recovered == storm.count && snapshots == 0, "clients that resumed", recovered,
           storm.count);
    expect(faults == 0, "gaps and doubles", faults, 0);
    expect(storm.settings->ratio_max == 0 || took_ns <= LIVE_MS_MAX * UINT64_C(1000000),
           "milliseconds until all are live", took_ns / 1000000, LIVE_MS_MAX);
}

static uint64_t come_back(void)
{
    double daemon_cpu = daemon_cpu_seconds(&storm.daemon);
    double own_cpu = own_cpu_seconds();
    uint64_t began = now_ns();
    for (uint32_t i = 0; i < storm.count; i++) {
        come(&storm.clients[i]);
    }
    expect(await_live(), "clients that came back", storm.live, storm.count);
    uint64_t took = now_ns() - began;
    storm.daemon_cpu = daemon_cpu_seconds(&storm.daemon) - daemon_cpu;
    storm.own_cpu = own_cpu_seconds() - own_cpu;
    return took;
}

static void leave_all(void)
{
    for (uint32_t i = 0; i < storm.count; i++) {
        leave(&storm.clients[i]);
    }
}

static void join(void)
{
    for (uint32_t i = 0; i < storm.count; i++) {
        storm.clients[i].session = i % session_count();
    }
    uint64_t took = come_back();
    (void)printf("%-28s %u live after %.3f s\n", "first time", storm.count, (double)took / 1e9);
    for (uint32_t i = 0; i < storm.count; i++) {
        storm.clients[i].snapshots = 0;
    }
}

/* Those who were there before are served while the others come. */
static void with_others(void)
{
    static struct healthy healthy = {
        .count = 1, .pairs = { { .session = "apart", .rate = 100, .payload = 100 } },
    };
    if (!healthy_start(&healthy, storm.daemon.port)) {
        expect(false, "well-behaved clients", 0, 2);
        return;
    }
    atomic_store(&healthy.phase, HEALTHY_QUIET);
    for (uint64_t until = now_ns() + (uint64_t)(storm.settings->seconds * 1e9);
         now_ns() < until;) {
        turn(10);
    }
    leave_all();
    publish_to_all(3);
    atomic_store(&healthy.phase, HEALTHY_HOSTILE);
    uint64_t took = come_back();
    atomic_store(&healthy.phase, HEALTHY_IDLE);
    healthy_stop(&healthy);
    report("dropped, with others served", took, 3);
    const struct healthy_pair *pair = &healthy.pairs[0];
    (void)printf("%-28s p50 %.3f ms, with the storm %.3f; p99 %.3f ms, with the storm %.3f\n",
                 "the others", (double)ss__histogram_at(&pair->ack[HEALTHY_QUIET], 5000) / 1e6,
                 (double)ss__histogram_at(&pair->ack[HEALTHY_HOSTILE], 5000) / 1e6,
                 (double)ss__histogram_at(&pair->ack[HEALTHY_QUIET], 9900) / 1e6,
                 (double)ss__histogram_at(&pair->ack[HEALTHY_HOSTILE], 9900) / 1e6);
    expect(pair->accepted == pair->sent && pair->gaps + pair->doubles + pair->errors == 0 &&
           !atomic_load(&healthy.failed), "submits of others that were accepted", pair->accepted,
           pair->sent);
}

bool storm_run(const struct settings *settings)
{
    static const char *const flags[] = { "--connections", "100000", NULL };
    storm = (struct storm){ .settings = settings, .count = settings->connections,
                            .epoll = epoll_create1(EPOLL_CLOEXEC) };
    storm.clients = calloc(storm.count, sizeof *storm.clients);
    if (storm.clients == NULL || storm.epoll < 0) {
        return false;
    }
    daemon_open(&storm.daemon, settings, flags);
    publish_to_all(1);
    join();
    leave_all();
    publish_to_all(2);
    report("dropped at once", come_back(), 2);
    with_others();
    (void)daemon_stop(&storm.daemon, SIGKILL);
    leave_all();
    daemon_start(&storm.daemon);
    report("after kill -9 and a restart", come_back(), 3);
    publish_to_all(4);
    await_ordinal(4);
    leave_all();
    (void)daemon_stop(&storm.daemon, SIGTERM);
    daemon_close(&storm.daemon, storm.failures > 0);
    free(storm.clients);
    (void)printf("storm: %s\n", storm.failures == 0 ? "ok" : "FAILED");
    return storm.failures == 0;
}
