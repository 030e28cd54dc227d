/* ws.h - the server's side of a websocket connection: masked client bytes to whole messages.
 *
 * wslay parses, checks and answers control frames. Its context holds 8 KiB, so it is lent from a
 * pool when bytes arrive and taken back when they form whole frames, no fragmented message is
 * open and all replies were handed over: an idle connection costs 16 bytes here. No I/O, no
 * clock; a pool and its connections belong to one thread. Source: RFC 6455. */
#ifndef SS_WIRE_WS_H
#define SS_WIRE_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "wire/ws_header.h"

#define SS_WS_CLOSE_FRAME_BYTES_MAX 127

/* Decoders that a pool keeps for the next connection; the rest is freed. */
#define SS_WS_SPARE_DECODERS_MAX 64

struct ss_ws_decoder;

struct ss_ws_decoder_pool {
    struct ss_ws_decoder *spare;
    size_t spare_count;
    size_t lent_count;
    size_t held_bytes;               /* of unfinished messages */
    size_t held_bytes_max;
};

struct ss_ws {
    struct ss_ws_decoder *decoder;   /* NULL between whole messages */
    uint32_t message_bytes_max;
    bool closed;                     /* on_close was called or a callback said stop */
};

/* All run inside ss__ws_feed, on its thread; slices die on return. They must not feed or deinit
 * the same connection: note what is to be done and return. */
struct ss_ws_callbacks {
    /* A whole message; text is valid UTF-8. Returns 0, or an ss_error to stop: feed returns it
     * and drops the rest. */
    int (*on_message)(void *ctx, enum ss_ws_opcode opcode, struct ss_str bytes);

    /* Whole control frames (pongs, the close frame) to be written as they are, between whole
     * frames of other messages. */
    void (*on_reply)(void *ctx, struct ss_str frames);

    /* The connection is over: by the peer's close frame, or by its error (then @by_peer is false).
     * Its close frame went to on_reply before. @status is SS_WS_STATUS_NONE if the peer gave
     * none. @reason is the peer's or ours, valid UTF-8. */
    void (*on_close)(void *ctx, bool by_peer, uint16_t status, struct ss_str reason);

    /* A pong arrived; may be NULL. */
    void (*on_pong)(void *ctx, struct ss_str payload);
};

/* @held_bytes_max bounds the bytes of unfinished messages over all connections. */
void ss__ws_decoder_pool_init(struct ss_ws_decoder_pool *pool, size_t held_bytes_max);

/* All connections are deinited before. */
void ss__ws_decoder_pool_deinit(struct ss_ws_decoder_pool *pool);

void ss__ws_init(struct ss_ws *ws, uint32_t message_bytes_max);
void ss__ws_deinit(struct ss_ws *ws, struct ss_ws_decoder_pool *pool);

/* Takes bytes of the connection, all of them. Returns 0, or once the connection is over, and
 * from then on, SS_E_CLOSED. A violation of the protocol is no error here but a close (on_reply,
 * on_close) with status 1002; bad UTF-8 1007; a message over message_bytes_max 1009 (as soon as
 * a header announces it) or with over SS_WS_FRAGMENTS_MAX fragments 1008; a pool over
 * held_bytes_max 1013; no memory 1011. */
int ss__ws_feed(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, const uint8_t *in, size_t len,
                const struct ss_ws_callbacks *callbacks, void *ctx);

/* True while a frame or a fragmented message is unfinished: the caller limits its time. */
static inline bool ss__ws_unfinished(const struct ss_ws *ws)
{
    return ws->decoder != NULL;
}

/* Writes a close frame; @reason is cut at a character to 123 bytes. */
void ss__ws_close_frame(uint16_t status, struct ss_str reason,
                        uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX], size_t *ret_len);

#endif
