#include <stdarg.h>
#include <stdio.h>

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "schema/load.h"

/* google.protobuf.FileDescriptorProto and what stands in it, see descriptor.proto. */
#define LEN(number) ((number) << 3 | SS_PB_LEN)
#define VARINT(number) ((number) << 3 | SS_PB_VARINT)

enum {
    FILE_NAME = LEN(1),
    FILE_PACKAGE = LEN(2),
    FILE_DEPENDENCY = LEN(3),
    FILE_MESSAGE = LEN(4),
    FILE_ENUM = LEN(5),
    FILE_SYNTAX = LEN(12),
    FILE_EDITION = VARINT(14),
    ENUM_NAME = LEN(1),
    ENUM_VALUE = LEN(2),
    ENUM_OPTIONS = LEN(3),
    ENUM_OPTIONS_ALLOW_ALIAS = VARINT(2),
    VALUE_NAME = LEN(1),
    VALUE_NUMBER = VARINT(2),
};

int ss__load_bad(const struct ss_load *load, const struct ss_file *file, struct ss_str where,
                 const char *format, ...)
{
    char text[SS_FAILURE_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);    /* cutting it is fine */
    va_end(args);
    struct ss_str name = file == NULL ? (struct ss_str){ NULL, 0 } : file->name;
    if (name.len > 80) {
        name.len = ss__utf8_floor(name.data, 80);
    }
    return ss__fail(load->failure, SS_E_SCHEMA, "file \"%.*s\": %.*s%s%s", (int)name.len,
                    name.len == 0 ? "" : name.data, (int)where.len,
                    where.len == 0 ? "" : where.data, where.len == 0 ? "" : ": ", text);
}

bool ss__load_next(struct ss_pb_reader *reader, struct ss_pb_field *ret_field)
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

bool ss__load_is_identifier(struct ss_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && i > 0)) {
            return false;
        }
    }
    return text.len > 0;
}

int ss__load_copy(struct ss_load *load, const struct ss_file *file, struct ss_str where,
                  const char *what, struct ss_str text, struct ss_str *ret_copy)
{
    if (text.len > 0 && (!ss__utf8_valid(text.data, text.len) ||
                         memchr(text.data, '\0', text.len) != NULL)) {
        return ss__load_bad(load, file, where, "%s is not UTF-8 without NUL", what);
    }
    if (text.len > SS_FULL_NAME_BYTES_MAX) {
        return ss__load_bad(load, file, where, "%s is longer than %zu bytes", what,
                            SS_FULL_NAME_BYTES_MAX);
    }
    struct ss_str copy = ss__arena_str(&load->part->arena, text);
    if (copy.data == NULL) {
        return SS_E_NOMEM;
    }
    *ret_copy = copy;
    return 0;
}

int ss__load_full_name(struct ss_load *load, const struct ss_file *file, struct ss_str scope,
                       struct ss_str name, struct ss_str *ret_full)
{
    if (!ss__load_is_identifier(name)) {
        return ss__load_bad(load, file, scope, "a name in here is not an identifier");
    }
    size_t len = scope.len + (scope.len > 0) + name.len;
    if (len > SS_FULL_NAME_BYTES_MAX) {
        return ss__load_bad(load, file, scope, "a full name is longer than %zu bytes",
                            SS_FULL_NAME_BYTES_MAX);
    }
    char *full = ss__arena_alloc(&load->part->arena, len + 1);
    if (full == NULL) {
        return SS_E_NOMEM;
    }
    size_t at = 0;
    if (scope.len > 0) {
        memcpy(full, scope.data, scope.len);
        full[scope.len] = '.';
        at = scope.len + 1;
    }
    memcpy(full + at, name.data, name.len);
    full[len] = '\0';
    *ret_full = ss_str_of(full, len);
    return 0;
}

static int parse_enum_value(struct ss_load *load, struct ss_enum *enumeration,
                            struct ss_str packed, struct ss_enum_value *ret_value)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str name = { NULL, 0 };
    int32_t number = 0;
    while (ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case VALUE_NAME:
            name = field.bytes;
            break;
        case VALUE_NUMBER:
            number = (int32_t)(uint32_t)field.value;
            break;
        default:
            break;
        }
    }
    if (reader.failed || !ss__load_is_identifier(name)) {
        return ss__load_bad(load, enumeration->file, enumeration->name,
                            "a value is malformed or has no valid name");
    }
    ret_value->number = number;
    return ss__load_copy(load, enumeration->file, enumeration->name, "a value's name", name,
                         &ret_value->name);
}

/* Name, number of values, and whether two of them may share a number. */
static int scan_enum(struct ss_load *load, const struct ss_file *file, struct ss_str scope,
                     struct ss_str packed, struct ss_enum *enumeration, bool *ret_alias)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str name = { NULL, 0 };
    bool alias = false;
    while (ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case ENUM_NAME:
            name = field.bytes;
            break;
        case ENUM_VALUE:
            enumeration->value_count++;
            break;
        case ENUM_OPTIONS: {
            struct ss_pb_reader options = ss__pb_reader(field.bytes);
            struct ss_pb_field option;
            while (ss__load_next(&options, &option)) {
                if ((option.number << 3 | option.wire) == ENUM_OPTIONS_ALLOW_ALIAS) {
                    alias = option.value != 0;
                }
            }
            reader.failed = reader.failed || options.failed;
            break;
        }
        default:
            break;
        }
    }
    if (reader.failed) {
        return ss__load_bad(load, file, scope, "an enum in here is malformed");
    }
    *ret_alias = alias;
    return ss__load_full_name(load, file, scope, name, &enumeration->name);
}

static int check_enum(struct ss_load *load, const struct ss_enum *enumeration, bool alias)
{
    if (enumeration->file->syntax == SS_SYNTAX_PROTO3 && enumeration->values[0].number != 0) {
        return ss__load_bad(load, enumeration->file, enumeration->name,
                            "the first value of a proto3 enum must be 0");
    }
    if (!alias && enumeration->number_count != enumeration->value_count) {
        return ss__load_bad(load, enumeration->file, enumeration->name,
                            "two values have the same number without allow_alias");
    }
    return 0;
}

int ss__load_parse_enum(struct ss_load *load, struct ss_parsed_file *parsed, struct ss_str scope,
                        struct ss_str packed)
{
    struct ss_arena *arena = &load->part->arena;
    struct ss_enum *enumeration = ss__arena_calloc(arena, sizeof *enumeration);
    if (enumeration == NULL) {
        return SS_E_NOMEM;
    }
    bool alias = false;
    int err = scan_enum(load, parsed->file, scope, packed, enumeration, &alias);
    if (err != 0) {
        return err;
    }
    enumeration->file = parsed->file;
    enumeration->closed = parsed->file->syntax == SS_SYNTAX_PROTO2;
    enumeration->null_value = ss_str_equal(enumeration->name, ss_str("google.protobuf.NullValue"));
    if (enumeration->value_count == 0 || enumeration->value_count > SS_ENUM_VALUES_MAX) {
        return ss__load_bad(load, parsed->file, enumeration->name,
                            "an enum needs 1 to %u values", SS_ENUM_VALUES_MAX);
    }
    enumeration->values =
        ss__arena_calloc(arena, enumeration->value_count * sizeof *enumeration->values);
    if (enumeration->values == NULL) {
        return SS_E_NOMEM;
    }
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    for (uint32_t count = 0; err == 0 && ss__load_next(&reader, &field);) {
        if ((field.number << 3 | field.wire) == ENUM_VALUE) {
            err = parse_enum_value(load, enumeration, field.bytes, &enumeration->values[count++]);
        }
    }
    err = err != 0 ? err : ss__load_link_enum(load, enumeration);
    err = err != 0 ? err : check_enum(load, enumeration, alias);
    if (err != 0) {
        return err;
    }
    *parsed->enums_end = enumeration;
    parsed->enums_end = &enumeration->next;
    return 0;
}

static int check_package(struct ss_load *load, const struct ss_file *file)
{
    struct ss_str rest = file->package;
    while (rest.len > 0) {
        const char *dot = memchr(rest.data, '.', rest.len);
        size_t len = dot == NULL ? rest.len : (size_t)(dot - rest.data);
        bool last = dot == NULL;
        if (!ss__load_is_identifier(ss_str_of(rest.data, len)) || (!last && len + 1 == rest.len)) {
            return ss__load_bad(load, file, ss_str(""), "the package is not a dotted name");
        }
        rest = last ? ss_str("") : ss_str_of(dot + 1, rest.len - len - 1);
    }
    return 0;
}

static int set_syntax(struct ss_load *load, struct ss_file *file, struct ss_str syntax,
                      bool edition)
{
    if (edition || ss_str_equal(syntax, ss_str("editions"))) {
        return ss__load_bad(load, file, ss_str(""),
                            "protobuf editions are not supported; use proto2 or proto3");
    }
    if (syntax.len == 0 || ss_str_equal(syntax, ss_str("proto2"))) {
        file->syntax = SS_SYNTAX_PROTO2;
    } else if (ss_str_equal(syntax, ss_str("proto3"))) {
        file->syntax = SS_SYNTAX_PROTO3;
    } else {
        return ss__load_bad(load, file, ss_str(""), "the syntax must be proto2 or proto3");
    }
    return 0;
}

/* Everything of the file but its messages and enums. */
static int parse_file_head(struct ss_load *load, struct ss_str packed,
                           struct ss_parsed_file *parsed)
{
    struct ss_file *file = parsed->file;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str name = { NULL, 0 };
    struct ss_str package = { NULL, 0 };
    struct ss_str syntax = { NULL, 0 };
    bool edition = false;
    while (ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case FILE_NAME:
            name = field.bytes;
            break;
        case FILE_PACKAGE:
            package = field.bytes;
            break;
        case FILE_DEPENDENCY:
            parsed->import_count++;
            break;
        case FILE_SYNTAX:
            syntax = field.bytes;
            break;
        case FILE_EDITION:
            edition = true;
            break;
        default:
            break;
        }
    }
    int err = ss__load_copy(load, NULL, ss_str(""), "a file name", name, &file->name);
    if (err == 0 && (reader.failed || name.len == 0)) {
        err = ss__load_bad(load, file, ss_str(""), "malformed or without a name");
    }
    err = err != 0 ? err
                   : ss__load_copy(load, file, ss_str(""), "the package", package, &file->package);
    err = err != 0 ? err : check_package(load, file);
    return err != 0 ? err : set_syntax(load, file, syntax, edition);
}

static int parse_file_body(struct ss_load *load, struct ss_str packed,
                           struct ss_parsed_file *parsed)
{
    struct ss_file *file = parsed->file;
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    uint32_t imports = 0;
    int err = 0;
    while (err == 0 && ss__load_next(&reader, &field)) {
        switch (field.number << 3 | field.wire) {
        case FILE_DEPENDENCY:
            err = ss__load_copy(load, file, ss_str(""), "an import", field.bytes,
                                &parsed->imports[imports++]);
            break;
        case FILE_MESSAGE:
            err = ss__load_parse_message(load, parsed, file->package, field.bytes, 1);
            break;
        case FILE_ENUM:
            err = ss__load_parse_enum(load, parsed, file->package, field.bytes);
            break;
        default:
            break;
        }
    }
    return err;
}

int ss__load_parse(struct ss_load *load, struct ss_str packed, struct ss_parsed_file *ret_parsed)
{
    struct ss_arena *arena = &load->part->arena;
    struct ss_file *file = ss__arena_calloc(arena, sizeof *file);
    *ret_parsed = (struct ss_parsed_file){ .file = file };
    ret_parsed->types_end = &ret_parsed->types;
    ret_parsed->enums_end = &ret_parsed->enums;
    if (file == NULL) {
        return SS_E_NOMEM;
    }
    int err = parse_file_head(load, packed, ret_parsed);
    if (err != 0) {
        return err;
    }
    ret_parsed->imports =
        ss__arena_alloc(arena, (ret_parsed->import_count + 1) * sizeof *ret_parsed->imports);
    if (ret_parsed->imports == NULL) {
        return SS_E_NOMEM;
    }
    err = parse_file_body(load, packed, ret_parsed);
    if (err == 0) {
        file->digest = ss__digest_file(ret_parsed);
    }
    return err;
}
