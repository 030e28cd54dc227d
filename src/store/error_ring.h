/* error_ring.h - the newest error records of a shard, in memory and in LMDB. Owner thread, but for
 * what a flush does.
 *
 * A record costs memory when it is noted and nothing more: the next flush writes those that are not
 * in LMDB yet, and removes those that are no longer kept. A flush that fails leaves them for the
 * next one. */
#ifndef SS_STORE_ERROR_RING_H
#define SS_STORE_ERROR_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/error_records.h>

#include "core/buf.h"

struct ss_store;

/* Slot number % SS_ERROR_RECORDS_MAX has a record as it goes to disk, or NULL: what stood there was
 * damaged. */
struct ss_error_ring {
    struct ss_buf *slots[SS_ERROR_RECORDS_MAX];
    uint64_t next;       /* number of the next record; the first is 1 */
    uint64_t stored;     /* all before are in LMDB */
};

/* Notes a record: its number, shard and time are filled in, texts that are too long are cut.
 * SS_E_NOMEM. */
int ss__store_note_error(struct ss_store *store, const struct ss_error_record *record);

/* The same, unless one that says the same was noted in the last @within_us. 1: noted, 0: it is
 * known, SS_E_NOMEM. */
int ss__store_note_error_once(struct ss_store *store, const struct ss_error_record *record,
                              uint64_t within_us);

/* Numbers of the records that are kept: from first to before next. */
uint64_t ss__store_errors_first(const struct ss_store *store);
uint64_t ss__store_errors_next(const struct ss_store *store);

/* The record of that number, until the next one is noted. False: it is not kept, or was damaged. */
bool ss__store_error_at(const struct ss_store *store, uint64_t number,
                        struct ss_error_record *ret_record);

/* All records before this number are in LMDB. */
uint64_t ss__store_errors_stored(const struct ss_store *store);

/* Whether records wait for a flush. */
bool ss__store_errors_wait(const struct ss_store *store);

#endif
