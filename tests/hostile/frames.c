/* Websocket frames that no client should send. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"

#define FRAGMENT_BYTES 7        /* of a frame with one byte of payload */
#define ENOUGH_BYTES (1u << 20)
#define DEAD_MS 3000            /* --dead-timeout of these scenarios */
#define PERIOD_NS 100000000     /* from one fragment to the next of those that trickle */
#define LOOK_MS 10              /* between two looks at whose is due */

/* Connects @count offenders that all send the same bytes for ever, @bytes_per_second in all, and
 * connect again when the server has ended them, if @again. */
static void flood(struct stage *stage, uint32_t count, const struct ss_bytes *first,
                  const struct ss_bytes *pattern, double bytes_per_second, bool read)
{
    double sent = 0;
    uint32_t next = 0;
    stage_crowd(stage, count);
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = stage_upgrade(stage, read ? 0 : 4096);
        if (peer == NULL || !peer_send_all(peer, first->data, first->len)) {
            return;
        }
    }
    stage_begin(stage);
    while (!stage_over(stage)) {
        double passed = (double)(now_ns() - stage->began_ns) / 1e9;
        double due = bytes_per_second * stage->settings->scale * passed - sent;
        for (uint32_t i = 0; due > 0 && i < count; i++) {
            struct peer *peer = &stage->peers[next++ % count];
            size_t part = due < 16384 ? (size_t)due + 1 : 16384;
            size_t went = peer->ended ? 0 : peer_flood(peer, pattern, part);
            peer->sent += (uint32_t)went;
            sent += (double)went;
            due -= (double)went;
        }
        if (read) {
            stage_poll(stage, 1);
        } else {
            (void)poll(NULL, 0, 1);
        }
    }
    stage->ended_ns = now_ns();
    stage->operations = (uint64_t)sent;
}

static void repeat(struct ss_bytes *out, const struct ss_bytes *one, size_t bytes)
{
    while (out->len + one->len <= bytes) {
        ss__bytes_append(out, one->data, one->len);
    }
}

/* One connection after the other sends messages of a million fragments of a byte each. */
void tiny_fragments(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    struct ss_bytes one = { .max = SIZE_MAX };
    uint32_t closed = 0;
    stage->rss_bound = 16 * MIB;
    frame_raw(&one, 0x00, "x", 1);
    repeat(&pattern, &one, 1 << 20);
    stage_begin(stage);
    while (!stage_over(stage) || closed == 0) {
        struct peer peer;
        struct ss_bytes start = { .max = SIZE_MAX };
        frame_raw(&start, 0x01, "x", 1);
        bool good = peer_upgrade(&peer, stage->daemon.port, 0) &&
                    peer_send_all(&peer, start.data, start.len);
        uint64_t until = stage_deadline(stage);
        while (good && !peer.ended && now_ns() < until) {
            struct pollfd wait = { peer.fd, POLLIN, 0 };
            /* 200,000 fragments a second, to leave the processor to the others. */
            uint32_t due = stage_due(stage, 200000);
            stage->operations += peer_flood(&peer, &pattern, due * (size_t)FRAGMENT_BYTES) /
                                 FRAGMENT_BYTES;
            (void)poll(&wait, 1, 1);
            peer_read(&peer, SIZE_MAX);
        }
        stage_expect(stage, good && peer.close_code == 1008,
                     "a million fragments were ended with %u, not 1008", peer.close_code);
        closed++;
        peer_close(&peer, false);
        ss__bytes_deinit(&start);
        if (!good) {
            break;
        }
    }
    stage_expect(stage, closed > 0, "no connection was closed");
    stage->operation = "fragments";
    ss__bytes_deinit(&one);
    ss__bytes_deinit(&pattern);
}

/* A message that grows and never ends, by as many as fit: one of them, or the memory of all
 * together, reaches its limit. */
void endless_message(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 100);
    uint32_t told = 0;
    char *part = calloc(1, 65536);
    struct ss_bytes start = { .max = SIZE_MAX };
    struct ss_bytes more = { .max = SIZE_MAX };
    if (part == NULL) {
        return;
    }
    memset(part, 'x', 65536);
    frame_raw(&start, 0x01, part, 65536);
    frame_raw(&more, 0x00, part, 65536);
    stage_crowd(stage, count);
    stage->rss_bound = (64 + 32) * MIB;    /* SS_UNFINISHED_BYTES_MAX */
    for (uint32_t i = 0; i < count && stage_upgrade(stage, 0) != NULL; i++) {
    }
    stage_begin(stage);
    for (uint32_t step = 0; step < 20; step++) {    /* 1.25 MiB each: --client-frame is 1 MiB */
        for (uint32_t i = 0; i < stage->peer_count; i++) {
            struct peer *peer = &stage->peers[i];
            const struct ss_bytes *bytes = step == 0 ? &start : &more;
            if (!peer->ended && peer_send_all(peer, bytes->data, bytes->len)) {
                stage->operations += bytes->len;
                uint64_t due_ns = (uint64_t)((double)stage->operations / 20e6 * 1e9);
                while (now_ns() < stage->began_ns + due_ns) {    /* 20 MB a second */
                    stage_poll(stage, 1);
                }
            }
        }
        stage_poll(stage, 1);
    }
    (void)stage_await_ends(stage, 0);
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        uint16_t code = stage->peers[i].close_code;
        told += code == 1009 || code == 1013 || code == 1008;    /* too long, or in all, or in time */
    }
    /* A reset may overtake the close frame of one that goes on sending. */
    stage_expect(stage, told > 0 && told >= stage->peer_count / 2,
                 "%u of %u were closed with 1009, 1013 or 1008", told, stage->peer_count);
    stage->operation = "bytes of messages without an end";
    ss__bytes_deinit(&start);
    ss__bytes_deinit(&more);
    free(part);
}

/* A byte of a message every 100 ms: it has the dead timeout, however steadily it comes. */
void trickled_message(struct stage *stage)
{
    uint32_t count = settings_count(stage->settings, 500);
    struct ss_bytes start = { .max = SIZE_MAX };
    struct ss_bytes more = { .max = SIZE_MAX };
    frame_raw(&start, 0x01, "x", 1);
    frame_raw(&more, 0x00, "x", 1);
    stage_crowd(stage, count);
    stage->rss_bound = 8 * MIB + (uint64_t)count * 32768;    /* each has a decoder of 5 KiB */
    stage_begin(stage);
    for (uint32_t i = 0; i < count && stage_upgrade(stage, 0) != NULL; i++) {
        stage->peers[i].began_ns = now_ns();
        (void)peer_send_all(&stage->peers[i], start.data, start.len);
    }
    uint64_t until = now_ns() + (uint64_t)(DEAD_MS + stage->settings->patience_ms) * 1000000;
    for (bool left = true; left && now_ns() < until;) {
        left = false;
        stage_poll(stage, LOOK_MS);
        for (uint32_t i = 0; i < stage->peer_count; i++) {
            struct peer *peer = &stage->peers[i];
            uint32_t periods = (uint32_t)((now_ns() - peer->began_ns) / PERIOD_NS);
            left = left || !peer->ended;
            if (!peer->ended && periods > peer->sent) {
                peer->sent = periods;
                stage->operations += peer_send(peer, more.data, more.len) > 0;
            }
        }
    }
    (void)stage_await_ends(stage, 0);
    stage_expect_ends(stage, 0, 1008, DEAD_MS);
    stage->operation = "fragments, each 100 ms after the one before";
    ss__bytes_deinit(&start);
    ss__bytes_deinit(&more);
}

static void announce(struct stage *stage, uint64_t bytes, uint8_t first, uint16_t close_code)
{
    uint8_t head[14] = { first, 0x80 | 127 };
    struct peer *peer = stage_upgrade(stage, 0);
    for (unsigned i = 0; i < 8; i++) {
        head[2 + i] = (uint8_t)(bytes >> (56 - 8 * i));
    }
    if (peer == NULL || !peer_send_all(peer, head, sizeof head)) {
        return;
    }
    for (uint64_t until = stage_deadline(stage); !peer->ended && now_ns() < until;) {
        struct pollfd wait = { peer->fd, POLLIN, 0 };
        (void)poll(&wait, 1, 10);
        peer_read(peer, SIZE_MAX);
    }
    stage_expect(stage, peer->ended && peer->close_code == close_code,
                 "a frame that announces %llu bytes was answered with %u, not %u",
                 (unsigned long long)bytes, peer->close_code, close_code);
    stage->operations++;
}

void huge_lengths(struct stage *stage)
{
    static const uint64_t sizes[] = { UINT64_C(1) << 62, (UINT64_C(1) << 63) - 1, UINT32_MAX,
                                      UINT64_C(1) << 32, (1u << 20) + 1, 1u << 30 };
    stage_crowd(stage, 20000);
    stage->rss_bound = 8 * MIB;
    stage_begin(stage);
    while ((!stage_over(stage) || stage->operations == 0) &&
           stage->peer_count + 32 < stage->peer_max) {
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            announce(stage, sizes[i], 0x82, 1009);
            announce(stage, sizes[i], 0x01, 1009);
        }
        /* The highest bit must be zero (RFC 6455, 5.2); a length in too many bytes is wrong, too. */
        announce(stage, UINT64_C(1) << 63, 0x82, 1002);
        announce(stage, UINT64_MAX, 0x82, 1002);
        announce(stage, 5, 0x82, 1002);
        announce(stage, 126, 0x89, 1002);    /* a ping has at most 125 */
        for (uint32_t i = 0; i < stage->peer_count; i++) {
            peer_close(&stage->peers[i], false);
        }
        (void)poll(NULL, 0, 5);
    }
    stage->operation = "frames that announce too much";
}

static void ping_pattern(struct ss_bytes *pattern, uint8_t first, const char *payload)
{
    struct ss_bytes one = { .max = SIZE_MAX };
    frame_raw(&one, first, payload, strlen(payload));
    repeat(pattern, &one, 1 << 18);
    ss__bytes_deinit(&one);
}

static uint64_t pongs_of(const struct stage *stage)
{
    uint64_t pongs = 0;
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        pongs += stage->peers[i].pongs;
    }
    return pongs;
}

static uint64_t errors_of(const struct stage *stage)
{
    uint64_t errors = 0;
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        errors += stage->peers[i].errors;
    }
    return errors;
}

/* On a slow machine the first answer may come when the flood is over. */
static void await_some(struct stage *stage, uint64_t (*count)(const struct stage *stage))
{
    uint64_t until = stage_deadline(stage);
    while (count(stage) == 0 && now_ns() < until) {
        stage_poll(stage, 10);
    }
}

/* 200,000 pings a second over 20 connections that read their pongs. */
void ping_flood(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    struct ss_bytes nothing = { .max = SIZE_MAX };
    ping_pattern(&pattern, 0x89, "ab");
    stage->rss_bound = 32 * MIB;
    flood(stage, 20, &nothing, &pattern, 200000 * 8, true);
    stage->operations /= 8;
    stage->operation = "pings";
    await_some(stage, pongs_of);
    stage_expect(stage, pongs_of(stage) > 0, "not one pong came");
    ss__bytes_deinit(&pattern);
}

/* Pongs that nobody asked for, as fast as they are taken. Nothing says that they were. */
void pong_flood(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    struct ss_bytes nothing = { .max = SIZE_MAX };
    uint32_t ended = 0;
    ping_pattern(&pattern, 0x8A, "");
    stage->rss_bound = 32 * MIB;
    flood(stage, 50, &nothing, &pattern, 400e6, true);
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        ended += stage->peers[i].ended;
    }
    stage_expect(stage, ended == 0, "%u were ended", ended);
    stage->operation = "bytes of pongs that nobody asked for";
    ss__bytes_deinit(&pattern);
}

/* A slow machine sends little in the time there is. Until each has sent so much that its answers
 * cannot have found room, or all are closed. */
static void flood_enough(struct stage *stage, const struct ss_bytes *pattern)
{
    uint64_t until = stage_deadline(stage);
    for (bool enough = false; !enough && now_ns() < until;) {
        enough = true;
        for (uint32_t i = 0; i < stage->peer_count; i++) {
            struct peer *peer = &stage->peers[i];
            if (peer->sent < ENOUGH_BYTES) {
                peer->sent += (uint32_t)peer_flood(peer, pattern, 16384);
                enough = false;
            }
        }
        (void)poll(NULL, 0, 1);
        enough = enough || daemon_metric(&stage->daemon, "sessionstream_websockets", "") <= 4;
    }
}

/* Nobody of @count reads what the server answers to @pattern: it stops to read them. */
static void unread(struct stage *stage, const struct ss_bytes *pattern)
{
    struct ss_bytes nothing = { .max = SIZE_MAX };
    uint32_t count = settings_count(stage->settings, 50);
    double dead = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    /* --client-queue each, what one read brought beyond, buffers of answers. */
    stage->rss_bound = 16 * MIB + count * (64 * 1024 * 4 + 65536);
    flood(stage, count, &nothing, pattern, 40e6, false);
    flood_enough(stage, pattern);
    (void)stage_await_metric(stage, "sessionstream_websockets", "", 4);
    double now = daemon_metric(&stage->daemon, "sessionstream_dead_clients_total", "");
    stage_expect(stage, now - dead == count, "%g of %u were closed as dead", now - dead, count);
}

void unread_pongs(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    ping_pattern(&pattern, 0x89, "a payload of a ping that comes back as it is");
    unread(stage, &pattern);
    stage->operation = "bytes of pings whose pongs nobody reads";
    ss__bytes_deinit(&pattern);
}

void unread_json_pongs(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    ping_pattern(&pattern, 0x81, "{\"ping\":{\"nonce\":\"that comes back\"}}");
    unread(stage, &pattern);
    stage->operation = "bytes of JSON pings whose pongs nobody reads";
    ss__bytes_deinit(&pattern);
}

static const char *const wrong[] = {
    "{\"submit\":{\"sessionId\":\"w\",\"name\":\"BenchPublish\",\"payload\":{\"@type\":"
    "\"type.googleapis.com/google.protobuf.Empty\"}}}",
    "{\"submit\":{\"sessionId\":\"w\",\"name\":\"BenchPublish\",\"payload\":{\"@type\":"
    "\"type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand\",\"sentNs\":[1]}}}",
    "{\"submit\":{\"sessionId\":\"w\",\"name\":\"Nope\",\"payload\":{\"@type\":"
    "\"type.googleapis.com/google.protobuf.Empty\"}}}",
    "{\"submit\":{\"sessionId\":\"\",\"name\":\"BenchPublish\"}}",
    "{\"submit\":{\"sessionId\":7}}",
    "{\"submit\":[]}",
    "{\"submit\":{\"sessionId\":\"w\"",
    "{}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"subscribe\":{\"sessionId\":\"w\",\"resume\":\"::::\"}}",
    "{\"hello\":{}}",
    "null",
};

static void wrong_pattern(struct ss_bytes *pattern)
{
    struct ss_bytes one = { .max = SIZE_MAX };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        frame_text(&one, wrong[i]);
    }
    repeat(pattern, &one, 1 << 18);
    ss__bytes_deinit(&one);
}

/* Frames that are wrong in a dozen ways, some 10,000 a second; each is answered. */
void wrong_submits(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    struct ss_bytes nothing = { .max = SIZE_MAX };
    wrong_pattern(&pattern);
    stage->rss_bound = 32 * MIB;
    flood(stage, 10, &nothing, &pattern, 1e6, true);
    await_some(stage, errors_of);
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        stage_expect(stage, !stage->peers[i].ended, "a connection ended with %u",
                     stage->peers[i].close_code);
    }
    stage->operations = errors_of(stage);
    stage->operation = "error frames for wrong ones";
    stage_expect(stage, stage->operations > 0, "no error was answered");
    ss__bytes_deinit(&pattern);
}

void unread_errors(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    wrong_pattern(&pattern);
    unread(stage, &pattern);
    stage->operation = "bytes of wrong frames whose errors nobody reads";
    ss__bytes_deinit(&pattern);
}
