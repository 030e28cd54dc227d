/* ws_decoder.h - what a connection borrows while bytes of it are unfinished: one wslay frame
 * context and the message it makes. Internal to src/wire; wire/ws.h has the pool and its rules.
 *
 * wslay's frame layer judges the framing: control frames, shortest lengths, 63 bits, alignment. It
 * shows a header only with the first byte of its payload and unmasks byte by byte, so the header
 * is read here first and wslay receives the frame unmasked already, eight bytes at a time on
 * their way into its buffer. */
#ifndef SS_WIRE_WS_DECODER_H
#define SS_WIRE_WS_DECODER_H

#include "core/bytes.h"
#include "wire/ws.h"

/* Pongs that one feed gathers before it hands them out. */
#define SS_WS_REPLY_BYTES 512

struct wslay_frame_context;

struct ss_ws_decoder {
    struct wslay_frame_context *frames;
    struct ss_ws_decoder *next_spare;

    /* The bytes being fed that are not taken yet. */
    const uint8_t *in;
    size_t in_len;

    /* The present frame. */
    bool in_frame;                   /* its header is complete */
    uint8_t head[SS_WS_MASKED_HEADER_BYTES_MAX];
    uint8_t head_len;
    uint8_t head_given;              /* to wslay, of the header without its key */
    uint8_t key[SS_WS_MASK_BYTES];
    struct ss_ws_header header;
    uint64_t payload_given;          /* to wslay */
    uint64_t high_bits;              /* of the piece's bytes, ORed */

    /* The open data message; control frames may come between its fragments. */
    bool message_open;
    enum ss_ws_opcode message_opcode;
    uint32_t fragments;
    size_t checked;                  /* bytes of it known to be UTF-8 */
    struct ss_bytes message;
    size_t held_bytes;               /* of it, on the pool's account */

    uint8_t control[SS_WS_CONTROL_PAYLOAD_BYTES_MAX];
    size_t control_len;
    uint8_t replies[SS_WS_REPLY_BYTES];
    size_t replies_len;
};

/* A piece of a frame's payload, unmasked; dies with the next call. */
struct ss_ws_piece {
    const uint8_t *data;
    size_t len;
    bool ascii;
    bool last;                       /* the frame ends with it */
};

/* A fresh or spare decoder; NULL when out of memory. */
struct ss_ws_decoder *ss__ws_decoder_lend(struct ss_ws_decoder_pool *pool);

/* Keeps it as a spare if it stands between whole messages, else frees it. */
void ss__ws_decoder_take_back(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder);

/* True between frames, outside a fragmented message. */
bool ss__ws_decoder_idle(const struct ss_ws_decoder *decoder);

/* Outside a frame: takes header bytes from the input. Returns 1 when decoder->header is complete
 * and well framed, 0 when the input is used up, SS_E_PROTO. */
int ss__ws_decoder_begin(struct ss_ws_decoder *decoder);

/* Inside a frame: takes payload from the input. Returns 1 and a piece (an empty one only for an
 * empty frame), 0 when the input is used up, SS_E_PROTO. */
int ss__ws_decoder_next(struct ss_ws_decoder *decoder, struct ss_ws_piece *ret_piece);

/* Adds a piece to the message and its memory to the account. Errors: SS_E_NOMEM, SS_E_BUSY (the
 * pool is over its limit). */
int ss__ws_decoder_append(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder,
                          const struct ss_ws_piece *piece);

/* Moves *checked over @data[len], where a character may be cut at the end. False if no
 * continuation makes it UTF-8. */
bool ss__ws_utf8_advance(const uint8_t *data, size_t len, size_t *checked);

#endif
