#include <sessionstream/sessions.h>

#include "engine/engine_router.h"
#include "message/listing.h"

/* On the thread of whichever shard was last. */
static void part_listed(const struct ss_result *result, void *ctx)
{
    (void)result;    /* the part says it */
    struct ss_listing *listing = ctx;
    if (ss__listing_answered(listing)) {
        struct ss_session_list list = ss__listing_merge(listing);
        listing->done(&list, listing->ctx);
    }
}

static int ask_shard(const struct ss_router *router, uint32_t shard, struct ss_listing *listing)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_LIST, none, none, none);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->listing = ss__listing_ref(listing);
    request->done = part_listed;
    request->ctx = listing;
    int err = ss__inbox_post(router->shards[shard], &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
    }
    return err;
}

int ss_engine_list(struct ss_engine *engine, const struct ss_session_query *query,
                   ss_list_fn *done, void *ctx)
{
    const struct ss_router *router = ss__engine_router(engine);
    if (router == NULL) {
        return SS_E_STOPPING;
    }
    struct ss_listing *listing;
    int err = ss__listing_new(query, router->shard_count, &listing);
    if (err != 0) {
        return err;
    }
    listing->done = done;
    listing->ctx = ctx;
    err = ask_shard(router, 0, listing);
    /* The first one has the callback now: what fails from here on is told by it. */
    for (uint32_t i = 1; err == 0 && i < router->shard_count; i++) {
        int refused = ask_shard(router, i, listing);
        if (refused != 0) {
            listing->parts[i].err = refused;
            part_listed(NULL, listing);
        }
    }
    ss__listing_unref(listing);
    return err;
}
