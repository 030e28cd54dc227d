/* scan.h - the tokens of the protobuf wire format, with bounds: for src/schema only.
 *
 * Each function reads one token in [@at, @end) and returns what follows it, or NULL when it is cut
 * off or malformed (the results are then undefined). Pure. Stricter than some parsers in what no
 * encoder writes: tags and lengths take at most 5 bytes, values at most 10 and 64 bits. */
#ifndef SS_SCHEMA_SCAN_H
#define SS_SCHEMA_SCAN_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#include "schema/pb.h"

#define SS_PB_NUMBER_MAX ((uint32_t)0x1FFFFFFF)

/* A varint of two bytes and more; see ss__scan_varint. */
const uint8_t *ss__scan_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value);

static inline const uint8_t *ss__scan_varint(const uint8_t *at, const uint8_t *end,
                                             uint64_t *ret_value)
{
    if (at < end && *at < 0x80) {
        *ret_value = *at;
        return at + 1;
    }
    return ss__scan_long_varint(at, end, ret_value);
}

/* NULL also for field number 0, one over 2^29 - 1, and the wire types 6 and 7. */
static inline const uint8_t *ss__scan_tag(const uint8_t *at, const uint8_t *end,
                                          uint32_t *ret_number, enum ss_pb_wire *ret_wire)
{
    uint64_t tag;
    const uint8_t *next = ss__scan_varint(at, end, &tag);
    if (next == NULL || next - at > 5 || tag >> 32 != 0 || tag >> 3 == 0 || (tag & 7) > 5) {
        return NULL;
    }
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire = (enum ss_pb_wire)(tag & 7);
    return next;
}

static inline const uint8_t *ss__scan_bytes(const uint8_t *at, const uint8_t *end,
                                            struct ss_str *ret_bytes)
{
    uint64_t len;
    const uint8_t *next = ss__scan_varint(at, end, &len);
    if (next == NULL || next - at > 5 || len > INT_MAX || len > (uint64_t)(end - next)) {
        return NULL;
    }
    *ret_bytes = ss_str_of(next, (size_t)len);
    return next + len;
}

static inline const uint8_t *ss__scan_fixed32(const uint8_t *at, const uint8_t *end,
                                              uint64_t *ret_value)
{
    if (end - at < 4) {
        return NULL;
    }
    *ret_value = (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 |
                 (uint64_t)at[3] << 24;
    return at + 4;
}

static inline const uint8_t *ss__scan_fixed64(const uint8_t *at, const uint8_t *end,
                                              uint64_t *ret_value)
{
    if (end - at < 8) {
        return NULL;
    }
    uint64_t low = 0;
    uint64_t high = 0;
    (void)ss__scan_fixed32(at, end, &low);    /* eight bytes are there */
    (void)ss__scan_fixed32(at + 4, end, &high);
    *ret_value = low | high << 32;
    return at + 8;
}

#endif
