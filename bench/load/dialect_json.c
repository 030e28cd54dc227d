/* sessionstream.v2.json. Frames of the bench application hold no escapes, so members are found by
 * their quoted names; where one stood last time is looked at first. */
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "load/dialect.h"
#include "load/request_id.h"
#include "load/websocket.h"
#include "schema/json_reader.h"

static const char subprotocol[] = "sessionstream.v2.json";

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    ss__load_ws_greet(link, purpose, ss_str("/v1/ws"), ss_str(subprotocol), out);
}

/* Offset behind @key, which ends where its value begins; text.len: not there. */
static size_t find(struct ss_str text, struct ss_str key, size_t *hint)
{
    if (*hint + key.len <= text.len && memcmp(text.data + *hint, key.data, key.len) == 0) {
        return *hint + key.len;
    }
    const char *at = memmem(text.data, text.len, key.data, key.len);
    if (at == NULL) {
        return text.len;
    }
    *hint = (size_t)(at - text.data);
    return *hint + key.len;
}

static uint64_t number_at(struct ss_str text, size_t at)
{
    uint64_t value = 0;
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9') {
        value = value * 10 + (uint64_t)(text.data[at++] - '0');
    }
    return value;
}

static struct ss_str string_at(struct ss_str text, size_t at)
{
    const char *end = memchr(text.data + at, '"', text.len - at);
    return end == NULL ? ss_str("") : ss_str_of(text.data + at, (size_t)(end - text.data) - at);
}

static struct ss_str member(struct ss_str text, const char *key)
{
    size_t hint = 0;
    return string_at(text, find(text, ss_str(key), &hint));
}

static bool begins(struct ss_str text, const char *name)
{
    size_t len = strlen(name);
    return text.len > len && memcmp(text.data, name, len) == 0;
}

static void take_delivery(struct ss_load_link *link, struct ss_str text, ss_load_item_fn *on_item,
                          void *ctx)
{
    struct ss_load_item item = { .kind = SS_LOAD_DELIVERY };
    item.ordinal = number_at(text, find(text, ss_str("\"eventOrdinal\":\""), &link->hints[0]));
    item.sent_ns = (int64_t)number_at(text, find(text, ss_str("\"sentNs\":\""), &link->hints[1]));
    item.epoch = number_at(text, find(text, ss_str("\"epoch\":\""), &link->hints[2]));
    item.entity = (uint32_t)number_at(text, find(text, ss_str("\"entity\":"), &link->hints[3]));
    on_item(ctx, &item);
}

static void take_snapshot(struct ss_str text, ss_load_item_fn *on_item, void *ctx)
{
    size_t hint = 0;
    struct ss_load_item item = { .kind = SS_LOAD_SNAPSHOT, .text = text };
    item.ordinal = number_at(text, find(text, ss_str("\"snapshotOrdinal\":\""), &hint));
    item.epoch = number_at(text, find(text, ss_str("\"epoch\":\""), &hint));
    on_item(ctx, &item);
}

static void take_answer(struct ss_str text, enum ss_load_item_kind kind, ss_load_item_fn *on_item,
                        void *ctx)
{
    size_t hint = 0;
    struct ss_load_item item = { .kind = kind };
    (void)ss__load_request_id_read(member(text, "\"requestId\":\""), &item);    /* errors: none */
    if (kind == SS_LOAD_ACK) {
        item.ordinal = number_at(text, find(text, ss_str("\"ordinal\":\""), &hint));
    } else {
        item.text = member(text, "\"code\":\"");
    }
    on_item(ctx, &item);
}

static void take_message(struct ss_load_link *link, struct ss_str text, ss_load_item_fn *on_item,
                         void *ctx)
{
    if (begins(text, "{\"uiEvent\"")) {
        take_delivery(link, text, on_item, ctx);
    } else if (begins(text, "{\"accepted\"")) {
        take_answer(text, SS_LOAD_ACK, on_item, ctx);
    } else if (begins(text, "{\"snapshot\"")) {
        take_snapshot(text, on_item, ctx);
    } else if (begins(text, "{\"subscribed\"")) {
        on_item(ctx, &(struct ss_load_item){ .kind = SS_LOAD_SUBSCRIBED });
    } else if (begins(text, "{\"error\"")) {
        take_answer(text, SS_LOAD_ERROR, on_item, ctx);
    }
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
    char text[256];
    int len = snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%.*s\"}}",
                       (int)session_id.len, session_id.data);
    ss__load_ws_frame(out, SS_WS_TEXT, ss_str_of(text, (size_t)len));
}

static void pack_payload(struct ss_str raw, struct ss_bytes *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < raw.len; at += 3) {
        size_t left = raw.len - at;
        uint32_t bits = (uint32_t)(uint8_t)raw.data[at] << 16;
        bits |= left > 1 ? (uint32_t)(uint8_t)raw.data[at + 1] << 8 : 0;
        bits |= left > 2 ? (uint8_t)raw.data[at + 2] : 0;
        ss__bytes_byte(out, (uint8_t)digits[bits >> 18]);
        ss__bytes_byte(out, (uint8_t)digits[bits >> 12 & 63]);
        ss__bytes_byte(out, left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=');
        ss__bytes_byte(out, left > 2 ? (uint8_t)digits[bits & 63] : '=');
    }
}

static _Thread_local struct ss_bytes text;    /* of the message being published */

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    char id[SS_LOAD_REQUEST_ID_BYTES_MAX];
    size_t id_len = ss__load_request_id_write(message, id);
    ss__bytes_clear(&text);
    text.max = SIZE_MAX;
    ss__bytes_text(&text, "{\"submit\":{\"requestId\":\"");
    ss__bytes_append(&text, id, id_len);
    ss__bytes_text(&text, "\",\"sessionId\":\"");
    ss__bytes_str(&text, message->session_id);
    ss__bytes_text(&text, "\",\"name\":\"BenchPublish\",\"payload\":{\"@type\":"
                   "\"type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand\","
                   "\"payload\":\"");
    ss__bytes_str(&text, message->payload);
    ss__bytes_text(&text, "\",\"sentNs\":\"");
    ss__bytes_i64(&text, message->sent_ns);
    ss__bytes_text(&text, "\",\"entity\":");
    ss__bytes_u64(&text, message->entity);
    ss__bytes_text(&text, "}}}");
    ss__load_ws_frame(out, SS_WS_TEXT, ss__bytes_view(&text));
}

static void release(void)
{
    ss__bytes_deinit(&text);
}

/* Reads the members of one entity, behind its opening brace. */
static bool take_entity(struct ss_json_reader *reader, ss_load_entity_fn *each, void *ctx)
{
    struct ss_json_token token;
    uint64_t entity = 0;
    uint64_t ordinal = 0;
    while (ss__json_next(reader, &token) == SS_JSON_KEY) {
        bool is_id = ss_str_equal(token.text, ss_str("id"));
        bool is_ordinal = ss_str_equal(token.text, ss_str("lastEventOrdinal"));
        (void)ss__json_next(reader, &token);    /* an error shows in skip */
        if (is_id || is_ordinal) {
            *(is_id ? &entity : &ordinal) = number_at(token.text, 0);
        }
        if (!ss__json_skip(reader, &token)) {
            return false;
        }
    }
    each(ctx, (uint32_t)entity, ordinal);
    return token.kind == SS_JSON_OBJECT_END;
}

static bool entities(struct ss_str snapshot, ss_load_entity_fn *each, void *ctx)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    ss__json_reader_init(&reader, snapshot);
    do {
        enum ss_json_kind kind = ss__json_next(&reader, &token);
        if (kind == SS_JSON_ERROR || kind == SS_JSON_END) {
            return kind == SS_JSON_END;    /* a snapshot without entities */
        }
    } while (token.kind != SS_JSON_KEY || !ss_str_equal(token.text, ss_str("entities")));
    if (ss__json_next(&reader, &token) != SS_JSON_ARRAY) {
        return false;
    }
    while (ss__json_next(&reader, &token) == SS_JSON_OBJECT) {
        if (!take_entity(&reader, each, ctx)) {
            return false;
        }
    }
    return token.kind == SS_JSON_ARRAY_END;
}

const struct ss_load_dialect ss__load_json = {
    .name = "json", .numbered = true, .follows = true, .acks = SS_LOAD_ACKS_NAMED,
    .greet = greet, .take = take, .subscribe = subscribe,
    .pack_payload = pack_payload, .publish = publish, .entities = entities,
    .release = release,
};
