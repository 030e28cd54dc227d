#include "gateway/import_read.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "schema/json.h"
#include "schema/json_reader.h"
#include "schema/json_text.h"
#include "schema/json_time.h"
#include "schema/validate.h"

/* Names in error texts are cut. */
#define SHOWN_BYTES_MAX 64

enum member {
    MEMBER_ORDINAL = 1,
    MEMBER_TIME = 2,
    MEMBER_EVENT = 4,
    MEMBER_PAYLOAD = 8,
    MEMBER_TYPE = 16,
    MEMBER_RAW = 32
};

/* One event as it is written. */
struct written {
    unsigned members;       /* bits of enum member */
    uint64_t ordinal;
    uint64_t time_us;
    struct ss_str event;
    struct ss_str payload;  /* span of the text */
    struct ss_str type;
    struct ss_str raw;      /* base64 */
};

struct parsing {
    const struct ss_registry *registry;
    const struct ss_schema *schema;
    struct ss_json_reader reader;
    struct ss_import *import;
    struct ss_bytes payload;
    struct ss_failure *failure;
};

static int refuse(struct parsing *parsing, size_t at, const char *what)
{
    struct ss_json_position place = ss__json_position(&parsing->reader, at);
    return ss__fail(parsing->failure, SS_E_JSON, "(line %zu:%zu): %s", place.line, place.column,
                    what);
}

/* What the reader did not like. */
static int refuse_syntax(struct parsing *parsing)
{
    const struct ss_json_reader *reader = &parsing->reader;
    return refuse(parsing, reader->error_at,
                  reader->error == NULL ? "an event is an object" : reader->error);
}

static bool read_u64(struct ss_str text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return text.len > 0;
}

static bool read_time(struct ss_str text, uint64_t *ret_us)
{
    int64_t seconds;
    int32_t nanos;
    if (read_u64(text, ret_us)) {
        return true;
    }
    if (!ss__json_read_timestamp(text, &seconds, &nanos) || seconds < 0) {
        return false;
    }
    *ret_us = (uint64_t)seconds * 1000000 + (uint64_t)nanos / 1000;
    return true;
}

/* Reads to behind the value and gives its span. */
static bool span(struct parsing *parsing, const struct ss_json_token *token,
                 struct ss_str *ret_span)
{
    struct ss_json_reader *reader = &parsing->reader;
    if (token->kind == SS_JSON_ERROR || !ss__json_skip(reader, token)) {
        return false;
    }
    const uint8_t *begin = reader->begin + token->at;
    *ret_span = ss_str_of(begin, (size_t)(reader->at - begin));
    return true;
}

static int read_value(struct parsing *parsing, enum member member,
                      const struct ss_json_token *token, struct written *written)
{
    bool text = (token->kind == SS_JSON_STRING && !token->escaped) ||
                token->kind == SS_JSON_NUMBER;
    switch (member) {
    case MEMBER_ORDINAL:
        return text && read_u64(token->text, &written->ordinal)
                   ? 0
                   : refuse(parsing, token->at, "ordinal: not a whole number");
    case MEMBER_TIME:
        return text && read_time(token->text, &written->time_us)
                   ? 0
                   : refuse(parsing, token->at, "time: neither RFC 3339 nor microseconds since "
                                                "1970");
    case MEMBER_EVENT:
        written->event = token->text;
        return token->kind == SS_JSON_STRING && !token->escaped
                   ? 0
                   : refuse(parsing, token->at, "event: not the name of an event");
    case MEMBER_PAYLOAD:
        return span(parsing, token, &written->payload) ? 0 : refuse_syntax(parsing);
    case MEMBER_TYPE:
    case MEMBER_RAW:
        *(member == MEMBER_RAW ? &written->raw : &written->type) = token->text;
        return token->kind == SS_JSON_STRING && !token->escaped
                   ? 0
                   : refuse(parsing, token->at, member == MEMBER_RAW ? "raw: not base64"
                                                                     : "type: not the name of a "
                                                                       "message type");
    }
    return SS_E_INTERNAL;
}

static unsigned member_of(struct ss_str key)
{
    static const char *const names[] = { "ordinal", "time", "event", "payload", "type", "raw" };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (ss_str_equal(key, ss_str(names[i]))) {
            return 1u << i;
        }
    }
    return 0;
}

/* Behind the brace. */
static int read_object(struct parsing *parsing, struct written *ret_written)
{
    struct written written = { 0 };
    struct ss_json_token key;
    while (ss__json_next(&parsing->reader, &key) == SS_JSON_KEY) {
        unsigned member = key.escaped ? 0 : member_of(key.text);
        if (member == 0 || (written.members & member) != 0) {
            return refuse(parsing, key.at, member == 0 ? "an event has the members ordinal, time, "
                                                         "event, payload, type and raw"
                                                       : "the member is there twice");
        }
        struct ss_json_token value;
        written.members |= member;
        if (ss__json_next(&parsing->reader, &value) == SS_JSON_ERROR) {
            return refuse_syntax(parsing);
        }
        int err = read_value(parsing, (enum member)member, &value, &written);
        if (err != 0) {
            return err;
        }
    }
    if (key.kind != SS_JSON_OBJECT_END) {
        return refuse_syntax(parsing);
    }
    *ret_written = written;
    return 0;
}

/* Says which event it was. */
static int place_failure(struct parsing *parsing, const struct written *written, int err,
                         const struct ss_failure *cause)
{
    return ss__fail(parsing->failure, err, "ordinal %llu, event \"%.*s\": %s",
                    (unsigned long long)written->ordinal,
                    ss__shown(written->event, SHOWN_BYTES_MAX), written->event.data, cause->text);
}

/* As an export writes it, where a client writes a payload without. */
static bool has_type(struct ss_str payload)
{
    struct ss_json_reader reader;
    struct ss_json_token key;
    struct ss_json_token value;
    ss__json_reader_init(&reader, payload);
    if (ss__json_next(&reader, &key) != SS_JSON_OBJECT) {
        return false;
    }
    while (ss__json_next(&reader, &key) == SS_JSON_KEY) {
        if (!key.escaped && ss_str_equal(key.text, ss_str("@type"))) {
            return true;
        }
        (void)ss__json_next(&reader, &value);    /* what it does not like, the skip does not */
        if (!ss__json_skip(&reader, &value)) {
            return false;
        }
    }
    return false;
}

/* The bytes that were stored elsewhere; whether they are a message of the type is judged later. */
static int decode_raw(struct parsing *parsing, const struct ss_name *name,
                      const struct written *written, struct ss_failure *failure)
{
    struct ss_str type = ss__type_name(name->type);
    if (!ss_str_equal(written->type, type)) {
        return ss__fail(failure, SS_E_PAYLOAD, "raw is of type \"%.*s\", the event of this "
                        "application is of \"%.*s\"",
                        (int)(written->type.len < SHOWN_BYTES_MAX ? written->type.len
                                                                  : SHOWN_BYTES_MAX),
                        written->type.data, (int)type.len, type.data);
    }
    return ss__json_unbase64(&parsing->payload, written->raw)
               ? 0
               : ss__fail(failure, parsing->payload.err != 0 ? SS_E_NOMEM : SS_E_PAYLOAD,
                          parsing->payload.err != 0 ? "out of memory" : "raw is no base64");
}

static int decode(struct parsing *parsing, const struct ss_name *name,
                  const struct written *written, struct ss_failure *failure)
{
    const struct ss_schema *schema = parsing->schema;
    struct ss_str payload = written->payload;
    if ((written->members & MEMBER_RAW) != 0) {
        return decode_raw(parsing, name, written, failure);
    }
    if ((written->members & MEMBER_PAYLOAD) == 0) {
        return 0;    /* an empty message */
    }
    return has_type(payload)
               ? ss__json_decode_any(schema, name->type, payload, &parsing->payload, failure)
               : ss__json_decode(schema, name->type, payload, &parsing->payload, failure);
}

static int add(struct parsing *parsing, const struct written *written)
{
    struct ss_failure cause = { .text = "" };
    const struct ss_name *name =
        ss__registry_find(parsing->registry, SS_SPACE_EVENT, written->event);
    if (name == NULL) {
        (void)ss__fail(&cause, SS_E_UNKNOWN_EVENT, "no such event is registered");
        return place_failure(parsing, written, SS_E_UNKNOWN_EVENT, &cause);
    }
    ss__bytes_clear(&parsing->payload);
    int err = decode(parsing, name, written, &cause);
    struct ss_str packed = ss__bytes_view(&parsing->payload);
    if (err == 0 && packed.len > SS_PAYLOAD_BYTES_MAX) {
        err = ss__fail(&cause, SS_E_TOOBIG, "payload has %zu bytes, at most %u are allowed",
                       packed.len, SS_PAYLOAD_BYTES_MAX);
    }
    err = err != 0 ? err : ss__validate(name->type, packed, &cause);
    err = err != 0 ? err
                   : ss__import_add(parsing->import, written->ordinal, written->time_us, name,
                                    packed, &cause);
    return err == 0 ? 0 : place_failure(parsing, written, err, &cause);
}

static int read_event(struct parsing *parsing, const struct ss_json_token *token)
{
    struct written written = { 0 };
    if (token->kind != SS_JSON_OBJECT) {
        return token->kind == SS_JSON_ERROR ? refuse_syntax(parsing)
                                            : refuse(parsing, token->at, "an event is an object");
    }
    int err = read_object(parsing, &written);
    if (err == 0 && (written.members & (MEMBER_ORDINAL | MEMBER_EVENT)) !=
                        (MEMBER_ORDINAL | MEMBER_EVENT)) {
        err = refuse(parsing, token->at, "an event needs ordinal and event");
    }
    return err != 0 ? err : add(parsing, &written);
}

static int read_events(struct parsing *parsing)
{
    struct ss_json_token token;
    int err = 0;
    bool list = ss__json_next(&parsing->reader, &token) == SS_JSON_ARRAY;
    if (!list) {
        err = read_event(parsing, &token);
    }
    while (list && err == 0 && ss__json_next(&parsing->reader, &token) != SS_JSON_ARRAY_END) {
        err = read_event(parsing, &token);
    }
    if (err == 0 && ss__json_next(&parsing->reader, &token) != SS_JSON_END) {
        err = refuse_syntax(parsing);
    }
    return err == 0 && parsing->import->count == 0
               ? ss__fail(parsing->failure, SS_E_JSON, "there is no event")
               : err;
}

int ss__import_read(const struct ss_registry *registry, const struct ss_schema *schema,
                    struct ss_str body, struct ss_import **ret_import, struct ss_failure *failure)
{
    struct parsing parsing = { .registry = registry, .schema = schema,
                               .import = ss__import_new(), .failure = failure };
    if (parsing.import == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    ss__bytes_init(&parsing.payload, 0);
    ss__json_reader_init(&parsing.reader, body);
    int err = read_events(&parsing);
    ss__bytes_deinit(&parsing.payload);
    if (err != 0) {
        ss__import_free(parsing.import);
        return err;
    }
    *ret_import = parsing.import;
    return 0;
}
