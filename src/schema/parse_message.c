#include <inttypes.h>

#include "schema/load.h"
#include "schema/scan.h"

/* google.protobuf.DescriptorProto and FieldDescriptorProto, see descriptor.proto. */
#define LEN(number) ((number) << 3 | SS_PB_LEN)
#define VARINT(number) ((number) << 3 | SS_PB_VARINT)

enum {
    MESSAGE_NAME = LEN(1),
    MESSAGE_FIELD = LEN(2),
    MESSAGE_NESTED = LEN(3),
    MESSAGE_ENUM = LEN(4),
    MESSAGE_OPTIONS = LEN(7),
    MESSAGE_ONEOF = LEN(8),
    MESSAGE_OPTIONS_MESSAGE_SET = VARINT(1),
    MESSAGE_OPTIONS_MAP_ENTRY = VARINT(7),
    ONEOF_NAME = LEN(1),
    FIELD_NAME = LEN(1),
    FIELD_NUMBER = VARINT(3),
    FIELD_LABEL = VARINT(4),
    FIELD_TYPE = VARINT(5),
    FIELD_TYPE_NAME = LEN(6),
    FIELD_DEFAULT = LEN(7),
    FIELD_OPTIONS = LEN(8),
    FIELD_ONEOF_INDEX = VARINT(9),
    FIELD_JSON_NAME = LEN(10),
    FIELD_PROTO3_OPTIONAL = VARINT(17),
    FIELD_OPTIONS_PACKED = VARINT(2),
};

/* A FieldDescriptorProto as it stands in the bytes. */
struct raw_field {
    struct ss_str name;
    struct ss_str json_name;
    struct ss_str type_name;
    struct ss_str default_text;
    uint64_t number;
    uint64_t label;
    uint64_t type;
    int64_t oneof_index;
    bool has_default;
    bool proto3_optional;
    bool has_packed;
    bool packed;
};

static bool is_packable(enum ss_kind kind)
{
    return kind != SS_KIND_STRING && kind != SS_KIND_BYTES && kind != SS_KIND_MESSAGE &&
           kind != SS_KIND_GROUP;
}

static enum ss_pb_wire wire_of(enum ss_kind kind)
{
    switch (kind) {
    case SS_KIND_DOUBLE:
    case SS_KIND_FIXED64:
    case SS_KIND_SFIXED64:
        return SS_PB_I64;
    case SS_KIND_FLOAT:
    case SS_KIND_FIXED32:
    case SS_KIND_SFIXED32:
        return SS_PB_I32;
    case SS_KIND_STRING:
    case SS_KIND_BYTES:
    case SS_KIND_MESSAGE:
        return SS_PB_LEN;
    default:
        return SS_PB_VARINT;
    }
}

static bool read_field_options(struct ss_str packed, struct raw_field *raw)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    while (ss__load_next(&reader, &field)) {
        if ((field.number << 3 | field.wire) == FIELD_OPTIONS_PACKED) {
            raw->has_packed = true;
            raw->packed = field.value != 0;
        }
    }
    return !reader.failed;
}

static bool read_field(struct ss_str packed, struct raw_field *raw)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    bool ok = true;
    while (ok && ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case FIELD_NAME:
            raw->name = field.bytes;
            break;
        case FIELD_NUMBER:
            raw->number = field.value;
            break;
        case FIELD_LABEL:
            raw->label = field.value;
            break;
        case FIELD_TYPE:
            raw->type = field.value;
            break;
        case FIELD_TYPE_NAME:
            raw->type_name = field.bytes;
            break;
        case FIELD_DEFAULT:
            raw->default_text = field.bytes;
            raw->has_default = true;
            break;
        case FIELD_OPTIONS:
            ok = read_field_options(field.bytes, raw);
            break;
        case FIELD_ONEOF_INDEX:
            raw->oneof_index = field.value > SS_TYPE_FIELDS_MAX ? INT32_MAX
                                                                : (int64_t)field.value;
            break;
        case FIELD_JSON_NAME:
            raw->json_name = field.bytes;
            break;
        case FIELD_PROTO3_OPTIONAL:
            raw->proto3_optional = field.value != 0;
            break;
        default:
            break;
        }
    }
    return ok && !reader.failed;
}

/* The error of a field that cannot be, or NULL. */
static const char *judge_field(const struct ss_type *type, const struct raw_field *raw)
{
    bool proto3 = type->syntax == SS_SYNTAX_PROTO3;
    bool reference = raw->type == SS_KIND_MESSAGE || raw->type == SS_KIND_ENUM;
    if (raw->number == 0 || raw->number > SS_PB_NUMBER_MAX) {
        return "the number must be 1 to 536870911";
    }
    if (raw->number >= 19000 && raw->number <= 19999) {
        return "the numbers 19000 to 19999 are reserved";
    }
    if (raw->type == 0 || raw->type >= SS_KIND_COUNT) {
        return "the type is missing or unknown";
    }
    if (raw->label < SS_LABEL_OPTIONAL || raw->label > SS_LABEL_REPEATED) {
        return "the label is missing or unknown";
    }
    if (raw->type == SS_KIND_GROUP) {
        return "protobuf-c cannot read groups; use a field of a message type";
    }
    if (proto3 && (raw->label == SS_LABEL_REQUIRED || raw->has_default)) {
        return "proto3 has no required fields or defaults";
    }
    if (raw->proto3_optional &&
        (!proto3 || raw->oneof_index < 0 || raw->label != SS_LABEL_OPTIONAL)) {
        return "proto3_optional needs proto3 and a oneof of its own";
    }
    if (reference && (raw->type_name.len < 2 || raw->type_name.data[0] != '.')) {
        return "the type name must be fully qualified, with a leading dot";
    }
    if (raw->has_default && (raw->label == SS_LABEL_REPEATED || raw->type == SS_KIND_MESSAGE)) {
        return "a repeated field or message has no default";
    }
    if (raw->has_packed && raw->packed &&
        (raw->label != SS_LABEL_REPEATED || !is_packable((enum ss_kind)raw->type))) {
        return "only repeated numbers, enums and bools can be packed";
    }
    return NULL;
}

/* protoc's rule: underscores go, the letter after one becomes a capital. */
static int make_json_name(struct ss_load *load, struct ss_str name, struct ss_str *ret_json_name)
{
    char *out = ss__arena_alloc(&load->part->arena, name.len + 1);
    if (out == NULL) {
        return SS_E_NOMEM;
    }
    size_t len = 0;
    bool capital = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c == '_') {
            capital = true;
            continue;
        }
        out[len++] = capital && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        capital = false;
    }
    out[len] = '\0';
    *ret_json_name = ss_str_of(out, len);
    return 0;
}

static int copy_field_texts(struct ss_load *load, const struct ss_type *type,
                            const struct raw_field *raw, struct ss_field *field)
{
    int err = ss__load_copy(load, type->file, type->name, "a field's name", raw->name,
                            &field->name);
    if (err == 0 && raw->json_name.len > 0) {
        err = ss__load_copy(load, type->file, type->name, "a json_name", raw->json_name,
                            &field->json_name);
    } else if (err == 0) {
        err = make_json_name(load, raw->name, &field->json_name);
    }
    if (err == 0 && raw->type_name.len > 0) {
        struct ss_str bare = ss_str_of(raw->type_name.data + 1, raw->type_name.len - 1);
        err = ss__load_copy(load, type->file, type->name, "a type name", bare, &field->type_name);
    }
    if (err == 0 && raw->has_default) {
        err = ss__load_copy(load, type->file, type->name, "a default", raw->default_text,
                            &field->default_text);
    }
    return err;
}

int ss__load_parse_field(struct ss_load *load, struct ss_type *type, struct ss_str packed,
                         struct ss_field *ret_field)
{
    struct raw_field raw = { .oneof_index = -1 };
    if (!read_field(packed, &raw) || !ss__load_is_identifier(raw.name)) {
        return ss__load_bad(load, type->file, type->name,
                            "a field is malformed or has no valid name");
    }
    const char *wrong = judge_field(type, &raw);
    if (wrong != NULL) {
        size_t shown = raw.name.len > 64 ? 64 : raw.name.len;
        return ss__load_bad(load, type->file, type->name, "field \"%.*s\" (number %" PRIu64 "): %s",
                            (int)shown, raw.name.data, raw.number, wrong);
    }
    struct ss_field field = {
        .number = (uint32_t)raw.number,
        .kind = (enum ss_kind)raw.type,
        .label = (enum ss_label)raw.label,
        .oneof_index = (int32_t)raw.oneof_index,
        .proto3_optional = raw.proto3_optional,
        .has_default = raw.has_default,
    };
    field.wire = wire_of(field.kind);
    field.packable = field.label == SS_LABEL_REPEATED && is_packable(field.kind);
    field.packed = field.packable &&
                   (raw.has_packed ? raw.packed : type->syntax == SS_SYNTAX_PROTO3);
    int err = copy_field_texts(load, type, &raw, &field);
    if (err != 0) {
        return err;
    }
    *ret_field = field;
    return 0;
}

/* Sets name, counts and options of @type. */
static int scan_message(struct ss_load *load, struct ss_str scope, struct ss_str packed,
                        struct ss_type *type)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str name = { NULL, 0 };
    bool message_set = false;
    while (ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case MESSAGE_NAME:
            name = field.bytes;
            break;
        case MESSAGE_FIELD:
            type->field_count++;
            break;
        case MESSAGE_ONEOF:
            type->oneof_count++;
            break;
        case MESSAGE_OPTIONS: {
            struct ss_pb_reader options = ss__pb_reader(field.bytes);
            struct ss_pb_field option;
            while (ss__load_next(&options, &option)) {
                uint32_t key = option.number << 3 | option.wire;
                type->map_entry |= key == MESSAGE_OPTIONS_MAP_ENTRY && option.value != 0;
                message_set |= key == MESSAGE_OPTIONS_MESSAGE_SET && option.value != 0;
            }
            reader.failed = reader.failed || options.failed;
            break;
        }
        default:
            break;
        }
    }
    if (reader.failed) {
        return ss__load_bad(load, type->file, scope, "a message in here is malformed");
    }
    int err = ss__load_full_name(load, type->file, scope, name, &type->name);
    if (err == 0 && message_set) {
        err = ss__load_bad(load, type->file, type->name,
                           "message_set_wire_format is not supported");
    }
    if (err == 0 && (type->field_count > SS_TYPE_FIELDS_MAX ||
                     type->oneof_count > type->field_count)) {
        err = ss__load_bad(load, type->file, type->name,
                           "more than %u fields, or more oneofs than fields", SS_TYPE_FIELDS_MAX);
    }
    return err;
}

static int parse_oneof(struct ss_load *load, struct ss_type *type, struct ss_str packed,
                       struct ss_oneof *ret_oneof)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str name = { NULL, 0 };
    while (ss__load_next(&reader, &field)) {
        if ((field.number << 3 | field.wire) == ONEOF_NAME) {
            name = field.bytes;
        }
    }
    if (reader.failed || !ss__load_is_identifier(name)) {
        return ss__load_bad(load, type->file, type->name,
                            "a oneof is malformed or has no valid name");
    }
    return ss__load_copy(load, type->file, type->name, "a oneof's name", name, &ret_oneof->name);
}

static int parse_members(struct ss_load *load, struct ss_parsed_file *parsed, struct ss_type *type,
                         struct ss_str packed, unsigned depth)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    uint32_t fields = 0;
    uint32_t oneofs = 0;
    int err = 0;
    while (err == 0 && ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case MESSAGE_FIELD:
            err = ss__load_parse_field(load, type, field.bytes, &type->fields[fields++]);
            break;
        case MESSAGE_ONEOF:
            err = parse_oneof(load, type, field.bytes, &type->oneofs[oneofs++]);
            break;
        case MESSAGE_NESTED:
            err = ss__load_parse_message(load, parsed, type->name, field.bytes, depth + 1);
            break;
        case MESSAGE_ENUM:
            err = ss__load_parse_enum(load, parsed, type->name, field.bytes);
            break;
        default:
            break;
        }
    }
    return err;
}

int ss__load_parse_message(struct ss_load *load, struct ss_parsed_file *parsed,
                           struct ss_str scope, struct ss_str packed, unsigned depth)
{
    if (depth > SS_NESTING_MAX) {
        return ss__load_bad(load, parsed->file, scope, "messages nested deeper than %d",
                            SS_NESTING_MAX);
    }
    struct ss_arena *arena = &load->part->arena;
    struct ss_type *type = ss__arena_calloc(arena, sizeof *type);
    if (type == NULL) {
        return SS_E_NOMEM;
    }
    type->file = parsed->file;
    type->syntax = parsed->file->syntax;
    int err = scan_message(load, scope, packed, type);
    if (err != 0) {
        return err;
    }
    *parsed->types_end = type;
    parsed->types_end = &type->next;
    type->fields = ss__arena_calloc(arena, (type->field_count + 1) * sizeof *type->fields);
    type->oneofs = ss__arena_calloc(arena, (type->oneof_count + 1) * sizeof *type->oneofs);
    if (type->fields == NULL || type->oneofs == NULL) {
        return SS_E_NOMEM;
    }
    err = parse_members(load, parsed, type, packed, depth);
    return err != 0 ? err : ss__load_settle(load, type);
}
