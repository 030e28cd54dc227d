/* json_time.h - google.protobuf.Timestamp and Duration as text, both ways.
 *
 * Source: RFC 3339 for timestamps, "1.5s" for durations, ranges from timestamp.proto and
 * duration.proto. Fractions have 0, 3, 6 or 9 digits. Pure; any thread. */
#ifndef SS_SCHEMA_JSON_TIME_H
#define SS_SCHEMA_JSON_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

/* Append the text with quotes; false if the value is out of range. */
bool ss__json_write_timestamp(struct ss_bytes *out, int64_t seconds, int32_t nanos);
bool ss__json_write_duration(struct ss_bytes *out, int64_t seconds, int32_t nanos);

/* Read the text without quotes; false if it is malformed or out of range. */
bool ss__json_read_timestamp(struct ss_str text, int64_t *ret_seconds, int32_t *ret_nanos);
bool ss__json_read_duration(struct ss_str text, int64_t *ret_seconds, int32_t *ret_nanos);

#endif
