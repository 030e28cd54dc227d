#include "wire/client_frame.h"

#include "core/bytes.h"
#include "schema/json.h"
#include "schema/pb.h"
#include "schema/validate.h"

/* Field numbers of transport.proto. */
enum { FRAME_SUBSCRIBE = 1, FRAME_UNSUBSCRIBE = 2, FRAME_PING = 3, FRAME_PONG = 4,
       FRAME_SUBMIT = 16 };
enum { SUBSCRIBE_SESSION_ID = 1, SUBSCRIBE_SINCE = 2, SUBSCRIBE_RESUME = 16, SUBSCRIBE_DELTA = 17,
       SUBSCRIBE_PAGE_BYTES = 20 };
enum { SUBMIT_REQUEST_ID = 1, SUBMIT_SESSION_ID = 2, SUBMIT_NAME = 3, SUBMIT_PAYLOAD = 4,
       SUBMIT_KEY = 20 };
enum { ANY_TYPE_URL = 1, ANY_VALUE = 2 };

static void read_any(struct ss_str packed, struct ss_client_frame *frame)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    frame->has_payload = true;
    while (ss__pb_next(&reader, &field)) {
        if (field.number == ANY_TYPE_URL && field.wire == SS_PB_LEN) {
            frame->payload_type_url = field.bytes;
        } else if (field.number == ANY_VALUE && field.wire == SS_PB_LEN) {
            frame->payload = field.bytes;
        } else if (field.wire == SS_PB_SGROUP && !ss__pb_skip_group(&reader, field.number)) {
            return;
        }
    }
}

static void read_subscribe(const struct ss_pb_field *field, struct ss_client_frame *frame)
{
    if (field->number == SUBSCRIBE_SESSION_ID && field->wire == SS_PB_LEN) {
        frame->session_id = field->bytes;
    } else if (field->number == SUBSCRIBE_SINCE && field->wire == SS_PB_VARINT) {
        frame->since = field->value;
    } else if (field->number == SUBSCRIBE_RESUME && field->wire == SS_PB_LEN) {
        frame->resume = field->bytes;
    } else if (field->number == SUBSCRIBE_DELTA && field->wire == SS_PB_VARINT) {
        frame->delta = field->value != 0;
    } else if (field->number == SUBSCRIBE_PAGE_BYTES && field->wire == SS_PB_VARINT) {
        frame->page_bytes = (uint32_t)field->value;
    }
}

static void read_member(const struct ss_pb_field *field, struct ss_client_frame *frame)
{
    bool text = field->wire == SS_PB_LEN;
    switch (frame->kind) {
    case SS_CLIENT_FRAME_SUBSCRIBE:
        read_subscribe(field, frame);
        break;
    case SS_CLIENT_FRAME_UNSUBSCRIBE:
        if (field->number == SUBSCRIBE_SESSION_ID && text) {
            frame->session_id = field->bytes;
        }
        break;
    case SS_CLIENT_FRAME_PING:
    case SS_CLIENT_FRAME_PONG:
        if (field->number == 1 && text) {
            frame->nonce = field->bytes;
        }
        break;
    case SS_CLIENT_FRAME_SUBMIT:
        if (field->number == SUBMIT_REQUEST_ID && text) {
            frame->request_id = field->bytes;
        } else if (field->number == SUBMIT_SESSION_ID && text) {
            frame->session_id = field->bytes;
        } else if (field->number == SUBMIT_NAME && text) {
            frame->name = field->bytes;
        } else if (field->number == SUBMIT_PAYLOAD && text) {
            read_any(field->bytes, frame);
        } else if (field->number == SUBMIT_KEY && text) {
            frame->key = field->bytes;
        }
        break;
    case SS_CLIENT_FRAME_NONE:
        break;
    }
}

static enum ss_client_frame_kind kind_of(uint32_t number)
{
    switch (number) {
    case FRAME_SUBSCRIBE:
        return SS_CLIENT_FRAME_SUBSCRIBE;
    case FRAME_UNSUBSCRIBE:
        return SS_CLIENT_FRAME_UNSUBSCRIBE;
    case FRAME_PING:
        return SS_CLIENT_FRAME_PING;
    case FRAME_PONG:
        return SS_CLIENT_FRAME_PONG;
    case FRAME_SUBMIT:
        return SS_CLIENT_FRAME_SUBMIT;
    default:
        return SS_CLIENT_FRAME_NONE;
    }
}

/* Several occurrences of one arm are parts of one message; another arm replaces it. */
static void read_frame(struct ss_str packed, struct ss_client_frame *frame)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field arm;
    while (ss__pb_next(&reader, &arm)) {
        if (arm.wire == SS_PB_SGROUP) {
            if (!ss__pb_skip_group(&reader, arm.number)) {
                return;
            }
            continue;
        }
        enum ss_client_frame_kind kind = kind_of(arm.number);
        if (kind == SS_CLIENT_FRAME_NONE || arm.wire != SS_PB_LEN) {
            continue;
        }
        if (kind != frame->kind) {
            *frame = (struct ss_client_frame){ .kind = kind };
        }
        struct ss_pb_reader inner = ss__pb_reader(arm.bytes);
        struct ss_pb_field field;
        while (ss__pb_next(&inner, &field)) {
            if (field.wire == SS_PB_SGROUP && !ss__pb_skip_group(&inner, field.number)) {
                break;
            }
            read_member(&field, frame);
        }
    }
}

static int decode_json(const struct ss_transport *transport, struct ss_str bytes,
                       struct ss_arena *arena, struct ss_str *ret_packed,
                       struct ss_failure *failure)
{
    struct ss_bytes packed;
    struct ss_failure cause = { 0 };
    ss__bytes_init(&packed, 0);
    int err = ss__json_decode(transport->schema, transport->client_frame, bytes, &packed, &cause);
    if (err == 0) {
        *ret_packed = ss__arena_str(arena, ss__bytes_view(&packed));
        err = ret_packed->data == NULL ? SS_E_NOMEM : 0;
    }
    ss__bytes_deinit(&packed);
    if (err == SS_E_NOMEM) {
        return ss__fail(failure, err, "out of memory");
    }
    return err == 0 ? 0 : ss__fail(failure, SS_E_BADFRAME, "proto: %s", cause.text);
}

int ss__client_frame_decode(const struct ss_transport *transport, enum ss_encoding encoding,
                            bool binary_message, struct ss_str bytes, struct ss_arena *arena,
                            struct ss_client_frame *ret_frame, struct ss_failure *failure)
{
    struct ss_str packed = bytes;
    int err = 0;
    if (ss__encoding_is_json(encoding)) {
        err = decode_json(transport, bytes, arena, &packed, failure);
    } else if (!binary_message) {
        err = ss__fail(failure, SS_E_BADFRAME,
                       "proto: sessionstream.v2.protobuf takes binary messages, not text");
    } else {
        struct ss_failure cause = { 0 };
        if (ss__validate(transport->client_frame, bytes, &cause) != 0) {
            err = ss__fail(failure, SS_E_BADFRAME, "proto: %s", cause.text);
        }
    }
    if (err != 0) {
        return err;
    }
    *ret_frame = (struct ss_client_frame){ .kind = SS_CLIENT_FRAME_NONE };
    read_frame(packed, ret_frame);
    return 0;
}
