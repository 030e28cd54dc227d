#include "wire/frame_summary.h"

#include "schema/json_reader.h"
#include "schema/pb.h"

#define UI_EVENT "uiEvent"
#define SNAPSHOT "snapshot"

/* Field numbers of ServerFrame, and words of both frames. */
static const struct {
    uint32_t number;
    const char *word;
} types[] = {
    { 1, "hello" },          { 2, SNAPSHOT },  { 3, "subscribed" }, { 4, "unsubscribed" },
    { 5, UI_EVENT },         { 6, "error" },   { 7, "ping" },       { 8, "pong" },
    { 16, "accepted" },      { 17, "activity" }, { 18, "append" },  { 0, "subscribe" },
    { 0, "unsubscribe" },    { 0, "submit" },
};

#define TYPES_COUNT (sizeof types / sizeof types[0])

static const char *type_of_word(struct ss_str word)
{
    for (size_t i = 0; i < TYPES_COUNT; i++) {
        if (ss_str_equal(word, ss_str(types[i].word))) {
            return types[i].word;
        }
    }
    return "unknown";
}

static struct ss_str type_of_url(struct ss_str url)
{
    size_t at = url.len;
    while (at > 0 && url.data[at - 1] != '/') {
        at--;
    }
    return ss_str_of(url.data + at, url.len - at);
}

/* ---- JSON ---- */

static uint64_t number_of(struct ss_str text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

static void count_entities(struct ss_json_reader *reader, struct ss_frame_summary *summary)
{
    struct ss_json_token token;
    while (ss__json_next(reader, &token) == SS_JSON_OBJECT) {
        summary->entities++;
        if (!ss__json_skip(reader, &token)) {
            return;
        }
    }
}

/* An Any: only its first member is looked at, where our encoders write the type. */
static void read_payload(struct ss_json_reader *reader, struct ss_frame_summary *summary)
{
    struct ss_json_reader ahead = *reader;
    struct ss_json_token token;
    if (ss__json_next(&ahead, &token) == SS_JSON_KEY &&
        ss_str_equal(token.text, ss_str("@type")) &&
        ss__json_next(&ahead, &token) == SS_JSON_STRING) {
        summary->payload_type = type_of_url(token.text);
    }
}

static void read_member(struct ss_str name, const struct ss_json_token *value,
                        struct ss_json_reader *reader, struct ss_frame_summary *summary)
{
    bool text = value->kind == SS_JSON_STRING;
    if (text && ss_str_equal(name, ss_str("sessionId"))) {
        summary->session_id = value->text;
        summary->session_escaped = value->escaped;
    } else if (text && ss_str_equal(name, ss_str("name"))) {
        summary->event = value->text;
    } else if (text && (ss_str_equal(name, ss_str("eventOrdinal")) ||
                        ss_str_equal(name, ss_str("snapshotOrdinal")))) {
        summary->ordinal = number_of(value->text);
    } else if (ss_str_equal(name, ss_str("sinceSnapshotOrdinal"))) {
        summary->since = number_of(value->text);
    } else if (value->kind == SS_JSON_ARRAY && ss_str_equal(name, ss_str("entities"))) {
        struct ss_json_reader ahead = *reader;
        count_entities(&ahead, summary);
    } else if (value->kind == SS_JSON_OBJECT && ss_str_equal(name, ss_str("payload"))) {
        read_payload(reader, summary);
    }
}

static void read_json(struct ss_str body, struct ss_frame_summary *summary)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    ss__json_reader_init(&reader, body);
    if (ss__json_next(&reader, &token) != SS_JSON_OBJECT ||
        ss__json_next(&reader, &token) != SS_JSON_KEY) {
        return;
    }
    summary->type = type_of_word(token.text);
    if (ss__json_next(&reader, &token) != SS_JSON_OBJECT) {
        return;
    }
    while (ss__json_next(&reader, &token) == SS_JSON_KEY) {
        struct ss_str name = token.text;
        if (ss__json_next(&reader, &token) == SS_JSON_ERROR) {
            return;
        }
        read_member(name, &token, &reader, summary);
        if (!ss__json_skip(&reader, &token)) {
            return;
        }
    }
}

/* ---- protobuf ---- */

static void read_any(struct ss_str any, struct ss_frame_summary *summary)
{
    struct ss_pb_reader reader = ss__pb_reader(any);
    struct ss_pb_field field;
    while (ss__pb_next(&reader, &field)) {
        if (field.number == 1 && field.wire == SS_PB_LEN) {
            summary->payload_type = type_of_url(field.bytes);
        }
    }
}

/* All frames with a session have its id in field 1, but for error and accepted. */
static void read_fields(uint32_t type, struct ss_str body, struct ss_frame_summary *summary)
{
    bool ui_event = type == 5;
    uint32_t id_field = type == 6 ? 3 : type == 16 ? 2 : 1;
    bool has_id = type != 1 && type != 7 && type != 8;
    struct ss_pb_reader reader = ss__pb_reader(body);
    struct ss_pb_field field;
    while (ss__pb_next(&reader, &field)) {
        if (has_id && field.number == id_field && field.wire == SS_PB_LEN) {
            summary->session_id = field.bytes;
        } else if (type == 3 && field.number == 2) {
            summary->since = field.value;
        } else if ((ui_event || type == 2) && field.number == 2) {
            summary->ordinal = field.value;
        } else if (type == 2 && field.number == 3) {
            summary->entities++;
        } else if (ui_event && field.number == 3) {
            summary->event = field.bytes;
        } else if (ui_event && field.number == 4) {
            read_any(field.bytes, summary);
        }
    }
}

static void read_protobuf(struct ss_str body, struct ss_frame_summary *summary)
{
    struct ss_pb_reader reader = ss__pb_reader(body);
    struct ss_pb_field field;
    if (!ss__pb_next(&reader, &field) || field.wire != SS_PB_LEN) {
        return;
    }
    for (size_t i = 0; i < TYPES_COUNT; i++) {
        if (types[i].number == field.number) {
            summary->type = types[i].word;
            read_fields(field.number, field.bytes, summary);
        }
    }
}

void ss__frame_summary(enum ss_encoding encoding, struct ss_str body,
                       struct ss_frame_summary *ret_summary)
{
    *ret_summary = (struct ss_frame_summary){ .type = "unknown" };
    if (ss__encoding_is_json(encoding)) {
        read_json(body, ret_summary);
    } else {
        read_protobuf(body, ret_summary);
    }
}
