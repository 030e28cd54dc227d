/* error_listing.h - one list of error records, made by the shard of a session or by all shards at
 * once, in the way of listing.h. */
#ifndef SS_MESSAGE_ERROR_LISTING_H
#define SS_MESSAGE_ERROR_LISTING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/error_records.h>

#include "core/arena.h"

struct ss_error_part {
    struct ss_arena arena;             /* what the records point to; initialized by the listing */
    struct ss_error_record *records;   /* oldest first, at most the limit */
    uint32_t count;
    int err;
};

struct ss_error_listing {
    atomic_uint refs;
    atomic_uint waiting;               /* parts that are not answered yet */
    struct ss_error_query query;       /* its text lies in @id */
    uint64_t number;                   /* of the asker: of the last request */
    ss_errors_fn *done;                /* in-process callers */
    void *ctx;
    struct ss_error_record *merged;
    uint32_t parts_count;              /* one for each shard that is asked */
    char id[SS_SESSION_ID_BYTES_MAX];
    struct ss_error_part parts[];
};

/* For @shards shards, or the one of the session that @query names. SS_E_INVAL (unknown kinds, or an
 * id over SS_SESSION_ID_BYTES_MAX), SS_E_NOMEM. */
int ss__error_listing_new(const struct ss_error_query *query, uint32_t shards,
                          struct ss_error_listing **ret_listing);
struct ss_error_listing *ss__error_listing_ref(struct ss_error_listing *listing);
void ss__error_listing_unref(struct ss_error_listing *listing);

/* One part is answered. True: it was the last one, and all may be read. */
bool ss__error_listing_answered(struct ss_error_listing *listing);

/* The newest records of all parts by time, or the first error. Borrows the listing. Once, after the
 * last answer. */
struct ss_error_list ss__error_listing_merge(struct ss_error_listing *listing);

#endif
