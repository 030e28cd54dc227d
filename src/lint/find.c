#include "lint/set.h"

#include <string.h>

int ss__lint_compare(struct ss_str a, struct ss_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

const struct ss_lint_field *ss__lint_field_by_number(const struct ss_lint_message *message,
                                                     uint32_t number)
{
    uint32_t from = 0;
    for (uint32_t to = message->field_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (message->by_number[middle]->number < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < message->field_count && message->by_number[from]->number == number
               ? message->by_number[from] : NULL;
}

const struct ss_lint_field *ss__lint_field_by_name(const struct ss_lint_message *message,
                                                   struct ss_str name)
{
    uint32_t from = 0;
    for (uint32_t to = message->field_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (ss__lint_compare(message->by_name[middle]->name, name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < message->field_count && ss_str_equal(message->by_name[from]->name, name)
               ? message->by_name[from] : NULL;
}

const struct ss_lint_value *ss__lint_value_by_number(const struct ss_lint_enum *enumeration,
                                                     int32_t number)
{
    uint32_t from = 0;
    for (uint32_t to = enumeration->value_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (enumeration->by_number[middle]->number < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < enumeration->value_count && enumeration->by_number[from]->number == number
               ? enumeration->by_number[from] : NULL;
}

const struct ss_lint_value *ss__lint_value_by_name(const struct ss_lint_enum *enumeration,
                                                   struct ss_str name)
{
    uint32_t from = 0;
    for (uint32_t to = enumeration->value_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (ss__lint_compare(enumeration->by_name[middle]->name, name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < enumeration->value_count && ss_str_equal(enumeration->by_name[from]->name, name)
               ? enumeration->by_name[from] : NULL;
}

bool ss__lint_reserves_number(const struct ss_lint_reserved *reserved, int64_t number)
{
    uint32_t from = 0;
    for (uint32_t to = reserved->range_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (reserved->ranges[middle].last < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < reserved->range_count && reserved->ranges[from].first <= number;
}

bool ss__lint_reserves_name(const struct ss_lint_reserved *reserved, struct ss_str name)
{
    uint32_t from = 0;
    for (uint32_t to = reserved->name_count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        if (ss__lint_compare(reserved->names[middle], name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < reserved->name_count && ss_str_equal(reserved->names[from], name);
}
