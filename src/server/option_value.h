/* option_value.h - values as people write them, both ways. Pure; any thread. */
#ifndef SS_SERVER_OPTION_VALUE_H
#define SS_SERVER_OPTION_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/durability.h>
#include <sessionstream/policy.h>
#include <sessionstream/types.h>
#include <sessionstream/verify.h>

#include "core/failure.h"
#include "core/log.h"

#define SS_OPTION_HOST_BYTES_MAX 255

/* Enough for any formatted number, size, duration or durability; for an address. */
#define SS_OPTION_VALUE_BYTES 48
#define SS_OPTION_ADDRESS_BYTES (SS_OPTION_HOST_BYTES_MAX + 16)

/* All: 0 or SS_E_CONFIG with a text that says what is accepted. */

/* Decimal digits only, @min to @max. */
int ss__option_parse_number(struct ss_str text, uint64_t min, uint64_t max, uint64_t *ret_value,
                            struct ss_failure *failure);

/* "4096", "64KiB", "1MiB", "2GiB": whole numbers, powers of 1,024. */
int ss__option_parse_bytes(struct ss_str text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
                           struct ss_failure *failure);

/* "250ms" or "10s"; the unit is required. */
int ss__option_parse_duration(struct ss_str text, uint64_t min_ms, uint64_t max_ms,
                              uint64_t *ret_ms, struct ss_failure *failure);

/* "127.0.0.1:8080", "localhost:0", "[::1]:8080"; *ret_host without brackets, within @text. */
int ss__option_parse_address(struct ss_str text, struct ss_str *ret_host, uint16_t *ret_port,
                             struct ss_failure *failure);

/* "fsync", "interval:100ms" (a bare number counts milliseconds) or "none"; *ret_interval_ms is
 * untouched but for an interval. */
int ss__option_parse_durability(struct ss_str text, enum ss_durability *ret_durability,
                                uint32_t *ret_interval_ms, struct ss_failure *failure);

int ss__option_parse_log_level(struct ss_str text, enum ss_log_level *ret_level,
                               struct ss_failure *failure);

/* Each writes to @out[SS_OPTION_VALUE_BYTES] (an address: SS_OPTION_ADDRESS_BYTES) what the
 * parser above reads as the same value. */
void ss__option_format_bytes(uint64_t bytes, char *out);
void ss__option_format_duration(uint64_t ms, char *out);
void ss__option_format_address(const char *host, uint16_t port, char *out);
/* "fail", "advance" or "halt", the last only if @max says so. SS_E_CONFIG. */
int ss__option_parse_policy(struct ss_str text, enum ss_projection_policy max,
                            enum ss_projection_policy *ret_policy, struct ss_failure *failure);
/* "none", "structure" or "records". SS_E_CONFIG. */
int ss__option_parse_verify(struct ss_str text, enum ss_verify *ret_verify,
                            struct ss_failure *failure);
const char *ss__option_verify_name(enum ss_verify verify);
const char *ss__option_policy_name(enum ss_projection_policy policy);

void ss__option_format_durability(enum ss_durability durability, uint32_t interval_ms, char *out);
const char *ss__option_log_level_name(enum ss_log_level level);

#endif
