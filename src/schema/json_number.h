/* json_number.h - numbers of proto3 JSON, both ways. Pure; any thread; the locale plays no role.
 *
 * Integers never pass through a double. Doubles are written with the fewest digits that read back
 * to the same value, as decimals for exponents from -6 to 20 and like 1e+21 otherwise. */
#ifndef SS_SCHEMA_JSON_NUMBER_H
#define SS_SCHEMA_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

/* The integer that the JSON number @text (with fraction or exponent, but integral: 1.0, 1e2)
 * stands for. False if @text is no JSON number, not integral or out of range. */
bool ss__json_read_i64(struct ss_str text, int64_t min, int64_t max, int64_t *ret_value);
bool ss__json_read_u64(struct ss_str text, uint64_t max, uint64_t *ret_value);

/* The nearest double or float. False if @text is no JSON number or beyond the largest value. */
bool ss__json_read_double(struct ss_str text, double *ret_value);
bool ss__json_read_float(struct ss_str text, float *ret_value);

/* Appends @value; NaN and infinities as "NaN", "Infinity", "-Infinity" with the quotes. */
void ss__json_write_double(struct ss_bytes *out, double value);
void ss__json_write_float(struct ss_bytes *out, float value);

#endif
