/* listing.h - a page of the sessions of one shard, by the bytes of their ids.
 *
 * Three steps: begin takes along what is only in memory, read goes through the catalog and may take
 * long, settle puts right what is newer in memory. */
#ifndef SS_STORE_LISTING_H
#define SS_STORE_LISTING_H

#include <stdint.h>

#include <sessionstream/sessions.h>

#include "core/arena.h"
#include "store/store.h"

struct ss_list_item {
    struct ss_session_info info;    /* the id lies in the arena */
    uint64_t sid;
};

/* One page being made. Zero but for the query and the arena before begin. */
struct ss_list_page {
    const struct ss_session_query *query;    /* checked, with its limit; outlives the page */
    struct ss_arena arena;
    struct ss_list_item *born;               /* sessions the catalog does not have yet */
    uint32_t born_count;
    struct ss_list_item *items;              /* ascending; room for one more than the limit */
    uint32_t count;
};

/* Owner thread. SS_E_NOMEM. */
int ss__store_list_begin(const struct ss_store *store, struct ss_list_page *page);

/* Any thread, between open and close. Fills at most limit + 1 items. Blocks: on the disk.
 * SS_E_STOREIO, SS_E_CORRUPT (logged), SS_E_NOMEM. */
int ss__store_list_read(struct ss_store *store, struct ss_list_page *page);

/* Owner thread. Brings the items up to the last commit. */
void ss__store_list_settle(const struct ss_store *store, struct ss_list_page *page);

#endif
