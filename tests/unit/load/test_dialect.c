/* The dialects of sessionstream: what they say to a server, and its bytes at every split. */
#include "load/dialect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "schema/pb.h"
#include "ss_test.h"
#include "wire/ws_header.h"

#define LOG_BYTES 8192

/* ---- what came ---- */

struct log {
    char text[LOG_BYTES];
    size_t len;
};

static void log_entity(void *ctx, uint32_t entity, uint64_t ordinal)
{
    struct log *log = ctx;
    log->len += (size_t)snprintf(log->text + log->len, LOG_BYTES - log->len, " %u@%" PRIu64, entity,
                                 ordinal);
    ss_check(log->len < LOG_BYTES);
}

static const struct ss_load_dialect *dialect;

static void log_item(void *ctx, const struct ss_load_item *item)
{
    static const char *const names[] = { "open", "snapshot", "subscribed", "delivery", "ack",
                                         "error", "closed" };
    struct log *log = ctx;
    bool is_snapshot = item->kind == SS_LOAD_SNAPSHOT;
    log->len += (size_t)snprintf(log->text + log->len, LOG_BYTES - log->len,
                                 "%s epoch %" PRIu64 " ordinal %" PRIu64 " sent %" PRId64
                                 " entity %u message %u.%" PRIu64 " \"%.*s\"", names[item->kind],
                                 item->epoch, item->ordinal, item->sent_ns, item->entity,
                                 item->session, item->number,
                                 is_snapshot ? 0 : (int)item->text.len, item->text.data);
    ss_check(log->len < LOG_BYTES);
    if (is_snapshot) {
        ss_check(dialect->entities(item->text, log_entity, log));
    }
    log->len += (size_t)snprintf(log->text + log->len, LOG_BYTES - log->len, "\n");
}

/* ---- what a server sends ---- */

static void server_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload)
{
    uint8_t head[4] = { (uint8_t)(0x80 | opcode), (uint8_t)payload.len };
    size_t len = 2;
    if (payload.len > 125) {
        head[1] = 126;
        head[2] = (uint8_t)(payload.len >> 8);
        head[3] = (uint8_t)payload.len;
        len = 4;
    }
    ss__bytes_append(out, head, len);
    ss__bytes_str(out, payload);
}

static void answer_handshake(const struct ss_load_link *link, const char *subprotocol,
                             struct ss_bytes *out)
{
    char text[512];
    int len = snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                       "%s%s%s\r\n", link->accept,
                       subprotocol[0] != '\0' ? "Sec-WebSocket-Protocol: " : "", subprotocol,
                       subprotocol[0] != '\0' ? "\r\n" : "");
    ss__bytes_append(out, text, (size_t)len);
}

static void json_frames(struct ss_bytes *out)
{
    static const char *const frames[] = {
        "{\"hello\":{\"connectionId\":\"c\"}}",
        "{\"snapshot\":{\"sessionId\":\"load-0\",\"snapshotOrdinal\":\"41\",\"entities\":["
        "{\"kind\":\"BenchEntity\",\"id\":\"0\",\"createdOrdinal\":\"1\",\"lastEventOrdinal\":"
        "\"40\",\"tombstone\":false,\"payload\":{\"id\":\"7\",\"list\":[1,{\"a\":2}]}},"
        "{\"id\":\"12\",\"lastEventOrdinal\":\"41\"}],\"epoch\":\"99\"}}",
        "{\"subscribed\":{\"sessionId\":\"load-0\"}}",
        "{\"uiEvent\":{\"sessionId\":\"load-0\",\"eventOrdinal\":\"42\",\"name\":"
        "\"BenchDelivered\",\"payload\":{\"payload\":\"YWJj\","
        "\"sentNs\":\"123456\",\"entity\":3},\"epoch\":\"99\"}}",
        "{\"uiEvent\":{\"sessionId\":\"load-0\",\"eventOrdinal\":\"43\",\"name\":"
        "\"BenchDelivered\",\"payload\":{\"payload\":\"\","
        "\"sentNs\":\"7\",\"entity\":4},\"epoch\":\"99\"}}",
        "{\"accepted\":{\"requestId\":\"2.5.123456\",\"sessionId\":\"load-0\",\"ordinal\":\"42\"}}",
        "{\"error\":{\"code\":\"overloaded\",\"message\":\"m\",\"requestId\":\"2.6.8\"}}",
        "{\"pong\":{}}",
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        server_frame(out, SS_WS_TEXT, ss_str(frames[i]));
        if (i == 3) {
            server_frame(out, SS_WS_PING, ss_str("are you there"));
        }
    }
    server_frame(out, SS_WS_CLOSE, ss_str("\x03\xe9" "stop"));
}

/* Wraps what @inner holds as field @number of @outer, and empties it. */
static void wrap(struct ss_bytes *outer, uint32_t number, struct ss_bytes *inner)
{
    ss__pb_bytes(outer, number, ss__bytes_view(inner));
    ss__bytes_clear(inner);
}

static void protobuf_frame(struct ss_bytes *out, uint32_t number, struct ss_bytes *inner)
{
    struct ss_bytes frame;
    ss__bytes_init(&frame, 0);
    wrap(&frame, number, inner);
    server_frame(out, SS_WS_BINARY, ss__bytes_view(&frame));
    ss__bytes_deinit(&frame);
}

static void protobuf_entity(struct ss_bytes *snapshot, const char *id, uint64_t last)
{
    struct ss_bytes entity;
    ss__bytes_init(&entity, 0);
    ss__pb_bytes(&entity, 2, ss_str(id));
    ss__pb_u64(&entity, 4, last);
    wrap(snapshot, 3, &entity);
    ss__bytes_deinit(&entity);
}

static void protobuf_delivery(struct ss_bytes *out, uint64_t ordinal, uint64_t sent_ns,
                              uint32_t entity)
{
    struct ss_bytes update;
    struct ss_bytes any;
    struct ss_bytes event;
    ss__bytes_init(&update, 0);
    ss__bytes_init(&any, 0);
    ss__bytes_init(&event, 0);
    ss__pb_bytes(&update, 1, ss_str("abc"));
    ss__pb_u64(&update, 2, sent_ns);
    ss__pb_u64(&update, 3, entity);
    ss__pb_bytes(&any, 1, ss_str("type"));
    wrap(&any, 2, &update);
    ss__pb_bytes(&event, 1, ss_str("load-0"));
    ss__pb_u64(&event, 2, ordinal);
    wrap(&event, 4, &any);
    ss__pb_fixed64(&event, 16, 99);
    protobuf_frame(out, 5, &event);
    ss__bytes_deinit(&update);
    ss__bytes_deinit(&any);
    ss__bytes_deinit(&event);
}

static void protobuf_frames(struct ss_bytes *out)
{
    struct ss_bytes inner;
    ss__bytes_init(&inner, 0);
    ss__pb_bytes(&inner, 1, ss_str("c"));
    protobuf_frame(out, 1, &inner);
    ss__pb_u64(&inner, 2, 41);
    protobuf_entity(&inner, "0", 40);
    protobuf_entity(&inner, "12", 41);
    ss__pb_fixed64(&inner, 16, 99);
    protobuf_frame(out, 2, &inner);
    protobuf_frame(out, 3, &inner);
    protobuf_delivery(out, 42, 123456, 3);
    server_frame(out, SS_WS_PING, ss_str("are you there"));
    protobuf_delivery(out, 43, 7, 4);
    ss__pb_bytes(&inner, 1, ss_str("2.5.123456"));
    ss__pb_u64(&inner, 3, 42);
    protobuf_frame(out, 16, &inner);
    ss__pb_bytes(&inner, 1, ss_str("overloaded"));
    ss__pb_bytes(&inner, 16, ss_str("2.6.8"));
    protobuf_frame(out, 6, &inner);
    protobuf_frame(out, 8, &inner);
    server_frame(out, SS_WS_CLOSE, ss_str("\x03\xe9" "stop"));
    ss__bytes_deinit(&inner);
}

static const char expected[] =
    "open epoch 0 ordinal 0 sent 0 entity 0 message 0.0 \"\"\n"
    "snapshot epoch 99 ordinal 41 sent 0 entity 0 message 0.0 \"\" 0@40 12@41\n"
    "subscribed epoch 0 ordinal 0 sent 0 entity 0 message 0.0 \"\"\n"
    "delivery epoch 99 ordinal 42 sent 123456 entity 3 message 0.0 \"\"\n"
    "delivery epoch 99 ordinal 43 sent 7 entity 4 message 0.0 \"\"\n"
    "ack epoch 0 ordinal 42 sent 123456 entity 0 message 2.5 \"\"\n"
    "error epoch 0 ordinal 0 sent 8 entity 0 message 2.6 \"overloaded\"\n"
    "closed epoch 0 ordinal 0 sent 0 entity 0 message 0.0 \"closed with 1001 stop\"\n";

static const struct {
    const struct ss_load_dialect *dialect;
    const char *subprotocol;
    void (*frames)(struct ss_bytes *out);
} cases[] = {
    { &ss__load_json, "sessionstream.v2.json", json_frames },
    { &ss__load_protobuf, "sessionstream.v2.protobuf", protobuf_frames },
};

#define CASES (sizeof cases / sizeof *cases)

static void begin(size_t which, struct ss_load_link *ret_link, struct ss_bytes *out)
{
    struct ss_load_purpose purpose = { ss_str("host:1"), ss_str("load-0"), "sixteen of these" };
    dialect = cases[which].dialect;
    *ret_link = (struct ss_load_link){ 0 };
    dialect->greet(ret_link, &purpose, out);
}

/* ---- reading ---- */

/* Gives @in in two pieces, the second with what was not taken of the first; a piece is a block of
 * its own, so that reading beyond it is found. */
static void take_split(struct ss_str in, size_t split, struct ss_load_link *link, struct log *log,
                       struct ss_bytes *out)
{
    const char *flaw = NULL;
    char *first = malloc(split + (split == 0));
    memcpy(first, in.data, split);
    ptrdiff_t taken = dialect->take(link, (uint8_t *)first, split, log_item, log, out, &flaw);
    free(first);
    ss_check(taken >= 0 && (size_t)taken <= split);
    size_t left = in.len - (size_t)taken;
    char *second = malloc(left + (left == 0));
    memcpy(second, in.data + taken, left);
    ptrdiff_t rest = dialect->take(link, (uint8_t *)second, left, log_item, log, out, &flaw);
    free(second);
    ss_check_msg(rest == (ptrdiff_t)left, "split at %zu: %td of %zu", split, rest, left);
}

SS_TEST(dialect, every_split_gives_the_same_items_and_replies)
{
    for (size_t which = 0; which < CASES; which++) {
        struct ss_bytes greeting;
        struct ss_bytes in;
        struct ss_load_link link;
        ss__bytes_init(&greeting, 0);
        ss__bytes_init(&in, 0);
        begin(which, &link, &greeting);
        answer_handshake(&link, cases[which].subprotocol, &in);
        cases[which].frames(&in);
        for (size_t split = 0; split <= in.len; split++) {
            static struct log log;
            struct ss_bytes out;
            ss__bytes_init(&out, 0);
            log.len = 0;
            ss__bytes_clear(&greeting);
            begin(which, &link, &greeting);
            take_split(ss__bytes_view(&in), split, &link, &log, &out);
            ss_check_msg(strcmp(log.text, expected) == 0, "%s, split at %zu:\n%s", dialect->name,
                         split, log.text);
            /* A pong and a close, each with head, mask and what the server sent. */
            ss_check(out.len == 2 + 4 + strlen("are you there") + 2 + 4 + 2 + strlen("stop"));
            ss__bytes_deinit(&out);
        }
        ss__bytes_deinit(&greeting);
        ss__bytes_deinit(&in);
    }
}

SS_TEST(dialect, one_byte_at_a_time_gives_the_same_items)
{
    for (size_t which = 0; which < CASES; which++) {
        static struct log log;
        struct ss_bytes out;
        struct ss_bytes in;
        struct ss_load_link link;
        const char *flaw = NULL;
        ss__bytes_init(&out, 0);
        ss__bytes_init(&in, 0);
        log.len = 0;
        begin(which, &link, &out);
        answer_handshake(&link, cases[which].subprotocol, &in);
        cases[which].frames(&in);
        size_t at = 0;
        for (size_t end = 1; end <= in.len; end++) {
            ptrdiff_t taken = dialect->take(&link, in.data + at, end - at, log_item, &log, &out,
                                            &flaw);
            ss_check(taken >= 0);
            at += (size_t)taken;
        }
        ss_check(at == in.len && strcmp(log.text, expected) == 0);
        ss__bytes_deinit(&out);
        ss__bytes_deinit(&in);
    }
}

static ptrdiff_t take_bad(size_t which, const char *subprotocol, struct ss_str frame,
                          const char **ret_flaw)
{
    static struct log log;
    struct ss_bytes out;
    struct ss_bytes in;
    struct ss_load_link link;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&in, 0);
    log.len = 0;
    begin(which, &link, &out);
    answer_handshake(&link, subprotocol, &in);
    ss__bytes_str(&in, frame);
    ptrdiff_t taken = dialect->take(&link, in.data, in.len, log_item, &log, &out, ret_flaw);
    ss__bytes_deinit(&out);
    ss__bytes_deinit(&in);
    return taken;
}

SS_TEST(dialect, frames_a_server_must_not_send_are_a_flaw)
{
    static const struct ss_str frames[] = {
        { "\x81\x80mask", 6 },      /* masked */
        { "\x01\x02{}", 4 },        /* more fragments follow */
        { "\x80\x02{}", 4 },        /* the last fragment */
        { "\xc1\x02{}", 4 },        /* the bit of compression */
    };
    for (size_t which = 0; which < CASES; which++) {
        for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
            const char *flaw = NULL;
            ss_check(take_bad(which, cases[which].subprotocol, frames[i], &flaw) == SS_E_PROTO);
            ss_check(flaw != NULL && strstr(flaw, "masked, fragmented") != NULL);
        }
    }
}

SS_TEST(dialect, a_handshake_without_its_subprotocol_is_a_flaw)
{
    for (size_t which = 0; which < CASES; which++) {
        const char *flaw = NULL;
        ss_check(take_bad(which, "", ss_str(""), &flaw) == SS_E_PROTO);
        ss_check(flaw != NULL && strstr(flaw, "subprotocol") != NULL);
        ss_check(take_bad(which, "sessionstream.v1.json", ss_str(""), &flaw) == SS_E_PROTO);
    }
}

static void count_entity(void *ctx, uint32_t entity, uint64_t ordinal)
{
    (void)entity;
    (void)ordinal;
    ++*(size_t *)ctx;
}

/* Reads all of an item; its entities may be unreadable, but end. */
static void survey_item(void *ctx, const struct ss_load_item *item)
{
    size_t entities = 0;
    size_t *bytes = ctx;
    for (size_t i = 0; i < item->text.len; i++) {
        *bytes += item->text.data[i] != '\0';
    }
    if (item->kind == SS_LOAD_SNAPSHOT) {
        (void)dialect->entities(item->text, count_entity, &entities);
        ss_check(entities <= item->text.len);
    }
}

/* Whatever a frame holds, it is read within its bounds. */
SS_TEST(dialect, damaged_messages_are_taken_without_harm)
{
    for (size_t which = 0; which < CASES; which++) {
        struct ss_bytes good;
        ss__bytes_init(&good, 0);
        cases[which].frames(&good);
        for (size_t at = 0; at < good.len; at++) {
            static const char fill[] = { 0, '"', '9', '\x7f', '\xff' };
            for (size_t f = 0; f < sizeof fill; f++) {
                size_t bytes = 0;
                struct ss_load_link link = { .open = true };
                struct ss_bytes out;
                const char *flaw = NULL;
                char *copy = malloc(good.len);
                ss__bytes_init(&out, 0);
                memcpy(copy, good.data, good.len);
                copy[at] = fill[f];
                dialect = cases[which].dialect;
                ptrdiff_t taken = dialect->take(&link, (uint8_t *)copy, good.len, survey_item,
                                                &bytes, &out, &flaw);
                ss_check(taken == SS_E_PROTO || (taken >= 0 && (size_t)taken <= good.len));
                ss_check(taken >= 0 || flaw != NULL);
                ss__bytes_deinit(&out);
                free(copy);
            }
        }
        ss__bytes_deinit(&good);
    }
}

/* ---- writing ---- */

/* The payload of the one masked frame in @out. */
static struct ss_str unmask(struct ss_bytes *out, enum ss_ws_opcode opcode)
{
    struct ss_ws_header header;
    size_t head = ss__ws_header_read(out->data, out->len, &header);
    ss_check(head != 0 && header.masked && header.final && header.opcode == opcode);
    ss_check(head + header.payload_len == out->len);
    for (size_t i = 0; i < header.payload_len; i++) {
        out->data[head + i] ^= out->data[head - SS_WS_MASK_BYTES + i % SS_WS_MASK_BYTES];
    }
    return ss_str_of((const char *)out->data + head, (size_t)header.payload_len);
}

static const struct ss_load_message sample = {
    .session_id = { "load-7", 6 }, .session = 7, .number = 3, .sent_ns = 1234567890123, .entity = 5,
};

static void publish_sample(const struct ss_load_dialect *to, const char *raw, struct ss_bytes *out)
{
    struct ss_load_message message = sample;
    struct ss_bytes payload;
    ss__bytes_init(&payload, 0);
    to->pack_payload(ss_str(raw), &payload);
    message.payload = ss__bytes_view(&payload);
    to->publish(&message, out);
    ss__bytes_deinit(&payload);
}

SS_TEST(dialect, json_publishes_what_proto3_json_asks_for)
{
    static const struct {
        const char *raw;
        const char *base64;
    } payloads[] = { { "", "" }, { "a", "YQ==" }, { "ab", "YWI=" }, { "abc", "YWJj" },
                     { "\xff\xef\xbe~", "/+++fg==" } };
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        char wanted[512];
        struct ss_bytes out;
        ss__bytes_init(&out, 0);
        publish_sample(&ss__load_json, payloads[i].raw, &out);
        (void)snprintf(wanted, sizeof wanted, "{\"submit\":{\"requestId\":\"7.3.1234567890123\","
                       "\"sessionId\":\"load-7\",\"name\":\"BenchPublish\",\"payload\":{\"@type\":"
                       "\"type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand\","
                       "\"payload\":\"%s\",\"sentNs\":\"1234567890123\",\"entity\":5}}}",
                       payloads[i].base64);
        ss_check(ss_str_equal(unmask(&out, SS_WS_TEXT), ss_str(wanted)));
        ss__bytes_deinit(&out);
    }
    ss__load_json.release();
}

/* The length-delimited field @number of @packed. */
static struct ss_str bytes_of(struct ss_str packed, uint32_t number)
{
    struct ss_pb_field field;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    while (ss__pb_next(&reader, &field)) {
        if (field.number == number && field.wire == SS_PB_LEN) {
            return field.bytes;
        }
    }
    ss_check_msg(false, "no field %u", number);
    return ss_str("");
}

SS_TEST(dialect, protobuf_publishes_a_submit_frame)
{
    struct ss_bytes out;
    struct ss_pb_field field;
    ss__bytes_init(&out, 0);
    publish_sample(&ss__load_protobuf, "abc", &out);
    struct ss_str submit = bytes_of(unmask(&out, SS_WS_BINARY), 16);
    ss_check(ss_str_equal(bytes_of(submit, 1), ss_str("7.3.1234567890123")));
    ss_check(ss_str_equal(bytes_of(submit, 2), ss_str("load-7")));
    ss_check(ss_str_equal(bytes_of(submit, 3), ss_str("BenchPublish")));
    struct ss_str any = bytes_of(submit, 4);
    ss_check(ss_str_equal(bytes_of(any, 1), ss_str("type.googleapis.com/sessionstream.apps.bench.v1"
                                                   ".BenchPublishCommand")));
    struct ss_pb_reader command = ss__pb_reader(bytes_of(any, 2));
    ss_check(ss__pb_next(&command, &field) && field.number == 1);
    ss_check(ss_str_equal(field.bytes, ss_str("abc")));
    ss_check(ss__pb_next(&command, &field) && field.number == 2 && field.value == 1234567890123);
    ss_check(ss__pb_next(&command, &field) && field.number == 3 && field.value == 5);
    ss_check(!ss__pb_next(&command, &field) && !command.failed);
    ss__bytes_deinit(&out);
    ss__load_protobuf.release();
}

SS_TEST(dialect, subscribe_names_the_session)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__load_json.subscribe(ss_str("load-7"), &out);
    ss_check(ss_str_equal(unmask(&out, SS_WS_TEXT),
                          ss_str("{\"subscribe\":{\"sessionId\":\"load-7\"}}")));
    ss__bytes_clear(&out);
    ss__load_protobuf.subscribe(ss_str("load-7"), &out);
    ss_check(ss_str_equal(bytes_of(bytes_of(unmask(&out, SS_WS_BINARY), 1), 1), ss_str("load-7")));
    ss__bytes_deinit(&out);
}

SS_TEST(dialect, each_is_found_by_its_name)
{
    ss_check(ss__load_dialect_find("json") == &ss__load_json);
    ss_check(ss__load_dialect_find("protobuf") == &ss__load_protobuf);
    ss_check(ss__load_dialect_find("mqtt") == &ss__load_mqtt);
    ss_check(ss__load_dialect_find("nats") == &ss__load_nats);
    ss_check(ss__load_dialect_find("nchan") == &ss__load_nchan);
    ss_check(ss__load_dialect_find("redis") == &ss__load_redis);
    ss_check(ss__load_dialect_find("") == NULL && ss__load_dialect_find("jso") == NULL);
}
