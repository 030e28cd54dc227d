/* sessionstream.v2.protobuf. Numbers are those of proto/sessionstream/v1/transport.proto and of
 * proto/sessionstream/apps/bench/v1/bench.proto. */
#include <string.h>

#include "load/dialect.h"
#include "load/request_id.h"
#include "load/websocket.h"
#include "schema/pb.h"

enum { CLIENT_SUBSCRIBE = 1, CLIENT_SUBMIT = 16 };
enum { SUBSCRIBE_SESSION = 1 };
enum { SUBMIT_REQUEST = 1, SUBMIT_SESSION = 2, SUBMIT_NAME = 3, SUBMIT_PAYLOAD = 4 };
enum { ANY_URL = 1, ANY_VALUE = 2 };
enum { BENCH_PAYLOAD = 1, BENCH_SENT_NS = 2, BENCH_ENTITY = 3 };
enum { SERVER_SNAPSHOT = 2, SERVER_SUBSCRIBED = 3, SERVER_UI = 5, SERVER_ERROR = 6,
       SERVER_ACCEPTED = 16 };
enum { SNAPSHOT_ORDINAL = 2, SNAPSHOT_ENTITY = 3, SNAPSHOT_EPOCH = 16 };
enum { ENTITY_ID = 2, ENTITY_LAST = 4 };
enum { UI_ORDINAL = 2, UI_PAYLOAD = 4, UI_EPOCH = 16 };
enum { ERROR_CODE = 1, ERROR_REQUEST = 16 };
enum { ACCEPTED_REQUEST = 1, ACCEPTED_ORDINAL = 3 };

static const char subprotocol[] = "sessionstream.v2.protobuf";
static const char type_url[] =
    "type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand";

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    ss__load_ws_greet(link, purpose, ss_str("/v1/ws"), ss_str(subprotocol), out);
}

static void take_update(struct ss_str packed, struct ss_load_item *item)
{
    struct ss_pb_field field;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    while (ss__pb_next(&reader, &field)) {
        if (field.number == BENCH_SENT_NS) {
            item->sent_ns = (int64_t)field.value;
        } else if (field.number == BENCH_ENTITY) {
            item->entity = (uint32_t)field.value;
        }
    }
}

static void take_any(struct ss_str packed, struct ss_load_item *item)
{
    struct ss_pb_field field;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    while (ss__pb_next(&reader, &field)) {
        if (field.number == ANY_VALUE) {
            take_update(field.bytes, item);
        }
    }
}

static void take_field(uint32_t frame, const struct ss_pb_field *field, struct ss_load_item *item)
{
    if (frame == SERVER_UI) {
        if (field->number == UI_ORDINAL) {
            item->ordinal = field->value;
        } else if (field->number == UI_PAYLOAD) {
            take_any(field->bytes, item);
        } else if (field->number == UI_EPOCH) {
            item->epoch = field->value;
        }
    } else if (frame == SERVER_ACCEPTED) {
        if (field->number == ACCEPTED_REQUEST) {
            (void)ss__load_request_id_read(field->bytes, item);    /* not ours: number 0 */
        } else if (field->number == ACCEPTED_ORDINAL) {
            item->ordinal = field->value;
        }
    } else if (frame == SERVER_SNAPSHOT) {
        if (field->number == SNAPSHOT_ORDINAL) {
            item->ordinal = field->value;
        } else if (field->number == SNAPSHOT_EPOCH) {
            item->epoch = field->value;
        }
    } else if (frame == SERVER_ERROR) {
        if (field->number == ERROR_CODE) {
            item->text = field->bytes;
        } else if (field->number == ERROR_REQUEST) {
            (void)ss__load_request_id_read(field->bytes, item);
        }
    }
}

static bool kind_of(uint32_t frame, enum ss_load_item_kind *ret_kind)
{
    switch (frame) {
    case SERVER_SNAPSHOT:
        *ret_kind = SS_LOAD_SNAPSHOT;
        return true;
    case SERVER_SUBSCRIBED:
        *ret_kind = SS_LOAD_SUBSCRIBED;
        return true;
    case SERVER_UI:
        *ret_kind = SS_LOAD_DELIVERY;
        return true;
    case SERVER_ERROR:
        *ret_kind = SS_LOAD_ERROR;
        return true;
    case SERVER_ACCEPTED:
        *ret_kind = SS_LOAD_ACK;
        return true;
    default:
        return false;
    }
}

static void take_message(struct ss_load_link *link, struct ss_str message,
                         ss_load_item_fn *on_item, void *ctx)
{
    (void)link;
    struct ss_pb_field frame;
    struct ss_pb_field field;
    struct ss_pb_reader outer = ss__pb_reader(message);
    struct ss_load_item item = { .text = ss_str("") };
    if (!ss__pb_next(&outer, &frame) || frame.wire != SS_PB_LEN ||
        !kind_of(frame.number, &item.kind)) {
        return;
    }
    struct ss_pb_reader reader = ss__pb_reader(frame.bytes);
    while (ss__pb_next(&reader, &field)) {
        take_field(frame.number, &field, &item);
    }
    if (item.kind == SS_LOAD_SNAPSHOT) {
        item.text = frame.bytes;
    }
    on_item(ctx, &item);
}

static ptrdiff_t take(struct ss_load_link *link, const uint8_t *in, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw)
{
    struct ss_load_ws ws = { link, ss_str(subprotocol), take_message, false };
    return ss__load_ws_take(&ws, in, len, on_item, ctx, out, ret_flaw);
}

static void subscribe(struct ss_str session_id, struct ss_bytes *out)
{
    struct ss_bytes frame;
    ss__bytes_init(&frame, 0);
    ss__pb_tag(&frame, CLIENT_SUBSCRIBE, SS_PB_LEN);
    ss__bytes_varint(&frame, ss__pb_bytes_size(SUBSCRIBE_SESSION, session_id.len));
    ss__pb_bytes(&frame, SUBSCRIBE_SESSION, session_id);
    ss__load_ws_frame(out, SS_WS_BINARY, ss__bytes_view(&frame));
    ss__bytes_deinit(&frame);
}

static void pack_payload(struct ss_str raw, struct ss_bytes *out)
{
    ss__bytes_str(out, raw);
}

/* Of the message being published. */
static _Thread_local struct ss_bytes command;
static _Thread_local struct ss_bytes submit_frame;

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    struct ss_bytes *frame = &submit_frame;
    char id_text[SS_LOAD_REQUEST_ID_BYTES_MAX];
    struct ss_str id = ss_str_of(id_text, ss__load_request_id_write(message, id_text));
    struct ss_str name = ss_str("BenchPublish");
    command.max = frame->max = SIZE_MAX;
    ss__bytes_clear(&command);
    ss__pb_bytes(&command, BENCH_PAYLOAD, message->payload);
    ss__pb_u64(&command, BENCH_SENT_NS, (uint64_t)message->sent_ns);
    ss__pb_u64(&command, BENCH_ENTITY, message->entity);
    size_t any = ss__pb_bytes_size(ANY_URL, sizeof type_url - 1) +
                 ss__pb_bytes_size(ANY_VALUE, command.len);
    size_t submit = ss__pb_bytes_size(SUBMIT_REQUEST, id.len) +
                    ss__pb_bytes_size(SUBMIT_SESSION, message->session_id.len) +
                    ss__pb_bytes_size(SUBMIT_NAME, name.len) +
                    ss__pb_bytes_size(SUBMIT_PAYLOAD, any);
    ss__bytes_clear(frame);
    ss__pb_tag(frame, CLIENT_SUBMIT, SS_PB_LEN);
    ss__bytes_varint(frame, submit);
    ss__pb_bytes(frame, SUBMIT_REQUEST, id);
    ss__pb_bytes(frame, SUBMIT_SESSION, message->session_id);
    ss__pb_bytes(frame, SUBMIT_NAME, name);
    ss__pb_tag(frame, SUBMIT_PAYLOAD, SS_PB_LEN);
    ss__bytes_varint(frame, any);
    ss__pb_bytes(frame, ANY_URL, ss_str(type_url));
    ss__pb_bytes(frame, ANY_VALUE, ss__bytes_view(&command));
    ss__load_ws_frame(out, SS_WS_BINARY, ss__bytes_view(frame));
}

static void release(void)
{
    ss__bytes_deinit(&command);
    ss__bytes_deinit(&submit_frame);
}

static bool take_entity(struct ss_str packed, ss_load_entity_fn *each, void *ctx)
{
    uint32_t entity = 0;
    uint64_t ordinal = 0;
    struct ss_pb_field field;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    while (ss__pb_next(&reader, &field)) {
        if (field.number == ENTITY_ID) {
            for (size_t i = 0; i < field.bytes.len; i++) {
                entity = entity * 10 + (uint32_t)(field.bytes.data[i] - '0');
            }
        } else if (field.number == ENTITY_LAST) {
            ordinal = field.value;
        }
    }
    each(ctx, entity, ordinal);
    return !reader.failed;
}

static bool entities(struct ss_str snapshot, ss_load_entity_fn *each, void *ctx)
{
    struct ss_pb_field field;
    struct ss_pb_reader reader = ss__pb_reader(snapshot);
    while (ss__pb_next(&reader, &field)) {
        if (field.number == SNAPSHOT_ENTITY && !take_entity(field.bytes, each, ctx)) {
            return false;
        }
    }
    return !reader.failed;
}

const struct ss_load_dialect ss__load_protobuf = {
    .name = "protobuf", .numbered = true, .follows = true, .acks = SS_LOAD_ACKS_NAMED,
    .greet = greet, .take = take, .subscribe = subscribe,
    .pack_payload = pack_payload, .publish = publish, .entities = entities,
    .release = release,
};
