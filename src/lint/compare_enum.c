#include "lint/check.h"

#include "lint/reserved.h"

#define TEXT(s) (int)(s).len, (s).data

static void report_removed(struct ss_lint_findings *findings,
                           const struct ss_lint_enum *enumeration,
                           const struct ss_lint_value *old_value, struct ss_str symbol)
{
    bool number = ss__lint_reserves_number(&enumeration->reserved, old_value->number);
    bool name = ss__lint_reserves_name(&enumeration->reserved, old_value->name);
    if (number && name) {
        ss__lint_find(findings, SS_LINT_ENUM_VALUE_RESERVED, enumeration->place, symbol,
                      "the value %.*s = %d is gone: JSON shows stored ones as numbers",
                      TEXT(old_value->name), old_value->number);
    } else {
        ss__lint_find(findings, SS_LINT_ENUM_VALUE_REMOVED, enumeration->place, symbol,
                      "the value %.*s = %d is gone and may come back as something else; reserve "
                      "number and name",
                      TEXT(old_value->name), old_value->number);
    }
}

static void compare_value(struct ss_lint_findings *findings,
                          const struct ss_lint_enum *enumeration,
                          const struct ss_lint_value *old_value)
{
    struct ss_str symbol = ss__lint_symbol(findings, enumeration->name, old_value->name);
    const struct ss_lint_value *namesake = ss__lint_value_by_name(enumeration, old_value->name);
    const struct ss_lint_value *value = ss__lint_value_by_number(enumeration, old_value->number);
    if (namesake != NULL && namesake->number != old_value->number) {
        ss__lint_find(findings, SS_LINT_ENUM_VALUE_NUMBER, namesake->place, symbol,
                      "the number was %d and is %d: stored values mean something else",
                      old_value->number, namesake->number);
    } else if (namesake == NULL && value != NULL) {
        ss__lint_find(findings, SS_LINT_ENUM_VALUE_NAME, value->place, symbol,
                      "the name of %d was %.*s and is %.*s; to keep both, allow_alias",
                      old_value->number, TEXT(old_value->name), TEXT(value->name));
    } else if (namesake == NULL) {
        report_removed(findings, enumeration, old_value, symbol);
    }
}

static void check_reserved(struct ss_lint_findings *findings, const struct ss_lint_enum *old_enum,
                           const struct ss_lint_enum *enumeration)
{
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        const struct ss_lint_value *value = &enumeration->values[i];
        bool number = ss__lint_reserves_number(&old_enum->reserved, value->number);
        if (number || ss__lint_reserves_name(&old_enum->reserved, value->name)) {
            ss__lint_find(findings, SS_LINT_RESERVED_USED, value->place,
                          ss__lint_symbol(findings, enumeration->name, value->name),
                          "the %s of %.*s = %d was reserved: stored data may hold something else "
                          "there",
                          number ? "number" : "name", TEXT(value->name), value->number);
        }
    }
    for (uint32_t i = 0; i < old_enum->reserved.range_count; i++) {
        int64_t gap = ss__lint_reserved_gap(&enumeration->reserved, old_enum->reserved.ranges[i]);
        if (gap != SS_LINT_ALL_RESERVED &&
            ss__lint_value_by_number(enumeration, (int32_t)gap) == NULL) {
            ss__lint_find(findings, SS_LINT_RESERVED_REMOVED, enumeration->place,
                          enumeration->name, "the number %lld is reserved no longer",
                          (long long)gap);
        }
    }
    for (uint32_t i = 0; i < old_enum->reserved.name_count; i++) {
        struct ss_str name = old_enum->reserved.names[i];
        if (!ss__lint_reserves_name(&enumeration->reserved, name) &&
            ss__lint_value_by_name(enumeration, name) == NULL) {
            ss__lint_find(findings, SS_LINT_RESERVED_REMOVED, enumeration->place,
                          enumeration->name, "the name \"%.*s\" is reserved no longer",
                          TEXT(name));
        }
    }
}

void ss__lint_compare_enum(struct ss_lint_findings *findings, const struct ss_lint_enum *old_enum,
                           const struct ss_lint_enum *enumeration)
{
    for (uint32_t i = 0; i < old_enum->value_count; i++) {
        compare_value(findings, enumeration, &old_enum->values[i]);
    }
    check_reserved(findings, old_enum, enumeration);
}
