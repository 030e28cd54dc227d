#include "schema/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "schema/json_encoder.h"
#include "schema/json_number.h"
#include "schema/json_text.h"
#include "schema/scan.h"

#define MAP_ENTRIES_INLINE 4

int ss__json_encode_fail(struct ss_json_encoder *encoder, int code, const char *format, ...)
{
    char path[128] = "";
    size_t len = 0;
    for (unsigned i = 0; i <= encoder->depth && i <= SS_NESTING_MAX; i++) {
        const struct ss_field *field = encoder->path[i];
        if (field != NULL && len < sizeof path) {
            int n = snprintf(path + len, sizeof path - len, "%s%s", len == 0 ? "" : ".",
                             field->json_name.data);
            len += n < 0 ? 0 : (size_t)n;
        }
    }
    char reason[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);    /* may be cut, ss__fail trims */
    va_end(args);
    reason[ss__utf8_floor(reason, strlen(reason))] = '\0';
    path[ss__utf8_floor(path, strlen(path))] = '\0';
    return ss__fail(encoder->failure, code, "%s%s%s", path, path[0] == '\0' ? "" : ": ", reason);
}

static int fail_malformed(struct ss_json_encoder *encoder, const struct ss_type *type)
{
    return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "malformed bytes for type %s",
                                type->name.data);
}

static int32_t unzigzag32(uint32_t value)
{
    return (int32_t)(value >> 1 ^ (0 - (value & 1)));
}

static int64_t unzigzag64(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* The value of an integer kind, sign-extended; unsigned kinds read it as uint64_t. */
static int64_t integer_of(enum ss_kind kind, uint64_t raw)
{
    switch (kind) {
    case SS_KIND_INT32:
    case SS_KIND_ENUM:
    case SS_KIND_SFIXED32:
        return (int32_t)(uint32_t)raw;
    case SS_KIND_SINT32:
        return unzigzag32((uint32_t)raw);
    case SS_KIND_SINT64:
        return unzigzag64(raw);
    case SS_KIND_UINT32:
    case SS_KIND_FIXED32:
        return (uint32_t)raw;
    case SS_KIND_BOOL:
        return raw != 0;
    default:
        return (int64_t)raw;
    }
}

static bool is_unsigned64(enum ss_kind kind)
{
    return kind == SS_KIND_UINT64 || kind == SS_KIND_FIXED64;
}

static void write_integer(struct ss_bytes *out, enum ss_kind kind, int64_t value)
{
    if (is_unsigned64(kind)) {
        ss__bytes_u64(out, (uint64_t)value);
    } else {
        ss__bytes_i64(out, value);
    }
}

static void write_enum(struct ss_bytes *out, const struct ss_enum *enumeration, int32_t number)
{
    const struct ss_enum_value *value = ss__enum_by_number(enumeration, number);
    if (enumeration->null_value) {
        ss__bytes_text(out, "null");
    } else if (value == NULL) {
        ss__bytes_i64(out, number);
    } else {
        ss__json_string(out, value->name);
    }
}

static void write_double(struct ss_bytes *out, uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    ss__json_write_double(out, value);
}

static void write_float(struct ss_bytes *out, uint64_t bits)
{
    uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof value);
    ss__json_write_float(out, value);
}

static int encode_string(struct ss_json_encoder *encoder, struct ss_str text)
{
    if (encoder->anys > 0 && !ss__utf8_valid(text.data, text.len)) {
        return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "invalid UTF-8");
    }
    ss__json_string(encoder->out, text);
    return 0;
}

int ss__json_encode_value(struct ss_json_encoder *encoder, const struct ss_field *field,
                          const struct ss_pb_field *value)
{
    struct ss_bytes *out = encoder->out;
    int64_t integer = integer_of(field->kind, value->value);
    switch (field->kind) {
    case SS_KIND_DOUBLE:
        write_double(out, value->value);
        return 0;
    case SS_KIND_FLOAT:
        write_float(out, value->value);
        return 0;
    case SS_KIND_INT64:
    case SS_KIND_UINT64:
    case SS_KIND_FIXED64:
    case SS_KIND_SFIXED64:
    case SS_KIND_SINT64:
        ss__bytes_byte(out, '"');
        write_integer(out, field->kind, integer);
        ss__bytes_byte(out, '"');
        return 0;
    case SS_KIND_INT32:
    case SS_KIND_FIXED32:
    case SS_KIND_UINT32:
    case SS_KIND_SFIXED32:
    case SS_KIND_SINT32:
        ss__bytes_i64(out, integer);
        return 0;
    case SS_KIND_BOOL:
        ss__bytes_text(out, integer != 0 ? "true" : "false");
        return 0;
    case SS_KIND_ENUM:
        write_enum(out, field->enumeration, (int32_t)integer);
        return 0;
    case SS_KIND_STRING:
        return encode_string(encoder, value->bytes);
    case SS_KIND_BYTES:
        ss__json_base64(out, value->bytes);
        return 0;
    case SS_KIND_MESSAGE:
        return ss__json_encode_message(encoder, field->message, value->bytes);
    case SS_KIND_GROUP:
        break;
    }
    return 0;
}

/* True if the value is what an absent field stands for. */
static bool is_default(const struct ss_field *field, const struct ss_pb_field *value)
{
    if (value->wire == SS_PB_LEN) {
        return value->bytes.len == 0;
    }
    return field->kind == SS_KIND_DOUBLE || field->kind == SS_KIND_FLOAT
               ? value->value == 0
               : integer_of(field->kind, value->value) == 0;
}

static void write_name(struct ss_json_encoder *encoder, const struct ss_field *field, bool first)
{
    if (!first) {
        ss__bytes_byte(encoder->out, ',');
    }
    ss__json_string(encoder->out, field->json_name);
    ss__bytes_byte(encoder->out, ':');
}

/* The elements of one packed chunk. */
static int encode_chunk(struct ss_json_encoder *encoder, const struct ss_field *field,
                        struct ss_str chunk, bool *first)
{
    const uint8_t *at = (const uint8_t *)chunk.data;
    const uint8_t *end = at + chunk.len;
    while (at < end) {
        struct ss_pb_field value = { .number = field->number, .wire = field->wire };
        if (field->wire == SS_PB_VARINT) {
            at = ss__scan_varint(at, end, &value.value);
        } else if (field->wire == SS_PB_I32) {
            at = ss__scan_fixed32(at, end, &value.value);
        } else {
            at = ss__scan_fixed64(at, end, &value.value);
        }
        if (at == NULL) {
            return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "malformed packed values");
        }
        if (!*first) {
            ss__bytes_byte(encoder->out, ',');
        }
        *first = false;
        int err = ss__json_encode_value(encoder, field, &value);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

/* The run of @fields with the current field; as ss__json_encode_map. */
static int encode_list(struct ss_json_encoder *encoder, struct ss_json_fields *fields,
                       bool *ret_more)
{
    const struct ss_field *field = fields->field;
    bool first = true;
    ss__bytes_byte(encoder->out, '[');
    do {
        int err;
        if (field->packable && fields->value.wire == SS_PB_LEN) {
            err = encode_chunk(encoder, field, fields->value.bytes, &first);
        } else {
            if (!first) {
                ss__bytes_byte(encoder->out, ',');
            }
            first = false;
            err = ss__json_encode_value(encoder, field, &fields->value);
        }
        if (err != 0) {
            return err;
        }
        *ret_more = ss__json_fields_next(fields);
    } while (*ret_more && fields->field == field);
    ss__bytes_byte(encoder->out, ']');
    return 0;
}

/* One map entry, with its key taken out for sorting. */
struct entry {
    struct ss_str packed;
    struct ss_str text;      /* key, if a string */
    int64_t integer;         /* key otherwise */
    size_t sequence;
    enum ss_kind kind;       /* of the key */
};

struct entries {
    struct entry *items;
    size_t len;
    size_t cap;
    struct entry space[MAP_ENTRIES_INLINE];
};

static int add_entry(struct entries *entries, const struct entry *entry)
{
    if (entries->len == entries->cap) {
        size_t cap = entries->cap * 2;
        bool inlined = entries->items == entries->space;
        struct entry *items = realloc(inlined ? NULL : entries->items, cap * sizeof *items);
        if (items == NULL) {
            return SS_E_NOMEM;
        }
        if (inlined) {
            memcpy(items, entries->space, sizeof entries->space);
        }
        entries->items = items;
        entries->cap = cap;
    }
    entries->items[entries->len++] = *entry;
    return 0;
}

static void read_key(const struct ss_type *type, struct ss_str packed, struct entry *ret_entry)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    struct entry entry = { .packed = packed, .kind = type->fields[0].kind };
    while (ss__json_fields_next(&fields)) {
        if (fields.field == &type->fields[0]) {
            entry.text = fields.value.bytes;
            entry.integer = integer_of(entry.kind, fields.value.value);
        }
    }
    *ret_entry = entry;
}

static int compare_keys(const struct entry *a, const struct entry *b)
{
    if (a->kind == SS_KIND_STRING) {
        size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
        int order = len == 0 ? 0 : memcmp(a->text.data, b->text.data, len);
        return order != 0 ? order : (a->text.len > b->text.len) - (a->text.len < b->text.len);
    }
    if (is_unsigned64(a->kind)) {
        uint64_t left = (uint64_t)a->integer;
        uint64_t right = (uint64_t)b->integer;
        return (left > right) - (left < right);
    }
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = compare_keys(a, b);
    return order != 0 ? order : a->sequence < b->sequence ? -1 : 1;
}

/* "key":value of an entry that is in order. */
static int encode_ordered_entry(struct ss_json_encoder *encoder, const struct ss_type *type,
                                struct ss_str packed, const struct entry *entry)
{
    const struct ss_field *value_field = &type->fields[1];
    struct ss_pb_field value = { .number = value_field->number, .wire = value_field->wire };
    struct ss_json_fields fields = ss__json_fields(type, packed);
    while (ss__json_fields_next(&fields)) {
        if (fields.field == value_field) {
            value = fields.value;
        }
    }
    if (fields.reader.failed) {
        return fail_malformed(encoder, type);
    }
    struct ss_bytes *out = encoder->out;
    if (entry->kind == SS_KIND_STRING) {
        int err = encode_string(encoder, entry->text);
        if (err != 0) {
            return err;
        }
    } else if (entry->kind == SS_KIND_BOOL) {
        ss__bytes_text(out, entry->integer != 0 ? "\"true\"" : "\"false\"");
    } else {
        ss__bytes_byte(out, '"');
        write_integer(out, entry->kind, entry->integer);
        ss__bytes_byte(out, '"');
    }
    ss__bytes_byte(out, ':');
    return ss__json_encode_value(encoder, value_field, &value);
}

static int fail_order(struct ss_json_encoder *encoder, const struct ss_type *type, int err)
{
    return err == SS_E_PAYLOAD ? fail_malformed(encoder, type)
                               : ss__json_encode_fail(encoder, err, "%s", ss_error_text(err));
}

static int encode_entry(struct ss_json_encoder *encoder, const struct ss_type *type,
                        const struct entry *entry)
{
    if (ss__json_in_order(type, entry->packed)) {
        return encode_ordered_entry(encoder, type, entry->packed, entry);
    }
    struct ss_bytes ordered;
    ss__bytes_init(&ordered, 0);
    int err = ss__json_put_in_order(type, entry->packed, &ordered);
    err = err == 0 ? encode_ordered_entry(encoder, type, ss__bytes_view(&ordered), entry)
                   : fail_order(encoder, type, err);
    ss__bytes_deinit(&ordered);
    return err;
}

static int encode_entries(struct ss_json_encoder *encoder, const struct ss_type *type,
                          struct entries *entries)
{
    if (entries->len > 1) {
        qsort(entries->items, entries->len, sizeof *entries->items, compare_entries);
    }
    bool first = true;
    ss__bytes_byte(encoder->out, '{');
    for (size_t i = 0; i < entries->len; i++) {
        const struct entry *entry = &entries->items[i];
        if (i + 1 < entries->len && compare_keys(entry, entry + 1) == 0) {
            continue;    /* the last value of a key wins */
        }
        if (!first) {
            ss__bytes_byte(encoder->out, ',');
        }
        first = false;
        int err = encode_entry(encoder, type, entry);
        if (err != 0) {
            return err;
        }
    }
    ss__bytes_byte(encoder->out, '}');
    return 0;
}

static int enter(struct ss_json_encoder *encoder)
{
    if (encoder->depth == SS_NESTING_MAX) {
        return ss__json_encode_fail(encoder, SS_E_PAYLOAD, "nested deeper than %d",
                                    SS_NESTING_MAX);
    }
    encoder->path[++encoder->depth] = NULL;
    return 0;
}

static void leave(struct ss_json_encoder *encoder)
{
    encoder->depth--;
}

int ss__json_encode_map(struct ss_json_encoder *encoder, struct ss_json_fields *fields,
                        bool *ret_more)
{
    const struct ss_field *field = fields->field;
    struct entries entries = { .items = entries.space, .cap = MAP_ENTRIES_INLINE };
    int err = 0;
    do {
        struct entry entry;
        read_key(field->message, fields->value.bytes, &entry);
        entry.sequence = entries.len;
        err = add_entry(&entries, &entry);
        *ret_more = ss__json_fields_next(fields);
    } while (err == 0 && *ret_more && fields->field == field);
    if (err == 0) {
        err = enter(encoder);
        if (err == 0) {
            err = encode_entries(encoder, field->message, &entries);
            leave(encoder);
        }
    } else {
        err = ss__json_encode_fail(encoder, err, "%s", ss_error_text(err));
    }
    if (entries.items != entries.space) {
        free(entries.items);
    }
    return err;
}

/* True if the run that begins at the current field holds no element. */
static bool is_empty_run(const struct ss_json_fields *fields)
{
    const struct ss_field *field = fields->field;
    if (!field->packable) {
        return false;
    }
    struct ss_json_fields ahead = *fields;
    do {
        if (ahead.value.wire != SS_PB_LEN || ahead.value.bytes.len > 0) {
            return false;
        }
    } while (ss__json_fields_next(&ahead) && ahead.field == field);
    return true;
}

int ss__json_encode_members(struct ss_json_encoder *encoder, const struct ss_type *type,
                            struct ss_str packed, bool first)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    bool more = ss__json_fields_next(&fields);
    while (more) {
        const struct ss_field *field = fields.field;
        bool repeated = field->label == SS_LABEL_REPEATED;
        if (repeated ? is_empty_run(&fields)
                     : !field->presence && is_default(field, &fields.value)) {
            more = ss__json_fields_next(&fields);
            continue;
        }
        encoder->path[encoder->depth] = field;
        write_name(encoder, field, first);
        first = false;
        int err;
        if (field->is_map) {
            err = ss__json_encode_map(encoder, &fields, &more);
        } else if (repeated) {
            err = encode_list(encoder, &fields, &more);
        } else {
            err = ss__json_encode_value(encoder, field, &fields.value);
            more = ss__json_fields_next(&fields);
        }
        if (err != 0) {
            return err;
        }
    }
    return fields.reader.failed ? fail_malformed(encoder, type) : 0;
}

static int encode_ordered(struct ss_json_encoder *encoder, const struct ss_type *type,
                          struct ss_str packed)
{
    if (type->well_known != SS_WELL_KNOWN_NONE) {
        return ss__json_encode_well_known(encoder, type, packed);
    }
    ss__bytes_byte(encoder->out, '{');
    int err = ss__json_encode_members(encoder, type, packed, true);
    ss__bytes_byte(encoder->out, '}');
    return err;
}

int ss__json_encode_message(struct ss_json_encoder *encoder, const struct ss_type *type,
                            struct ss_str packed)
{
    int err = enter(encoder);
    if (err != 0) {
        return err;
    }
    if (ss__json_in_order(type, packed)) {
        err = encode_ordered(encoder, type, packed);
    } else {
        struct ss_bytes ordered;
        ss__bytes_init(&ordered, 0);
        err = ss__json_put_in_order(type, packed, &ordered);
        err = err == 0 ? encode_ordered(encoder, type, ss__bytes_view(&ordered))
                       : fail_order(encoder, type, err);
        ss__bytes_deinit(&ordered);
    }
    leave(encoder);
    return err;
}
