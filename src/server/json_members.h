/* json_members.h - what ssctl needs to know of the JSON it receives. Pure; any thread. */
#ifndef SS_SERVER_JSON_MEMBERS_H
#define SS_SERVER_JSON_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

/* Appends the string value of member @name of the object @json. False (nothing appended) if it is
 * no object, has no such member or that is no string. */
bool ss__json_string_member(struct ss_str json, const char *name, struct ss_bytes *out);

/* True if the object @json has a member @name; *ret_value is its value as written. */
bool ss__json_member(struct ss_str json, const char *name, struct ss_str *ret_value);

/* The element of the array @json that begins at or after *at, which moves behind it; begin with 0.
 * False behind the last one, or if it is no array. */
bool ss__json_element(struct ss_str json, size_t *at, struct ss_str *ret_element);

/* Appends @json on one line: line ends between tokens become spaces (inside strings JSON has
 * none). */
void ss__json_line(struct ss_bytes *out, struct ss_str json);

#endif
