#include "shard/listing.h"

#include <stdlib.h>

#include "core/contract.h"
#include "message/listing.h"
#include "shard/effect.h"
#include "shard/job.h"
#include "shard/shard_state.h"
#include "store/listing.h"

struct listed {
    struct ss_job base;    /* comes back as SS_MSG_LISTED */
    struct ss_store *store;
    struct ss_request *request;
    struct ss_list_page page;
    int err;
};

static struct ss_listing_part *part_of(const struct ss_shard *shard,
                                       const struct ss_request *request)
{
    return &request->listing->parts[shard->options.index];
}

/* The page's memory goes along with its ids. */
static int fill_part(struct ss_listing_part *part, struct ss_list_page *page)
{
    struct ss_session_info *sessions =
        ss__arena_alloc(&page->arena, (page->count + 1) * sizeof *sessions);
    if (sessions == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        sessions[i] = page->items[i].info;
    }
    part->arena = page->arena;
    part->sessions = sessions;
    part->count = page->count;
    return 0;
}

/* Takes over the page. */
static void answer(struct ss_shard *shard, struct ss_request *request, struct ss_list_page *page,
                   int err)
{
    struct ss_listing_part *part = part_of(shard, request);
    if (err == 0) {
        ss__store_list_settle(shard->store, page);
        err = fill_part(part, page);
    }
    if (err != 0) {
        ss__arena_deinit(&page->arena);
        part->err = err;
        ss__request_fail(request, err, NULL);
    }
    ss__effect_answer(shard, request);
}

static void run(struct ss_job *job)
{
    struct listed *listed = ss__container_of(job, struct listed, base);
    listed->err = ss__store_list_read(listed->store, &listed->page);
}

static int post(struct ss_shard *shard, struct ss_request *request, struct ss_list_page *page)
{
    struct listed *listed = ss__job_new(SS_MSG_LISTED, sizeof *listed, run);
    if (listed == NULL) {
        return SS_E_NOMEM;
    }
    listed->store = shard->store;
    listed->request = request;
    listed->page = *page;
    int err = ss__job_post(shard, shard->options.pool, &listed->base);
    if (err != 0) {
        free(listed);
    }
    return err;
}

/* A shard without a pool reads here. */
void ss__listing_start(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_list_page page = { .query = &request->listing->query,
                                 .arena = part_of(shard, request)->arena };
    int err = ss__store_list_begin(shard->store, &page);
    if (err == 0 && shard->options.pool != NULL) {
        err = post(shard, request, &page);
        if (err == 0) {
            return;
        }
    } else if (err == 0) {
        err = ss__store_list_read(shard->store, &page);
    }
    answer(shard, request, &page, err);
}

void ss__listing_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct listed *done = ss__container_of(ss__job_back(shard, msg), struct listed, base);
    answer(shard, done->request, &done->page, done->err);
    free(done);
}

void ss__listing_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct listed *done = ss__container_of(ss__job_back(shard, msg), struct listed, base);
    ss__arena_deinit(&done->page.arena);
    part_of(shard, done->request)->err = SS_E_STOPPING;
    ss__request_fail(done->request, SS_E_STOPPING, NULL);
    ss__answer_now(shard, done->request);
    free(done);
}
