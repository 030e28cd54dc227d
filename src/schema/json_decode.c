#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "schema/json.h"
#include "schema/json_decoder.h"
#include "schema/json_number.h"
#include "schema/json_text.h"

#define SHOWN_MAX 64

static int shown(struct ss_str text)
{
    return ss__shown(text, SHOWN_MAX);
}

int ss__json_decode_fail(struct ss_json_decoder *decoder, int code, size_t at, const char *format,
                         ...)
{
    char reason[SS_FAILURE_TEXT_BYTES];
    char path[SS_FAILURE_TEXT_BYTES / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);    /* cutting it is fine */
    va_end(args);
    size_t len = 0;
    path[0] = '\0';
    for (unsigned i = 1; i <= decoder->depth && len < sizeof path; i++) {
        struct ss_str step = decoder->path[i];
        int more = step.len == 0 ? 0
                                 : snprintf(path + len, sizeof path - len, "%s%.*s",
                                            len > 0 ? "." : "", shown(step), step.data);
        len += more > 0 ? (size_t)more : 0;
    }
    struct ss_json_position position = ss__json_position(&decoder->reader, at);
    return ss__fail(decoder->failure, code, "(line %zu:%zu): %s%s%s", position.line,
                    position.column, path, path[0] != '\0' ? ": " : "", reason);
}

int ss__json_decode_next(struct ss_json_decoder *decoder, struct ss_json_token *ret_token)
{
    if (ss__json_next(&decoder->reader, ret_token) != SS_JSON_ERROR) {
        return 0;
    }
    return ss__json_decode_fail(decoder, SS_E_JSON, decoder->reader.error_at, "%s",
                                decoder->reader.error);
}

int ss__json_decode_text(struct ss_json_decoder *decoder, const struct ss_json_token *token,
                         struct ss_str *ret_text)
{
    if (!token->escaped) {
        *ret_text = token->text;
        return 0;
    }
    ss__bytes_clear(&decoder->text);
    ss__json_unescape(&decoder->text, token);
    *ret_text = ss__bytes_view(&decoder->text);
    return decoder->text.err;
}

int ss__json_decode_is(struct ss_json_decoder *decoder, const struct ss_json_token *key,
                       const char *name, bool *ret_is)
{
    struct ss_str text;
    int err = ss__json_decode_text(decoder, key, &text);
    if (err == 0) {
        *ret_is = ss_str_equal(text, ss_str(name));
    }
    return err;
}

int ss__json_decode_enter(struct ss_json_decoder *decoder, size_t at)
{
    if (decoder->depth == SS_NESTING_MAX) {
        return ss__json_decode_fail(decoder, SS_E_JSON, at, "nested deeper than %d",
                                    SS_NESTING_MAX);
    }
    decoder->path[++decoder->depth] = (struct ss_str){ "", 0 };
    return 0;
}

static int wrong_value(struct ss_json_decoder *decoder, const struct ss_field *field,
                       const struct ss_json_token *token)
{
    static const char *const words[SS_KIND_COUNT] = {
        [SS_KIND_DOUBLE] = "double",   [SS_KIND_FLOAT] = "float",   [SS_KIND_INT64] = "int64",
        [SS_KIND_UINT64] = "uint64",   [SS_KIND_INT32] = "int32",   [SS_KIND_FIXED64] = "fixed64",
        [SS_KIND_FIXED32] = "fixed32", [SS_KIND_BOOL] = "bool",     [SS_KIND_STRING] = "string",
        [SS_KIND_MESSAGE] = "object",  [SS_KIND_BYTES] = "bytes",
        [SS_KIND_UINT32] = "uint32",   [SS_KIND_ENUM] = "enum",     [SS_KIND_SFIXED32] = "sfixed32",
        [SS_KIND_SFIXED64] = "sfixed64", [SS_KIND_SINT32] = "sint32", [SS_KIND_SINT64] = "sint64",
    };
    return ss__json_decode_fail(decoder, SS_E_JSON, token->at,
                                "invalid value for %s field %s: %.*s", words[field->kind],
                                field->json_name.data, shown(token->text), token->text.data);
}

/* ---- scalars ---- */

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static bool read_integer(const struct ss_field *field, struct ss_str text, uint64_t *ret_raw)
{
    int64_t value = 0;
    uint64_t number = 0;
    bool good;
    switch (field->kind) {
    case SS_KIND_UINT64:
    case SS_KIND_FIXED64:
        return ss__json_read_u64(text, UINT64_MAX, ret_raw);
    case SS_KIND_UINT32:
    case SS_KIND_FIXED32:
        good = ss__json_read_u64(text, UINT32_MAX, &number);
        *ret_raw = number;
        return good;
    case SS_KIND_INT64:
    case SS_KIND_SFIXED64:
    case SS_KIND_SINT64:
        good = ss__json_read_i64(text, INT64_MIN, INT64_MAX, &value);
        break;
    default:
        good = ss__json_read_i64(text, INT32_MIN, INT32_MAX, &value);
        break;
    }
    bool zigzags = field->kind == SS_KIND_SINT32 || field->kind == SS_KIND_SINT64;
    *ret_raw = zigzags ? zigzag(value)
               : field->kind == SS_KIND_SFIXED32 ? (uint64_t)(uint32_t)(int32_t)value
                                                 : (uint64_t)value;
    return good;
}

static bool read_special(struct ss_str text, double *ret_value)
{
    if (ss_str_equal(text, ss_str("NaN"))) {
        *ret_value = (double)NAN;
    } else if (ss_str_equal(text, ss_str("Infinity"))) {
        *ret_value = (double)INFINITY;
    } else if (ss_str_equal(text, ss_str("-Infinity"))) {
        *ret_value = -(double)INFINITY;
    } else {
        return false;
    }
    return true;
}

static bool read_real(const struct ss_field *field, struct ss_str text, bool string,
                      uint64_t *ret_raw)
{
    double value;
    bool special = string && read_special(text, &value);
    *ret_raw = 0;
    if (field->kind == SS_KIND_FLOAT) {
        float narrow = special ? (float)value : 0;
        bool good = special || ss__json_read_float(text, &narrow);
        memcpy(ret_raw, &narrow, sizeof narrow);
        return good;
    }
    bool good = special || ss__json_read_double(text, &value);
    if (good) {
        memcpy(ret_raw, &value, sizeof value);
    }
    return good;
}

static bool read_enum(const struct ss_field *field, const struct ss_json_token *token,
                      struct ss_str text, uint64_t *ret_raw)
{
    int64_t number;
    if (token->kind == SS_JSON_NULL && field->enumeration->null_value) {
        *ret_raw = 0;
        return true;
    }
    if (token->kind == SS_JSON_NUMBER) {
        bool good = ss__json_read_i64(text, INT32_MIN, INT32_MAX, &number);
        *ret_raw = (uint64_t)number;
        return good;
    }
    const struct ss_enum_value *value =
        token->kind == SS_JSON_STRING ? ss__enum_by_name(field->enumeration, text) : NULL;
    *ret_raw = value == NULL ? 0 : (uint64_t)(int64_t)value->number;
    return value != NULL;
}

static bool read_number(const struct ss_field *field, const struct ss_json_token *token,
                        struct ss_str text, uint64_t *ret_raw)
{
    if (field->kind == SS_KIND_BOOL) {
        *ret_raw = token->kind == SS_JSON_TRUE;
        return token->kind == SS_JSON_TRUE || token->kind == SS_JSON_FALSE;
    }
    if (field->kind == SS_KIND_ENUM) {
        return read_enum(field, token, text, ret_raw);
    }
    if (token->kind != SS_JSON_NUMBER && token->kind != SS_JSON_STRING) {
        return false;
    }
    if (field->kind == SS_KIND_FLOAT || field->kind == SS_KIND_DOUBLE) {
        return read_real(field, text, token->kind == SS_JSON_STRING, ret_raw);
    }
    return read_integer(field, text, ret_raw);
}

static void write_raw(struct ss_bytes *out, enum ss_pb_wire wire, uint64_t raw)
{
    uint8_t bytes[8];
    size_t len = wire == SS_PB_I32 ? 4 : 8;
    if (wire == SS_PB_VARINT) {
        ss__bytes_varint(out, raw);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(raw >> (8 * i));
    }
    ss__bytes_append(out, bytes, len);
}

static int decode_bytes(struct ss_json_decoder *decoder, const struct ss_field *field,
                        const struct ss_json_token *token, struct ss_str text, bool keep_default,
                        struct ss_bytes *out)
{
    if (field->kind == SS_KIND_STRING) {
        if (text.len > 0 || keep_default) {
            ss__pb_bytes(out, field->number, text);
        }
        return out->err;
    }
    struct ss_bytes data;
    ss__bytes_init(&data, 0);
    bool good = ss__json_unbase64(&data, text);
    if (good && data.err == 0 && (data.len > 0 || keep_default)) {
        ss__pb_bytes(out, field->number, ss__bytes_view(&data));
    }
    int err = data.err != 0 ? data.err : out->err;
    ss__bytes_deinit(&data);
    return good ? err : wrong_value(decoder, field, token);
}

int ss__json_decode_scalar(struct ss_json_decoder *decoder, const struct ss_field *field,
                           const struct ss_json_token *token, bool keep_default,
                           struct ss_bytes *out)
{
    struct ss_str text = token->text;
    if (token->kind == SS_JSON_STRING) {
        int err = ss__json_decode_text(decoder, token, &text);
        if (err != 0) {
            return err;
        }
    }
    if (field->kind == SS_KIND_STRING || field->kind == SS_KIND_BYTES) {
        return token->kind == SS_JSON_STRING
                   ? decode_bytes(decoder, field, token, text, keep_default, out)
                   : wrong_value(decoder, field, token);
    }
    uint64_t raw;
    if (!read_number(field, token, text, &raw)) {
        return wrong_value(decoder, field, token);
    }
    if (raw != 0 || keep_default) {
        ss__pb_tag(out, field->number, field->wire);
        write_raw(out, field->wire, raw);
    }
    return out->err;
}

/* ---- fields ---- */

static bool takes_null(const struct ss_field *field)
{
    return (field->message != NULL && field->message->well_known == SS_WELL_KNOWN_VALUE) ||
           (field->enumeration != NULL && field->enumeration->null_value);
}

static int decode_nested(struct ss_json_decoder *decoder, const struct ss_field *field,
                         const struct ss_json_token *token, struct ss_bytes *out)
{
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

static int decode_element(struct ss_json_decoder *decoder, const struct ss_field *field,
                          const struct ss_json_token *token, struct ss_bytes *out)
{
    if (token->kind == SS_JSON_NULL && !takes_null(field)) {
        return ss__json_decode_fail(decoder, SS_E_JSON, token->at,
                                    "null is no element of %s", field->json_name.data);
    }
    return field->message != NULL ? decode_nested(decoder, field, token, out)
                                  : ss__json_decode_scalar(decoder, field, token, true, out);
}

/* Elements come with a tag each; a packed field wants them in one run without. */
static void pack_run(const struct ss_field *field, struct ss_str tagged, struct ss_bytes *out)
{
    struct ss_bytes run;
    struct ss_pb_reader reader = ss__pb_reader(tagged);
    struct ss_pb_field value;
    ss__bytes_init(&run, out->max);
    while (ss__pb_next(&reader, &value)) {
        write_raw(&run, field->wire, value.value);
    }
    if (run.len > 0) {
        ss__pb_bytes(out, field->number, ss__bytes_view(&run));
    }
    out->err = run.err != 0 ? run.err : out->err;
    ss__bytes_deinit(&run);
}

static int decode_list(struct ss_json_decoder *decoder, const struct ss_field *field,
                       const struct ss_json_token *token, struct ss_bytes *out)
{
    if (token->kind != SS_JSON_ARRAY) {
        return ss__json_decode_fail(decoder, SS_E_JSON, token->at, "%s wants an array",
                                    field->json_name.data);
    }
    struct ss_bytes elements;
    ss__bytes_init(&elements, out->max);
    struct ss_bytes *into = field->packed ? &elements : out;
    int err = 0;
    for (;;) {
        struct ss_json_token element;
        err = ss__json_decode_next(decoder, &element);
        if (err != 0 || element.kind == SS_JSON_ARRAY_END) {
            break;
        }
        err = decode_element(decoder, field, &element, into);
        if (err != 0) {
            break;
        }
    }
    err = err != 0 ? err : elements.err;
    if (err == 0 && field->packed) {
        pack_run(field, ss__bytes_view(&elements), out);
        err = out->err;
    }
    ss__bytes_deinit(&elements);
    return err;
}

static int decode_field(struct ss_json_decoder *decoder, const struct ss_field *field,
                        const struct ss_json_token *token, struct ss_bytes *out)
{
    if (field->is_map) {
        return ss__json_decode_map(decoder, field, token, out);
    }
    if (field->label == SS_LABEL_REPEATED) {
        return decode_list(decoder, field, token, out);
    }
    return field->message != NULL
               ? decode_nested(decoder, field, token, out)
               : ss__json_decode_scalar(decoder, field, token, field->presence, out);
}

/* ---- objects ---- */

/* What one object has had: members come in any order, the packed form wants theirs. */
struct part {
    uint32_t number;
    size_t begin;
    size_t end;
};

struct members {
    const struct ss_type *type;
    bool *seen;                  /* by field index */
    bool *arms;                  /* by oneof index */
    struct part *parts;          /* one per field at most */
    uint32_t count;
    struct ss_bytes body;
};

/* NULL: out of memory. */
static void *take_block(struct ss_json_decoder *decoder, size_t bytes)
{
    SS_INSIST(decoder->blocks_used < sizeof decoder->blocks / sizeof *decoder->blocks);
    struct ss_json_block *block = &decoder->blocks[decoder->blocks_used++];
    if (block->bytes < bytes) {
        bytes = bytes > block->bytes * 2 ? bytes : block->bytes * 2;
        *block = (struct ss_json_block){ ss__arena_alloc(&decoder->arena, bytes), bytes };
    }
    return block->memory;
}

static int begin_members(struct ss_json_decoder *decoder, const struct ss_type *type,
                         struct ss_bytes *out, struct members *members)
{
    size_t parts = type->field_count * sizeof *members->parts;
    size_t marks = type->field_count + type->oneof_count;
    *members = (struct members){ .type = type };
    ss__bytes_init(&members->body, out->max);
    members->parts = take_block(decoder, parts + marks + 1);
    if (members->parts == NULL) {
        return SS_E_NOMEM;
    }
    members->seen = (bool *)members->parts + parts;
    members->arms = members->seen + type->field_count;
    memset(members->seen, 0, marks);
    return 0;
}

static int find_member(struct ss_json_decoder *decoder, struct members *members,
                       const struct ss_json_token *key, const struct ss_field **ret_field)
{
    struct ss_str name;
    int err = ss__json_decode_text(decoder, key, &name);
    if (err != 0) {
        return err;
    }
    const struct ss_field *field = ss__type_field_by_name(members->type, name);
    if (field == NULL) {
        return ss__json_decode_fail(decoder, SS_E_JSON, key->at, "unknown field \"%.*s\"",
                                    shown(name), name.data);
    }
    if (members->seen[field->index]) {
        return ss__json_decode_fail(decoder, SS_E_JSON, key->at, "duplicate field \"%s\"",
                                    field->json_name.data);
    }
    members->seen[field->index] = true;
    *ret_field = field;
    return 0;
}

static int take_member(struct ss_json_decoder *decoder, struct members *members,
                       const struct ss_field *field)
{
    struct ss_json_token value;
    int err = ss__json_decode_next(decoder, &value);
    if (err != 0) {
        return err;
    }
    if (value.kind == SS_JSON_NULL && !takes_null(field)) {
        return field->label == SS_LABEL_REQUIRED
                   ? ss__json_decode_fail(decoder, SS_E_JSON, value.at,
                                          "required field \"%s\" is null", field->json_name.data)
                   : 0;
    }
    if (field->oneof_index >= 0) {
        if (members->arms[field->oneof_index]) {
            return ss__json_decode_fail(decoder, SS_E_JSON, value.at,
                                        "oneof \"%s\" is already set",
                                        members->type->oneofs[field->oneof_index].name.data);
        }
        members->arms[field->oneof_index] = true;
    }
    struct part *part = &members->parts[members->count++];
    part->number = field->number;
    part->begin = members->body.len;
    decoder->path[decoder->depth] = field->json_name;
    err = decode_field(decoder, field, &value, &members->body);
    decoder->path[decoder->depth] = (struct ss_str){ "", 0 };
    part->end = members->body.len;
    return err != 0 ? err : members->body.err;
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left;
    const struct part *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

static void end_members(struct members *members, struct ss_bytes *out)
{
    qsort(members->parts, members->count, sizeof *members->parts, compare_parts);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct part *part = &members->parts[i];
        if (part->end > part->begin) {
            ss__bytes_append(out, members->body.data + part->begin, part->end - part->begin);
        }
    }
}

static int check_required(struct ss_json_decoder *decoder, const struct members *members)
{
    const struct ss_type *type = members->type;
    for (uint32_t i = 0; type->syntax == SS_SYNTAX_PROTO2 && i < type->field_count; i++) {
        if (type->fields[i].label == SS_LABEL_REQUIRED && !members->seen[i]) {
            return ss__json_decode_fail(decoder, SS_E_JSON,
                                        (size_t)(decoder->reader.at - decoder->reader.begin),
                                        "required field \"%s\" is missing",
                                        type->fields[i].json_name.data);
        }
    }
    return 0;
}

int ss__json_decode_members(struct ss_json_decoder *decoder, const struct ss_type *type, bool any,
                            struct ss_bytes *out)
{
    struct members members;
    int err = begin_members(decoder, type, out, &members);
    while (err == 0) {
        struct ss_json_token key;
        err = ss__json_decode_next(decoder, &key);
        if (err != 0 || key.kind == SS_JSON_OBJECT_END) {
            break;
        }
        bool is_type = false;
        err = any ? ss__json_decode_is(decoder, &key, "@type", &is_type) : 0;
        if (err == 0 && is_type) {
            err = ss__json_decode_next(decoder, &key);    /* its string, read before */
            continue;
        }
        const struct ss_field *field = NULL;
        err = err != 0 ? err : find_member(decoder, &members, &key, &field);
        err = err != 0 ? err : take_member(decoder, &members, field);
    }
    err = err != 0 ? err : check_required(decoder, &members);
    if (err == 0) {
        end_members(&members, out);
        err = out->err;
    }
    ss__bytes_deinit(&members.body);
    decoder->blocks_used--;
    return err;
}

int ss__json_decode_message(struct ss_json_decoder *decoder, const struct ss_type *type,
                            const struct ss_json_token *token, struct ss_bytes *out)
{
    int err = ss__json_decode_enter(decoder, token->at);
    if (err != 0) {
        return err;
    }
    if (type->well_known != SS_WELL_KNOWN_NONE) {
        err = ss__json_decode_well_known(decoder, type, token, out);
    } else if (token->kind == SS_JSON_OBJECT) {
        err = ss__json_decode_members(decoder, type, false, out);
    } else {
        err = ss__json_decode_fail(decoder, SS_E_JSON, token->at, "%s wants an object",
                                   type->name.data);
    }
    decoder->depth -= err == 0;    /* an error keeps its path */
    return err;
}

static int decode(const struct ss_schema *schema, const struct ss_type *type, bool any,
                  struct ss_str json, struct ss_bytes *out, struct ss_failure *failure)
{
    struct ss_json_decoder decoder = { .schema = schema, .failure = failure };
    struct ss_json_token token;
    size_t begin = out->len;
    ss__json_reader_init(&decoder.reader, json);
    ss__arena_init(&decoder.arena, 4096);
    ss__bytes_init(&decoder.text, 0);
    int err = ss__json_decode_next(&decoder, &token);
    if (err == 0) {
        err = any ? ss__json_decode_any_of(&decoder, type, &token, out)
                  : ss__json_decode_message(&decoder, type, &token, out);
    }
    err = err != 0 ? err : ss__json_decode_next(&decoder, &token);    /* nothing may follow */
    if (err == 0 && out->err != 0) {
        err = out->err;
    }
    if (err == SS_E_NOMEM || err == SS_E_TOOBIG) {
        (void)ss__fail(failure, err, "%s", ss_error_text(err));
    }
    if (err != 0 && out->err == 0) {
        out->len = begin;
    }
    ss__arena_deinit(&decoder.arena);
    ss__bytes_deinit(&decoder.text);
    return err;
}

int ss__json_decode(const struct ss_schema *schema, const struct ss_type *type, struct ss_str json,
                    struct ss_bytes *out, struct ss_failure *failure)
{
    return decode(schema, type, false, json, out, failure);
}

int ss__json_decode_any(const struct ss_schema *schema, const struct ss_type *type,
                        struct ss_str json, struct ss_bytes *out, struct ss_failure *failure)
{
    return decode(schema, type, true, json, out, failure);
}
