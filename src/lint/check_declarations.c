#include "lint/check.h"

#include <string.h>

#define TEXT(s) (int)(s).len, (s).data

bool ss__lint_is_stored(const struct ss_lint_input *input, enum ss_name_space space)
{
    return input->with_clients || space == SS_SPACE_EVENT || space == SS_SPACE_ENTITY;
}

void ss__lint_mark(const struct ss_lint_input *input)
{
    struct ss_lint_message *message = input->set->messages;
    for (; message != NULL && input->registrations->count == 0; message = message->next) {
        if (!message->file->foreign && message->parent == NULL) {
            ss__lint_set_mark(input->set, message, true);
        }
    }
    for (size_t i = 0; i < input->registrations->count; i++) {
        const struct ss_lint_registration *item = &input->registrations->items[i];
        message = ss__lint_set_message(input->set, item->type);
        if (message != NULL) {
            ss__lint_set_mark(input->set, message, ss__lint_is_stored(input, item->space));
        }
    }
}

static void check_open(const struct ss_lint_input *input, const struct ss_lint_message *message,
                       const struct ss_lint_field *field)
{
    static const char *const open[] = { "google.protobuf.Struct", "google.protobuf.Value",
                                        "google.protobuf.ListValue", "google.protobuf.Any" };
    const struct ss_lint_field *value =
        field->entry != NULL ? ss__lint_field_by_number(field->entry, 2) : NULL;
    struct ss_str type = value != NULL ? value->type_name : field->type_name;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        if (ss_str_equal(type, ss_str(open[i]))) {
            ss__lint_find(input->findings, SS_LINT_OPEN_FIELD, field->place,
                          ss__lint_symbol(input->findings, message->name, field->name),
                          "%s in a stored type: nothing knows later what it holds", open[i]);
        }
    }
}

static void check_fields(const struct ss_lint_input *input, const struct ss_lint_message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct ss_lint_field *field = &message->fields[i];
        if (!ss__lint_is_lower_snake(field->name)) {
            ss__lint_find(input->findings, SS_LINT_FIELD_CASE, field->place,
                          ss__lint_symbol(input->findings, message->name, field->name),
                          "the field %.*s is not lower_snake_case", TEXT(field->name));
        }
        if (message->stored && field->label == SS_LINT_REQUIRED) {
            ss__lint_find(input->findings, SS_LINT_REQUIRED_FIELD, field->place,
                          ss__lint_symbol(input->findings, message->name, field->name),
                          "a required field of a stored type can never go away again");
        }
        if (message->stored) {
            check_open(input, message, field);
        }
    }
    for (uint32_t i = 0; i < message->oneof_count; i++) {
        const struct ss_lint_oneof *oneof = &message->oneofs[i];
        bool made_by_protoc = oneof->name.len > 0 && oneof->name.data[0] == '_';
        if (!made_by_protoc && !ss__lint_is_lower_snake(oneof->name)) {
            ss__lint_find(input->findings, SS_LINT_FIELD_CASE, oneof->place,
                          ss__lint_symbol(input->findings, message->name, oneof->name),
                          "the oneof %.*s is not lower_snake_case", TEXT(oneof->name));
        }
    }
}

static void check_message(const struct ss_lint_input *input,
                          const struct ss_lint_message *message)
{
    struct ss_str name = ss__lint_short_name(message->name);
    if (!ss__lint_is_upper_camel(name)) {
        ss__lint_find(input->findings, SS_LINT_MESSAGE_CASE, message->place, message->name,
                      "the message %.*s is not UpperCamelCase", TEXT(name));
    }
    /* Of a whole unused tree the root is enough. */
    if (input->registrations->count > 0 && !message->used &&
        (message->parent == NULL || message->parent->used)) {
        ss__lint_find(input->findings, SS_LINT_UNREGISTERED_TYPE, message->place, message->name,
                      "the message is neither registered nor part of a registered type");
    }
    check_fields(input, message);
}

static void check_enum(const struct ss_lint_input *input, const struct ss_lint_enum *enumeration)
{
    static const char unspecified[] = "_UNSPECIFIED";
    struct ss_str name = ss__lint_short_name(enumeration->name);
    if (!ss__lint_is_upper_camel(name)) {
        ss__lint_find(input->findings, SS_LINT_MESSAGE_CASE, enumeration->place,
                      enumeration->name, "the enum %.*s is not UpperCamelCase", TEXT(name));
    }
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        const struct ss_lint_value *value = &enumeration->values[i];
        struct ss_str symbol = ss__lint_symbol(input->findings, enumeration->name, value->name);
        if (!ss__lint_is_upper_snake(value->name)) {
            ss__lint_find(input->findings, SS_LINT_ENUM_VALUE_CASE, value->place, symbol,
                          "the enum value %.*s is not UPPER_SNAKE_CASE", TEXT(value->name));
        }
        size_t len = sizeof unspecified - 1;
        if (i == 0 && value->number == 0 &&
            (value->name.len < len ||
             memcmp(value->name.data + value->name.len - len, unspecified, len) != 0)) {
            ss__lint_find(input->findings, SS_LINT_ENUM_ZERO, value->place, symbol,
                          "0 is what absent means; end its name with _UNSPECIFIED, so that it is "
                          "no choice");
        }
    }
}

void ss__lint_check_declarations(const struct ss_lint_input *input)
{
    for (const struct ss_lint_file *file = input->set->files; file != NULL; file = file->next) {
        if (file->differs && !file->foreign) {
            ss__lint_find(input->findings, SS_LINT_STALE_SET,
                          (struct ss_lint_place){ .file = file->name }, file->name,
                          "a descriptor set declares something else in this file than the "
                          "application was built with; make it anew");
        }
    }
    const struct ss_lint_message *message = input->set->messages;
    for (; message != NULL; message = message->next) {
        if (!message->file->foreign && !message->map_entry) {
            check_message(input, message);
        }
    }
    const struct ss_lint_enum *enumeration = input->set->enums;
    for (; enumeration != NULL; enumeration = enumeration->next) {
        if (!enumeration->file->foreign) {
            check_enum(input, enumeration);
        }
    }
}
