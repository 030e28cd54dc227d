#include "message/listing.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#define PART_CHUNK_BYTES 16384

static int allocate(struct ss_listing *listing, const struct ss_session_query *query)
{
    listing->parts = calloc(listing->parts_count, sizeof *listing->parts);
    for (uint32_t i = 0; listing->parts != NULL && i < listing->parts_count; i++) {
        ss__arena_init(&listing->parts[i].arena, PART_CHUNK_BYTES);
    }
    listing->merged = calloc(listing->query.limit + 1, sizeof *listing->merged);
    listing->text = malloc(query->prefix.len + query->after.len + 1);
    if (listing->parts == NULL || listing->merged == NULL || listing->text == NULL) {
        return SS_E_NOMEM;
    }
    if (query->prefix.len > 0) {
        memcpy(listing->text, query->prefix.data, query->prefix.len);
    }
    if (query->after.len > 0) {
        memcpy(listing->text + query->prefix.len, query->after.data, query->after.len);
    }
    listing->query.prefix = ss_str_of(listing->text, query->prefix.len);
    listing->query.after = ss_str_of(listing->text + query->prefix.len, query->after.len);
    return 0;
}

int ss__listing_new(const struct ss_session_query *query, uint32_t shards,
                    struct ss_listing **ret_listing)
{
    if (query->prefix.len > SS_SESSION_ID_BYTES_MAX || query->after.len > SS_SESSION_ID_BYTES_MAX ||
        query->limit > SS_LIST_MAX) {
        return SS_E_INVAL;
    }
    struct ss_listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) {
        return SS_E_NOMEM;
    }
    atomic_init(&listing->refs, 1);
    atomic_init(&listing->waiting, shards);
    listing->parts_count = shards;
    listing->query.limit = query->limit == 0 ? SS_LIST_DEFAULT : query->limit;
    int err = allocate(listing, query);
    if (err != 0) {
        ss__listing_unref(listing);
        return err;
    }
    *ret_listing = listing;
    return 0;
}

struct ss_listing *ss__listing_ref(struct ss_listing *listing)
{
    atomic_fetch_add_explicit(&listing->refs, 1, memory_order_relaxed);
    return listing;
}

void ss__listing_unref(struct ss_listing *listing)
{
    if (listing == NULL ||
        atomic_fetch_sub_explicit(&listing->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; listing->parts != NULL && i < listing->parts_count; i++) {
        ss__arena_deinit(&listing->parts[i].arena);
    }
    free(listing->parts);
    free(listing->merged);
    free(listing->text);
    free(listing);
}

bool ss__listing_answered(struct ss_listing *listing)
{
    return atomic_fetch_sub_explicit(&listing->waiting, 1, memory_order_acq_rel) == 1;
}

static bool is_before(const struct ss_session_info *a, const struct ss_session_info *b)
{
    size_t len = a->id.len < b->id.len ? a->id.len : b->id.len;
    int order = memcmp(a->id.data, b->id.data, len);
    return order < 0 || (order == 0 && a->id.len < b->id.len);
}

/* The part whose next session comes first, or NULL. Taken ones are no longer in their part. */
static struct ss_listing_part *first_part(struct ss_listing *listing)
{
    struct ss_listing_part *first = NULL;
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        struct ss_listing_part *part = &listing->parts[i];
        if (part->count > 0 && (first == NULL || is_before(part->sessions, first->sessions))) {
            first = part;
        }
    }
    return first;
}

struct ss_session_list ss__listing_merge(struct ss_listing *listing)
{
    struct ss_session_list list = { .sessions = listing->merged };
    for (uint32_t i = 0; i < listing->parts_count && list.err == 0; i++) {
        list.err = listing->parts[i].err;
    }
    while (list.err == 0) {
        struct ss_listing_part *part = first_part(listing);
        if (part == NULL || list.count == listing->query.limit) {
            list.more = part != NULL;
            break;
        }
        listing->merged[list.count++] = *part->sessions++;
        part->count--;
    }
    return list;
}
