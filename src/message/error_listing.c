#include "message/error_listing.h"

#include <stdlib.h>
#include <string.h>

#define PART_CHUNK_BYTES 16384

int ss__error_listing_new(const struct ss_error_query *query, uint32_t shards,
                          struct ss_error_listing **ret_listing)
{
    uint32_t parts = query->session_id.len == 0 ? shards : 1;
    if (query->session_id.len > SS_SESSION_ID_BYTES_MAX ||
        (query->kinds >> SS_ERROR_KINDS) != 0) {
        return SS_E_INVAL;
    }
    struct ss_error_listing *listing =
        calloc(1, sizeof *listing + parts * sizeof listing->parts[0]);
    if (listing == NULL) {
        return SS_E_NOMEM;
    }
    atomic_init(&listing->refs, 1);
    atomic_init(&listing->waiting, parts);
    listing->query = *query;
    if (query->session_id.len > 0) {
        memcpy(listing->id, query->session_id.data, query->session_id.len);
    }
    listing->query.session_id = ss_str_of(listing->id, query->session_id.len);
    listing->parts_count = parts;
    for (uint32_t i = 0; i < parts; i++) {
        ss__arena_init(&listing->parts[i].arena, PART_CHUNK_BYTES);
    }
    *ret_listing = listing;
    return 0;
}

struct ss_error_listing *ss__error_listing_ref(struct ss_error_listing *listing)
{
    atomic_fetch_add_explicit(&listing->refs, 1, memory_order_relaxed);
    return listing;
}

void ss__error_listing_unref(struct ss_error_listing *listing)
{
    if (listing == NULL ||
        atomic_fetch_sub_explicit(&listing->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        ss__arena_deinit(&listing->parts[i].arena);
    }
    free(listing->merged);
    free(listing);
}

bool ss__error_listing_answered(struct ss_error_listing *listing)
{
    return atomic_fetch_sub_explicit(&listing->waiting, 1, memory_order_acq_rel) == 1;
}

/* The part whose newest record is the newest of all, or NULL. Taken ones are no longer in it. */
static struct ss_error_part *newest_part(struct ss_error_listing *listing)
{
    struct ss_error_part *newest = NULL;
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        struct ss_error_part *part = &listing->parts[i];
        if (part->count > 0 &&
            (newest == NULL || part->records[part->count - 1].time_us >=
                                   newest->records[newest->count - 1].time_us)) {
            newest = part;
        }
    }
    return newest;
}

struct ss_error_list ss__error_listing_merge(struct ss_error_listing *listing)
{
    struct ss_error_list list = { 0 };
    size_t total = 0;
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        list.err = list.err != 0 ? list.err : listing->parts[i].err;
        total += listing->parts[i].count;
    }
    listing->merged = list.err != 0 ? NULL : calloc(total + 1, sizeof *listing->merged);
    if (listing->merged == NULL) {
        list.err = list.err != 0 ? list.err : SS_E_NOMEM;
        return list;
    }
    uint32_t limit = listing->query.limit;
    struct ss_error_record *at = listing->merged + total;
    while (limit == 0 || list.count < limit) {
        struct ss_error_part *part = newest_part(listing);
        if (part == NULL) {
            break;
        }
        *--at = part->records[--part->count];
        list.count++;
    }
    list.records = at;
    return list;
}
