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

/* Beyond the factor, so that short lists of small messages pass. Bytes. */
#define SS_UNPACKED_SLACK_BYTES ((size_t)64 << 10)

/* Checks @packed against @type without recursion: tags, wire types, lengths, at most
 * SS_NESTING_MAX levels of messages (the message itself is the first), UTF-8 and no NUL
 * in strings (map keys included), proto2 required fields, no singular message field twice,
 * and what protobuf-c would allocate for it: at most SS_UNPACKED_FACTOR_MAX x the packed
 * size + SS_UNPACKED_SLACK_BYTES. Repeated numbers may be packed or not, enums may hold any value,
 * unknown fields pass if well-formed. Groups are refused, also unknown ones: protobuf-c refuses the
 * message that holds one. google.protobuf.Any values are checked as bytes only.
 *
 * What passes, protobuf-c unpacks.
 *
 * Errors: SS_E_PAYLOAD with the path of the field. Any thread; blocks never, allocates nothing. */
int ss__validate(const struct ss_type *type, struct ss_str packed, struct ss_failure *failure);

#endif
