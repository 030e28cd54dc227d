#include "lint/reserved.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "schema/pb.h"

#define RANGE_START 1
#define RANGE_END 2

const struct ss_lint_reserved_form ss__lint_message_reserved = { 9, 10, false };
const struct ss_lint_reserved_form ss__lint_enum_reserved = { 4, 5, true };

static int compare_ranges(const void *left, const void *right)
{
    const struct ss_lint_range *a = left;
    const struct ss_lint_range *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

static int compare_names(const void *left, const void *right)
{
    return ss__lint_compare(*(const struct ss_str *)left, *(const struct ss_str *)right);
}

static bool read_range(const struct ss_lint_reserved_form *form, struct ss_str packed,
                       struct ss_lint_range *ret_range)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_lint_range range = { 0, 0 };
    while (ss__pb_next(&reader, &field)) {
        int32_t value = (int32_t)(uint32_t)field.value;
        if (field.wire == SS_PB_VARINT && field.number == RANGE_START) {
            range.first = value;
        } else if (field.wire == SS_PB_VARINT && field.number == RANGE_END) {
            range.last = value;
        }
    }
    range.last -= form->end_included ? 0 : 1;
    *ret_range = range;
    return !reader.failed && range.first <= range.last;
}

/* Makes the sorted ranges lie apart, so that they can be searched. */
static void join_ranges(struct ss_lint_reserved *reserved)
{
    uint32_t kept = 0;
    for (uint32_t i = 1; i < reserved->range_count; i++) {
        struct ss_lint_range *last = &reserved->ranges[kept];
        struct ss_lint_range next = reserved->ranges[i];
        if (next.first > last->last + 1) {
            reserved->ranges[++kept] = next;
        } else if (next.last > last->last) {
            last->last = next.last;
        }
    }
    reserved->range_count = reserved->range_count == 0 ? 0 : kept + 1;
}

static bool is_text(struct ss_str text)
{
    return text.len > 0 && ss__utf8_valid(text.data, text.len) &&
           memchr(text.data, '\0', text.len) == NULL;
}

int ss__lint_reserved_read(struct ss_arena *arena, const struct ss_lint_reserved_form *form,
                           struct ss_str packed, struct ss_lint_reserved *ret_reserved)
{
    struct ss_lint_reserved reserved = { 0 };
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    size_t ranges = 0;
    size_t names = 0;
    while (ss__pb_next(&reader, &field)) {
        ranges += field.wire == SS_PB_LEN && field.number == form->range_number;
        names += field.wire == SS_PB_LEN && field.number == form->name_number;
    }
    reserved.ranges = ss__arena_alloc(arena, ranges * sizeof *reserved.ranges);
    reserved.names = ss__arena_alloc(arena, names * sizeof *reserved.names);
    if (reserved.ranges == NULL || reserved.names == NULL) {
        return SS_E_NOMEM;
    }
    reader = ss__pb_reader(packed);
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_LEN && field.number == form->range_number) {
            reserved.range_count +=
                read_range(form, field.bytes, &reserved.ranges[reserved.range_count]);
        } else if (field.wire == SS_PB_LEN && field.number == form->name_number &&
                   is_text(field.bytes)) {
            reserved.names[reserved.name_count++] = field.bytes;
        }
    }
    qsort(reserved.ranges, reserved.range_count, sizeof *reserved.ranges, compare_ranges);
    qsort(reserved.names, reserved.name_count, sizeof *reserved.names, compare_names);
    join_ranges(&reserved);
    *ret_reserved = reserved;
    return 0;
}

int64_t ss__lint_reserved_gap(const struct ss_lint_reserved *reserved, struct ss_lint_range range)
{
    for (uint32_t i = 0; i < reserved->range_count; i++) {
        const struct ss_lint_range *held = &reserved->ranges[i];
        if (held->last < range.first) {
            continue;
        }
        return held->first <= range.first && held->last >= range.last
                   ? SS_LINT_ALL_RESERVED
                   : (held->first <= range.first ? held->last + 1 : range.first);
    }
    return range.first;
}
