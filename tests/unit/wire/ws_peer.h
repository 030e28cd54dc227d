/* ws_peer.h - a server's websocket connection under test: feeds it and keeps a log of all it says.
 *
 * The log is the same however the bytes were cut: "message 1 <text>\n", "reply <opcode>
 * <payload>\n" for each frame, "pong <payload>\n", "close peer|us <status> <reason>\n". */
#ifndef SS_WS_PEER_H
#define SS_WS_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "ss_test.h"
#include "wire/ws.h"
#include "wire/ws_client.h"

struct ws_peer {
    struct ss_ws_decoder_pool *pool;
    struct ss_ws ws;
    struct ss_bytes log;
    size_t replies;            /* calls of on_reply */
    size_t reply_bytes;
    size_t reply_bytes_most;   /* in one call */
    unsigned messages;
    unsigned stop_after;       /* messages, then the callback says stop; 0: never */
    bool stop_at_replies;
    bool stop_at_pongs;
    bool stop_at_fragments;
    bool closed;
    uint16_t status;
    int err;                   /* of the last feed */
};

static inline void ws_peer_note(struct ws_peer *peer, const char *what, struct ss_str bytes)
{
    ss__bytes_text(&peer->log, what);
    ss__bytes_str(&peer->log, bytes);
    ss__bytes_byte(&peer->log, '\n');
}

static inline bool ws_peer_on_message(void *ctx, enum ss_ws_opcode opcode, struct ss_str bytes)
{
    struct ws_peer *peer = ctx;
    ss_check(!peer->closed);
    ss_check(opcode == SS_WS_TEXT || opcode == SS_WS_BINARY);
    ws_peer_note(peer, opcode == SS_WS_TEXT ? "message 1 " : "message 2 ", bytes);
    peer->messages++;
    return peer->stop_after == 0 || peer->messages < peer->stop_after;
}

static inline bool ws_peer_on_reply(void *ctx, struct ss_str frames)
{
    struct ws_peer *peer = ctx;
    ss_check(!peer->closed);
    peer->replies++;
    peer->reply_bytes += frames.len;
    if (frames.len > peer->reply_bytes_most) {
        peer->reply_bytes_most = frames.len;
    }
    while (frames.len > 0) {
        struct ss_ws_header header;
        size_t size = ss__ws_header_read((const uint8_t *)frames.data, frames.len, &header);
        ss_check(size == 2 && header.final && !header.masked && header.reserved == 0);
        ss_check(header.payload_len <= frames.len - size);
        char what[16];
        (void)snprintf(what, sizeof what, "reply %u ", header.opcode);    /* it fits */
        size_t len = (size_t)header.payload_len;
        ws_peer_note(peer, what, ss_str_of(frames.data + size, len));
        frames = ss_str_of(frames.data + size + len, frames.len - size - len);
    }
    return !peer->stop_at_replies;
}

static inline void ws_peer_on_close(void *ctx, bool by_peer, uint16_t status,
                                    struct ss_str reason)
{
    struct ws_peer *peer = ctx;
    char what[32];
    ss_check(!peer->closed);
    (void)snprintf(what, sizeof what, "close %s %u ", by_peer ? "peer" : "us", status);
    ws_peer_note(peer, what, reason);
    peer->closed = true;
    peer->status = status;
}

static inline bool ws_peer_on_pong(void *ctx, struct ss_str payload)
{
    const struct ws_peer *peer = ctx;
    ws_peer_note(ctx, "pong ", payload);
    return !peer->stop_at_pongs;
}

static inline bool ws_peer_on_fragment(void *ctx)
{
    const struct ws_peer *peer = ctx;
    return !peer->stop_at_fragments;
}

static inline void ws_peer_init(struct ws_peer *peer, struct ss_ws_decoder_pool *pool,
                                uint32_t message_bytes_max)
{
    *peer = (struct ws_peer){ .pool = pool };
    ss__bytes_init(&peer->log, 0);
    ss__ws_init(&peer->ws, message_bytes_max);
}

static inline void ws_peer_deinit(struct ws_peer *peer)
{
    ss__ws_deinit(&peer->ws, peer->pool);
    ss__bytes_deinit(&peer->log);
}

/* Feeds a copy of exactly these bytes, so that a read beyond them is caught. Returns how many were
 * taken; all of them once the connection is over. */
static inline size_t ws_peer_feed(struct ws_peer *peer, const void *data, size_t len)
{
    static const struct ss_ws_callbacks callbacks = {
        .on_message = ws_peer_on_message,
        .on_reply = ws_peer_on_reply,
        .on_close = ws_peer_on_close,
        .on_pong = ws_peer_on_pong,
        .on_fragment = ws_peer_on_fragment,
    };
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    size_t consumed = len;
    ss_check(copy != NULL);
    memcpy(copy, data, len);
    peer->err = ss__ws_feed(&peer->ws, peer->pool, copy, len, &callbacks, peer, &consumed);
    free(copy);
    ss_check(peer->err == (peer->closed ? SS_E_CLOSED : 0));
    ss_check(consumed <= len);
    return consumed;
}

/* Feeds one byte at a time and stops when the connection closes. Returns the bytes fed. */
static inline size_t ws_peer_feed_bytewise(struct ws_peer *peer, const void *data, size_t len)
{
    size_t at = 0;
    while (at < len && !peer->closed) {
        ss_check(ws_peer_feed(peer, (const uint8_t *)data + at, 1) == 1);
        at++;
    }
    return at;
}

/* Compares the log. */
static inline void ws_peer_expect(const struct ws_peer *peer, const char *log)
{
    ss_check_msg(ss_str_equal(ss__bytes_view(&peer->log), ss_str(log)), "got:\n%.*swant:\n%s",
                 (int)peer->log.len, (const char *)peer->log.data, log);
}

/* Appends a masked frame; @first has FIN, reserved bits and opcode. */
static inline void ws_peer_frame(struct ss_bytes *out, unsigned first, const void *payload,
                                 size_t len)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 0x9D, 0x00, 0xFF, 0x37 };
    ss__ws_client_raw_frame(out, (uint8_t)first, ss_str_of(payload, len), mask);
}

static inline void ws_peer_frame_text(struct ss_bytes *out, unsigned first, const char *payload)
{
    ws_peer_frame(out, first, payload, strlen(payload));
}

#endif
