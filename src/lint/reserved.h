/* reserved.h - reading the reserved numbers and names of a message or enum. One thread. */
#ifndef SS_LINT_RESERVED_H
#define SS_LINT_RESERVED_H

#include "lint/set.h"

/* Field numbers of DescriptorProto or EnumDescriptorProto, and whether `end` is included. */
struct ss_lint_reserved_form {
    uint32_t range_number;
    uint32_t name_number;
    bool end_included;
};

extern const struct ss_lint_reserved_form ss__lint_message_reserved;
extern const struct ss_lint_reserved_form ss__lint_enum_reserved;

/* Reads them from the DescriptorProto or EnumDescriptorProto @packed into @arena. Ranges that are
 * malformed or empty and names that are not UTF-8 are left out: they reserve nothing. Errors:
 * SS_E_NOMEM. */
int ss__lint_reserved_read(struct ss_arena *arena, const struct ss_lint_reserved_form *form,
                           struct ss_str packed, struct ss_lint_reserved *ret_reserved);

#define SS_LINT_ALL_RESERVED INT64_MIN

/* The first number of @range that @reserved does not hold, or SS_LINT_ALL_RESERVED. */
int64_t ss__lint_reserved_gap(const struct ss_lint_reserved *reserved,
                              struct ss_lint_range range);

#endif
