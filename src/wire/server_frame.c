#include "wire/server_frame.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/pb.h"
#include "wire/ws_header.h"

/* Field numbers of transport.proto. */
enum { FRAME_HELLO = 1, FRAME_SNAPSHOT = 2, FRAME_SUBSCRIBED = 3, FRAME_UNSUBSCRIBED = 4,
       FRAME_UI_EVENT = 5, FRAME_ERROR = 6, FRAME_PONG = 8, FRAME_ACCEPTED = 16,
       FRAME_ACTIVITY = 17, FRAME_APPEND = 18 };

#define TYPE_URL_PREFIX "type.googleapis.com/"

/* ---- one buffer: header and body ---- */

static struct ss_buf *make_message(enum ss_encoding encoding, const struct ss_bytes *body)
{
    if (body->err != 0) {
        return NULL;
    }
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    enum ss_ws_opcode opcode = ss__encoding_is_json(encoding) ? SS_WS_TEXT : SS_WS_BINARY;
    size_t header_len = ss__ws_header_write(opcode, body->len, header);
    struct ss_buf *buf = ss__buf_new(header_len + body->len);
    if (buf != NULL) {
        memcpy(buf->data, header, header_len);
        memcpy(buf->data + header_len, body->data, body->len);
    }
    return buf;
}

struct ss_str ss__ws_payload(const struct ss_buf *buf)
{
    size_t header = buf->data[1] < 126 ? 2 : buf->data[1] == 126 ? 4 : 10;
    return ss_str_of(buf->data + header, buf->len - header);
}

/* ---- JSON members: each knows whether one stood before it ---- */

static void json_key(struct ss_bytes *out, const char *name)
{
    size_t len = strlen(name);
    bool first = out->data[out->len - 1] == '{';
    uint8_t *to = ss__bytes_extend(out, len + (first ? 3 : 4));
    if (to == NULL) {
        return;
    }
    if (!first) {
        *to++ = ',';
    }
    *to++ = '"';
    memcpy(to, name, len);
    to[len] = '"';
    to[len + 1] = ':';
}

static void json_str(struct ss_bytes *out, const char *name, struct ss_str value)
{
    if (value.len > 0 && out->err == 0) {
        json_key(out, name);
        ss__json_string(out, value);
    }
}

static void json_u64(struct ss_bytes *out, const char *name, uint64_t value)
{
    if (value != 0 && out->err == 0) {
        json_key(out, name);
        ss__bytes_byte(out, '"');
        ss__bytes_u64(out, value);
        ss__bytes_byte(out, '"');
    }
}

static void json_u32(struct ss_bytes *out, const char *name, uint32_t value)
{
    if (value != 0 && out->err == 0) {
        json_key(out, name);
        ss__bytes_u64(out, value);
    }
}

static void json_true(struct ss_bytes *out, const char *name, bool value)
{
    if (value && out->err == 0) {
        json_key(out, name);
        ss__bytes_text(out, "true");
    }
}

static void json_cursor(struct ss_bytes *out, const struct ss_cursor *cursor)
{
    char text[SS_CURSOR_BYTES_MAX];
    json_str(out, "cursor", ss_str_of(text, ss__cursor_write(cursor, text)));
}

/* An Any member; left out and counted when it has no JSON form. */
static void json_any(const struct ss_transport *transport, struct ss_bytes *out,
                     const struct ss_type *type, struct ss_str payload, size_t *left_out)
{
    if (type == NULL || out->err != 0) {
        return;
    }
    size_t before = out->len;
    json_key(out, "payload");
    int err = ss__json_encode_any(transport->schema, type, payload, out, NULL);
    if (err != 0 && out->err == 0) {
        out->len = before;
        (*left_out)++;
    }
}

/* ---- protobuf members ---- */

static void pb_str(struct ss_bytes *out, uint32_t number, struct ss_str value)
{
    if (value.len > 0) {
        ss__pb_bytes(out, number, value);
    }
}

static void pb_u64(struct ss_bytes *out, uint32_t number, uint64_t value)
{
    if (value != 0) {
        ss__pb_u64(out, number, value);
    }
}

static void pb_cursor(struct ss_bytes *out, uint32_t number, const struct ss_cursor *cursor)
{
    char text[SS_CURSOR_BYTES_MAX];
    pb_str(out, number, ss_str_of(text, ss__cursor_write(cursor, text)));
}

static size_t any_size(const struct ss_type *type, struct ss_str payload)
{
    size_t url = sizeof TYPE_URL_PREFIX - 1 + ss__type_name(type).len;
    return ss__pb_bytes_size(1, url) + (payload.len > 0 ? ss__pb_bytes_size(2, payload.len) : 0);
}

static void pb_any(struct ss_bytes *out, uint32_t number, const struct ss_type *type,
                   struct ss_str payload)
{
    if (type == NULL) {
        return;
    }
    struct ss_str name = ss__type_name(type);
    ss__pb_tag(out, number, SS_PB_LEN);
    ss__bytes_varint(out, any_size(type, payload));
    ss__pb_tag(out, 1, SS_PB_LEN);
    ss__bytes_varint(out, sizeof TYPE_URL_PREFIX - 1 + name.len);
    ss__bytes_text(out, TYPE_URL_PREFIX);
    ss__bytes_str(out, name);
    pb_str(out, 2, payload);
}

/* Puts tag and length in front of the body that begins at 0. */
static void pb_wrap(struct ss_bytes *out, uint32_t number)
{
    if (out->err != 0) {
        return;
    }
    size_t body = out->len;
    uint8_t head[16];
    struct ss_bytes front = { .data = head, .cap = sizeof head, .max = sizeof head };
    ss__pb_tag(&front, number, SS_PB_LEN);
    ss__bytes_varint(&front, body);
    if (ss__bytes_extend(out, front.len) != NULL) {
        memmove(out->data + front.len, out->data, body);
        memcpy(out->data, head, front.len);
    }
}

/* ---- small frames: a list of strings, numbers and flags ---- */

struct member {
    uint32_t number;
    const char *name;
    struct ss_str text;
    uint64_t value;
    bool flag;
};

static struct ss_buf *small_frame(enum ss_encoding encoding, uint32_t frame, const char *name,
                                  const struct member *members, size_t count,
                                  struct ss_bytes *scratch)
{
    ss__bytes_clear(scratch);
    if (ss__encoding_is_json(encoding)) {
        ss__bytes_byte(scratch, '{');
        if (scratch->err == 0) {
            json_key(scratch, name);
        }
        ss__bytes_byte(scratch, '{');
        for (size_t i = 0; i < count; i++) {
            json_str(scratch, members[i].name, members[i].text);
            json_u64(scratch, members[i].name, members[i].value);
            json_true(scratch, members[i].name, members[i].flag);
        }
        ss__bytes_text(scratch, "}}");
    } else {
        for (size_t i = 0; i < count; i++) {
            pb_str(scratch, members[i].number, members[i].text);
            pb_u64(scratch, members[i].number, members[i].value);
            pb_u64(scratch, members[i].number, members[i].flag);
        }
        pb_wrap(scratch, frame);
    }
    return make_message(encoding, scratch);
}

struct ss_buf *ss__frame_hello(const struct ss_transport *transport, enum ss_encoding encoding,
                               struct ss_str connection_id, struct ss_bytes *scratch)
{
    (void)transport;    /* one shape for all encoders */
    const struct member members[] = { { 1, "connectionId", connection_id, 0, false } };
    return small_frame(encoding, FRAME_HELLO, "hello", members, 1, scratch);
}

struct ss_buf *ss__frame_subscribed(const struct ss_transport *transport,
                                    enum ss_encoding encoding,
                                    const struct ss_subscribed_frame *frame,
                                    struct ss_bytes *scratch)
{
    (void)transport;
    char text[SS_CURSOR_BYTES_MAX];
    struct ss_str cursor = ss_str_of(text, ss__cursor_write(&frame->cursor, text));
    struct ss_str none = { NULL, 0 };
    const struct member members[] = { { 1, "sessionId", frame->session_id, 0, false },
                                      { 2, "sinceSnapshotOrdinal", none, frame->since, false },
                                      { 16, "cursor", cursor, 0, false },
                                      { 17, "recovered", none, 0, frame->recovered },
                                      { 18, "reason", frame->reason, 0, false },
                                      { 19, "running", none, 0, frame->running } };
    return small_frame(encoding, FRAME_SUBSCRIBED, "subscribed", members,
                       frame->additions ? 6 : 2, scratch);
}

struct ss_buf *ss__frame_unsubscribed(const struct ss_transport *transport,
                                      enum ss_encoding encoding, struct ss_str session_id,
                                      struct ss_bytes *scratch)
{
    (void)transport;
    const struct member members[] = { { 1, "sessionId", session_id, 0, false } };
    return small_frame(encoding, FRAME_UNSUBSCRIBED, "unsubscribed", members, 1, scratch);
}

struct ss_buf *ss__frame_pong(const struct ss_transport *transport, enum ss_encoding encoding,
                              struct ss_str nonce, struct ss_bytes *scratch)
{
    (void)transport;
    const struct member members[] = { { 1, "nonce", nonce, 0, false } };
    return small_frame(encoding, FRAME_PONG, "pong", members, 1, scratch);
}

struct ss_buf *ss__frame_error(const struct ss_transport *transport, enum ss_encoding encoding,
                               const struct ss_error_frame *frame, struct ss_bytes *scratch)
{
    (void)transport;
    const struct member members[] = { { 1, "code", frame->code, 0, false },
                                      { 2, "message", frame->message, 0, false },
                                      { 3, "sessionId", frame->session_id, 0, false },
                                      { 4, "detail", frame->detail, 0, false },
                                      { 16, "requestId", frame->request_id, 0, false },
                                      { 20, "replayed", { NULL, 0 }, 0, frame->replayed } };
    return small_frame(encoding, FRAME_ERROR, "error", members, 6, scratch);
}

struct ss_buf *ss__frame_accepted(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_accepted_frame *frame, struct ss_bytes *scratch)
{
    (void)transport;
    const struct member members[] = { { 1, "requestId", frame->request_id, 0, false },
                                      { 2, "sessionId", frame->session_id, 0, false },
                                      { 3, "ordinal", { NULL, 0 }, frame->ordinal, false },
                                      { 20, "replayed", { NULL, 0 }, 0, frame->replayed } };
    return small_frame(encoding, FRAME_ACCEPTED, "accepted", members, 4, scratch);
}

struct ss_buf *ss__frame_activity(const struct ss_transport *transport, enum ss_encoding encoding,
                                  struct ss_str session_id, bool running,
                                  struct ss_bytes *scratch)
{
    (void)transport;
    const struct member members[] = { { 1, "sessionId", session_id, 0, false },
                                      { 2, "running", { NULL, 0 }, 0, running } };
    return small_frame(encoding, FRAME_ACTIVITY, "activity", members, 2, scratch);
}

/* ---- UI events ---- */

static bool moves_cursor(const struct ss_ui_frame *frame)
{
    return frame->last || frame->place.live != 0;
}

static void ui_event_json(const struct ss_transport *transport, bool v2,
                          const struct ss_ui_frame *frame, struct ss_bytes *out, size_t *left_out)
{
    ss__bytes_text(out, "{\"uiEvent\":{");
    json_str(out, "sessionId", frame->session_id);
    json_u64(out, "eventOrdinal", frame->place.ordinal);
    json_str(out, "name", frame->name);
    json_any(transport, out, frame->type, frame->payload, left_out);
    if (v2) {
        json_u64(out, "epoch", frame->place.epoch);
        json_u32(out, "index", frame->index);
        json_true(out, "last", frame->last);
        json_u64(out, "timeUs", (uint64_t)frame->time_us);
        json_u64(out, "live", frame->place.live);
        if (moves_cursor(frame)) {
            json_cursor(out, &frame->place);
        }
    }
    ss__bytes_text(out, "}}");
}

static void ui_event_pb(const struct ss_ui_frame *frame, struct ss_bytes *out)
{
    pb_str(out, 1, frame->session_id);
    pb_u64(out, 2, frame->place.ordinal);
    pb_str(out, 3, frame->name);
    pb_any(out, 4, frame->type, frame->payload);
    if (frame->place.epoch != 0) {
        ss__pb_fixed64(out, 16, frame->place.epoch);
    }
    pb_u64(out, 17, frame->index);
    pb_u64(out, 18, frame->last);
    pb_u64(out, 19, (uint64_t)frame->time_us);
    pb_u64(out, 20, frame->place.live);
    if (moves_cursor(frame)) {
        pb_cursor(out, 21, &frame->place);
    }
    pb_wrap(out, FRAME_UI_EVENT);
}

struct ss_buf *ss__frame_ui_event(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_ui_frame *frame, struct ss_bytes *scratch,
                                  size_t *ret_left_out)
{
    size_t left_out = 0;
    ss__bytes_clear(scratch);
    if (ss__encoding_is_json(encoding)) {
        ui_event_json(transport, encoding == SS_ENCODING_V2_JSON, frame, scratch, &left_out);
    } else {
        ui_event_pb(frame, scratch);
    }
    if (ret_left_out != NULL) {
        *ret_left_out = left_out;
    }
    return make_message(encoding, scratch);
}

/* ---- appended bytes ---- */

static void append_json(const struct ss_append_frame *frame, struct ss_bytes *out)
{
    ss__bytes_text(out, "{\"append\":{");
    json_str(out, "sessionId", frame->session_id);
    json_u64(out, "eventOrdinal", frame->place.ordinal);
    json_str(out, "kind", frame->kind);
    json_str(out, "id", frame->id);
    json_str(out, "field", frame->field);
    json_u64(out, "offset", frame->offset);
    if (frame->is_text) {
        json_str(out, "text", frame->bytes);
    } else if (out->err == 0) {
        json_key(out, "data");
        ss__json_base64(out, frame->bytes);
    }
    json_u64(out, "epoch", frame->place.epoch);
    json_u64(out, "timeUs", (uint64_t)frame->time_us);
    json_u64(out, "live", frame->place.live);
    json_cursor(out, &frame->place);
    ss__bytes_text(out, "}}");
}

static void append_pb(const struct ss_append_frame *frame, struct ss_bytes *out)
{
    pb_str(out, 1, frame->session_id);
    pb_u64(out, 2, frame->place.ordinal);
    pb_str(out, 3, frame->kind);
    pb_str(out, 4, frame->id);
    pb_str(out, 5, frame->field);
    pb_u64(out, 6, frame->offset);
    pb_str(out, frame->is_text ? 7 : 8, frame->bytes);
    if (frame->place.epoch != 0) {
        ss__pb_fixed64(out, 16, frame->place.epoch);
    }
    pb_u64(out, 19, (uint64_t)frame->time_us);
    pb_u64(out, 20, frame->place.live);
    pb_cursor(out, 21, &frame->place);
    pb_wrap(out, FRAME_APPEND);
}

struct ss_buf *ss__frame_append(const struct ss_transport *transport, enum ss_encoding encoding,
                                const struct ss_append_frame *frame, struct ss_bytes *scratch)
{
    (void)transport;
    ss__bytes_clear(scratch);
    if (ss__encoding_is_json(encoding)) {
        append_json(frame, scratch);
    } else {
        append_pb(frame, scratch);
    }
    return make_message(encoding, scratch);
}

/* ---- snapshots ---- */

static void entity_json(const struct ss_transport *transport, bool v2,
                        const struct ss_snapshot_entity *entity, struct ss_bytes *out,
                        size_t *left_out)
{
    ss__bytes_byte(out, '{');
    json_str(out, "kind", entity->kind);
    json_str(out, "id", entity->id);
    json_u64(out, "createdOrdinal", entity->created_ordinal);
    json_u64(out, "lastEventOrdinal", entity->last_ordinal);
    json_true(out, "tombstone", entity->tombstone);
    json_any(transport, out, entity->type, entity->payload, left_out);
    if (v2) {
        json_str(out, "appendedField", entity->appended_field);
        json_u64(out, "appendedBytes", entity->appended_bytes);
    }
    ss__bytes_byte(out, '}');
}

/* Entities as far as they fit, at least one; returns how many. */
static size_t entities_json(const struct ss_transport *transport, bool v2,
                            const struct ss_snapshot_frame *frame, size_t bytes_max,
                            struct ss_bytes *out, size_t *left_out)
{
    size_t count = 0;
    json_key(out, "entities");
    for (; count < frame->count && out->err == 0; count++) {
        size_t before = out->len;
        size_t left_out_before = *left_out;
        ss__bytes_byte(out, count == 0 ? '[' : ',');
        entity_json(transport, v2, &frame->entities[count], out, left_out);
        if (count > 0 && out->len > bytes_max && out->err == 0) {
            out->len = before;
            *left_out = left_out_before;
            break;
        }
    }
    ss__bytes_byte(out, ']');
    return count;
}

static bool is_last(const struct ss_snapshot_frame *frame, size_t count)
{
    return frame->page == 0 || (frame->last_page && count == frame->count);
}

static size_t snapshot_json(const struct ss_transport *transport, bool v2,
                            const struct ss_snapshot_frame *frame, size_t bytes_max,
                            struct ss_bytes *out, size_t *left_out)
{
    size_t count = 0;
    ss__bytes_byte(out, '{');
    json_str(out, "sessionId", frame->session_id);
    json_u64(out, "snapshotOrdinal", frame->ordinal);
    if (frame->count > 0 && out->err == 0) {
        count = entities_json(transport, v2, frame, bytes_max, out, left_out);
    }
    if (v2) {
        bool last = is_last(frame, count);
        json_u64(out, "epoch", frame->place.epoch);
        if (last) {
            json_cursor(out, &frame->place);
        }
        json_true(out, "delta", frame->delta);
        json_true(out, "running", frame->running);
        json_u32(out, "page", frame->page);
        json_true(out, "lastPage", frame->page > 0 && last);
    }
    ss__bytes_byte(out, '}');
    return count;
}

static size_t entity_size(const struct ss_snapshot_entity *entity)
{
    size_t size = 0;
    size += entity->kind.len > 0 ? ss__pb_bytes_size(1, entity->kind.len) : 0;
    size += entity->id.len > 0 ? ss__pb_bytes_size(2, entity->id.len) : 0;
    size += entity->created_ordinal != 0 ? 1 + ss__pb_varint_size(entity->created_ordinal) : 0;
    size += entity->last_ordinal != 0 ? 1 + ss__pb_varint_size(entity->last_ordinal) : 0;
    size += entity->tombstone ? 2 : 0;
    if (entity->type != NULL) {
        size += ss__pb_bytes_size(6, any_size(entity->type, entity->payload));
    }
    if (entity->appended_bytes != 0) {
        size += ss__pb_bytes_size(16, entity->appended_field.len) + 2 +
                ss__pb_varint_size(entity->appended_bytes);
    }
    return size;
}

static size_t snapshot_pb(const struct ss_snapshot_frame *frame, size_t bytes_max,
                          struct ss_bytes *out)
{
    size_t count = 0;
    pb_str(out, 1, frame->session_id);
    pb_u64(out, 2, frame->ordinal);
    for (; count < frame->count && out->err == 0; count++) {
        const struct ss_snapshot_entity *entity = &frame->entities[count];
        size_t size = entity_size(entity);
        if (count > 0 && (out->len > bytes_max || size > bytes_max - out->len)) {
            break;
        }
        ss__pb_tag(out, 3, SS_PB_LEN);
        ss__bytes_varint(out, size);
        pb_str(out, 1, entity->kind);
        pb_str(out, 2, entity->id);
        pb_u64(out, 3, entity->created_ordinal);
        pb_u64(out, 4, entity->last_ordinal);
        pb_u64(out, 5, entity->tombstone);
        pb_any(out, 6, entity->type, entity->payload);
        if (entity->appended_bytes != 0) {
            ss__pb_bytes(out, 16, entity->appended_field);
            pb_u64(out, 17, entity->appended_bytes);
        }
    }
    if (frame->place.epoch != 0) {
        ss__pb_fixed64(out, 16, frame->place.epoch);
    }
    if (is_last(frame, count)) {
        pb_cursor(out, 17, &frame->place);
    }
    pb_u64(out, 18, frame->delta);
    pb_u64(out, 19, frame->running);
    pb_u64(out, 20, frame->page);
    pb_u64(out, 21, frame->page > 0 && is_last(frame, count));
    pb_wrap(out, FRAME_SNAPSHOT);
    return count;
}

struct ss_buf *ss__frame_snapshot_page(const struct ss_transport *transport,
                                       enum ss_encoding encoding,
                                       const struct ss_snapshot_frame *frame, size_t bytes_max,
                                       struct ss_bytes *scratch, size_t *ret_count,
                                       size_t *ret_left_out)
{
    size_t left_out = 0;
    size_t count;
    ss__bytes_clear(scratch);
    if (ss__encoding_is_json(encoding)) {
        ss__bytes_text(scratch, "{\"snapshot\":");
        count = snapshot_json(transport, encoding == SS_ENCODING_V2_JSON, frame, bytes_max,
                              scratch, &left_out);
        ss__bytes_byte(scratch, '}');
    } else {
        count = snapshot_pb(frame, bytes_max, scratch);
    }
    if (ret_left_out != NULL) {
        *ret_left_out = left_out;
    }
    *ret_count = count;
    return make_message(encoding, scratch);
}

struct ss_buf *ss__frame_snapshot(const struct ss_transport *transport, enum ss_encoding encoding,
                                  const struct ss_snapshot_frame *frame, struct ss_bytes *scratch,
                                  size_t *ret_left_out)
{
    size_t count;
    return ss__frame_snapshot_page(transport, encoding, frame, SIZE_MAX, scratch, &count,
                                   ret_left_out);
}

int ss__snapshot_json(const struct ss_transport *transport, const struct ss_snapshot_frame *frame,
                      size_t bytes_max, struct ss_bytes *out, size_t *ret_left_out)
{
    size_t left_out = 0;
    size_t before = out->len;
    size_t count = snapshot_json(transport, true, frame, bytes_max, out, &left_out);
    if (ret_left_out != NULL) {
        *ret_left_out = left_out;
    }
    bool fits = count == frame->count && out->len - before <= bytes_max;
    return out->err != 0 ? out->err : fits ? 0 : SS_E_TOOBIG;
}
