/* ws.h - the server's side of a websocket connection: masked client bytes to whole messages.
 *
 * Framing is wslay's frame layer; messages, UTF-8, close codes and replies are ours. What parses
 * holds about 5 KiB, so it is lent from a pool when bytes arrive and taken back when they form
 * whole frames and no fragmented message is open: an idle connection costs 16 bytes here. A
 * message that arrives whole, up to 4 KiB, is handed out from there; a longer or cut one is put
 * together in memory of which spares keep up to 64 KiB, so neither allocates anew. No I/O, no
 * clock; a pool and its connections belong to one thread. Source: RFC 6455. */
#ifndef SS_WIRE_WS_H
#define SS_WIRE_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "wire/ws_close.h"
#include "wire/ws_header.h"

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
    bool closed;                     /* on_close was called */
};

/* All run inside ss__ws_feed, on its thread; slices die on return. They must not feed or deinit
 * the same connection: note what is to be done and return. Where they return false, feed takes
 * no further frame. */
struct ss_ws_callbacks {
    /* A whole message; text is valid UTF-8. */
    bool (*on_message)(void *ctx, enum ss_ws_opcode opcode, struct ss_str bytes);

    /* Whole control frames (pongs in the order of their pings, the close frame) to be written as
     * they are, between whole frames of other messages. Every ping is answered, with fewer bytes
     * than it has, before what follows it is given out and before the close frame. */
    bool (*on_reply)(void *ctx, struct ss_str frames);

    /* The connection is over: by the peer's close frame, or by its error (then @by_peer is false).
     * Its close frame went to on_reply before; a status of the peer was sent back. @status is
     * SS_WS_STATUS_NONE if the peer gave none. @reason is the peer's or ours, valid UTF-8. */
    void (*on_close)(void *ctx, bool by_peer, uint16_t status, struct ss_str reason);

    /* A pong arrived; may be NULL. */
    bool (*on_pong)(void *ctx, struct ss_str payload);

    /* A fragment arrived that is not the last of its message; may be NULL. */
    bool (*on_fragment)(void *ctx);
};

/* @held_bytes_max bounds the bytes of unfinished messages over all connections. */
void ss__ws_decoder_pool_init(struct ss_ws_decoder_pool *pool, size_t held_bytes_max);

/* All connections are deinited before. */
void ss__ws_decoder_pool_deinit(struct ss_ws_decoder_pool *pool);

void ss__ws_init(struct ss_ws *ws, uint32_t message_bytes_max);

/* Harmless when repeated. */
void ss__ws_deinit(struct ss_ws *ws, struct ss_ws_decoder_pool *pool);

/* Takes bytes of the connection: all of them, unless a callback said stop; then *ret_consumed ends
 * with a frame and the rest is to be fed again later. Returns 0, or once the connection is over,
 * and from then on, SS_E_CLOSED. What is wrong with the bytes is no error here but a close
 * (on_reply, on_close), as early as it shows:
 *   1002  a violation of the protocol
 *   1007  text or a close reason that is no UTF-8, even if its character is not complete
 *   1008  a message of more than SS_WS_FRAGMENTS_MAX fragments
 *   1009  a header that announces more than message_bytes_max, with the fragments before it
 *   1011  no memory
 *   1013  the pool is over held_bytes_max */
int ss__ws_feed(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, const uint8_t *in, size_t len,
                const struct ss_ws_callbacks *callbacks, void *ctx, size_t *ret_consumed);

/* True while a frame or a fragmented message is unfinished: the caller limits its time. */
static inline bool ss__ws_unfinished(const struct ss_ws *ws)
{
    return ws->decoder != NULL;
}

#endif
