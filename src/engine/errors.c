#include <sessionstream/error_records.h>

#include "engine/engine_router.h"
#include "message/error_listing.h"

/* On the thread of whichever shard was last. */
static void part_answered(const struct ss_result *result, void *ctx)
{
    (void)result;    /* the part says it */
    struct ss_error_listing *listing = ctx;
    if (ss__error_listing_answered(listing)) {
        struct ss_error_list list = ss__error_listing_merge(listing);
        listing->done(&list, listing->ctx);
    }
}

static int ask(struct ss_inbox *inbox, struct ss_error_listing *listing)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_ERRORS, none, none, none);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->errors = ss__error_listing_ref(listing);
    request->done = part_answered;
    request->ctx = listing;
    int err = ss__inbox_post(inbox, &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
    }
    return err;
}

static int ask_all(const struct ss_router *router, struct ss_error_listing *listing)
{
    int err = ask(router->shards[0], listing);
    /* The first one has the callback now: what fails from here on is told by it. */
    for (uint32_t i = 1; err == 0 && i < router->shard_count; i++) {
        int refused = ask(router->shards[i], listing);
        if (refused != 0) {
            listing->parts[i].err = refused;
            part_answered(NULL, listing);
        }
    }
    return err;
}

int ss_engine_errors(struct ss_engine *engine, const struct ss_error_query *query,
                     ss_errors_fn *done, void *ctx)
{
    const struct ss_router *router = ss__engine_router(engine);
    if (router == NULL) {
        return SS_E_STOPPING;
    }
    if (query->session_id.len > SS_SESSION_ID_BYTES_MAX) {
        return SS_E_SESSION_ID;
    }
    struct ss_error_listing *listing;
    int err = ss__error_listing_new(query, router->shard_count, &listing);
    if (err != 0) {
        return err;
    }
    listing->done = done;
    listing->ctx = ctx;
    err = query->session_id.len > 0 ? ask(ss__router_inbox(router, query->session_id), listing)
                                    : ask_all(router, listing);
    ss__error_listing_unref(listing);
    return err;
}
