/* client_frame.h - one websocket message of a client as a value. Any thread; blocks never. */
#ifndef SS_WIRE_CLIENT_FRAME_H
#define SS_WIRE_CLIENT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/arena.h"
#include "core/failure.h"
#include "wire/encoding.h"
#include "wire/transport.h"

enum ss_client_frame_kind {
    SS_CLIENT_FRAME_NONE,           /* no arm set: protocol_error "unknown client frame" */
    SS_CLIENT_FRAME_SUBSCRIBE,      /* session_id, since, resume, delta, page_bytes */
    SS_CLIENT_FRAME_UNSUBSCRIBE,    /* session_id */
    SS_CLIENT_FRAME_PING,           /* nonce */
    SS_CLIENT_FRAME_PONG,           /* nonce */
    SS_CLIENT_FRAME_SUBMIT          /* request_id, session_id, name, payload, key */
};

/* Fields of other kinds are empty. Strings are valid UTF-8, perhaps empty, lengths unjudged. */
struct ss_client_frame {
    enum ss_client_frame_kind kind;
    struct ss_str session_id;
    struct ss_str nonce;
    struct ss_str request_id;
    struct ss_str name;
    struct ss_str key;              /* for idempotency; empty: none */
    uint64_t since;
    struct ss_str resume;           /* a cursor's text, unread; empty: none */
    bool delta;
    uint32_t page_bytes;            /* of a snapshot in pages; 0: in one frame */
    bool has_payload;
    struct ss_str payload_type_url;
    struct ss_str payload;          /* packed; not yet checked against its type */
};

/* Reads one complete message. JSON encodings take JSON in text and binary messages; V2_PROTOBUF
 * takes binary messages only. The slices of *ret_frame point into @bytes or @arena and live as
 * long as both. Errors: SS_E_BADFRAME (@failure: "proto: " and what is wrong where), SS_E_NOMEM. */
int ss__client_frame_decode(const struct ss_transport *transport, enum ss_encoding encoding,
                            bool binary_message, struct ss_str bytes, struct ss_arena *arena,
                            struct ss_client_frame *ret_frame, struct ss_failure *failure);

#endif
