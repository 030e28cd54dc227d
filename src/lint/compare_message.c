#include "lint/check.h"

#include <stdio.h>

#include "lint/reserved.h"

#define TEXT(s) (int)(s).len, (s).data

/* One field of the previous set, and what became of it. */
struct change {
    struct ss_lint_findings *findings;
    const struct ss_lint_message *old_message;
    const struct ss_lint_message *message;
    const struct ss_lint_field *old_field;
    const struct ss_lint_field *field;    /* with the same number, or NULL */
    struct ss_str symbol;
};

static const char *const kinds[SS_LINT_KIND_COUNT] = {
    "?", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string",
    "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
};

static const char *const labels[] = { "?", "singular", "required", "repeated" };

static struct ss_str kind_of(const struct ss_lint_field *field)
{
    return field->type_name.len > 0 ? field->type_name : ss_str(kinds[field->kind]);
}

/* Whether reading it tells absent from set to the default. */
static bool has_presence(const struct ss_lint_message *message, const struct ss_lint_field *field)
{
    return field->kind == SS_LINT_KIND_MESSAGE || field->oneof.len > 0 || field->proto3_optional ||
           !message->file->proto3;
}

static void report_removed(const struct change *change)
{
    const struct ss_lint_field *old_field = change->old_field;
    const struct ss_lint_reserved *reserved = &change->message->reserved;
    bool number = ss__lint_reserves_number(reserved, old_field->number);
    bool name = ss__lint_reserves_name(reserved, old_field->name);
    if (number && name) {
        ss__lint_find(change->findings, SS_LINT_FIELD_RESERVED, change->message->place,
                      change->symbol,
                      "the field %.*s = %u is gone: stored values are kept but not shown",
                      TEXT(old_field->name), old_field->number);
        return;
    }
    char missing[64] = "";
    if (!number) {
        (void)snprintf(missing, sizeof missing, "reserved %u;%s", old_field->number,
                       name ? "" : " reserved ");
    } else {
        (void)snprintf(missing, sizeof missing, "reserved ");
    }
    ss__lint_find(change->findings, SS_LINT_FIELD_REMOVED, change->message->place, change->symbol,
                  "the field %.*s = %u is gone and may come back as something else; add: "
                  "%s%s%.*s%s",
                  TEXT(old_field->name), old_field->number, missing, name ? "" : "\"",
                  name ? 0 : (int)old_field->name.len, old_field->name.data, name ? "" : "\";");
}

static void compare_map(const struct change *change)
{
    static const char *const parts[] = { "?", "key", "value" };
    for (uint32_t number = 1; number <= 2; number++) {
        const struct ss_lint_field *was =
            ss__lint_field_by_number(change->old_field->entry, number);
        const struct ss_lint_field *is = ss__lint_field_by_number(change->field->entry, number);
        if (was != NULL && is != NULL && !ss_str_equal(kind_of(was), kind_of(is))) {
            ss__lint_find(change->findings, SS_LINT_FIELD_KIND, change->field->place,
                          change->symbol,
                          "the %s of the map was %.*s and is %.*s; add a field with another number "
                          "instead",
                          parts[number], TEXT(kind_of(was)), TEXT(kind_of(is)));
        }
    }
}

static void compare_kind(const struct change *change)
{
    const struct ss_lint_field *old_field = change->old_field;
    const struct ss_lint_field *field = change->field;
    struct ss_str old_kind = kind_of(old_field);
    struct ss_str kind = kind_of(field);
    if (old_field->entry != NULL && field->entry != NULL) {
        compare_map(change);
    } else if (old_field->kind != field->kind || !ss_str_equal(old_kind, kind)) {
        ss__lint_find(change->findings, SS_LINT_FIELD_KIND, field->place, change->symbol,
                      "the type was %.*s and is %.*s; add a field with another number instead",
                      TEXT(old_kind), TEXT(kind));
    }
}

static void compare_names(const struct change *change)
{
    const struct ss_lint_field *old_field = change->old_field;
    const struct ss_lint_field *field = change->field;
    if (!ss_str_equal(old_field->json_name, field->json_name)) {
        ss__lint_find(change->findings, SS_LINT_FIELD_JSON_NAME, field->place, change->symbol,
                      "the name in JSON was %.*s and is %.*s; keep it with [json_name = \"%.*s\"]",
                      TEXT(old_field->json_name), TEXT(field->json_name),
                      TEXT(old_field->json_name));
    } else if (!ss_str_equal(old_field->name, field->name)) {
        ss__lint_find(change->findings, SS_LINT_FIELD_NAME, field->place, change->symbol,
                      "the name was %.*s and is %.*s", TEXT(old_field->name), TEXT(field->name));
    }
}

static void compare_oneof(const struct change *change)
{
    struct ss_str was = change->old_field->oneof;
    struct ss_str is = change->field->oneof;
    if (was.len > 0 && is.len > 0) {
        ss__lint_find(change->findings, SS_LINT_FIELD_ONEOF, change->field->place, change->symbol,
                      "the field was in the oneof %.*s and is in %.*s", TEXT(was), TEXT(is));
    } else if (is.len > 0) {
        ss__lint_find(change->findings, SS_LINT_FIELD_ONEOF, change->field->place, change->symbol,
                      "the field is now in the oneof %.*s: stored data that has two of its members "
                      "loses one",
                      TEXT(is));
    } else {
        ss__lint_find(change->findings, SS_LINT_FIELD_ONEOF, change->field->place, change->symbol,
                      "the field was in the oneof %.*s, which no longer excludes it", TEXT(was));
    }
}

static void compare_field(const struct change *change)
{
    const struct ss_lint_field *old_field = change->old_field;
    const struct ss_lint_field *field = change->field;
    bool same_oneof = ss_str_equal(old_field->oneof, field->oneof);
    compare_names(change);
    compare_kind(change);
    if (old_field->label != field->label) {
        ss__lint_find(change->findings, SS_LINT_FIELD_LABEL, field->place, change->symbol,
                      "the field was %s and is %s", labels[old_field->label & 3],
                      labels[field->label & 3]);
    }
    if (!same_oneof) {
        compare_oneof(change);
    }
    bool presence = has_presence(change->message, field);
    if (same_oneof && old_field->label == field->label && old_field->kind == field->kind &&
        field->label == SS_LINT_OPTIONAL &&
        has_presence(change->old_message, old_field) != presence) {
        ss__lint_find(change->findings, SS_LINT_FIELD_PRESENCE, field->place, change->symbol,
                      presence ? "the field now tells absent from default: stored defaults read as "
                                 "absent"
                               : "the field no longer tells absent from default");
    }
    if (old_field->has_default != field->has_default ||
        !ss_str_equal(old_field->default_text, field->default_text)) {
        ss__lint_find(change->findings, SS_LINT_FIELD_DEFAULT, field->place, change->symbol,
                      "the default was \"%.*s\" and is \"%.*s\": stored data without it changes",
                      TEXT(old_field->default_text), TEXT(field->default_text));
    }
}

static void compare_one(struct change *change)
{
    const struct ss_lint_field *old_field = change->old_field;
    const struct ss_lint_field *namesake = ss__lint_field_by_name(change->message, old_field->name);
    change->field = ss__lint_field_by_number(change->message, old_field->number);
    change->symbol = ss__lint_symbol(change->findings, change->message->name, old_field->name);
    if (namesake != NULL && namesake->number != old_field->number) {
        ss__lint_find(change->findings, SS_LINT_FIELD_NUMBER, namesake->place, change->symbol,
                      "the number was %u and is %u; keep it, or add a field with another name",
                      old_field->number, namesake->number);
        return;
    }
    /* A field that came from another number is no new name of this one. */
    bool taken = change->field != NULL && namesake == NULL &&
                 ss__lint_field_by_name(change->old_message, change->field->name) != NULL;
    if (change->field == NULL || taken) {
        report_removed(change);
    } else {
        compare_field(change);
    }
}

/* Fields that the previous set did not have. */
static void check_added(struct ss_lint_findings *findings,
                        const struct ss_lint_message *old_message,
                        const struct ss_lint_message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct ss_lint_field *field = &message->fields[i];
        const struct ss_lint_reserved *reserved = &old_message->reserved;
        bool number = ss__lint_reserves_number(reserved, field->number);
        bool name = ss__lint_reserves_name(reserved, field->name);
        struct ss_str symbol = ss__lint_symbol(findings, message->name, field->name);
        if (number || name) {
            ss__lint_find(findings, SS_LINT_RESERVED_USED, field->place, symbol,
                          "the %s of %.*s = %u was reserved: stored data may hold something else "
                          "there",
                          number ? "number" : "name", TEXT(field->name), field->number);
        }
        if (field->label == SS_LINT_REQUIRED &&
            ss__lint_field_by_number(old_message, field->number) == NULL) {
            ss__lint_find(findings, SS_LINT_REQUIRED_ADDED, field->place, symbol,
                          "stored data does not have the required field %.*s", TEXT(field->name));
        }
    }
}

static void check_reserved(struct ss_lint_findings *findings,
                           const struct ss_lint_message *old_message,
                           const struct ss_lint_message *message)
{
    for (uint32_t i = 0; i < old_message->reserved.range_count; i++) {
        int64_t gap = ss__lint_reserved_gap(&message->reserved, old_message->reserved.ranges[i]);
        if (gap != SS_LINT_ALL_RESERVED &&
            ss__lint_field_by_number(message, (uint32_t)gap) == NULL) {
            ss__lint_find(findings, SS_LINT_RESERVED_REMOVED, message->place, message->name,
                          "the number %lld is reserved no longer", (long long)gap);
        }
    }
    for (uint32_t i = 0; i < old_message->reserved.name_count; i++) {
        struct ss_str name = old_message->reserved.names[i];
        if (!ss__lint_reserves_name(&message->reserved, name) &&
            ss__lint_field_by_name(message, name) == NULL) {
            ss__lint_find(findings, SS_LINT_RESERVED_REMOVED, message->place, message->name,
                          "the name \"%.*s\" is reserved no longer", TEXT(name));
        }
    }
}

void ss__lint_compare_message(struct ss_lint_findings *findings,
                              const struct ss_lint_message *old_message,
                              const struct ss_lint_message *message)
{
    struct change change = { .findings = findings, .old_message = old_message,
                             .message = message };
    for (uint32_t i = 0; i < old_message->field_count; i++) {
        change.old_field = &old_message->fields[i];
        compare_one(&change);
    }
    check_added(findings, old_message, message);
    check_reserved(findings, old_message, message);
}
