/* peer_body.h - what a message for a peer holds: "NUMBER SENT_NS " and filler. Pure. */
#ifndef SS_LOAD_PEER_BODY_H
#define SS_LOAD_PEER_BODY_H

#include <stdbool.h>

#include "load/dialect.h"

#define SS_LOAD_PEER_HEAD_BYTES_MAX 48

struct ss_load_peer_body {
    char head[SS_LOAD_PEER_HEAD_BYTES_MAX];
    size_t head_len;
    struct ss_str filler;
    size_t len;                /* of both */
};

/* The body is as long as the payload of @message, or its head if that is longer. */
void ss__load_peer_body(const struct ss_load_message *message,
                        struct ss_load_peer_body *ret_body);
void ss__load_peer_body_append(const struct ss_load_peer_body *body, struct ss_bytes *out);

/* Fills ordinal (the number) and sent_ns of @item; false, and @item untouched, if no generator
 * wrote this. */
bool ss__load_peer_body_read(struct ss_str body, struct ss_load_item *item);

/* Tells @on_item of a delivery; false if the body is not one of ours. */
bool ss__load_peer_deliver(struct ss_str body, ss_load_item_fn *on_item, void *ctx);

/* As struct ss_load_dialect's pack_payload. */
void ss__load_peer_pack(struct ss_str raw, struct ss_bytes *out);

/* A line of @in that begins at @at and ends with CR LF, without these. Returns the offset behind
 * it, or 0 if its end is not there. */
size_t ss__load_peer_line(struct ss_str in, size_t at, struct ss_str *ret_line);

/* The whole number of decimal digits alone, at most 18 of them; false for anything else. */
bool ss__load_peer_number(struct ss_str digits, uint64_t *ret_value);

#endif
