/* Bytes that mean nothing. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(next_random() >> 24);
    }
}

/* Reads until the server ends it; false: not in time. */
static bool await_end(const struct stage *stage, struct peer *peer)
{
    for (uint64_t until = stage_deadline(stage); !peer->ended && now_ns() < until;) {
        struct pollfd wait = { peer->fd, POLLIN, 0 };
        (void)poll(&wait, 1, 10);
        peer_read(peer, SIZE_MAX);
    }
    return peer->ended;
}

/* Some 1,000 connections a second send bytes that are no HTTP. Their answer, if they wait for
 * one, is 400 or one of its kin. */
void random_http(struct stage *stage)
{
    uint8_t bytes[600];
    struct peer peer;
    stage->operation = "connections with random bytes";
    stage_begin(stage);
    while (!stage_over(stage) || stage->operations == 0) {
        for (uint32_t due = stage_due(stage, 1000); due > 0; due--) {
            bool waits = stage->operations % 64 == 0;
            size_t len = waits ? sizeof bytes : next_random() % sizeof bytes;
            bool good = peer_connect(&peer, stage->daemon.port, 0);
            fill(bytes, len);
            if (stage->operations % 2 == 0) {    /* a line that begins well */
                memcpy(bytes, "GET /v1/", 8);
                bytes[len % 64 + 8] = '\n';
            }
            (void)peer_send(&peer, bytes, len);
            if (waits) {
                (void)peer_send(&peer, "\r\n\r\n", 4);
                bool ended = await_end(stage, &peer);
                stage_expect(stage, ended && (peer.status == 0 || peer.status >= 400),
                             "random bytes were answered with %d", peer.status);
            }
            peer_close(&peer, stage->operations % 3 == 0);
            stage->operations++;
            if (!good) {
                return;
            }
        }
        (void)poll(NULL, 0, 1);
    }
}

/* 300 connections a second send random bytes behind the handshake: a protocol error, or they are
 * taken for part of a frame that never comes. */
void random_frames(struct stage *stage)
{
    uint8_t bytes[300];
    struct peer peer;
    uint32_t codes = 0;
    stage->operation = "websockets with random bytes";
    stage_begin(stage);
    uint64_t until = stage_deadline(stage);
    while (!stage_over(stage) || (codes == 0 && now_ns() < until)) {
        for (uint32_t due = stage_due(stage, 300); due > 0; due--) {
            bool good = peer_upgrade(&peer, stage->daemon.port, 0);
            fill(bytes, sizeof bytes);
            bytes[0] |= stage->operations % 2 == 0 ? 0x70 : 0;    /* reserved bits */
            (void)peer_send(&peer, bytes, sizeof bytes);
            if (stage->operations % 2 == 0) {
                bool ended = await_end(stage, &peer);
                codes += peer.close_code == 1002;
                stage_expect(stage, ended && (peer.close_code == 1002 || peer.close_code == 0),
                             "reserved bits were answered with %u", peer.close_code);
            }
            peer_close(&peer, false);
            stage->operations++;
            if (!good) {
                return;
            }
        }
        (void)poll(NULL, 0, 1);
    }
    stage_expect(stage, codes > 0, "nobody was told 1002");
}

/* Whole frames of a session's life, cut anywhere; then the connection is gone. */
void cut_frames(struct stage *stage)
{
    struct ss_bytes life = { .max = SIZE_MAX };
    struct peer peer;
    frame_text(&life, "{\"subscribe\":{\"sessionId\":\"cut\",\"pageBytes\":16384}}");
    frame_submit(&life, "cut", 1, 300, 0);
    frame_raw(&life, 0x89, "ping", 4);
    frame_submit(&life, "cut", 2, 30000, 0);
    frame_text(&life, "{\"unsubscribe\":{\"sessionId\":\"cut\"}}");
    stage->operation = "websockets cut in the middle";
    stage_begin(stage);
    while (!stage_over(stage)) {
        for (uint32_t due = stage_due(stage, 500); due > 0; due--) {
            size_t cut = next_random() % (stage->operations % 2 == 0 ? 600 : life.len);
            bool good = peer_upgrade(&peer, stage->daemon.port, 0);
            (void)peer_send(&peer, life.data, cut);
            peer_close(&peer, stage->operations % 2 == 0);
            stage->operations++;
            if (!good) {
                break;
            }
        }
        (void)poll(NULL, 0, 1);
    }
    ss__bytes_deinit(&life);
    frame_release();
}

static const char pipelined[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

#define PIPELINED_BYTES (sizeof pipelined - 1)

static void pipeline_pattern(struct ss_bytes *pattern)
{
    while (pattern->len < 1 << 18) {
        ss__bytes_append(pattern, pipelined, PIPELINED_BYTES);
    }
}

/* Requests without waiting for answers, over 20 connections, some 20,000 a second. */
void pipelined_requests(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    uint64_t answers = 0;
    pipeline_pattern(&pattern);
    stage_crowd(stage, 20);
    while (stage->peer_count < 20 && stage_connect(stage, 0) != NULL) {
    }
    stage_begin(stage);
    while (!stage_over(stage) || stage->operations < 20) {
        uint32_t due = stage_due(stage, 20000);
        struct peer *peer = &stage->peers[next_random() % stage->peer_count];
        stage->operations += peer_flood(peer, &pattern, due * PIPELINED_BYTES) / PIPELINED_BYTES;
        stage_poll(stage, 1);
    }
    /* Each has asked at least once, and is answered sooner or later. */
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        struct peer *peer = &stage->peers[i];
        (void)peer_flood(peer, &pattern, 2 * PIPELINED_BYTES);
        for (uint64_t until = stage_deadline(stage); peer->answers == 0 && !peer->ended &&
             now_ns() < until;) {
            stage_poll(stage, 10);
        }
    }
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        answers += stage->peers[i].answers;
        stage_expect(stage, !stage->peers[i].ended && stage->peers[i].status == 200,
                     "a connection was answered with %d", stage->peers[i].status);
    }
    stage->operation = "pipelined requests";
    stage->ended_ns = now_ns();
    stage_expect(stage, answers > 0, "there was no answer");
    ss__bytes_deinit(&pattern);
}

/* The same at full speed, and nobody reads an answer: the server stops reading them, and ends
 * them as dead. */
void unread_pipeline(struct stage *stage)
{
    struct ss_bytes pattern = { .max = SIZE_MAX };
    uint32_t count = settings_count(stage->settings, 50);
    pipeline_pattern(&pattern);
    stage_crowd(stage, count);
    while (stage->peer_count < count && stage_connect(stage, 4096) != NULL) {
    }
    stage->rss_bound = 16 * MIB + count * (64 * 1024 * 4 + 65536);
    stage_begin(stage);
    while (!stage_over(stage)) {
        for (uint32_t i = 0; i < count; i++) {
            stage->operations += peer_flood(&stage->peers[i], &pattern, 100 * PIPELINED_BYTES) /
                                 PIPELINED_BYTES;
        }
        (void)poll(NULL, 0, 1);
    }
    stage->operation = "requests whose answers nobody reads";
    stage->ended_ns = now_ns();
    (void)stage_await_metric(stage, "sessionstream_connections", "", 6);
    ss__bytes_deinit(&pattern);
}
