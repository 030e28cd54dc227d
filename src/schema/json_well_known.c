/* Types whose JSON form is not an object of their fields, from packed bytes to text. */
#include <math.h>

#include "core/utf8.h"
#include "schema/json.h"
#include "schema/json_encoder.h"
#include "schema/json_time.h"

static int encode_any(struct ss_json_encoder *encoder, const struct ss_type *type,
                      struct ss_str packed)
{
    struct ss_str url = { "", 0 };
    struct ss_str value = { "", 0 };
    struct ss_json_fields fields = ss__json_fields(type, packed);
    while (ss__json_fields_next(&fields)) {
        if (fields.field->number == 1) {
            url = fields.value.bytes;
        } else {
            value = fields.value.bytes;
        }
    }
    if (url.len == 0 && value.len == 0) {
        ss__bytes_text(encoder->out, "{}");
        return 0;
    }
    const struct ss_type *inner = ss__schema_find_url(encoder->schema, url);
    if (inner == NULL || !ss__utf8_valid(url.data, url.len)) {
        int shown = url.len > 96 ? 96 : (int)url.len;
        return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "Any holds the unknown type \"%.*s\"",
                                    inner == NULL ? shown : 0, url.data);
    }
    encoder->anys++;
    int err = ss__json_encode_typed(encoder, url, inner, value);
    encoder->anys--;
    return err;
}

static int encode_time(struct ss_json_encoder *encoder, const struct ss_type *type,
                       struct ss_str packed)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    struct ss_json_fields fields = ss__json_fields(type, packed);
    while (ss__json_fields_next(&fields)) {
        if (fields.field->number == 1) {
            seconds = (int64_t)fields.value.value;
        } else {
            nanos = (int32_t)(uint32_t)fields.value.value;
        }
    }
    bool good = type->well_known == SS_WELL_KNOWN_TIMESTAMP
                    ? ss__json_write_timestamp(encoder->out, seconds, nanos)
                    : ss__json_write_duration(encoder->out, seconds, nanos);
    return good ? 0
                : ss__json_encode_fail(encoder, SS_E_PAYLOAD, "%s out of range",
                                       type->name.data);
}

/* snake_case to lowerCamelCase; only what can be read back as one path. */
static bool write_camel(struct ss_bytes *out, struct ss_str path)
{
    bool capital = false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (capital && (c < 'a' || c > 'z')) {
            return false;
        }
        if ((c >= 'A' && c <= 'Z') || c == ',') {
            return false;
        }
        if (c == '_') {
            capital = true;
            continue;
        }
        ss__bytes_byte(out, (uint8_t)(capital ? c - 'a' + 'A' : c));
        capital = false;
    }
    return path.len > 0 && !capital;
}

static int encode_field_mask(struct ss_json_encoder *encoder, const struct ss_type *type,
                             struct ss_str packed)
{
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    struct ss_json_fields fields = ss__json_fields(type, packed);
    bool good = true;
    bool first = true;
    while (good && ss__json_fields_next(&fields)) {
        struct ss_str path = fields.value.bytes;
        if (!first) {
            ss__bytes_byte(&text, ',');
        }
        first = false;
        good = ss__utf8_valid(path.data, path.len) && write_camel(&text, path);
    }
    if (good) {
        ss__json_string(encoder->out, ss__bytes_view(&text));
    }
    int err = text.err;
    ss__bytes_deinit(&text);
    if (err != 0) {
        return ss__json_encode_fail(encoder, err, "%s", ss_error_text(err));
    }
    return good ? 0
                : ss__json_encode_fail(encoder, SS_E_PAYLOAD,
                                       "a path of a FieldMask has no JSON form");
}

/* The one field of a wrapper or Value; false if it is absent. */
static bool only_field(const struct ss_type *type, struct ss_str packed,
                       struct ss_json_fields *ret_fields)
{
    *ret_fields = ss__json_fields(type, packed);
    return ss__json_fields_next(ret_fields);
}

static int encode_wrapper(struct ss_json_encoder *encoder, const struct ss_type *type,
                          struct ss_str packed)
{
    struct ss_json_fields fields;
    struct ss_pb_field zero = { .number = 1, .bytes = { "", 0 } };
    if (only_field(type, packed, &fields)) {
        return ss__json_encode_value(encoder, fields.field, &fields.value);
    }
    return ss__json_encode_value(encoder, &type->fields[0], &zero);
}

static int encode_value(struct ss_json_encoder *encoder, const struct ss_type *type,
                        struct ss_str packed)
{
    struct ss_json_fields fields;
    if (!only_field(type, packed, &fields)) {
        return ss__json_encode_fail(encoder, SS_E_PAYLOAD,
                                    "a google.protobuf.Value has no kind");
    }
    if (fields.field->kind == SS_KIND_ENUM) {
        ss__bytes_text(encoder->out, "null");
        return 0;
    }
    if (fields.field->kind == SS_KIND_DOUBLE) {
        double number;
        memcpy(&number, &fields.value.value, sizeof number);
        if (!isfinite(number)) {
            return ss__json_encode_fail(encoder, SS_E_PAYLOAD,
                                        "a google.protobuf.Value cannot be NaN or infinite");
        }
    }
    return ss__json_encode_value(encoder, fields.field, &fields.value);
}

static int encode_list(struct ss_json_encoder *encoder, const struct ss_type *type,
                       struct ss_str packed)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    int err = 0;
    bool first = true;
    ss__bytes_byte(encoder->out, '[');
    while (err == 0 && ss__json_fields_next(&fields)) {
        if (!first) {
            ss__bytes_byte(encoder->out, ',');
        }
        first = false;
        err = ss__json_encode_value(encoder, fields.field, &fields.value);
    }
    ss__bytes_byte(encoder->out, ']');
    return err;
}

static int encode_struct(struct ss_json_encoder *encoder, const struct ss_type *type,
                         struct ss_str packed)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    bool more = ss__json_fields_next(&fields);
    if (!more) {
        ss__bytes_text(encoder->out, "{}");
        return 0;
    }
    return ss__json_encode_map(encoder, &fields, &more);
}

static bool is_malformed(const struct ss_type *type, struct ss_str packed)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    while (ss__json_fields_next(&fields)) {
    }
    return fields.reader.failed;
}

int ss__json_encode_well_known(struct ss_json_encoder *encoder, const struct ss_type *type,
                               struct ss_str packed)
{
    if (encoder->anys > 0 && is_malformed(type, packed)) {
        return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "malformed bytes for type %s",
                                    type->name.data);
    }
    switch (type->well_known) {
    case SS_WELL_KNOWN_ANY:
        return encode_any(encoder, type, packed);
    case SS_WELL_KNOWN_TIMESTAMP:
    case SS_WELL_KNOWN_DURATION:
        return encode_time(encoder, type, packed);
    case SS_WELL_KNOWN_FIELD_MASK:
        return encode_field_mask(encoder, type, packed);
    case SS_WELL_KNOWN_STRUCT:
        return encode_struct(encoder, type, packed);
    case SS_WELL_KNOWN_VALUE:
        return encode_value(encoder, type, packed);
    case SS_WELL_KNOWN_LIST_VALUE:
        return encode_list(encoder, type, packed);
    case SS_WELL_KNOWN_EMPTY:
        ss__bytes_text(encoder->out, "{}");
        return 0;
    default:
        return encode_wrapper(encoder, type, packed);
    }
}

int ss__json_encode_typed(struct ss_json_encoder *encoder, struct ss_str url,
                          const struct ss_type *type, struct ss_str packed)
{
    struct ss_bytes *out = encoder->out;
    ss__bytes_text(out, "{\"@type\":");
    ss__json_string(out, url);
    int err;
    if (type->well_known != SS_WELL_KNOWN_NONE) {
        ss__bytes_text(out, ",\"value\":");
        err = ss__json_encode_message(encoder, type, packed);
    } else if (ss__json_in_order(type, packed)) {
        err = ss__json_encode_members(encoder, type, packed, false);
    } else {
        struct ss_bytes ordered;
        ss__bytes_init(&ordered, 0);
        err = ss__json_put_in_order(type, packed, &ordered);
        err = err == 0 ? ss__json_encode_members(encoder, type, ss__bytes_view(&ordered), false)
                       : ss__json_encode_fail(encoder, err, "malformed bytes for type %s",
                                              type->name.data);
        ss__bytes_deinit(&ordered);
    }
    ss__bytes_byte(out, '}');
    return err;
}

/* ---- public ---- */

static int finish(struct ss_bytes *out, size_t begin, int err, struct ss_failure *failure)
{
    if (err == 0 && out->err != 0) {
        err = ss__fail(failure, out->err, "%s", ss_error_text(out->err));
    }
    if (err != 0 && out->err == 0) {
        out->len = begin;
    }
    return err;
}

int ss__json_encode(const struct ss_schema *schema, const struct ss_type *type,
                    struct ss_str packed, struct ss_bytes *out, struct ss_failure *failure)
{
    struct ss_json_encoder encoder = { .schema = schema, .out = out, .failure = failure };
    size_t begin = out->len;
    int err = ss__json_encode_message(&encoder, type, packed);
    return finish(out, begin, err, failure);
}

int ss__json_encode_any(const struct ss_schema *schema, const struct ss_type *type,
                        struct ss_str packed, struct ss_bytes *out, struct ss_failure *failure)
{
    char url[32 + 1024 + 1] = "type.googleapis.com/";
    size_t prefix = sizeof "type.googleapis.com/" - 1;
    struct ss_json_encoder encoder = { .schema = schema, .out = out, .failure = failure };
    size_t begin = out->len;
    if (type->name.len > sizeof url - prefix) {
        return ss__fail(failure, SS_E_TOOBIG, "type name is too long");
    }
    memcpy(url + prefix, type->name.data, type->name.len);
    int err = ss__json_encode_typed(&encoder, ss_str_of(url, prefix + type->name.len), type,
                                    packed);
    return finish(out, begin, err, failure);
}
