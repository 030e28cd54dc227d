/* A shard's part of a list, with a pool and without. */
#include <sched.h>

#include "notes_app.h"

#include "message/listing.h"
#include "shard/shard_state.h"

static struct ss_listing *post_list(struct fixture *f)
{
    struct ss_session_query query = { .limit = 10 };
    struct ss_listing *listing;
    ss_check(ss__listing_new(&query, 1, &listing) == 0);
    struct ss_request *request =
        ss__request_new(SS_REQUEST_LIST, ss_str(NULL), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    request->listing = ss__listing_ref(listing);
    request->done = on_done;
    request->ctx = f;
    f->done_err = -1;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    return listing;
}

static void expect_one(struct ss_listing *listing)
{
    const struct ss_listing_part *part = &listing->parts[0];
    ss_check(part->err == 0 && part->count == 1);
    ss_check(ss_str_equal(part->sessions[0].id, ss_str("s")) && part->sessions[0].ordinal == 1);
    ss__listing_unref(listing);
}

SS_TEST(listing, shows_a_session_with_and_without_a_pool)
{
    struct fixture f;
    struct ss_pool *pool;
    fixture_init(&f);
    post_put(&f, "s", "a", "text");
    step_all(&f);
    struct ss_listing *listing = post_list(&f);
    step_all(&f);
    ss_check(f.done_err == 0);
    expect_one(listing);
    ss_check(ss__pool_new(1, &pool) == 0);
    f.pool = pool;
    fixture_restart(&f);
    listing = post_list(&f);
    while (f.done_err == -1) {
        step_all(&f);
        (void)sched_yield();
    }
    ss_check(f.done_err == 0);
    expect_one(listing);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(listing, that_is_not_read_when_the_shard_ends_is_answered)
{
    struct fixture f;
    struct ss_pool *pool;
    ss_check(ss__pool_new(1, &pool) == 0);
    fixture_init(&f);
    f.pool = pool;
    fixture_restart(&f);
    struct ss_listing *listing = post_list(&f);
    (void)ss__shard_step(f.shard);
    ss__shard_close(f.shard);
    ss_check(f.done_err == 0 || f.done_err == SS_E_STOPPING);
    ss__listing_unref(listing);
    fixture_deinit(&f);
    ss__pool_free(pool);
}
