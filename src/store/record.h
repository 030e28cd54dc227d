/* record.h - one event as bytes: the value in the log, the entry in a segment, the header section.
 *
 * Log record, little-endian:
 *
 *     0  u32  length of all     16 u64  sid
 *     4  u8   kind              24      an event: u64 ordinal, u64 time in µs, u32 type id,
 *     5  u8   version (1)               u32 header bytes, header, payload;
 *     6  u16  flags                     a new session: u64 time in µs, id;
 *     8  u64  batch number              a deletion: u64 time in µs;
 *                                       the result of a keyed command: command_value.h
 *                               -8 u64  XXH3 of all before, seeded per directory and shard
 *
 * The batch number tells a record from what an earlier life of its file left behind.
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
#include "store/command_value.h"
#include "store/store.h"

#define SS_LOG_RECORD_VERSION 1
#define SS_LOG_RECORD_HEAD_BYTES 24u
#define SS_LOG_EVENT_FIXED_BYTES 56u      /* 48 before the header section, 8 of checksum */
#define SS_LOG_SESSION_FIXED_BYTES 40u    /* 32 before the id, 8 of checksum */
#define SS_LOG_DELETE_BYTES 40u
#define SS_LOG_COMMAND_FIXED_BYTES 32u    /* without the body */
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
    SS_HEADER_OUTCOME = 11,          /* see outcome.h */
};

/* Appends one item; errors stick to @out (its max should be SS_HEADER_BYTES_MAX). */
void ss__header_append(struct ss_bytes *out, uint8_t tag, struct ss_str value);

/* Steps through a section, *@at from 0. 1 and an item, 0 at the end, SS_E_CORRUPT if malformed. */
int ss__header_next(struct ss_str section, size_t *at, uint8_t *ret_tag, struct ss_str *ret_value);

/* First item with @tag: 0, SS_E_NOTFOUND or SS_E_CORRUPT. */
int ss__header_find(struct ss_str section, uint8_t tag, struct ss_str *ret_value);

/* 0 if the section is well-formed and within the limit, else SS_E_CORRUPT. */
int ss__header_check(struct ss_str section);

enum ss_log_kind {
    SS_LOG_EVENT = 1,
    SS_LOG_SESSION = 2,
    SS_LOG_DELETE = 3,
    SS_LOG_COMMAND = 4,
};

/* What one record of the log says. */
struct ss_log_record {
    enum ss_log_kind kind;
    uint32_t len;
    uint64_t batch;
    uint64_t sid;
    struct ss_record event;     /* of SS_LOG_EVENT */
    uint64_t created_us;        /* of SS_LOG_SESSION */
    uint64_t deleted_us;        /* of SS_LOG_DELETE */
    struct ss_str id;
    struct ss_command_value command;    /* of SS_LOG_COMMAND */
};

static inline size_t ss__log_event_bytes(const struct ss_record *record)
{
    return SS_LOG_EVENT_FIXED_BYTES + record->header.len + record->payload.len;
}

static inline size_t ss__log_session_bytes(struct ss_str id)
{
    return SS_LOG_SESSION_FIXED_BYTES + id.len;
}

static inline size_t ss__log_command_bytes(const struct ss_command_value *value)
{
    return SS_LOG_COMMAND_FIXED_BYTES + ss__command_body_bytes(value);
}

static inline size_t ss__segment_entry_bytes(const struct ss_record *record)
{
    return SS_SEGMENT_ENTRY_FIXED_BYTES + record->header.len + record->payload.len;
}

/* Write a log record, ss__log_event_bytes or ss__log_session_bytes long, to @out. */
void ss__log_event_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                          const struct ss_record *record);
void ss__log_session_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                            uint64_t created_us, struct ss_str id);

/* The same, SS_LOG_DELETE_BYTES long. */
void ss__log_delete_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                           uint64_t deleted_us);

/* The same, ss__log_command_bytes long. */
void ss__log_command_encode(uint8_t *out, uint64_t seed, uint64_t batch,
                            const struct ss_command_value *value);

/* The length that the record at the start of @bytes gives; 0: it has none, or it does not fit. */
size_t ss__log_record_bytes(struct ss_str bytes);

/* Verifies and splits the record at the start of @bytes, which it borrows. On SS_E_CORRUPT
 * @ret_record holds what the bytes say as far as they go: sid 0 when not even that can be read,
 * len 0 when it cannot be told where the next record begins. */
int ss__log_record_decode(struct ss_str bytes, uint64_t seed, struct ss_log_record *ret_record);

/* Appends the segment entry of @record. */
void ss__segment_entry_append(struct ss_bytes *out, const struct ss_record *record);

/* Reads the entry at *@at of @entries and moves on; fills all but the ordinal. SS_E_CORRUPT. */
int ss__segment_entry_next(struct ss_str entries, size_t *at, struct ss_record *ret_record);

#endif
