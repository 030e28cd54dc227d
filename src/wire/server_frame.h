/* server_frame.h - the server's messages, each encoded once and shared by all followers.
 *
 * An encoder returns one whole websocket message: header (unmasked, FIN, text or binary by
 * encoding) and body in one immutable buffer with one reference, or NULL when out of memory (or
 * over @scratch's max). JSON is in field number order without white space, defaults left out.
 * Strings must be valid UTF-8. @scratch is the caller's, cleared here and reused from call to
 * call, so that an encoder allocates the buffer and nothing else. Any thread with a scratch of
 * its own; blocks never. */
#ifndef SS_WIRE_SERVER_FRAME_H
#define SS_WIRE_SERVER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/cursor.h"
#include "wire/encoding.h"
#include "wire/transport.h"

/* Empty strings are left out. request_id is written whenever set: only a client that used
 * submit gets one. */
struct ss_error_frame {
    struct ss_str code;
    struct ss_str message;
    struct ss_str session_id;
    struct ss_str detail;
    struct ss_str request_id;
    bool replayed;
};

/* @replayed is written when set: only a client that sent an idempotency key gets it. */
struct ss_accepted_frame {
    struct ss_str request_id;
    struct ss_str session_id;
    uint64_t ordinal;
    bool replayed;
};

/* Without @additions exactly the contract's fields. */
struct ss_subscribed_frame {
    struct ss_str session_id;
    uint64_t since;
    bool additions;
    struct ss_cursor cursor;
    bool recovered;
    struct ss_str reason;           /* empty: none */
    bool running;
};

/* The cursor is written where a client's advances: at the last frame of an event, and at every
 * live-only one. */
struct ss_ui_frame {
    struct ss_str session_id;
    struct ss_cursor place;
    int64_t time_us;
    uint32_t index;
    bool last;
    struct ss_str name;
    const struct ss_type *type;     /* NULL: no payload */
    struct ss_str payload;          /* packed, valid for type */
};

struct ss_snapshot_entity {
    struct ss_str kind;
    struct ss_str id;
    uint64_t created_ordinal;
    uint64_t last_ordinal;
    bool tombstone;
    const struct ss_type *type;     /* NULL: no payload */
    struct ss_str payload;          /* packed, valid for type */
    struct ss_str appended_field;   /* of it, the end of which is not stored; empty: none */
    uint64_t appended_bytes;
};

struct ss_append_frame {
    struct ss_str session_id;
    struct ss_cursor place;
    int64_t time_us;
    struct ss_str kind;
    struct ss_str id;
    struct ss_str field;
    uint64_t offset;
    bool is_text;
    struct ss_str bytes;
};

struct ss_snapshot_frame {
    struct ss_str session_id;
    uint64_t ordinal;
    struct ss_cursor place;
    bool delta;
    bool running;
    const struct ss_snapshot_entity *entities;
    size_t count;
    uint32_t page;                  /* 0: the snapshot is one frame */
    bool last_page;                 /* nothing follows the entities given */
};

struct ss_buf *ss__frame_hello(const struct ss_transport *transport, enum ss_encoding encoding,
                               struct ss_str connection_id, struct ss_bytes *scratch);
struct ss_buf *ss__frame_subscribed(const struct ss_transport *transport,
                                    enum ss_encoding encoding,
                                    const struct ss_subscribed_frame *frame,
                                    struct ss_bytes *scratch);
struct ss_buf *ss__frame_unsubscribed(const struct ss_transport *transport,
                                      enum ss_encoding encoding, struct ss_str session_id,
                                      struct ss_bytes *scratch);
struct ss_buf *ss__frame_pong(const struct ss_transport *transport, enum ss_encoding encoding,
                              struct ss_str nonce, struct ss_bytes *scratch);
struct ss_buf *ss__frame_error(const struct ss_transport *transport, enum ss_encoding encoding,
                               const struct ss_error_frame *frame, struct ss_bytes *scratch);
struct ss_buf *ss__frame_accepted(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_accepted_frame *frame, struct ss_bytes *scratch);

/* Only for V2. */
struct ss_buf *ss__frame_activity(const struct ss_transport *transport, enum ss_encoding encoding,
                                  struct ss_str session_id, bool running,
                                  struct ss_bytes *scratch);

struct ss_buf *ss__frame_append(const struct ss_transport *transport, enum ss_encoding encoding,
                                const struct ss_append_frame *frame, struct ss_bytes *scratch);

/* A payload that cannot be written as JSON (an Any of an unknown type inside it) is left out and
 * counted in *ret_left_out (may be NULL): log it, the frame itself is fine. */
struct ss_buf *ss__frame_ui_event(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_ui_frame *frame, struct ss_bytes *scratch,
                                  size_t *ret_left_out);
struct ss_buf *ss__frame_snapshot(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_snapshot_frame *frame, struct ss_bytes *scratch,
                                  size_t *ret_left_out);

/* One page: as many of the entities as fit into @bytes_max, at least one if there are any. It is
 * the last page if all were taken and frame->last_page says so; only then it has the cursor.
 * *ret_count: how many were taken. */
struct ss_buf *ss__frame_snapshot_page(const struct ss_transport *transport,
                                       enum ss_encoding encoding,
                                       const struct ss_snapshot_frame *frame, size_t bytes_max,
                                       struct ss_bytes *scratch, size_t *ret_count,
                                       size_t *ret_left_out);

/* Appends the SnapshotFrame document itself (v2 fields included) for HTTP. Errors: SS_E_NOMEM,
 * SS_E_TOOBIG (over @bytes_max, or so near that it stopped). */
int ss__snapshot_json(const struct ss_transport *transport, const struct ss_snapshot_frame *frame,
                      size_t bytes_max, struct ss_bytes *out, size_t *ret_left_out);

/* The body behind the websocket header of a buffer made here. */
struct ss_str ss__ws_payload(const struct ss_buf *buf);

#endif
