/* Peers that hold connections and say little. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "scenarios.h"

#define HANDSHAKE_MS 500      /* HANDSHAKE_TIMEOUT; it is judged where latencies are */

/* An idle connection: its object, its place in tables, what the allocator adds. */
#define CONNECTION_BYTES 4096

#define ARRIVALS 2000              /* new connections a second */
#define LOOK_NS 10000000           /* between two looks at what was answered */
#define PERIOD_NS 100000000        /* from one byte to the next of those that are slow */

static const char post[] = "POST /v1/sessions/slow/commands/BenchPublish HTTP/1.1\r\nHost: x\r\n"
                           "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
static const char head[] = "GET /v1/ws HTTP/1.1\r\nHost: x\r\nX: ";
static const char import[] = "POST /v1/sessions/slow/import HTTP/1.1\r\nHost: x\r\n"
                             "Content-Type: application/x-ndjson\r\n"
                             "Content-Length: 500000\r\n\r\n{";

/* Room for them. */
static void expect_crowd(struct stage *stage, uint32_t count)
{
    stage_crowd(stage, count);
    stage->rss_bound = 8 * MIB + (uint64_t)count * CONNECTION_BYTES;
}

/* Connects them, 2,000 a second, sends the first @len bytes of @text on each, and ends its side if
 * @ends. */
static void connect_all(struct stage *stage, uint32_t count, const char *text, size_t len, bool ends)
{
    uint64_t look_ns = 0;
    expect_crowd(stage, count);
    while (stage->peer_count < count) {
        uint64_t now = now_ns();
        uint32_t due = (uint32_t)((double)(now - stage->began_ns) / 1e9 * ARRIVALS) + 1;
        while (stage->peer_count < count && stage->peer_count < due) {
            struct peer *peer = stage_connect(stage, 0);
            if (peer == NULL) {
                return;
            }
            (void)peer_send(peer, text, len);
            if (ends) {
                (void)shutdown(peer->fd, SHUT_WR);
            }
        }
        if (now >= look_ns) {
            stage_poll(stage, 0);
            look_ns = now + LOOK_NS;
        }
        (void)poll(NULL, 0, 1);
    }
    stage->operations = stage->peer_count;
    stage->operation = "connections";
}

void silent_connections(struct stage *stage)
{
    stage_begin(stage);
    connect_all(stage, settings_count(stage->settings, 4000), "", 0, false);
    (void)stage_await_ends(stage, HANDSHAKE_MS);
    stage_expect_ends(stage, 0, 0, HANDSHAKE_MS);
}

/* ---- a byte at a time ---- */

/* A request that never ends: its beginning, and what follows a byte at a time. */
struct trickle {
    const char *text;
    size_t len;
    const char *more;
    uint32_t connects;      /* so far */
};

/* Periods behind this peer: its own, so that they are spread as their connections were, or those
 * of all when they act in step. */
static uint32_t periods_of(const struct stage *stage, const struct peer *peer, uint64_t now)
{
    uint64_t since = stage->settings->in_step ? stage->began_ns : peer->began_ns;
    return now > since ? (uint32_t)((now - since) / PERIOD_NS) : 0;
}

/* The next one: in a new place or in that of @ended. */
static bool trickle_begins(struct stage *stage, struct trickle *trickle, struct peer *ended)
{
    struct peer *peer = ended;
    if (ended == NULL) {
        peer = stage_connect(stage, 0);
    } else if (!stage_expect_end(stage, ended, 408, 0, HANDSHAKE_MS) ||
               !stage_connect_again(stage, ended)) {
        return false;
    }
    if (peer == NULL) {
        return false;
    }
    (void)peer_send(peer, trickle->text, trickle->len);
    peer->sent = periods_of(stage, peer, now_ns());
    trickle->connects++;
    return true;
}

/* Sends what is due on all. Where new ones are due they take the places of those that ended. False:
 * nobody is left, or something failed. */
static bool trickle_on(struct stage *stage, struct trickle *trickle)
{
    uint64_t now = now_ns();
    bool over = stage_over(stage);
    uint32_t due = over ? 0 : (uint32_t)((double)(now - stage->began_ns) / 1e9 * ARRIVALS) + 1;
    bool left = !over;
    while (stage->peer_count < stage->peer_max && trickle->connects < due) {
        if (!trickle_begins(stage, trickle, NULL)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        struct peer *peer = &stage->peers[i];
        if (peer->ended && trickle->connects < due) {
            if (!trickle_begins(stage, trickle, peer)) {
                return false;
            }
        } else if (!peer->ended && periods_of(stage, peer, now) > peer->sent) {
            peer->sent = periods_of(stage, peer, now);
            stage->operations += peer_send(peer, trickle->more, 1);
        }
        left = left || !peer->ended;
    }
    return left;
}

/* A thousand at any time, each of which sends the first bytes at once, then one more every 100 ms,
 * for ever. */
static void run_trickle(struct stage *stage, struct trickle trickle)
{
    uint32_t count = settings_count(stage->settings, 1000);
    uint64_t look_ns = 0;
    stage_begin(stage);
    expect_crowd(stage, count);
    stage->rss_bound += (uint64_t)count * 16384;    /* a head may have so much */
    uint64_t until =
        stage->until_ns + (uint64_t)(HANDSHAKE_MS + stage->settings->patience_ms) * 1000000;
    while (trickle_on(stage, &trickle) && now_ns() < until) {
        if (now_ns() >= look_ns) {
            stage_poll(stage, 0);
            look_ns = now_ns() + LOOK_NS;
        }
        (void)poll(NULL, 0, 1);
    }
    stage->operation = "bytes, one at a time";
    (void)stage_await_ends(stage, 0);
    stage_expect_ends(stage, 408, 0, HANDSHAKE_MS);
    stage_expect(stage, strcmp(stage->peers[0].code, "timeout") == 0,
                 "the answer has the code \"%s\"", stage->peers[0].code);
}

void slow_headers(struct stage *stage)
{
    run_trickle(stage, (struct trickle){ head, sizeof head - 1, "y", 0 });
}

void slow_bodies(struct stage *stage)
{
    run_trickle(stage, (struct trickle){ post, sizeof post - 1, " ", 0 });
}

void slow_imports(struct stage *stage)
{
    run_trickle(stage, (struct trickle){ import, sizeof import - 1, " ", 0 });
}

/* All but the last byte of the handshake; what follows is thrown away unread. */
void endless_handshakes(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 4000);
    stage_begin(stage);
    connect_all(stage, count, upgrade_request, strlen(upgrade_request) - 1, false);
    stage->rss_bound += (uint64_t)count * 4096;
    (void)stage_await_ends(stage, HANDSHAKE_MS);
    stage_expect_ends(stage, 408, 0, HANDSHAKE_MS);
}

/* Their machines vanish while they follow a session that is busy: no end, no reset, no
 * acknowledgement. Only silence tells. */
void half_open_peers(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 200);
    double dead = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    stage_crowd(stage, count);
    stage_begin(stage);
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = stage_upgrade(stage, 0);
        if (peer == NULL || !peer_send_text(peer, "{\"subscribe\":{\"sessionId\":\"busy\"}}")) {
            return;
        }
    }
    bool vanished = true;
    for (uint32_t i = 0; i < count; i++) {
        vanished = vanished && peer_vanish(&stage->peers[i]);
    }
    stage_expect(stage, vanished, "a socket cannot be made to drop what arrives");
    stage->operations = count;
    stage->operation = "peers without a machine";
    stage->rss_bound = 8 * MIB + count * (64 * 1024 + 16384);    /* --client-queue each */
    /* The pairs' four connections are left. */
    (void)stage_await_metric(stage, "sessionstream_websockets", "", 4);
    double now = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    stage_expect(stage, now - dead == count, "%g of %u were closed for silence", now - dead,
                 count);
}

/* The server has ended the connection; they keep their side open for ever. */
void close_wait_holders(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 3000);
    stage_begin(stage);
    connect_all(stage, count, "nonsense\r\n\r\n", 12, false);
    (void)stage_await_ends(stage, 0);
    stage_expect_ends(stage, 400, 0, 0);
    /* Not one of them has closed, and the server has forgotten them all. */
    (void)stage_await_metric(stage, "sessionstream_connections", "", 6);
}

/* They end their own side at once, or all at the same moment, and wait for the server to end the
 * other. */
void half_closed_peers(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 4000);
    bool in_step = stage->settings->in_step;
    stage_begin(stage);
    connect_all(stage, count, "GET /hea", 8, !in_step);
    for (uint32_t i = 0; i < stage->peer_count && in_step; i++) {
        (void)shutdown(stage->peers[i].fd, SHUT_WR);
    }
    (void)stage_await_ends(stage, 0);
    (void)stage_await_metric(stage, "sessionstream_connections", "", 6);
}

/* Connects and leaves, 2,000 times a second: half of them with a reset. */
void connection_churn(struct stage *stage)
{
    struct peer peer;
    stage->operation = "connections";
    stage->rss_bound = 16 * MIB;
    stage_begin(stage);
    while (!stage_over(stage)) {
        for (uint32_t due = stage_due(stage, 2000); due > 0; due--) {
            bool good = peer_connect(&peer, stage->daemon.port, 0);
            if (stage->operations % 3 == 1) {
                (void)peer_send(&peer, upgrade_request, strlen(upgrade_request));
            }
            peer_close(&peer, stage->operations % 2 == 0);
            stage->operations++;
            stage_expect(stage, good, "connection %llu failed",
                         (unsigned long long)stage->operations);
            if (!good) {
                return;
            }
        }
        (void)poll(NULL, 0, 1);
    }
}

/* More connections than --connections allows: the rest is turned away and told to come again. */
void too_many_connections(struct stage *stage)
{
    uint32_t refused = 0;
    uint32_t count = 400;
    stage_begin(stage);
    connect_all(stage, count, "", 0, false);
    uint64_t until = now_ns() + (uint64_t)stage->settings->patience_ms * 1000000;
    while (refused < count - 196 && now_ns() < until) {    /* the pairs have four */
        stage_poll(stage, 10);
        refused = 0;
        for (uint32_t i = 0; i < count; i++) {
            refused += stage->peers[i].ended && stage->peers[i].status == 503 &&
                       strstr(stage->peers[i].head, "Retry-After: ") != NULL;
        }
    }
    /* One that asked for metrics may still have been there. */
    stage_expect(stage, refused >= count - 196 && refused <= count - 195,
                 "%u of %u were refused with 503, not %u", refused, count, count - 196);
}
