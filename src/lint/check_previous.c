#include "lint/check.h"

#define TEXT(s) (int)(s).len, (s).data

/* Puts a message of the previous set into the queue, once. */
static void push(const struct ss_lint_input *input, struct ss_lint_message *old_message)
{
    if (!old_message->compared) {
        old_message->compared = true;
        old_message->queue = input->previous->queue;
        input->previous->queue = old_message;
    }
}

/* A message whose data is stored under a name of its own, so that it must still be there. */
static void push_root(const struct ss_lint_input *input, struct ss_lint_message *old_message)
{
    if (ss__lint_set_message(input->set, old_message->name) != NULL) {
        push(input, old_message);
        return;
    }
    if (old_message->compared) {
        return;
    }
    old_message->compared = true;
    ss__lint_find(input->findings, SS_LINT_TYPE_REMOVED,
                  (struct ss_lint_place){ .file = old_message->file->name }, old_message->name,
                  "the type is gone, and with it the meaning of what was stored with it");
}

static void push_part(const struct ss_lint_input *input, const struct ss_lint_field *old_field,
                      const struct ss_lint_field *field)
{
    if (field == NULL || old_field == NULL ||
        !ss_str_equal(field->type_name, old_field->type_name)) {
        return;
    }
    struct ss_lint_message *old_part = ss__lint_set_message(input->previous, old_field->type_name);
    struct ss_lint_enum *old_enum = ss__lint_set_enum(input->previous, old_field->type_name);
    const struct ss_lint_enum *enumeration = ss__lint_set_enum(input->set, field->type_name);
    if (old_field->kind == SS_LINT_KIND_MESSAGE && old_part != NULL) {
        push(input, old_part);
    } else if (old_field->kind == SS_LINT_KIND_ENUM && old_enum != NULL && enumeration != NULL &&
               !old_enum->compared && !old_enum->file->foreign) {
        old_enum->compared = true;
        ss__lint_compare_enum(input->findings, old_enum, enumeration);
    }
}

/* What a field of both sets refers to; a field that is gone or refers to something else says
 * nothing any more about what it referred to. */
static void push_parts(const struct ss_lint_input *input,
                       const struct ss_lint_message *old_message,
                       const struct ss_lint_message *message)
{
    for (uint32_t i = 0; i < old_message->field_count; i++) {
        const struct ss_lint_field *old_field = &old_message->fields[i];
        const struct ss_lint_field *field = ss__lint_field_by_number(message, old_field->number);
        if (field != NULL && field->entry != NULL && old_field->entry != NULL) {
            push_part(input, ss__lint_field_by_number(old_field->entry, 2),
                      ss__lint_field_by_number(field->entry, 2));
        } else {
            push_part(input, old_field, field);
        }
    }
}

/* Stored data carries the name, and the name stands for a type. */
static void check_name(const struct ss_lint_input *input,
                       const struct ss_lint_registration *old_item)
{
    const struct ss_lint_registration *item =
        ss__lint_registrations_find(input->registrations, old_item->space, old_item->name);
    struct ss_lint_message *old_message = ss__lint_set_message(input->previous, old_item->type);
    const struct ss_lint_message *message = ss__lint_set_message(input->set, old_item->type);
    struct ss_lint_place place = { .line = 0 };
    if (message != NULL && !message->file->foreign) {
        place = message->place;
    }
    if (item == NULL) {
        ss__lint_find(input->findings, SS_LINT_NAME_REMOVED, place, old_item->symbol,
                      "the %s \"%.*s\" is registered no longer: sessions that hold one cannot be "
                      "replayed",
                      ss__lint_space_text(old_item->space), TEXT(old_item->name));
    } else if (!ss_str_equal(item->type, old_item->type)) {
        ss__lint_find(input->findings, SS_LINT_NAME_TYPE_CHANGED, place, old_item->symbol,
                      "the type of the %s \"%.*s\" was %.*s and is %.*s; register a new name for "
                      "the new type",
                      ss__lint_space_text(old_item->space), TEXT(old_item->name),
                      TEXT(old_item->type), TEXT(item->type));
    } else if (old_message != NULL) {
        push_root(input, old_message);
    }
}

static void push_all(const struct ss_lint_input *input)
{
    struct ss_lint_message *old_message = input->previous->messages;
    for (; old_message != NULL; old_message = old_message->next) {
        if (old_message->parent == NULL && !old_message->file->foreign) {
            push_root(input, old_message);
        }
    }
}

/* A previous set without names: what is registered now is known to be stored, and of a type that
 * is gone it is assumed. */
static void push_registered(const struct ss_lint_input *input)
{
    for (size_t i = 0; i < input->registrations->count; i++) {
        const struct ss_lint_registration *item = &input->registrations->items[i];
        struct ss_lint_message *old_message = ss__lint_set_message(input->previous, item->type);
        if (ss__lint_is_stored(input, item->space) && old_message != NULL) {
            push_root(input, old_message);
        }
    }
    struct ss_lint_message *old_message = input->previous->messages;
    for (; old_message != NULL; old_message = old_message->next) {
        if (old_message->parent == NULL && !old_message->file->foreign &&
            ss__lint_set_message(input->set, old_message->name) == NULL) {
            push_root(input, old_message);
        }
    }
}

void ss__lint_check_previous(const struct ss_lint_input *input)
{
    if (input->previous == NULL) {
        return;
    }
    for (size_t i = 0; i < input->previous_registrations->count; i++) {
        const struct ss_lint_registration *item = &input->previous_registrations->items[i];
        if (ss__lint_is_stored(input, item->space) && input->registrations->count > 0) {
            check_name(input, item);
        } else if (ss__lint_is_stored(input, item->space)) {
            struct ss_lint_message *old_message =
                ss__lint_set_message(input->previous, item->type);
            if (old_message != NULL) {
                push_root(input, old_message);
            }
        }
    }
    if (input->previous_registrations->count == 0 && input->registrations->count == 0) {
        push_all(input);
    } else if (input->previous_registrations->count == 0) {
        push_registered(input);
    }
    while (input->previous->queue != NULL) {
        struct ss_lint_message *old_message = input->previous->queue;
        input->previous->queue = old_message->queue;
        const struct ss_lint_message *message =
            ss__lint_set_message(input->set, old_message->name);
        if (message != NULL && !old_message->file->foreign) {
            ss__lint_compare_message(input->findings, old_message, message);
            push_parts(input, old_message, message);
        }
    }
}
