/* Maps and the types whose JSON form is not an object of their fields, from text to bytes. */
#include <stdlib.h>

#include "schema/json_decoder.h"
#include "core/failure.h"
#include "schema/json_number.h"
#include "schema/json_time.h"

static int want(struct ss_json_decoder *decoder, const struct ss_json_token *token,
                enum ss_json_kind kind, const char *what)
{
    return token->kind == kind
               ? 0
               : ss__json_decode_fail(decoder, SS_E_JSON, token->at, "%s is wanted", what);
}

/* ---- maps ---- */

/* The key of an entry, written as its field 1. Bools and numbers stand in strings. */
static int decode_key(struct ss_json_decoder *decoder, const struct ss_field *key_field,
                      const struct ss_json_token *key, struct ss_bytes *out)
{
    struct ss_json_token token = *key;
    struct ss_str text;
    int err = 0;
    token.kind = SS_JSON_STRING;
    if (key_field->kind == SS_KIND_BOOL) {
        err = ss__json_decode_text(decoder, key, &text);
        if (err == 0) {
            token.kind = ss_str_equal(text, ss_str("true"))    ? SS_JSON_TRUE
                         : ss_str_equal(text, ss_str("false")) ? SS_JSON_FALSE
                                                               : SS_JSON_NULL;
        }
    }
    return err != 0 ? err : ss__json_decode_scalar(decoder, key_field, &token, true, out);
}

static int decode_entry_value(struct ss_json_decoder *decoder, const struct ss_field *value_field,
                              const struct ss_json_token *token, struct ss_bytes *out)
{
    if (value_field->message != NULL) {
        struct ss_bytes inner;
        ss__bytes_init(&inner, out->max);
        int err = token->kind == SS_JSON_NULL &&
                          value_field->message->well_known != SS_WELL_KNOWN_VALUE
                      ? ss__json_decode_fail(decoder, SS_E_JSON, token->at,
                                             "null is no value of a map")
                      : ss__json_decode_message(decoder, value_field->message, token, &inner);
        err = err != 0 ? err : inner.err;
        if (err == 0) {
            ss__pb_bytes(out, value_field->number, ss__bytes_view(&inner));
        }
        ss__bytes_deinit(&inner);
        return err;
    }
    return ss__json_decode_scalar(decoder, value_field, token, true, out);
}

struct key_span {
    size_t begin;
    size_t len;
};

struct keys {
    struct ss_bytes bytes;
    struct key_span *spans;
    size_t count;
    size_t slots;
};

static int remember_key(struct keys *keys, struct ss_str key)
{
    if (keys->count == keys->slots) {
        size_t slots = keys->slots == 0 ? 16 : keys->slots * 2;
        struct key_span *spans = realloc(keys->spans, slots * sizeof *spans);
        if (spans == NULL) {
            return SS_E_NOMEM;
        }
        keys->spans = spans;
        keys->slots = slots;
    }
    keys->spans[keys->count++] = (struct key_span){ keys->bytes.len, key.len };
    ss__bytes_str(&keys->bytes, key);
    return keys->bytes.err;
}

static int compare_spans(const void *left, const void *right, void *context)
{
    const struct key_span *a = left;
    const struct key_span *b = right;
    const uint8_t *bytes = context;
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return memcmp(bytes + a->begin, bytes + b->begin, a->len);
}

static bool has_duplicate(struct keys *keys)
{
    if (keys->count < 2) {
        return false;
    }
    qsort_r(keys->spans, keys->count, sizeof *keys->spans, compare_spans, keys->bytes.data);
    for (size_t i = 1; i < keys->count; i++) {
        if (compare_spans(&keys->spans[i - 1], &keys->spans[i], keys->bytes.data) == 0) {
            return true;
        }
    }
    return false;
}

static int decode_entry(struct ss_json_decoder *decoder, const struct ss_field *field,
                        const struct ss_json_token *key, struct keys *keys, struct ss_bytes *out)
{
    struct ss_bytes entry;
    ss__bytes_init(&entry, out->max);
    struct ss_json_token value;
    int err = decode_key(decoder, &field->message->fields[0], key, &entry);
    err = err != 0 ? err : remember_key(keys, ss__bytes_view(&entry));
    err = err != 0 ? err : ss__json_decode_next(decoder, &value);
    decoder->path[decoder->depth] = key->text;
    err = err != 0 ? err
                   : decode_entry_value(decoder, &field->message->fields[1], &value, &entry);
    err = err != 0 ? err : entry.err;
    if (err == 0) {
        decoder->path[decoder->depth] = (struct ss_str){ "", 0 };
        ss__pb_bytes(out, field->number, ss__bytes_view(&entry));
        err = out->err;
    }
    ss__bytes_deinit(&entry);
    return err;
}

int ss__json_decode_map(struct ss_json_decoder *decoder, const struct ss_field *field,
                        const struct ss_json_token *token, struct ss_bytes *out)
{
    int err = want(decoder, token, SS_JSON_OBJECT, "an object");
    err = err != 0 ? err : ss__json_decode_enter(decoder, token->at);
    if (err != 0) {
        return err;
    }
    struct keys keys = { 0 };
    ss__bytes_init(&keys.bytes, 0);
    struct ss_json_token key;
    for (;;) {
        err = ss__json_decode_next(decoder, &key);
        if (err != 0 || key.kind == SS_JSON_OBJECT_END) {
            break;
        }
        err = decode_entry(decoder, field, &key, &keys, out);
        if (err != 0) {
            break;
        }
    }
    if (err == 0 && has_duplicate(&keys)) {
        err = ss__json_decode_fail(decoder, SS_E_JSON, token->at, "a key stands twice in %s",
                                   field->json_name.data);
    }
    decoder->depth -= err == 0;    /* an error keeps its path */
    ss__bytes_deinit(&keys.bytes);
    free(keys.spans);
    return err;
}

/* ---- Any ---- */

/* Looks ahead for the member "@type", wherever it stands. @ret_url lies in the arena. */
static int find_type_url(struct ss_json_decoder *decoder, size_t at, struct ss_str *ret_url,
                         bool *ret_empty)
{
    struct ss_json_reader bookmark = decoder->reader;
    struct ss_str url = { NULL, 0 };
    bool empty = true;
    int err = 0;
    for (;;) {
        struct ss_json_token key;
        struct ss_json_token value;
        bool is_type = false;
        err = ss__json_decode_next(decoder, &key);
        if (err != 0 || key.kind == SS_JSON_OBJECT_END) {
            break;
        }
        empty = false;
        err = ss__json_decode_is(decoder, &key, "@type", &is_type);
        err = err != 0 ? err : ss__json_decode_next(decoder, &value);
        if (err == 0 && is_type) {
            struct ss_str text;
            err = url.data != NULL ? ss__json_decode_fail(decoder, SS_E_JSON, key.at,
                                                          "duplicate field \"@type\"")
                                   : want(decoder, &value, SS_JSON_STRING, "a type URL");
            err = err != 0 ? err : ss__json_decode_text(decoder, &value, &text);
            if (err == 0) {
                url = ss__arena_str(&decoder->arena, text);
                err = url.data == NULL ? SS_E_NOMEM : 0;
            }
        } else if (err == 0 && !ss__json_skip(&decoder->reader, &value)) {
            err = ss__json_decode_fail(decoder, SS_E_JSON, decoder->reader.error_at, "%s",
                                       decoder->reader.error);
        }
        if (err != 0) {
            break;
        }
    }
    if (err == 0 && url.data == NULL && !empty) {
        err = ss__json_decode_fail(decoder, SS_E_JSON, at, "an Any needs \"@type\"");
    }
    if (err == 0) {
        decoder->reader = bookmark;
    }
    *ret_url = url;
    *ret_empty = empty;
    return err;
}

/* {"@type":...,"value":...} for a type that is no object of its fields. */
static int decode_any_value(struct ss_json_decoder *decoder, const struct ss_type *type, size_t at,
                            struct ss_bytes *out)
{
    bool seen = false;
    for (;;) {
        struct ss_json_token key;
        struct ss_json_token value;
        int err = ss__json_decode_next(decoder, &key);
        if (err != 0) {
            return err;
        }
        if (key.kind == SS_JSON_OBJECT_END) {
            return seen ? 0
                        : ss__json_decode_fail(decoder, SS_E_JSON, at,
                                               "an Any of %s needs \"value\"", type->name.data);
        }
        bool is_type = false;
        bool is_value = false;
        err = ss__json_decode_is(decoder, &key, "@type", &is_type);
        err = err != 0 ? err : ss__json_decode_is(decoder, &key, "value", &is_value);
        err = err != 0 ? err : ss__json_decode_next(decoder, &value);
        if (err == 0 && is_type) {
            continue;
        }
        if (err == 0 && (seen || !is_value)) {
            err = ss__json_decode_fail(decoder, SS_E_JSON, key.at,
                                       "unknown or duplicate field in an Any of %s",
                                       type->name.data);
        }
        err = err != 0 ? err : ss__json_decode_message(decoder, type, &value, out);
        if (err != 0) {
            return err;
        }
        seen = true;
    }
}

static int decode_any(struct ss_json_decoder *decoder, const struct ss_json_token *token,
                      struct ss_bytes *out)
{
    struct ss_str url;
    bool empty;
    int err = want(decoder, token, SS_JSON_OBJECT, "an object");
    err = err != 0 ? err : find_type_url(decoder, token->at, &url, &empty);
    if (err != 0) {
        return err;
    }
    if (empty) {
        struct ss_json_token end;
        return ss__json_decode_next(decoder, &end);
    }
    const struct ss_type *type = ss__schema_find_url(decoder->schema, url);
    if (type == NULL) {
        return ss__json_decode_fail(decoder, SS_E_JSON, token->at, "unknown type \"%.*s\"",
                                    ss__shown(url, 96), url.data);
    }
    struct ss_bytes inner;
    ss__bytes_init(&inner, out->max);
    err = type->well_known != SS_WELL_KNOWN_NONE
              ? decode_any_value(decoder, type, token->at, &inner)
              : ss__json_decode_members(decoder, type, true, &inner);
    err = err != 0 ? err : inner.err;
    if (err == 0) {
        ss__pb_bytes(out, 1, url);
        if (inner.len > 0) {
            ss__pb_bytes(out, 2, ss__bytes_view(&inner));
        }
        err = out->err;
    }
    ss__bytes_deinit(&inner);
    return err;
}

int ss__json_decode_any_of(struct ss_json_decoder *decoder, const struct ss_type *type,
                           const struct ss_json_token *token, struct ss_bytes *out)
{
    struct ss_str url;
    bool empty = false;
    int err = ss__json_decode_enter(decoder, token->at);
    err = err != 0 ? err : want(decoder, token, SS_JSON_OBJECT, "an object");
    err = err != 0 ? err : find_type_url(decoder, token->at, &url, &empty);
    if (err == 0 && (empty || ss__schema_find_url(decoder->schema, url) != type)) {
        err = ss__json_decode_fail(decoder, SS_E_JSON, token->at, "\"@type\" is not %s",
                                   type->name.data);
    }
    if (err != 0) {
        return err;
    }
    err = type->well_known != SS_WELL_KNOWN_NONE
              ? decode_any_value(decoder, type, token->at, out)
              : ss__json_decode_members(decoder, type, true, out);
    decoder->depth -= err == 0;    /* an error keeps its path */
    return err;
}

/* ---- the others ---- */

static int decode_time(struct ss_json_decoder *decoder, const struct ss_type *type,
                       const struct ss_json_token *token, struct ss_bytes *out)
{
    struct ss_str text;
    int64_t seconds;
    int32_t nanos;
    int err = want(decoder, token, SS_JSON_STRING, "a string");
    err = err != 0 ? err : ss__json_decode_text(decoder, token, &text);
    if (err != 0) {
        return err;
    }
    bool good = type->well_known == SS_WELL_KNOWN_TIMESTAMP
                    ? ss__json_read_timestamp(text, &seconds, &nanos)
                    : ss__json_read_duration(text, &seconds, &nanos);
    if (!good) {
        return ss__json_decode_fail(decoder, SS_E_JSON, token->at,
                                    "malformed or out of range for %s", type->name.data);
    }
    if (seconds != 0) {
        ss__pb_u64(out, 1, (uint64_t)seconds);
    }
    if (nanos != 0) {
        ss__pb_u64(out, 2, (uint64_t)(int64_t)nanos);
    }
    return out->err;
}

/* lowerCamelCase to snake_case. */
static bool write_snake(struct ss_bytes *out, struct ss_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c == '_') {
            return false;
        }
        if (c >= 'A' && c <= 'Z') {
            ss__bytes_byte(out, '_');
            c = (char)(c - 'A' + 'a');
        }
        ss__bytes_byte(out, (uint8_t)c);
    }
    return path.len > 0;
}

static int decode_field_mask(struct ss_json_decoder *decoder, const struct ss_json_token *token,
                             struct ss_bytes *out)
{
    struct ss_str text;
    int err = want(decoder, token, SS_JSON_STRING, "a string");
    err = err != 0 ? err : ss__json_decode_text(decoder, token, &text);
    struct ss_bytes path;
    ss__bytes_init(&path, 0);
    while (err == 0 && text.len > 0) {
        const char *comma = memchr(text.data, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.data);
        ss__bytes_clear(&path);
        bool last_empty = comma != NULL && len + 1 == text.len;
        if (last_empty || !write_snake(&path, ss_str_of(text.data, len))) {
            err = ss__json_decode_fail(decoder, SS_E_JSON, token->at, "malformed FieldMask");
        } else {
            ss__pb_bytes(out, 1, ss__bytes_view(&path));
            err = path.err != 0 ? path.err : out->err;
        }
        text = comma == NULL ? ss_str_of(text.data, 0)
                             : ss_str_of(comma + 1, text.len - len - 1);
    }
    ss__bytes_deinit(&path);
    return err;
}

static int decode_list_value(struct ss_json_decoder *decoder, const struct ss_type *type,
                             const struct ss_json_token *token, struct ss_bytes *out)
{
    int err = want(decoder, token, SS_JSON_ARRAY, "an array");
    while (err == 0) {
        struct ss_json_token element;
        struct ss_bytes inner;
        err = ss__json_decode_next(decoder, &element);
        if (err != 0 || element.kind == SS_JSON_ARRAY_END) {
            break;
        }
        ss__bytes_init(&inner, out->max);
        err = ss__json_decode_message(decoder, type->fields[0].message, &element, &inner);
        err = err != 0 ? err : inner.err;
        if (err == 0) {
            ss__pb_bytes(out, 1, ss__bytes_view(&inner));
            err = out->err;
        }
        ss__bytes_deinit(&inner);
    }
    return err;
}

/* The member of google.protobuf.Value for a kind of token. */
static const struct ss_field *value_field(const struct ss_type *type, enum ss_json_kind kind)
{
    switch (kind) {
    case SS_JSON_NULL:
        return ss__type_field(type, 1);
    case SS_JSON_NUMBER:
        return ss__type_field(type, 2);
    case SS_JSON_STRING:
        return ss__type_field(type, 3);
    case SS_JSON_TRUE:
    case SS_JSON_FALSE:
        return ss__type_field(type, 4);
    case SS_JSON_OBJECT:
        return ss__type_field(type, 5);
    default:
        return ss__type_field(type, 6);
    }
}

static int decode_value(struct ss_json_decoder *decoder, const struct ss_type *type,
                        const struct ss_json_token *token, struct ss_bytes *out)
{
    const struct ss_field *field = value_field(type, token->kind);
    if (field->message == NULL) {
        return ss__json_decode_scalar(decoder, field, token, true, out);
    }
    struct ss_bytes inner;
    ss__bytes_init(&inner, out->max);
    int err = ss__json_decode_message(decoder, field->message, token, &inner);
    err = err != 0 ? err : inner.err;
    if (err == 0) {
        ss__pb_bytes(out, field->number, ss__bytes_view(&inner));
        err = out->err;
    }
    ss__bytes_deinit(&inner);
    return err;
}

int ss__json_decode_well_known(struct ss_json_decoder *decoder, const struct ss_type *type,
                               const struct ss_json_token *token, struct ss_bytes *out)
{
    int err;
    switch (type->well_known) {
    case SS_WELL_KNOWN_ANY:
        return decode_any(decoder, token, out);
    case SS_WELL_KNOWN_TIMESTAMP:
    case SS_WELL_KNOWN_DURATION:
        return decode_time(decoder, type, token, out);
    case SS_WELL_KNOWN_FIELD_MASK:
        return decode_field_mask(decoder, token, out);
    case SS_WELL_KNOWN_STRUCT:
        return ss__json_decode_map(decoder, &type->fields[0], token, out);
    case SS_WELL_KNOWN_VALUE:
        return decode_value(decoder, type, token, out);
    case SS_WELL_KNOWN_LIST_VALUE:
        return decode_list_value(decoder, type, token, out);
    case SS_WELL_KNOWN_EMPTY:
        err = want(decoder, token, SS_JSON_OBJECT, "an object");
        return err != 0 ? err : ss__json_decode_members(decoder, type, false, out);
    default:
        return ss__json_decode_scalar(decoder, &type->fields[0], token, false, out);
    }
}
