#include "message/listing.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "ss_test.h"

static struct ss_listing *make(uint32_t limit, uint32_t shards)
{
    struct ss_session_query query = { ss_str("p"), ss_str("pa"), limit };
    struct ss_listing *listing;
    ss_check(ss__listing_new(&query, shards, &listing) == 0);
    return listing;
}

static void fill(struct ss_listing *listing, uint32_t part, const char *first, const char *second)
{
    struct ss_listing_part *to = &listing->parts[part];
    to->sessions = ss__arena_calloc(&to->arena, 2 * sizeof *to->sessions);
    to->sessions[0].id = ss_str(first);
    to->sessions[1].id = ss_str(second);
    to->count = 2;
}

SS_TEST(listing, a_query_is_checked_and_copied)
{
    char text[SS_SESSION_ID_BYTES_MAX + 1] = { 0 };
    struct ss_listing *listing;
    struct ss_session_query query = { .limit = SS_LIST_MAX + 1 };
    ss_check(ss__listing_new(&query, 1, &listing) == SS_E_INVAL);
    query = (struct ss_session_query){ .prefix = ss_str_of(text, sizeof text) };
    ss_check(ss__listing_new(&query, 1, &listing) == SS_E_INVAL);
    query = (struct ss_session_query){ .after = ss_str_of(text, sizeof text) };
    ss_check(ss__listing_new(&query, 1, &listing) == SS_E_INVAL);
    listing = make(0, 1);
    ss_check(listing->query.limit == SS_LIST_DEFAULT);
    ss_check(ss_str_equal(listing->query.prefix, ss_str("p")));
    ss_check(ss_str_equal(listing->query.after, ss_str("pa")));
    ss__listing_unref(listing);
}

SS_TEST(listing, the_last_answer_completes_it)
{
    struct ss_listing *listing = make(5, 2);
    ss_check(!ss__listing_answered(listing));
    ss_check(ss__listing_answered(listing));
    ss__listing_unref(ss__listing_ref(listing));
    ss_check(listing->query.limit == 5);
    ss__listing_unref(listing);
}

SS_TEST(listing, merges_in_order_up_to_the_limit)
{
    struct ss_listing *listing = make(3, 3);
    fill(listing, 0, "pb", "pd");
    fill(listing, 2, "p", "pbb");
    struct ss_session_list list = ss__listing_merge(listing);
    ss_check(list.err == 0 && list.count == 3 && list.more);
    ss_check(ss_str_equal(list.sessions[0].id, ss_str("p")));
    ss_check(ss_str_equal(list.sessions[1].id, ss_str("pb")));
    ss_check(ss_str_equal(list.sessions[2].id, ss_str("pbb")));
    ss__listing_unref(listing);
    listing = make(4, 3);
    fill(listing, 0, "pb", "pd");
    fill(listing, 2, "p", "pbb");
    list = ss__listing_merge(listing);
    ss_check(list.count == 4 && !list.more);
    ss__listing_unref(listing);
}

SS_TEST(listing, an_error_of_one_part_is_the_answer)
{
    struct ss_listing *listing = make(3, 2);
    fill(listing, 0, "pb", "pd");
    listing->parts[1].err = SS_E_CORRUPT;
    struct ss_session_list list = ss__listing_merge(listing);
    ss_check(list.err == SS_E_CORRUPT && list.count == 0);
    ss__listing_unref(listing);
}
