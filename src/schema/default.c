#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "schema/load.h"

static bool parse_signed(struct ss_str text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text.data, &end, 10);
    if (errno != 0 || end != text.data + text.len || text.len == 0 || value < min || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool parse_unsigned(struct ss_str text, uint64_t max, uint64_t *ret_value)
{
    if (text.len == 0 || text.data[0] < '0' || text.data[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text.data, &end, 10);
    if (errno != 0 || end != text.data + text.len || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* strtod knows inf and nan as protoc writes them; the locale of the process must not matter. */
static bool parse_double(struct ss_str text, double *ret_value)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return false;
    }
    char *end;
    double value = strtod_l(text.data, &end, plain);
    freelocale(plain);
    if (text.len == 0 || end != text.data + text.len) {
        return false;
    }
    *ret_value = value;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One escape after its backslash; returns the characters used, 0 when malformed. */
static size_t unescape(const char *at, size_t len, uint8_t *ret_byte)
{
    static const char from[] = "nrt\"'\\abfv?";
    static const char to[] = "\n\r\t\"'\\\a\b\f\v?";
    if (len == 0) {
        return 0;
    }
    if (at[0] == 'x') {
        if (len < 3 || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) {
            return 0;
        }
        *ret_byte = (uint8_t)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
        return 3;
    }
    unsigned value = 0;
    size_t digits = 0;
    while (digits < 3 && digits < len && at[digits] >= '0' && at[digits] <= '7') {
        value = value << 3 | (unsigned)(at[digits++] - '0');
    }
    if (digits > 0) {
        *ret_byte = (uint8_t)value;
        return value > 0xFF ? 0 : digits;
    }
    const char *known = at[0] == '\0' ? NULL : strchr(from, at[0]);
    if (known == NULL) {
        return 0;
    }
    *ret_byte = (uint8_t)to[known - from];
    return 1;
}

/* Bytes defaults stand C-escaped in the descriptor. */
static int parse_bytes(struct ss_arena *arena, struct ss_str text, const void **ret_value)
{
    ProtobufCBinaryData *value = ss__arena_alloc(arena, sizeof *value);
    uint8_t *data = ss__arena_alloc(arena, text.len + 1);
    if (value == NULL || data == NULL) {
        return SS_E_NOMEM;
    }
    size_t len = 0;
    for (size_t at = 0; at < text.len; len++) {
        if (text.data[at] != '\\') {
            data[len] = (uint8_t)text.data[at++];
            continue;
        }
        size_t used = unescape(text.data + at + 1, text.len - at - 1, &data[len]);
        if (used == 0) {
            return SS_E_SCHEMA;
        }
        at += 1 + used;
    }
    *value = (ProtobufCBinaryData){ len, data };
    *ret_value = value;
    return 0;
}

/* What protobuf-c copies into the field: 4 or 8 bytes. */
union scalar {
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    protobuf_c_boolean truth;
};

static bool parse_scalar(const struct ss_field *field, union scalar *value)
{
    struct ss_str text = field->default_text;
    bool ok;
    switch (field->kind) {
    case SS_KIND_INT32:
    case SS_KIND_SINT32:
    case SS_KIND_SFIXED32:
        ok = parse_signed(text, INT32_MIN, INT32_MAX, &value->i64);
        value->i32 = ok ? (int32_t)value->i64 : 0;
        return ok;
    case SS_KIND_INT64:
    case SS_KIND_SINT64:
    case SS_KIND_SFIXED64:
        return parse_signed(text, INT64_MIN, INT64_MAX, &value->i64);
    case SS_KIND_UINT32:
    case SS_KIND_FIXED32:
        ok = parse_unsigned(text, UINT32_MAX, &value->u64);
        value->u32 = ok ? (uint32_t)value->u64 : 0;
        return ok;
    case SS_KIND_UINT64:
    case SS_KIND_FIXED64:
        return parse_unsigned(text, UINT64_MAX, &value->u64);
    case SS_KIND_FLOAT:
        ok = parse_double(text, &value->f64);
        value->f32 = ok ? (float)value->f64 : 0;
        return ok;
    case SS_KIND_DOUBLE:
        return parse_double(text, &value->f64);
    case SS_KIND_BOOL:
        value->truth = ss_str_equal(text, ss_str("true"));
        return value->truth || ss_str_equal(text, ss_str("false"));
    case SS_KIND_ENUM: {
        const struct ss_enum_value *found = ss__enum_by_name(field->enumeration, text);
        value->i32 = found == NULL ? 0 : found->number;
        return found != NULL;
    }
    default:
        return false;
    }
}

static int parse_default(struct ss_arena *arena, const struct ss_field *field,
                         const void **ret_value)
{
    if (field->kind == SS_KIND_STRING) {
        *ret_value = field->default_text.data;
        return 0;
    }
    if (field->kind == SS_KIND_BYTES) {
        return parse_bytes(arena, field->default_text, ret_value);
    }
    union scalar *value = ss__arena_calloc(arena, sizeof *value);
    if (value == NULL) {
        return SS_E_NOMEM;
    }
    *ret_value = value;
    return parse_scalar(field, value) ? 0 : SS_E_SCHEMA;
}

int ss__load_default(struct ss_load *load, const struct ss_type *type,
                     const struct ss_field *field, const void **ret_value)
{
    const void *value = NULL;
    int err = 0;
    if (field->has_default) {
        err = parse_default(&load->part->arena, field, &value);
    } else if (field->kind == SS_KIND_STRING && !field->presence &&
               field->label == SS_LABEL_OPTIONAL) {
        value = protobuf_c_empty_string;    /* proto3: never NULL, as generated code has it */
    } else if (field->kind == SS_KIND_ENUM && field->label == SS_LABEL_OPTIONAL &&
               field->enumeration->values[0].number != 0) {
        value = &field->enumeration->values[0].number;
    }
    if (err == SS_E_SCHEMA) {
        size_t shown = field->name.len > 64 ? 64 : field->name.len;
        return ss__load_bad(load, type->file, type->name,
                            "field \"%.*s\": its default does not fit its type", (int)shown,
                            field->name.data);
    }
    if (err != 0) {
        return err;
    }
    /* protobuf-c would write it into the union while another member may be the one in use. */
    *ret_value = field->oneof_index >= 0 ? NULL : value;
    return 0;
}
