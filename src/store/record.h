/* record.h - one event as bytes: the value in the log, the entry in a segment, the header section.
 *
 * Log value, little-endian:
 *
 *     0  u8   version (1)        8  u64  sid           32  u32  header bytes
 *     1  u8   0                  16 u64  ordinal       36       header, payload
 *     2  u16  flags              24 u64  time, µs      -8  u64  XXH3 of all before, seeded with
 *     4  u32  type id                                           the log sequence (the key)
 *
 * Segment entry: u16 flags, u32 type id, u64 time, u32 header bytes, u32 payload bytes, header,
 * payload. Session and ordinal follow from the key, the checksum is the segment's.
 *
 * Header section: a list of (tag u8, length varint, bytes), in any order, at most
 * SS_HEADER_BYTES_MAX bytes. A reader skips tags it does not know and every writer keeps them.
 *
 * All functions are pure. */
#ifndef SS_STORE_RECORD_H
#define SS_STORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "store/store.h"

#define SS_LOG_RECORD_VERSION 1
#define SS_LOG_RECORD_FIXED_BYTES 44u    /* 36 before the header section, 8 of checksum */
#define SS_SEGMENT_ENTRY_FIXED_BYTES 22u
#define SS_HEADER_BYTES_MAX 4096u

/* Reserved tags. 0 is never used; from 128 on they are free for experiments. */
enum ss_header_tag {
    SS_HEADER_EVENT_ID = 1,
    SS_HEADER_PRODUCER_ID = 2,
    SS_HEADER_PRODUCER_EPOCH = 3,    /* varint */
    SS_HEADER_PRODUCER_SEQ = 4,      /* varint */
    SS_HEADER_IDEMPOTENCY_KEY = 5,
    SS_HEADER_PAYLOAD_HASH = 6,
    SS_HEADER_CAUSATION = 7,
    SS_HEADER_CORRELATION = 8,
    SS_HEADER_TRACEPARENT = 9,
    SS_HEADER_ACTOR = 10,
};

/* Appends one item; errors stick to @out (its max should be SS_HEADER_BYTES_MAX). */
void ss__header_append(struct ss_bytes *out, uint8_t tag, struct ss_str value);

/* Steps through a section, *@at from 0. 1 and an item, 0 at the end, SS_E_CORRUPT if malformed. */
int ss__header_next(struct ss_str section, size_t *at, uint8_t *ret_tag, struct ss_str *ret_value);

/* First item with @tag: 0, SS_E_NOTFOUND or SS_E_CORRUPT. */
int ss__header_find(struct ss_str section, uint8_t tag, struct ss_str *ret_value);

/* 0 if the section is well-formed and within the limit, else SS_E_CORRUPT. */
int ss__header_check(struct ss_str section);

static inline size_t ss__log_record_bytes(const struct ss_record *record)
{
    return SS_LOG_RECORD_FIXED_BYTES + record->header.len + record->payload.len;
}

static inline size_t ss__segment_entry_bytes(const struct ss_record *record)
{
    return SS_SEGMENT_ENTRY_FIXED_BYTES + record->header.len + record->payload.len;
}

/* Writes the log value of @record (ss__log_record_bytes of it) to @out. */
void ss__log_record_encode(uint8_t *out, uint64_t sequence, uint64_t sid,
                           const struct ss_record *record);

/* Verifies and splits a log value; @ret_record borrows @value. Any output may be what a damaged
 * value says when SS_E_CORRUPT is returned; *@ret_sid is 0 when not even that can be read. */
int ss__log_record_decode(struct ss_str value, uint64_t sequence, uint64_t *ret_sid,
                          struct ss_record *ret_record);

/* Session and ordinal of a log value without verifying it; SS_E_CORRUPT if it is too short. */
int ss__log_record_peek(struct ss_str value, uint64_t *ret_sid, uint64_t *ret_ordinal);

/* Appends the segment entry of @record. */
void ss__segment_entry_append(struct ss_bytes *out, const struct ss_record *record);

/* Reads the entry at *@at of @entries and moves on; fills all but the ordinal. SS_E_CORRUPT. */
int ss__segment_entry_next(struct ss_str entries, size_t *at, struct ss_record *ret_record);

#endif
