#include "lint/set.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "lint/places.h"
#include "lint/reserved.h"
#include "schema/pb.h"

/* Field numbers of descriptor.proto. */
enum {
    FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SYNTAX = 12,
    MESSAGE_NAME = 1, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7, MESSAGE_ONEOF = 8, MESSAGE_OPTIONS_MAP_ENTRY = 7,
    FIELD_NAME = 1, FIELD_NUMBER = 3, FIELD_LABEL = 4, FIELD_KIND = 5, FIELD_TYPE_NAME = 6,
    FIELD_DEFAULT = 7, FIELD_ONEOF_INDEX = 9, FIELD_JSON_NAME = 10, FIELD_PROTO3_OPTIONAL = 17,
    ONEOF_NAME = 1,
    ENUM_NAME = 1, ENUM_VALUE = 2, VALUE_NAME = 1, VALUE_NUMBER = 2,
};

struct parse {
    struct ss_lint_set *set;
    struct ss_lint_file *file;
    struct ss_lint_places places;
    struct ss_lint_path path;
    struct ss_failure *failure;
};

static int bad(const struct parse *parse, const char *what)
{
    size_t len = ss__utf8_floor(parse->file->name.data,
                                parse->file->name.len < 100 ? parse->file->name.len : 100);
    return ss__fail(parse->failure, SS_E_SCHEMA, "file \"%.*s\": %s", (int)len,
                    parse->file->name.data, what);
}

static bool next_field(struct ss_pb_reader *reader, struct ss_pb_field *ret_field)
{
    while (ss__pb_next(reader, ret_field)) {
        if (ret_field->wire != SS_PB_SGROUP) {
            return true;
        }
        if (!ss__pb_skip_group(reader, ret_field->number)) {
            return false;
        }
    }
    return false;
}

/* The last bytes, text or number with this field number; empty or 0 if there is none. */
static struct ss_str find_bytes(struct ss_str packed, uint32_t number)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str bytes = { "", 0 };
    while (next_field(&reader, &field)) {
        if (field.wire == SS_PB_LEN && field.number == number) {
            bytes = field.bytes;
        }
    }
    return bytes;
}

static struct ss_str find_text(struct ss_str packed, uint32_t number)
{
    struct ss_str text = find_bytes(packed, number);
    return ss__utf8_valid(text.data, text.len) ? text : (struct ss_str){ "", 0 };
}

static uint64_t find_number(struct ss_str packed, uint32_t number)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    uint64_t value = 0;
    while (next_field(&reader, &field)) {
        if (field.wire == SS_PB_VARINT && field.number == number) {
            value = field.value;
        }
    }
    return value;
}

static uint32_t count_fields(struct ss_str packed, uint32_t number)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    uint32_t count = 0;
    while (next_field(&reader, &field)) {
        count += field.wire == SS_PB_LEN && field.number == number;
    }
    return count;
}

static struct ss_str join_name(struct parse *parse, struct ss_str scope, struct ss_str name)
{
    size_t len = scope.len + (scope.len > 0) + name.len;
    char *full = ss__arena_alloc(&parse->set->arena, len + 1);
    if (full == NULL) {
        return (struct ss_str){ NULL, 0 };
    }
    if (scope.len > 0) {
        memcpy(full, scope.data, scope.len);
        full[scope.len] = '.';
    }
    if (name.len > 0) {
        memcpy(full + len - name.len, name.data, name.len);
    }
    full[len] = '\0';
    return ss_str_of(full, len);
}

/* Looks the place up of what stands at step (@number, @index) of the current path. */
static struct ss_lint_place place_of(struct parse *parse, uint32_t number, uint32_t index)
{
    size_t before = parse->path.len;
    ss__lint_path_push(&parse->path, number, index);
    struct ss_lint_place place = ss__lint_places_find(&parse->places, &parse->path);
    parse->path.len = before;
    return place;
}

/* protoc's rule for fields without a json_name. */
static int make_json_name(struct parse *parse, struct ss_lint_field *field)
{
    char *out = ss__arena_alloc(&parse->set->arena, field->name.len + 1);
    size_t len = 0;
    bool capital = false;
    if (out == NULL) {
        return SS_E_NOMEM;
    }
    for (size_t i = 0; i < field->name.len; i++) {
        char c = field->name.data[i];
        if (c != '_') {
            out[len++] = capital && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        }
        capital = c == '_';
    }
    field->json_name = ss_str_of(out, len);
    return 0;
}

static int parse_field(struct parse *parse, const struct ss_lint_message *message,
                       struct ss_str packed, struct ss_lint_field *ret_field)
{
    struct ss_lint_field field = { .label = SS_LINT_OPTIONAL };
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field part;
    uint64_t oneof = UINT64_MAX;
    while (next_field(&reader, &part)) {
        if (part.wire == SS_PB_VARINT && part.number == FIELD_ONEOF_INDEX) {
            oneof = part.value;
        }
    }
    field.name = find_text(packed, FIELD_NAME);
    field.json_name = find_text(packed, FIELD_JSON_NAME);
    field.type_name = find_text(packed, FIELD_TYPE_NAME);
    field.default_text = find_text(packed, FIELD_DEFAULT);
    field.has_default = count_fields(packed, FIELD_DEFAULT) > 0;
    field.number = (uint32_t)find_number(packed, FIELD_NUMBER);
    field.label = (uint32_t)find_number(packed, FIELD_LABEL);
    field.kind = (uint32_t)find_number(packed, FIELD_KIND);
    field.proto3_optional = find_number(packed, FIELD_PROTO3_OPTIONAL) != 0;
    if (field.type_name.len > 0 && field.type_name.data[0] == '.') {
        field.type_name = ss_str_of(field.type_name.data + 1, field.type_name.len - 1);
    }
    if (field.name.len == 0 || field.kind >= SS_LINT_KIND_COUNT) {
        return bad(parse, "a field is malformed");
    }
    if (oneof < message->oneof_count && !field.proto3_optional) {
        field.oneof = message->oneofs[oneof].name;
    }
    int err = field.json_name.len == 0 ? make_json_name(parse, &field) : 0;
    *ret_field = field;
    return err;
}

static int compare_field_numbers(const void *left, const void *right)
{
    const struct ss_lint_field *a = *(const struct ss_lint_field *const *)left;
    const struct ss_lint_field *b = *(const struct ss_lint_field *const *)right;
    return (a->number > b->number) - (a->number < b->number);
}

static int compare_field_names(const void *left, const void *right)
{
    const struct ss_lint_field *a = *(const struct ss_lint_field *const *)left;
    const struct ss_lint_field *b = *(const struct ss_lint_field *const *)right;
    return ss__lint_compare(a->name, b->name);
}

static int parse_fields(struct parse *parse, struct ss_lint_message *message, struct ss_str packed)
{
    struct ss_arena *arena = &parse->set->arena;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field part;
    uint32_t count = count_fields(packed, MESSAGE_FIELD);
    message->fields = ss__arena_calloc(arena, count * sizeof *message->fields);
    message->by_number = ss__arena_calloc(arena, count * sizeof(void *));
    message->by_name = ss__arena_calloc(arena, count * sizeof(void *));
    if (message->fields == NULL || message->by_number == NULL || message->by_name == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    while (err == 0 && next_field(&reader, &part)) {
        if (part.wire == SS_PB_LEN && part.number == MESSAGE_FIELD) {
            uint32_t at = message->field_count++;
            struct ss_lint_field *field = &message->fields[at];
            err = parse_field(parse, message, part.bytes, field);
            field->place = place_of(parse, MESSAGE_FIELD, at);
            message->by_number[at] = field;
            message->by_name[at] = field;
        }
    }
    qsort(message->by_number, message->field_count, sizeof(void *), compare_field_numbers);
    qsort(message->by_name, message->field_count, sizeof(void *), compare_field_names);
    return err;
}

static int parse_oneofs(struct parse *parse, struct ss_lint_message *message, struct ss_str packed)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field part;
    uint32_t count = count_fields(packed, MESSAGE_ONEOF);
    message->oneofs = ss__arena_calloc(&parse->set->arena, count * sizeof *message->oneofs);
    if (message->oneofs == NULL) {
        return SS_E_NOMEM;
    }
    while (next_field(&reader, &part)) {
        if (part.wire == SS_PB_LEN && part.number == MESSAGE_ONEOF) {
            uint32_t at = message->oneof_count++;
            message->oneofs[at].name = find_text(part.bytes, ONEOF_NAME);
            message->oneofs[at].place = place_of(parse, MESSAGE_ONEOF, at);
        }
    }
    return 0;
}

static int compare_value_numbers(const void *left, const void *right)
{
    const struct ss_lint_value *a = *(const struct ss_lint_value *const *)left;
    const struct ss_lint_value *b = *(const struct ss_lint_value *const *)right;
    return a->number != b->number ? (a->number > b->number) - (a->number < b->number)
                                  : ss__lint_compare(a->name, b->name);
}

static int compare_value_names(const void *left, const void *right)
{
    const struct ss_lint_value *a = *(const struct ss_lint_value *const *)left;
    const struct ss_lint_value *b = *(const struct ss_lint_value *const *)right;
    return ss__lint_compare(a->name, b->name);
}

static int parse_values(struct parse *parse, struct ss_lint_enum *enumeration,
                        struct ss_str packed)
{
    struct ss_arena *arena = &parse->set->arena;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field part;
    uint32_t count = count_fields(packed, ENUM_VALUE);
    enumeration->values = ss__arena_calloc(arena, count * sizeof *enumeration->values);
    enumeration->by_number = ss__arena_calloc(arena, count * sizeof(void *));
    enumeration->by_name = ss__arena_calloc(arena, count * sizeof(void *));
    if (enumeration->values == NULL || enumeration->by_number == NULL ||
        enumeration->by_name == NULL) {
        return SS_E_NOMEM;
    }
    while (next_field(&reader, &part)) {
        if (part.wire == SS_PB_LEN && part.number == ENUM_VALUE) {
            uint32_t at = enumeration->value_count++;
            struct ss_lint_value *value = &enumeration->values[at];
            value->name = find_text(part.bytes, VALUE_NAME);
            value->number = (int32_t)(uint32_t)find_number(part.bytes, VALUE_NUMBER);
            value->place = place_of(parse, ENUM_VALUE, at);
            enumeration->by_number[at] = value;
            enumeration->by_name[at] = value;
        }
    }
    qsort(enumeration->by_number, count, sizeof(void *), compare_value_numbers);
    qsort(enumeration->by_name, count, sizeof(void *), compare_value_names);
    return 0;
}

/* The path ends at the enum. */
static int parse_enum(struct parse *parse, const struct ss_lint_message *parent,
                      struct ss_str packed)
{
    struct ss_lint_set *set = parse->set;
    struct ss_lint_enum *enumeration = ss__arena_calloc(&set->arena, sizeof *enumeration);
    if (enumeration == NULL) {
        return SS_E_NOMEM;
    }
    enumeration->file = parse->file;
    enumeration->parent = parent;
    enumeration->name = join_name(parse, parent != NULL ? parent->name : parse->file->package,
                                  find_text(packed, ENUM_NAME));
    enumeration->place = ss__lint_places_find(&parse->places, &parse->path);
    if (enumeration->name.data == NULL) {
        return SS_E_NOMEM;
    }
    int err = parse_values(parse, enumeration, packed);
    if (err == 0) {
        err = ss__lint_reserved_read(&set->arena, &ss__lint_enum_reserved, packed,
                                     &enumeration->reserved);
    }
    if (err == 0) {
        err = ss__map_put(&set->enum_map, ss__map_hash(enumeration->name), enumeration);
    }
    if (err == 0) {
        *set->enums_end = enumeration;
        set->enums_end = &enumeration->next;
    }
    return err;
}

static int parse_message(struct parse *parse, const struct ss_lint_message *parent,
                         struct ss_str packed, unsigned depth);

/* The messages and enums declared in @packed, which have these field numbers in it. */
static int parse_declared(struct parse *parse, const struct ss_lint_message *parent,
                          struct ss_str packed, uint32_t message_number, uint32_t enum_number,
                          unsigned depth)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field part;
    uint32_t messages = 0;
    uint32_t enums = 0;
    int err = 0;
    while (err == 0 && next_field(&reader, &part)) {
        size_t before = parse->path.len;
        if (part.wire == SS_PB_LEN && part.number == message_number) {
            ss__lint_path_push(&parse->path, message_number, messages++);
            err = parse_message(parse, parent, part.bytes, depth + 1);
        } else if (part.wire == SS_PB_LEN && part.number == enum_number) {
            ss__lint_path_push(&parse->path, enum_number, enums++);
            err = parse_enum(parse, parent, part.bytes);
        }
        parse->path.len = before;
    }
    return err == 0 && reader.failed ? bad(parse, "malformed") : err;
}

static int parse_parts(struct parse *parse, struct ss_lint_message *message, struct ss_str packed,
                       unsigned depth)
{
    int err = parse_oneofs(parse, message, packed);
    if (err == 0) {
        err = parse_fields(parse, message, packed);
    }
    if (err == 0) {
        err = ss__lint_reserved_read(&parse->set->arena, &ss__lint_message_reserved, packed,
                                     &message->reserved);
    }
    return err != 0 ? err
                    : parse_declared(parse, message, packed, MESSAGE_NESTED, MESSAGE_ENUM, depth);
}

/* The path ends at the message. */
static int parse_message(struct parse *parse, const struct ss_lint_message *parent,
                         struct ss_str packed, unsigned depth)
{
    struct ss_lint_set *set = parse->set;
    if (depth > SS_NESTING_MAX) {
        return bad(parse, "messages are nested too deep");
    }
    struct ss_lint_message *message = ss__arena_calloc(&set->arena, sizeof *message);
    if (message == NULL) {
        return SS_E_NOMEM;
    }
    message->file = parse->file;
    message->parent = parent;
    message->name = join_name(parse, parent != NULL ? parent->name : parse->file->package,
                              find_text(packed, MESSAGE_NAME));
    message->map_entry =
        find_number(find_bytes(packed, MESSAGE_OPTIONS), MESSAGE_OPTIONS_MAP_ENTRY) != 0;
    message->place = ss__lint_places_find(&parse->places, &parse->path);
    if (message->name.data == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__map_put(&set->message_map, ss__map_hash(message->name), message);
    if (err != 0) {
        return err;
    }
    *set->messages_end = message;
    set->messages_end = &message->next;
    return parse_parts(parse, message, packed, depth);
}

int ss__lint_parse_file(struct ss_lint_set *set, struct ss_lint_file *file,
                        struct ss_failure *failure)
{
    struct parse parse = { .set = set, .file = file, .failure = failure };
    file->package = find_text(file->body, FILE_PACKAGE);
    file->proto3 = ss_str_equal(find_text(file->body, FILE_SYNTAX), ss_str("proto3"));
    int err = ss__lint_places_init(&parse.places, &set->arena, file->name, file->info);
    if (err == 0) {
        err = parse_declared(&parse, NULL, file->body, FILE_MESSAGE, FILE_ENUM, 0);
        ss__lint_places_deinit(&parse.places);
    }
    return err == SS_E_NOMEM ? ss__fail(failure, err, "out of memory") : err;
}
