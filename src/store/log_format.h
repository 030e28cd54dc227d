/* log_format.h - the frame of a log file: its first block and the heads of its batches. Pure
 * functions.
 *
 * A log file is a block of SS_LOG_BLOCK_BYTES, then batches. A batch is what one commit wrote: a
 * head, records (record.h), zeros up to the next multiple of SS_LOG_BLOCK_BYTES. So no block that
 * holds an acknowledged event is ever written again but with the same bytes (ss__log_secure), and a
 * torn write hurts none.
 *
 * Batches are numbered through all files. A file that is used again keeps the bytes of its earlier
 * life: they do not count, because their serial is another. Where a file ends is said by the next
 * one, which names it and the end of its batches, and by a batch without records behind the last:
 * a file may outlive the next one, and what was cut off at its end must not come back. */
#ifndef SS_STORE_LOG_FORMAT_H
#define SS_STORE_LOG_FORMAT_H

#include <stdint.h>

#include <sessionstream/types.h>

#define SS_LOG_BLOCK_BYTES 512u
#define SS_LOG_BATCH_HEAD_BYTES 40u
#define SS_LOG_FILE_BYTES_MAX (UINT64_C(1) << 32)    /* a position has 32 bits for the place */

/* The first block of a file. */
struct ss_log_head {
    uint32_t shard_index;
    uint64_t directory_id;
    uint64_t serial;             /* from 1 on; also in the name */
    uint64_t bytes;              /* size of the file */
    uint64_t previous_serial;    /* of the file before; 0: none */
    uint64_t previous_end;       /* where its batches end */
    uint64_t first_batch;        /* number of the first batch in this file */
};

void ss__log_head_encode(uint8_t out[SS_LOG_BLOCK_BYTES], const struct ss_log_head *head);
/* SS_E_CORRUPT, SS_E_VERSION. */
int ss__log_head_decode(struct ss_str block, struct ss_log_head *ret_head);

struct ss_log_batch_head {
    uint64_t serial;
    uint64_t number;
    uint32_t records;
    uint64_t bytes;              /* head and records, without the zeros */
};

void ss__log_batch_encode(uint8_t out[SS_LOG_BATCH_HEAD_BYTES], uint64_t seed,
                          const struct ss_log_batch_head *head);
/* SS_E_CORRUPT: no batch begins here. */
int ss__log_batch_decode(struct ss_str bytes, uint64_t seed, struct ss_log_batch_head *ret_head);

/* Up to the next block. */
static inline uint64_t ss__log_round(uint64_t bytes)
{
    return (bytes + SS_LOG_BLOCK_BYTES - 1) & ~(uint64_t)(SS_LOG_BLOCK_BYTES - 1);
}

/* Where a record is: never used for another one. */
static inline uint64_t ss__log_position(uint64_t serial, uint64_t offset)
{
    return serial << 32 | offset;
}

#endif
