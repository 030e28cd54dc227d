/* Clients that ask for much and read little. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "scenarios.h"

#define QUEUE_BYTES (64u << 10)    /* --client-queue of these scenarios */

/* What a follower may hold: its queue twice over (a frame more, buffers of answers) and itself. */
#define FOLLOWER_BYTES (2 * QUEUE_BYTES + 16384)

static bool follow(struct stage *stage, const char *session, const char *more, int rcvbuf)
{
    char text[256];
    struct peer *peer = stage_upgrade(stage, rcvbuf);
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\"%s}}", session, more);
    return peer != NULL && peer_send_text(peer, text);
}

/* They read little or nothing but are not silent: what ends them is what they do not read. */
static void say_something(struct stage *stage)
{
    struct ss_bytes pong = { .max = SIZE_MAX };
    frame_raw(&pong, 0x8a, "", 0);    /* nobody has asked for it, which RFC 6455, 5.5.3 allows */
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        if (!stage->peers[i].ended) {
            (void)peer_send(&stage->peers[i], pong.data, pong.len);
        }
    }
    ss__bytes_deinit(&pong);
}

/* Followers of a busy session never read: their queues fill, they are closed as dead. */
void never_reads(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 50);
    double dead = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    stage_crowd(stage, count);
    stage->rss_bound = 8 * MIB + count * FOLLOWER_BYTES;
    stage_begin(stage);
    for (uint32_t i = 0; i < count; i++) {
        if (!follow(stage, "busy", "", 4096)) {
            return;
        }
    }
    double slow = 0;
    uint64_t until = stage_deadline(stage);
    while (!stage_over(stage) || (slow == 0 && now_ns() < until)) {
        (void)poll(NULL, 0, 20);
        say_something(stage);
        slow = daemon_metric(&stage->daemon, "sessionstream_slow_clients_total", "");
    }
    stage->operations = count;
    stage->operation = "followers of a busy session";
    stage->ended_ns = now_ns();
    (void)stage_await_metric(stage, "sessionstream_websockets", "", 4);
    double now = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    stage_expect(stage, now - dead == count, "%g of %u were closed as dead", now - dead, count);
    stage_expect(stage, slow >= 1, "no queue overflowed");
}

/* Half of them read a byte a second, which moves no window: dead. The others read 2 KB every 100
 * ms: too slow for what they follow, so snapshots take the place of frames, and in the end 1013. */
void byte_a_second(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 20) * 2;
    uint64_t next_byte = now_ns();
    stage_crowd(stage, count);
    stage->rss_bound = 8 * MIB + count * FOLLOWER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (!follow(stage, "busy", "", 8192)) {
            return;
        }
    }
    stage_begin(stage);
    double overflows = 0;
    uint64_t until = stage_deadline(stage);
    while (!stage_over(stage) || (overflows == 0 && now_ns() < until)) {
        bool byte = now_ns() >= next_byte;
        next_byte += byte ? 1000000000 : 0;
        for (uint32_t i = 0; i < count; i++) {
            if (i % 2 == 1 || byte) {
                peer_read(&stage->peers[i], i % 2 == 1 ? 2048 : 1);
                stage->operations++;
            }
        }
        (void)poll(NULL, 0, 100);
        say_something(stage);
        overflows = daemon_metric(&stage->daemon, "sessionstream_slow_clients_total", "");
    }
    stage->operation = "reads of a byte or 2 KB";
    stage->ended_ns = now_ns();
    stage_expect(stage, overflows >= 1, "no queue overflowed");
    for (uint32_t i = 1; i < count; i += 2) {
        peer_read(&stage->peers[i], SIZE_MAX);
        uint16_t code = stage->peers[i].close_code;
        stage_expect(stage, code == 0 || code == 1013, "a slow reader was closed with %u", code);
    }
}

/* Fills a session of @entities entities of @payload bytes each. */
static bool fill_session(struct stage *stage, const char *session, uint32_t entities,
                         uint32_t payload)
{
    struct peer peer;
    struct ss_bytes out = { .max = SIZE_MAX };
    bool good = peer_upgrade(&peer, stage->daemon.port, 0);
    peer.polite = true;    /* storing may take longer than the silence that is allowed */
    for (uint32_t i = 0; good && i < entities; i++) {
        ss__bytes_clear(&out);
        frame_submit(&out, session, i + 1, payload, i);
        good = peer_send_all(&peer, out.data, out.len);
        peer_read(&peer, SIZE_MAX);
    }
    uint64_t until = stage_deadline(stage);
    while (good && peer.accepted < entities && now_ns() < until) {
        struct pollfd wait = { peer.fd, POLLIN, 0 };
        (void)poll(&wait, 1, 100);
        peer_read(&peer, SIZE_MAX);
        good = !peer.ended && peer.errors == 0;
    }
    stage_expect(stage, good && peer.accepted == entities, "%s could not be filled: %s", session,
                 peer.code);
    peer_close(&peer, false);
    ss__bytes_deinit(&out);
    frame_release();
    return good;
}

#define BIG_ENTITIES 16
#define PAGE_BYTES 8192            /* of the first page, and no more is waited for */

/* Until what was stored has found its place: the disk is busy with it meanwhile. */
static void await_flushes(const struct stage *stage)
{
    double last = -1;
    double now = 0;
    for (unsigned i = 0; i < 40 && now > last && stage->settings->ratio_max > 0; i++) {
        last = now;
        (void)poll(NULL, 0, 500);
        now = daemon_metric(&stage->daemon, "sessionstream_flushes_total", "");
    }
}

/* 13 MB in all, as JSON; with few sessions, where all of it is small, a sixth. */
static uint32_t big_payload(const struct stage *stage)
{
    return stage->settings->scale < 0.5 ? 100000 : 600000;
}

static uint64_t big_snapshot(const struct stage *stage)
{
    return BIG_ENTITIES * (big_payload(stage) / 3 * 4 + UINT64_C(300));
}

static uint32_t fill_big(struct stage *stage)
{
    char name[32];
    uint32_t sessions = settings_count(stage->settings, 24);
    sessions = sessions < 2 ? 2 : sessions > 24 ? 24 : sessions;
    for (uint32_t i = 0; i < sessions; i++) {
        (void)snprintf(name, sizeof name, "big-%u", i);
        if (!fill_session(stage, name, BIG_ENTITIES, big_payload(stage))) {
            break;
        }
    }
    await_flushes(stage);
    stage_forget_memory(stage);    /* what filling takes is no offence */
    return sessions;
}

/* The budget of waiting snapshots (SS_SNAPSHOT_BUDGET_BYTES), or all there are; what sessions
 * hold when they are read again; one being made. */
static uint64_t hoard_bound(const struct stage *stage, uint32_t sessions)
{
    uint64_t snapshots = sessions * big_snapshot(stage);
    uint64_t budget = 256 * MIB;
    uint64_t states = (uint64_t)sessions * BIG_ENTITIES * big_payload(stage);
    return (snapshots < budget ? snapshots : budget) + states + 3 * big_snapshot(stage) +
           32 * MIB;
}

/* On a slow machine the first one may come late. */
static void expect_refusals(struct stage *stage)
{
    uint64_t until = stage_deadline(stage);
    double refused = 0;
    while (refused == 0 && now_ns() < until) {
        (void)poll(NULL, 0, 10);
        refused = daemon_metric(&stage->daemon, "sessionstream_errors_total",
                                "code=\"overloaded\"");
    }
    stage_expect(stage, refused > 0, "nobody was told \"overloaded\"");
}

/* Big sessions, each followed by many who read nothing: a snapshot counts once however many wait
 * for it, and over the budget the answer is "overloaded". */
void snapshot_hoarders(struct stage *stage)
{
    char name[32];
    uint32_t sessions = fill_big(stage);
    uint32_t count = sessions * 10;
    stage_crowd(stage, count);
    stage->rss_bound = hoard_bound(stage, sessions) + count * UINT64_C(65536);
    stage_begin(stage);
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "big-%u", i % sessions);
        if (!follow(stage, name, "", 4096)) {
            return;
        }
    }
    while (!stage_over(stage)) {
        (void)poll(NULL, 0, 10);
    }
    if (sessions * big_snapshot(stage) > 280 * MIB) {
        expect_refusals(stage);
    }
    stage->operations = count;
    stage->operation = "subscribes to big sessions, never read";
    stage->ended_ns = now_ns();
    (void)stage_await_metric(stage, "sessionstream_websockets", "", 4);
}

/* The same over HTTP: 503 over the budget. */
void http_hoarders(struct stage *stage)
{
    char text[128];
    uint32_t sessions = fill_big(stage);
    uint32_t count = sessions * 10;
    stage_crowd(stage, count);
    stage->rss_bound = hoard_bound(stage, sessions) + count * UINT64_C(65536);
    stage_begin(stage);
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = stage_connect(stage, 4096);
        int len = snprintf(text, sizeof text, "GET /v1/sessions/big-%u/snapshot HTTP/1.1\r\n"
                           "Host: x\r\n\r\n", i % sessions);
        if (peer == NULL || peer_send(peer, text, (size_t)len) == 0) {
            return;
        }
    }
    while (!stage_over(stage)) {
        (void)poll(NULL, 0, 10);
    }
    stage->operations = count;
    stage->operation = "snapshots over HTTP, never read";
    stage->ended_ns = now_ns();
    (void)stage_await_metric(stage, "sessionstream_connections", "", 6);
}

/* Snapshots in pages, of which they read the first and are gone. */
void page_abandoners(struct stage *stage)
{
    struct ss_bytes ask = { .max = SIZE_MAX };
    struct peer peer;
    if (!fill_session(stage, "paged", 1000, 3000)) {
        return;
    }
    frame_text(&ask, "{\"subscribe\":{\"sessionId\":\"paged\",\"pageBytes\":16384}}");
    stage->rss_bound = 16 * MIB + 64 * MIB;    /* SS_PAGES_KEPT_BYTES, what is frozen */
    stage->operation = "snapshots in pages, left after the first";
    stage_begin(stage);
    while (!stage_over(stage) || stage->operations < 3) {
        for (uint32_t due = stage_due(stage, 200); due > 0; due--) {
            bool good = peer_upgrade(&peer, stage->daemon.port, 4096) &&
                        peer_send_all(&peer, ask.data, ask.len);
            uint64_t until = stage_deadline(stage);
            while (good && peer.bytes_in < PAGE_BYTES && !peer.ended && now_ns() < until) {
                struct pollfd wait = { peer.fd, POLLIN, 0 };
                (void)poll(&wait, 1, 100);
                peer_read(&peer, 8192);
            }
            stage_expect(stage, good && peer.bytes_in >= PAGE_BYTES, "a page did not come");
            peer_close(&peer, stage->operations % 2 == 0);
            stage->operations++;
            if (!good) {
                return;
            }
        }
        (void)poll(NULL, 0, 1);
    }
    ss__bytes_deinit(&ask);
}
