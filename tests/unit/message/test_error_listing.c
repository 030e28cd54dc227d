#include "message/error_listing.h"

#include <stdio.h>
#include <string.h>

#include "ss_test.h"

static struct ss_error_listing *make(const char *session, uint32_t limit, uint32_t shards)
{
    struct ss_error_query query = { .session_id = ss_str(session), .limit = limit };
    struct ss_error_listing *listing;
    ss_check(ss__error_listing_new(&query, shards, &listing) == 0);
    return listing;
}

/* Records at these times, which are their numbers too. */
static void fill(struct ss_error_listing *listing, uint32_t part, const uint64_t *times,
                 uint32_t count)
{
    struct ss_error_part *to = &listing->parts[part];
    to->records = ss__arena_calloc(&to->arena, count * sizeof *to->records);
    ss_check(to->records != NULL);
    for (uint32_t i = 0; i < count; i++) {
        to->records[i].shard = part;
        to->records[i].number = to->records[i].time_us = times[i];
    }
    to->count = count;
}

static bool numbers_are(struct ss_error_list list, const char *want)
{
    char got[128] = "";
    for (size_t i = 0; i < list.count; i++) {
        size_t len = strlen(got);
        (void)snprintf(got + len, sizeof got - len, "%llu ",
                       (unsigned long long)list.records[i].number);
    }
    return strcmp(got, want) == 0;
}

SS_TEST(error_listing, a_query_is_checked_and_copied)
{
    static const char text[SS_SESSION_ID_BYTES_MAX + 1];
    struct ss_error_listing *listing;
    struct ss_error_query query = { .kinds = 1u << SS_ERROR_KINDS };
    ss_check(ss__error_listing_new(&query, 1, &listing) == SS_E_INVAL);
    query = (struct ss_error_query){ .session_id = ss_str_of(text, sizeof text) };
    ss_check(ss__error_listing_new(&query, 1, &listing) == SS_E_INVAL);
    listing = make("s", 0, 4);
    ss_check(listing->parts_count == 1 && ss_str_equal(listing->query.session_id, ss_str("s")));
    ss__error_listing_unref(ss__error_listing_ref(listing));
    ss_check(ss__error_listing_answered(listing));
    ss__error_listing_unref(listing);
    listing = make("", 0, 4);
    ss_check(listing->parts_count == 4 && !ss__error_listing_answered(listing));
    ss__error_listing_unref(listing);
}

SS_TEST(error_listing, parts_are_merged_oldest_first_and_a_limit_keeps_the_newest)
{
    static const uint64_t first[] = { 1, 4, 5 };
    static const uint64_t second[] = { 2, 3, 6 };
    struct ss_error_listing *listing = make("", 0, 3);
    fill(listing, 0, first, 3);
    fill(listing, 2, second, 3);
    ss_check(numbers_are(ss__error_listing_merge(listing), "1 2 3 4 5 6 "));
    ss__error_listing_unref(listing);
    listing = make("", 2, 3);
    fill(listing, 0, first, 3);
    fill(listing, 2, second, 3);
    ss_check(numbers_are(ss__error_listing_merge(listing), "5 6 "));
    ss__error_listing_unref(listing);
}

SS_TEST(error_listing, one_part_that_fails_fails_the_list)
{
    static const uint64_t times[] = { 1 };
    struct ss_error_listing *listing = make("", 0, 2);
    fill(listing, 0, times, 1);
    listing->parts[1].err = SS_E_NOMEM;
    struct ss_error_list list = ss__error_listing_merge(listing);
    ss_check(list.err == SS_E_NOMEM && list.count == 0);
    ss__error_listing_unref(listing);
}
