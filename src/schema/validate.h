/* validate.h - the only gate for packed protobuf bytes from outside.
 *
 * protobuf-c unpacks without bounds: it recurses as deep as the input says, checks no UTF-8 and
 * cuts strings at NUL. So nothing reaches it that did not pass here. */
#ifndef SS_SCHEMA_VALIDATE_H
#define SS_SCHEMA_VALIDATE_H

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#include "core/failure.h"
#include "schema/type.h"

/* Checks @packed against @type without recursion: tags, wire types, lengths, nesting of messages
 * and unknown groups <= SS_NESTING_MAX, UTF-8 and no NUL in strings (map keys included), proto2
 * required fields, unpacked size <= SS_UNPACKED_FACTOR_MAX x the packed size + 1 KiB. Unknown
 * fields pass if well-formed. google.protobuf.Any values are checked as bytes only. Errors:
 * SS_E_PAYLOAD with the path of the field. Any thread; blocks never. */
int ss__validate(const struct ss_type *type, struct ss_str packed, struct ss_failure *failure);

#endif
