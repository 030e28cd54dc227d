/* ws_decoder.h - what is lent to a connection while bytes are being parsed; internal to src/wire. */
#ifndef SS_WIRE_WS_DECODER_H
#define SS_WIRE_WS_DECODER_H

#include "core/bytes.h"
#include "wire/ws.h"

struct wslay_frame_context;

struct ss_ws_decoder {
    struct wslay_frame_context *frames;
    struct ss_ws_decoder *next;      /* in the pool */

    /* The slice being fed, and how it lies against frame boundaries. */
    const uint8_t *in;
    size_t in_len;
    uint64_t fed_bytes;              /* since lent */
    uint64_t framed_bytes;           /* of them, in complete frames */

    /* The present frame. */
    bool in_frame;
    enum ss_ws_opcode frame_opcode;
    bool frame_fin;
    uint64_t frame_len;
    uint64_t frame_taken;

    /* The open data message; control frames may come between its fragments. */
    bool message_open;
    enum ss_ws_opcode message_opcode;
    uint32_t fragments;
    size_t checked;                  /* bytes of message known to be UTF-8 */
    struct ss_bytes message;

    uint8_t control[SS_WS_CONTROL_PAYLOAD_BYTES_MAX];
    size_t control_len;
};

/* A piece of a frame's payload, unmasked. */
struct ss_ws_piece {
    bool fin;
    unsigned reserved;
    unsigned opcode;
    bool masked;
    uint64_t payload_len;            /* of the whole frame */
    const uint8_t *data;
    size_t len;
};

/* A fresh or spare decoder; NULL when out of memory. */
struct ss_ws_decoder *ss__ws_decoder_lend(struct ss_ws_decoder_pool *pool);

/* @reusable: it stands at a frame boundary. */
void ss__ws_decoder_take_back(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder,
                              bool reusable);

/* Next piece of the bytes at decoder->in. Returns 1, 0 when they are used up, SS_E_PROTO. */
int ss__ws_decoder_next(struct ss_ws_decoder *decoder, struct ss_ws_piece *ret_piece);

/* Moves @checked over @data[len], where a character may be cut at the end. False if no
 * continuation makes it UTF-8. */
bool ss__ws_utf8_advance(const uint8_t *data, size_t len, size_t *checked);

#endif
