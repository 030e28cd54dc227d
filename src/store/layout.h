/* layout.h - keys and values in LMDB; the log has files of its own (log_format.h). Pure functions.
 *
 * Keys: big-endian integers, so that LMDB's byte order is the logical order.
 *
 *     meta      name                       see the META_ names below
 *     catalog   namespace u32, id          version u8, sid u64, checksum
 *     session   sid                        struct ss_row_value, checksum
 *     segment   sid, first ordinal         head of 16 bytes, entries of record.h
 *     entity    sid, projection u32,       version u8, type u32, created, last, time u64, payload,
 *               kind, 0, id                checksum
 *     types     type id u32                struct ss_type_value
 *     running   sid                        version u8, checksum
 *     trash     see trash.h
 *     command   log position u64           see command_value.h
 *     error     number u64                 see error_value.h
 *     checkpoint
 *               sid, ordinal, part u32     see past.h
 *
 * A checksum is 8 bytes of XXH3 of all before it, seeded with the key: a value that stands under
 * another key than its own does not decode.
 *
 * Decoders judge bytes from disk: they return SS_E_CORRUPT and never abort. Decoded strings borrow
 * the value. */
#ifndef SS_STORE_LAYOUT_H
#define SS_STORE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#include "core/bytes.h"
#include "store/store.h"
#include "store/timelines.h"

#define SS_VALUE_VERSION 3

/* Of values that had no checksum in version 3: types, meta, running, trash. What is written has
 * one; those of version 3 are read, too. A program that knows version 3 alone refuses the store. */
#define SS_SEALED_VERSION 4
#define SS_KEY_BYTES_MAX 511u    /* LMDB's own limit */

#define SS_CHECKSUM_BYTES 8u

/* Writes the checksum to the last 8 bytes of a value; @seed: ss__key_seed of its key. */
void ss__value_seal(uint8_t *value, size_t len, uint64_t seed);
/* Whether the checksum of a value, of at least 8 bytes, is its own. */
bool ss__value_is_sealed(struct ss_str value, uint64_t seed);

uint64_t ss__key_seed(struct ss_str key);

/* The newest segment of a session, which may still grow; one that retention has removed stands
 * there as a full one of the newest event alone. */
struct ss_segment_tip {
    uint64_t first;    /* ordinal; 0: no segment yet */
    uint32_t count;
    uint32_t bytes;    /* of its entries */
};

/* ---- session rows ---- */

struct ss_row_value {
    uint64_t ordinal;             /* of the newest event in a segment */
    uint64_t first_retained;
    uint64_t created_us;
    uint64_t updated_us;
    uint32_t epoch_counter;       /* of its entities, drawn when they are made anew; part of the
                                     epoch on the wire */
    struct ss_segment_tip tip;
    bool running;
    struct ss_str id;
    struct ss_str timelines;      /* see timelines.h; those decoded are well-formed */
};

#define SS_ROW_HEAD_BYTES 56u    /* before the id, behind which the timelines stand */
#define SS_ROW_FIXED_BYTES (SS_ROW_HEAD_BYTES + SS_CHECKSUM_BYTES)
#define SS_ROW_BYTES_MAX (SS_ROW_FIXED_BYTES + SS_SESSION_ID_BYTES_MAX + SS_TIMELINES_BYTES_MAX)

/* Writes @row to @out[SS_ROW_BYTES_MAX]; returns the bytes written. */
size_t ss__row_encode(uint8_t *out, uint64_t sid, const struct ss_row_value *row);
int ss__row_decode(uint64_t sid, struct ss_str value, struct ss_row_value *ret_row);

/* The epoch clients see: changes with the directory, a lossy restart, a new life, and other
 * timeline projections (@code) or entities that were made anew, since those that clients have kept
 * may be others then. Never 0. */
uint64_t ss__row_epoch(uint64_t directory_id, uint64_t incarnation, uint64_t code, uint64_t sid,
                       uint32_t epoch_counter);

/* ---- segments ---- */

#define SS_SEGMENT_HEAD_BYTES 16u
#define SS_CODEC_RAW 0

struct ss_segment {
    uint64_t sid;
    uint64_t first;
    uint32_t count;
    struct ss_str entries;
};

void ss__segment_key(uint8_t out[16], uint64_t sid, uint64_t first);

/* Fills the 16 bytes that stand before the entries in @value, which holds head and entries. */
void ss__segment_seal(uint8_t *value, size_t len, uint64_t sid, uint64_t first, uint32_t count);

/* Splits and verifies key and value of a segment. */
int ss__segment_decode(struct ss_str key, struct ss_str value, struct ss_segment *ret_segment);

/* ---- entities ---- */

#define SS_ENTITY_HEAD_BYTES 29u    /* before the payload */
#define SS_ENTITY_FIXED_BYTES (SS_ENTITY_HEAD_BYTES + SS_CHECKSUM_BYTES)

/* Writes the key to @out[SS_KEY_BYTES_MAX] and returns its length, or SS_E_TOOBIG / SS_E_INVAL
 * (empty kind, NUL in the kind). */
int ss__entity_key(uint8_t *out, uint64_t sid, uint32_t projection, struct ss_str kind,
                   struct ss_str id);
int ss__entity_key_decode(struct ss_str key, uint64_t *ret_sid, uint32_t *ret_projection,
                          struct ss_str *ret_kind, struct ss_str *ret_id);

/* What the keys of all entities of one projection begin with. */
#define SS_ENTITY_PREFIX_BYTES 12u
void ss__entity_prefix(uint8_t out[SS_ENTITY_PREFIX_BYTES], uint64_t sid, uint32_t projection);

/* Writes SS_ENTITY_FIXED_BYTES + row->payload.len bytes. */
void ss__entity_encode(uint8_t *out, struct ss_str key, const struct ss_entity_row *row);
/* Fills all but projection, kind and id. */
int ss__entity_decode(struct ss_str key, struct ss_str value, struct ss_entity_row *ret_row);

/* ---- catalog ---- */

#define SS_CATALOG_KEY_BYTES_MAX (4u + SS_SESSION_ID_BYTES_MAX)
#define SS_CATALOG_VALUE_BYTES 17u

size_t ss__catalog_key(uint8_t *out, struct ss_str id);
int ss__catalog_key_decode(struct ss_str key, struct ss_str *ret_id);
void ss__catalog_encode(uint8_t out[SS_CATALOG_VALUE_BYTES], struct ss_str key, uint64_t sid);
int ss__catalog_decode(struct ss_str key, struct ss_str value, uint64_t *ret_sid);

/* ---- running ---- */

#define SS_RUNNING_BYTES (1u + SS_CHECKSUM_BYTES)

void ss__running_encode(uint8_t out[SS_RUNNING_BYTES], uint64_t sid);
int ss__running_decode(struct ss_str key, struct ss_str value, uint64_t *ret_sid);

/* ---- types ---- */

struct ss_type_value {
    uint8_t space;
    uint64_t fingerprint;
    struct ss_str name;
    struct ss_str full_name;
};

void ss__type_encode(struct ss_bytes *out, const struct ss_type_value *type);
int ss__type_decode(struct ss_str value, struct ss_type_value *ret_type);

/* ---- meta ---- */

#define META_SHARD "shard"    /* struct ss_meta_shard, written once */
#define META_RUN "run"        /* struct ss_meta_run, at open and close */
#define META_SID "sid"        /* u64: no session in LMDB has this sid or a greater one */
#define META_LOG "log"        /* struct ss_meta_log, with every flush */
/* u64, as META_SID: log position. None of the results up to it is only in the log, and none behind
 * it is in LMDB. */
#define META_COMMAND "command"

#define SS_META_BYTES_MAX 48u

struct ss_meta_shard {
    uint32_t index;
    uint32_t count;
    uint64_t directory_id;
};

struct ss_meta_run {
    bool clean;                    /* set only between a clean close and the next open */
    uint8_t durability;            /* enum ss_durability of the last run */
    uint64_t incarnation;
    uint64_t damage;               /* which damage the incarnation was last raised for; 0: none */
};

size_t ss__meta_shard_encode(uint8_t *out, const struct ss_meta_shard *shard);
int ss__meta_shard_decode(struct ss_str value, struct ss_meta_shard *ret_shard);
size_t ss__meta_run_encode(uint8_t *out, const struct ss_meta_run *run);
int ss__meta_run_decode(struct ss_str value, struct ss_meta_run *ret_run);
size_t ss__meta_sid_encode(uint8_t *out, uint64_t next_sid);
int ss__meta_sid_decode(struct ss_str value, uint64_t *ret_next_sid);

/* The log as it was when something was last moved out of it. */
struct ss_meta_log {
    uint64_t needed_serial;        /* from this file on none may be missing */
    uint64_t next_batch;           /* all before were there */
};
size_t ss__meta_log_encode(uint8_t *out, const struct ss_meta_log *log);
int ss__meta_log_decode(struct ss_str value, struct ss_meta_log *ret_log);

#endif
