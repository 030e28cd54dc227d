#include "shard/listing.h"

#include <stdlib.h>

#include "core/contract.h"
#include "message/listing.h"
#include "runtime/pool.h"
#include "shard/effect.h"
#include "shard/shard_state.h"
#include "store/listing.h"

struct listed {
    struct ss_msg base;
    struct ss_request *request;
    struct ss_list_page page;
    int err;
};

struct list_job {
    struct ss_pool_job base;
    struct ss_store *store;
    struct ss_inbox *inbox;
    struct listed *done;    /* made beforehand, so that the answer cannot fail */
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

static void run_job(struct ss_pool_job *base)
{
    struct list_job *job = ss__container_of(base, struct list_job, base);
    job->done->err = ss__store_list_read(job->store, &job->done->page);
    /* The shard waits for its jobs before it closes the inbox, so this is always taken. */
    SS_INSIST(ss__inbox_post(job->inbox, &job->done->base.node, SS_POST_INSIDE) == 0);
    ss__inbox_unref(job->inbox);
    free(job);
}

/* A shard without a pool reads here. */
static int post_job(struct ss_shard *shard, struct ss_request *request, struct ss_list_page *page)
{
    struct list_job *job = calloc(1, sizeof *job);
    struct listed *done = ss__msg_new(SS_MSG_LISTED, sizeof *done);
    int err = job == NULL || done == NULL ? SS_E_NOMEM : 0;
    if (err == 0) {
        done->request = request;
        done->page = *page;
        *job = (struct list_job){ .base.run = run_job,
                                  .store = shard->store,
                                  .inbox = ss__inbox_ref(shard->inbox),
                                  .done = done };
        err = ss__pool_post(shard->options.pool, &job->base);
        if (err != 0) {
            ss__inbox_unref(job->inbox);
        }
    }
    if (err != 0) {
        free(job);
        free(done);
        return err;
    }
    shard->jobs++;
    return 0;
}

void ss__listing_start(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_list_page page = { .query = &request->listing->query,
                                 .arena = part_of(shard, request)->arena };
    int err = ss__store_list_begin(shard->store, &page);
    if (err == 0 && shard->options.pool != NULL) {
        err = post_job(shard, request, &page);
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
    struct listed *done = (struct listed *)(void *)msg;
    shard->jobs--;
    answer(shard, done->request, &done->page, done->err);
    free(done);
}

void ss__listing_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct listed *done = (struct listed *)(void *)msg;
    shard->jobs--;
    ss__arena_deinit(&done->page.arena);
    part_of(shard, done->request)->err = SS_E_STOPPING;
    ss__request_fail(done->request, SS_E_STOPPING, NULL);
    ss__answer_now(shard, done->request);
    free(done);
}
