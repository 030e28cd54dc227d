#include "lint/check.h"

#include <string.h>

#include <sessionstream/limits.h>

#define TEXT(s) (int)(s).len, (s).data

static const struct {
    enum ss_lint_rule case_rule;
    const char *suffix;    /* of the message type; NULL: several names share one */
} conventions[SS_SPACE_COUNT] = {
    { SS_LINT_COMMAND_CASE, "Command" },
    { SS_LINT_EVENT_CASE, "Event" },
    { SS_LINT_UI_EVENT_CASE, NULL },
    { SS_LINT_ENTITY_CASE, "Entity" },
};

static bool begins_with(struct ss_str text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static bool ends_with(struct ss_str text, struct ss_str end)
{
    return text.len >= end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static bool is_type(struct ss_str type, const char *name)
{
    return ss_str_equal(type, ss_str(name));
}

static struct ss_lint_place place_of(const struct ss_lint_input *input,
                                     const struct ss_lint_registration *item)
{
    const struct ss_lint_message *message = ss__lint_set_message(input->set, item->type);
    return message == NULL || message->file->foreign ? (struct ss_lint_place){ .line = 0 }
                                                     : message->place;
}

static void check_payload(const struct ss_lint_input *input,
                          const struct ss_lint_registration *item)
{
    const char *space = ss__lint_space_text(item->space);
    struct ss_lint_place place = place_of(input, item);
    if (item->err == SS_E_UNKNOWN_TYPE) {
        ss__lint_find(input->findings, SS_LINT_MISSING_TYPE, place, item->symbol,
                      "%s \"%.*s\" has the type %.*s, which is in no descriptor set", space,
                      TEXT(item->name), TEXT(item->type));
    } else if (is_type(item->type, "google.protobuf.Struct") ||
               is_type(item->type, "google.protobuf.Value") ||
               is_type(item->type, "google.protobuf.ListValue")) {
        ss__lint_find(input->findings, SS_LINT_STRUCT_PAYLOAD, place, item->symbol,
                      "the payload of %s \"%.*s\" is %.*s, which nothing can check; make a message "
                      "type of your own",
                      space, TEXT(item->name), TEXT(item->type));
    } else if (is_type(item->type, "google.protobuf.Any")) {
        ss__lint_find(input->findings, SS_LINT_ANY_PAYLOAD, place, item->symbol,
                      "the payload of %s \"%.*s\" is google.protobuf.Any: its type is known to "
                      "nobody before it is read; make a message type of your own",
                      space, TEXT(item->name));
    } else if (begins_with(item->type, "google.protobuf.")) {
        ss__lint_find(input->findings, SS_LINT_FOREIGN_PAYLOAD, place, item->symbol,
                      "the payload of %s \"%.*s\" is %.*s, to which no field can be added; wrap it "
                      "in a message type of your own",
                      space, TEXT(item->name), TEXT(item->type));
    }
}

static void check_name(const struct ss_lint_input *input, const struct ss_lint_registration *item)
{
    const char *space = ss__lint_space_text(item->space);
    bool is_struct = is_type(item->type, "google.protobuf.Struct");
    if (item->name.len == 0 || item->name.len > SS_NAME_BYTES_MAX ||
        (item->err == SS_E_INVAL && !is_struct)) {
        ss__lint_find(input->findings, SS_LINT_INVALID_NAME, place_of(input, item), item->symbol,
                      "the name of %s \"%.*s\" must be 1 to %d bytes of UTF-8", space,
                      TEXT(item->name), SS_NAME_BYTES_MAX);
    } else if (!ss__lint_is_upper_camel(item->name)) {
        ss__lint_find(input->findings, conventions[item->space].case_rule, place_of(input, item),
                      item->symbol, "the name of %s \"%.*s\" is not UpperCamelCase", space,
                      TEXT(item->name));
    }
}

/* UserMessageAcceptedEvent may serve ChatUserMessageAccepted and UserMessageAccepted. */
static void check_type_name(const struct ss_lint_input *input,
                            const struct ss_lint_registration *item)
{
    const char *suffix = conventions[item->space].suffix;
    struct ss_str name = ss__lint_short_name(item->type);
    if (suffix == NULL || item->err != 0 || begins_with(item->type, "google.protobuf.")) {
        return;
    }
    struct ss_str stem = name;
    if (ends_with(name, ss_str(suffix)) && name.len > strlen(suffix)) {
        stem.len -= strlen(suffix);
    }
    if (!ends_with(item->name, stem) && !ends_with(item->name, name)) {
        ss__lint_find(input->findings, SS_LINT_TYPE_NAME, place_of(input, item), item->symbol,
                      "%s \"%.*s\" has the type %.*s; name it after the %s: %.*s%s",
                      ss__lint_space_text(item->space), TEXT(item->name), TEXT(item->type),
                      ss__lint_space_text(item->space), TEXT(item->name),
                      ends_with(item->name, ss_str(suffix)) ? "" : suffix);
    }
}

/* Compares with all that was registered before. */
static void check_again(const struct ss_lint_input *input, size_t at)
{
    const struct ss_lint_registration *item = &input->registrations->items[at];
    bool twice = false;
    bool two_types = false;
    for (size_t i = 0; i < at; i++) {
        const struct ss_lint_registration *other = &input->registrations->items[i];
        bool same_type = ss_str_equal(other->type, item->type);
        if (!ss_str_equal(other->name, item->name)) {
            continue;
        }
        if (other->space == item->space && !twice) {
            twice = true;
            ss__lint_find(input->findings, SS_LINT_DUPLICATE_NAME, place_of(input, item),
                          item->symbol,
                          "%s \"%.*s\" is registered twice, with the type%s %.*s%s%.*s",
                          ss__lint_space_text(item->space), TEXT(item->name),
                          same_type ? "" : "s", TEXT(other->type), same_type ? "" : " and ",
                          same_type ? 0 : (int)item->type.len, item->type.data);
        } else if (other->space != item->space && !same_type && !two_types &&
                   item->err != SS_E_EXISTS) {
            two_types = true;
            ss__lint_find(input->findings, SS_LINT_NAME_TWO_TYPES, place_of(input, item),
                          item->symbol, "\"%.*s\" has the type %.*s as %s and %.*s as %s",
                          TEXT(item->name), TEXT(other->type), ss__lint_space_text(other->space),
                          TEXT(item->type), ss__lint_space_text(item->space));
        }
    }
}

void ss__lint_check_registrations(const struct ss_lint_input *input)
{
    for (size_t i = 0; i < input->registrations->count; i++) {
        const struct ss_lint_registration *item = &input->registrations->items[i];
        check_name(input, item);
        check_payload(input, item);
        check_type_name(input, item);
        check_again(input, i);
    }
}
