/* listing.h - one list of sessions, made by all shards at once.
 *
 * Whoever asks sends every shard a LIST request with the listing; each shard fills its own part
 * before it answers, and who gets the last answer merges. A part belongs to its shard until then.
 * Lives until the last reference is gone: every request holds one. */
#ifndef SS_MESSAGE_LISTING_H
#define SS_MESSAGE_LISTING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/sessions.h>

#include "core/arena.h"

struct ss_listing_part {
    struct ss_arena arena;             /* what the sessions point to; initialized by the listing */
    struct ss_session_info *sessions;  /* ascending, at most limit + 1 */
    uint32_t count;
    int err;
};

struct ss_listing {
    atomic_uint refs;
    atomic_uint waiting;               /* parts that are not answered yet */
    struct ss_session_query query;     /* with its limit; the strings lie in text */
    uint64_t number;                   /* of the asker: of the last request */
    ss_list_fn *done;                  /* in-process callers */
    void *ctx;
    uint32_t parts_count;
    struct ss_listing_part *parts;
    struct ss_session_info *merged;    /* room for limit + 1 */
    char *text;
};

/* Checks @query. SS_E_INVAL (too long, or over SS_LIST_MAX), SS_E_NOMEM. */
int ss__listing_new(const struct ss_session_query *query, uint32_t shards,
                    struct ss_listing **ret_listing);
struct ss_listing *ss__listing_ref(struct ss_listing *listing);
void ss__listing_unref(struct ss_listing *listing);

/* One part is answered. True: it was the last one, and all may be read. */
bool ss__listing_answered(struct ss_listing *listing);

/* The first sessions of all parts, or the first error. Borrows the listing. After the last answer
 * only. */
struct ss_session_list ss__listing_merge(struct ss_listing *listing);

#endif
