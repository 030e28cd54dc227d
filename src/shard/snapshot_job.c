#include "shard/snapshot_job.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/fault.h"
#include "shard/dispatch.h"
#include "shard/effect.h"
#include "shard/frozen.h"
#include "shard/job.h"
#include "shard/live.h"
#include "shard/load.h"
#include "shard/paging.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/snapshot.h"

struct snapshot_job {
    struct ss_job base;              /* comes back as SS_MSG_SNAPSHOT_MADE */
    struct ss_list link;             /* in shard->snapshot_jobs */
    struct ss_list waiting;          /* requests */
    uint32_t waiting_count;
    struct ss_channel *channel;      /* pinned by channel->making */
    uint64_t held_bytes;             /* of its state: in shard->snapshot_jobs_bytes */
    uint64_t since;                  /* of a delta */
    bool delta;
    uint8_t encoding;                /* enum ss_encoding, or SS_STATS_DOCUMENT */
    struct ss_frozen *frozen;        /* NULL: it waits for its turn */
    /* Of the pool from then on, until it is back. */
    const struct ss_transport *transport;
    size_t bytes_max;
    struct ss_buf *buf;
    size_t left_out;
    int err;
};

static struct snapshot_job *job_of(struct ss_list *link)
{
    return ss__container_of(link, struct snapshot_job, link);
}

static uint8_t encoding_of(const struct ss_request *request)
{
    return request->request == SS_REQUEST_SUBSCRIBE ? request->encoding
                                                    : (uint8_t)SS_STATS_DOCUMENT;
}

/* ---- on a thread of the pool ---- */

static void run(struct ss_job *base)
{
    struct snapshot_job *job = ss__container_of(base, struct snapshot_job, base);
    struct ss_frozen *frozen = job->frozen;
    struct ss_bytes scratch;
    ss__bytes_init(&scratch, 0);
    job->err = SS_FAULT("shard.snapshot_job");
    if (job->err == 0) {
        struct ss_snapshot_frame frame = frozen->head;
        ss__frozen_order(frozen);
        frame.entities = frozen->entities;
        frame.count = frozen->count;
        job->err = ss__snapshot_encode(job->transport, &frame, job->encoding, job->bytes_max,
                                       &scratch, &job->buf, &job->left_out);
    }
    ss__bytes_deinit(&scratch);
}

/* ---- who waits ---- */

static void wait(struct ss_shard *shard, struct snapshot_job *job, struct ss_request *request)
{
    ss__list_push_back(&job->waiting, &request->link);
    job->waiting_count++;
    ss__inbox_charge(shard->inbox, &request->base.node);
}

/* NULL: nobody does any more. */
static struct ss_request *take(struct ss_shard *shard, struct snapshot_job *job)
{
    if (ss__list_empty(&job->waiting)) {
        return NULL;
    }
    struct ss_request *request =
        ss__container_of(job->waiting.next, struct ss_request, link);
    ss__list_remove(&request->link);
    job->waiting_count--;
    ss__inbox_discharge(shard->inbox, &request->base.node);
    return request;
}

void ss__snapshot_jobs_withdraw(struct ss_shard *shard, const struct ss_channel *channel,
                                const struct ss_msg_uninterested *msg)
{
    for (struct ss_list *link = shard->snapshot_jobs.next;
         channel->making && link != &shard->snapshot_jobs; link = link->next) {
        if (job_of(link)->channel == channel) {
            ss__dispatch_withdraw(&job_of(link)->waiting, msg);
        }
    }
}

/* ---- life ---- */

static void release_held(struct ss_shard *shard, struct snapshot_job *job)
{
    shard->snapshot_jobs_bytes -= job->held_bytes;
    job->held_bytes = 0;
}

/* The next one of the session that waits, if there is one, goes on keeping its state. */
static void unpin(struct ss_shard *shard, struct ss_channel *channel, uint64_t held_bytes)
{
    channel->making = false;
    for (struct ss_list *link = shard->snapshot_jobs.next; link != &shard->snapshot_jobs;
         link = link->next) {
        struct snapshot_job *other = job_of(link);
        if (other->channel == channel) {
            channel->making = true;
            if (other->frozen == NULL) {
                other->held_bytes += held_bytes;
                shard->snapshot_jobs_bytes += held_bytes;
                break;
            }
        }
    }
    if (!channel->making) {
        ss__channel_release_later(shard, channel);
    }
}

static void end(struct ss_shard *shard, struct snapshot_job *job)
{
    SS_REQUIRE(job->waiting_count == 0);
    uint64_t held_bytes = job->held_bytes;
    release_held(shard, job);
    ss__list_remove(&job->link);
    ss__gauge_set(&ss__stats(shard)->snapshot_jobs, --shard->snapshot_jobs_count);
    unpin(shard, job->channel, held_bytes);
    if (job->frozen != NULL) {
        ss__frozen_unref(job->frozen);
    }
    ss__buf_unref(job->buf);
    free(job);
}

static int add(struct ss_shard *shard, struct ss_channel *channel, uint8_t encoding,
               const uint64_t *since, struct snapshot_job **ret_job)
{
    uint64_t held = channel->making ? 0 : channel->state->bytes;
    uint64_t others = shard->snapshot_jobs_bytes +
                      atomic_load_explicit(&ss__stats(shard)->frozen_bytes, memory_order_relaxed);
    if (held > 0 && others > 0 && others + held > SS_FROZEN_BYTES_MAX) {
        return SS_E_BUSY;
    }
    struct snapshot_job *job = ss__job_new(SS_MSG_SNAPSHOT_MADE, sizeof *job, run);
    if (job == NULL) {
        return SS_E_NOMEM;
    }
    ss__list_init(&job->waiting);
    job->channel = channel;
    job->encoding = encoding;
    job->delta = since != NULL;
    job->since = since == NULL ? 0 : *since;
    job->transport = shard->options.transport;
    job->bytes_max = shard->options.snapshot_frame_bytes;
    job->held_bytes = held;
    shard->snapshot_jobs_bytes += held;
    channel->making = true;
    ss__list_push_back(&shard->snapshot_jobs, &job->link);
    ss__gauge_set(&ss__stats(shard)->snapshot_jobs, ++shard->snapshot_jobs_count);
    *ret_job = job;
    return 0;
}

/* ---- asking ---- */

static bool is_large(const struct ss_shard *shard, const struct ss_channel *channel,
                     const struct ss_request *request, const uint64_t *since)
{
    size_t bytes_max = shard->options.snapshot_inline_bytes;
    return shard->options.pool != NULL && channel->state->bytes > bytes_max &&
           request->page_bytes == 0 && request->snapshot_done == NULL && !request->out_of_reach &&
           (since == NULL || ss__snapshot_delta_bytes(channel, *since) > bytes_max);
}

/* What is being encoded shows whoever comes now the session, with the frames after it. A document
 * has none after it. */
static bool would_do(const struct ss_channel *channel, const struct snapshot_job *job)
{
    const struct ss_frozen *frozen = job->frozen;
    if (!ss__frozen_holds(frozen, channel) || frozen->head.running != channel->running) {
        return false;
    }
    struct ss_place now = ss__state_place(channel->state);
    uint32_t count;
    return (frozen->at.ordinal == now.ordinal && frozen->at.live == now.live) ||
           (job->encoding != SS_STATS_DOCUMENT && channel->ring != NULL &&
            (ss__channel_encodings(channel) & (1u << job->encoding)) != 0 &&
            ss__ring_reaches(channel->ring, frozen->at, job->encoding, &count));
}

static struct snapshot_job *find(const struct ss_shard *shard, const struct ss_channel *channel,
                                 uint8_t encoding)
{
    for (struct ss_list *link = shard->snapshot_jobs.next;
         channel->making && link != &shard->snapshot_jobs; link = link->next) {
        struct snapshot_job *job = job_of(link);
        if (job->channel == channel && job->encoding == encoding && !job->delta &&
            (job->frozen == NULL || would_do(channel, job))) {
            return job;
        }
    }
    return NULL;
}

/* From the moment of the snapshot on the follower's frames are kept. */
static int attach(struct ss_shard *shard, const struct snapshot_job *job,
                  struct ss_request *request)
{
    return request->request == SS_REQUEST_SUBSCRIBE
               ? ss__paging_attach(shard, job->channel, job->frozen, request)
               : 0;
}

static int ask(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request,
               const uint64_t *since)
{
    uint8_t encoding = encoding_of(request);
    struct snapshot_job *job = since == NULL ? find(shard, channel, encoding) : NULL;
    if (job != NULL && job->waiting_count >= SS_LOAD_WAITING_MAX) {
        return SS_E_BUSY;
    }
    int err = 0;
    if (job == NULL) {
        err = add(shard, channel, encoding, since, &job);
    } else {
        ss__count(&ss__stats(shard)->snapshot_hits, 1);
        err = job->frozen == NULL ? 0 : attach(shard, job, request);
    }
    if (err == 0) {
        wait(shard, job, request);
    }
    return err;
}

bool ss__snapshot_job_takes(struct ss_shard *shard, struct ss_channel *channel,
                            struct ss_request *request, const uint64_t *since)
{
    if (!is_large(shard, channel, request, since) ||
        (since == NULL && ss__snapshot_cached(shard, channel, encoding_of(request)))) {
        return false;
    }
    int err = ask(shard, channel, request, since);
    if (err != 0) {
        ss__snapshot_fail(shard, channel, request, err);
        ss__effect_answer(shard, request);
    }
    return true;
}

/* ---- beginning ---- */

static void fail_all(struct ss_shard *shard, struct snapshot_job *job, int err)
{
    for (struct ss_request *request; (request = take(shard, job)) != NULL;) {
        ss__snapshot_fail(shard, job->channel, request, err);
        ss__answer_now(shard, request);
    }
    end(shard, job);
}

/* What it was to be made of has left. They ask again, which brings it back. */
static void send_back(struct ss_shard *shard, struct snapshot_job *job)
{
    for (struct ss_request *request; (request = take(shard, job)) != NULL;) {
        ss__park(shard, job->channel, request);
    }
    end(shard, job);
}

static bool is_there(const struct snapshot_job *job)
{
    const struct ss_state *state = job->channel->state;
    return state != NULL && state->whole && state->replayed && !job->channel->loading &&
           (!job->delta || job->since >= state->tombstones_after);
}

/* Each request is one of this snapshot now, or is answered, or asks again. */
static void attach_all(struct ss_shard *shard, struct snapshot_job *job)
{
    for (uint32_t left = job->waiting_count; left > 0; left--) {
        struct ss_request *request = take(shard, job);
        int err = request->err == 0 ? attach(shard, job, request) : 0;
        if (err != 0) {
            ss__snapshot_fail(shard, job->channel, request, err);
        }
        if (request->err != 0) {
            ss__answer_now(shard, request);    /* withdrawn, or failed */
        } else if (request->at != 0 && request->at < job->frozen->head.ordinal) {
            ss__park(shard, job->channel, request);    /* it is of the past by now */
        } else {
            wait(shard, job, request);
        }
    }
}

static int freeze(struct ss_shard *shard, struct snapshot_job *job)
{
    int err = ss__frozen_new(shard, job->channel, job->delta ? &job->since : NULL, job->encoding, 0,
                             &job->frozen);
    return err != 0                                       ? err
           : job->frozen->payload_bytes > job->bytes_max ? SS_E_SNAPSHOT_SIZE
                                                          : 0;
}

/* Of those who follow now: without any no frame would come to it. */
static int begin_ring(struct ss_shard *shard, const struct snapshot_job *job)
{
    struct ss_channel *channel = job->channel;
    if (job->encoding != SS_STATS_DOCUMENT && channel->ring == NULL) {
        channel->ring = ss__ring_new(&shard->rings, job->frozen->at);
        return channel->ring == NULL ? SS_E_NOMEM : 0;
    }
    return 0;
}

static void begin(struct ss_shard *shard, struct snapshot_job *job)
{
    if (!is_there(job)) {
        send_back(shard, job);
        return;
    }
    int err = freeze(shard, job);
    if (err != 0) {
        fail_all(shard, job, err);
        return;
    }
    attach_all(shard, job);
    if (job->waiting_count == 0) {
        end(shard, job);
        return;
    }
    err = begin_ring(shard, job);
    if (err != 0) {
        fail_all(shard, job, err);
        return;
    }
    uint64_t held_bytes = job->held_bytes;
    release_held(shard, job);
    unpin(shard, job->channel, held_bytes);
    shard->snapshot_jobs_running++;
    ss__job_post_slow(shard, shard->options.pool, &job->base);
}

void ss__snapshot_jobs_run(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->snapshot_jobs.next;
         link != &shard->snapshot_jobs &&
         shard->snapshot_jobs_running < SS_SNAPSHOT_JOBS_RUNNING_MAX;) {
        struct snapshot_job *job = job_of(link);
        link = link->next;
        if (job->frozen == NULL) {
            begin(shard, job);
        }
    }
}

/* ---- the end ---- */

static void keep(struct ss_shard *shard, struct snapshot_job *job)
{
    const struct ss_frozen *frozen = job->frozen;
    struct ss_channel *channel = job->channel;
    ss__count(&ss__stats(shard)->snapshots[job->encoding], 1);
    ss__count(&ss__stats(shard)->snapshots_pooled, 1);
    ss__snapshot_report(shard, channel, job->left_out);
    if (!job->delta && ss__frozen_holds(frozen, channel)) {
        ss__snapshot_keep(shard, channel, job->encoding, frozen->at, frozen->head.running,
                          job->buf);
    }
}

/* The session was deleted, and perhaps begins anew: a document of its last life is of nobody. */
static bool is_of_this_life(struct ss_shard *shard, const struct snapshot_job *job)
{
    struct ss_cursor now;
    uint64_t run;
    return ss__session_cursor(shard, job->channel, &now, &run) != 0 ||
           now.epoch == job->frozen->head.place.epoch;
}

static void answer(struct ss_shard *shard, struct snapshot_job *job, struct ss_request *request)
{
    if (request->err == 0 && job->err != 0) {
        ss__snapshot_fail(shard, job->channel, request, job->err);
    }
    if (request->err != 0) {
        ss__effect_answer(shard, request);
        return;
    }
    if (request->request != SS_REQUEST_SUBSCRIBE && !is_of_this_life(shard, job)) {
        ss__park(shard, job->channel, request);
        return;
    }
    ss__buf_unref(request->snapshot);
    request->snapshot = ss__buf_ref(job->buf);
    if (request->request == SS_REQUEST_SUBSCRIBE) {
        ss__paging_answer(shard, job->channel, request);
    } else {
        request->ordinal = job->frozen->head.ordinal;
        ss__effect_answer(shard, request);
    }
}

void ss__snapshot_job_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct snapshot_job *job =
        ss__container_of(ss__job_back(shard, msg), struct snapshot_job, base);
    (void)ss__has_share(shard, job->channel);    /* the batch holds the channel from here on */
    job->channel->batch_messages++;
    shard->snapshot_jobs_running--;
    if (job->err == 0) {
        keep(shard, job);
    }
    bool shared = false;
    for (struct ss_request *request; (request = take(shard, job)) != NULL;) {
        request->snapshot_shared = shared;
        answer(shard, job, request);
        shared = true;
    }
    end(shard, job);
}

/* ---- the end of the shard ---- */

static void drop(struct ss_shard *shard, struct snapshot_job *job)
{
    for (struct ss_request *request; (request = take(shard, job)) != NULL;) {
        ss__paging_end(shard, request);
        ss__msg_free(&request->base);
    }
    end(shard, job);
}

void ss__snapshot_job_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    shard->snapshot_jobs_running--;
    drop(shard, ss__container_of(ss__job_back(shard, msg), struct snapshot_job, base));
}

void ss__snapshot_jobs_drop(struct ss_shard *shard)
{
    SS_REQUIRE(shard->snapshot_jobs_running == 0);
    while (!ss__list_empty(&shard->snapshot_jobs)) {
        drop(shard, job_of(shard->snapshot_jobs.next));
    }
}
