#include "shard/retry.h"

#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/hash.h"
#include "shard/checkpoint.h"
#include "shard/dispatch.h"
#include "shard/live.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/state_slots.h"
#include "shard/timeline_cursor.h"

/* What the retried projections had before, and are to have. */
struct ss_retry {
    uint32_t timelines;    /* which these are */
    uint64_t failed_before[SS_PROJECTIONS_MAX];    /* failed events, see failed_sum */
    uint64_t halted_before[SS_PROJECTIONS_MAX];
    uint64_t shown[SS_PROJECTIONS_MAX];    /* what the checkpoint is to have */
};

static void answer(struct ss_shard *shard, struct ss_request *request, int err, const char *text)
{
    if (err != 0) {
        ss__request_fail(request, err, text);
    }
    ss__effect_answer(shard, request);
}

/* The rows of a checkpoint that is being written would count again when it is settled. */
static bool must_wait(const struct ss_shard *shard, const struct ss_channel *channel)
{
    return channel->state->touched || ss__effects_concern(shard, channel) ||
           ss__store_flushing(shard->store);
}

static void put_off(struct ss_shard *shard, struct ss_channel *channel,
                    struct ss_request *request)
{
    channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;    /* not again in this batch */
    ss__park_first(shard, channel, request);
}

static uint64_t failed_total(const struct ss_timeline_state *timeline)
{
    return timeline->failed == NULL ? 0 : timeline->failed->total;
}

/* Which events failed; those that are counted only may have become others. */
static uint64_t failed_sum(const struct ss_timeline_state *timeline)
{
    const struct ss_failed_set *failed = timeline->failed;
    if (failed_total(timeline) == 0) {
        return 0;
    }
    return ss__checksum(failed->ordinals, failed->named * sizeof failed->ordinals[0]) +
           failed->total;
}

static bool is_in(uint32_t set, uint32_t index)
{
    return (set >> index & 1) != 0;
}

static bool from_the_start(const struct ss_timeline_state *timeline, uint64_t written)
{
    return failed_total(timeline) > 0 && timeline->failed->ordinals[0] <= written;
}

/* Of the projections that are asked for, those that a retry has something to do for. */
static uint32_t find_failed(const struct ss_state *state, const struct ss_request *request)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        bool asked = request->timelines == 0 || is_in(request->timelines, i);
        found |= asked && ss__timeline_has_failed(&state->timelines[i]) ? 1u << i : 0;
    }
    return found;
}

/* Up to here all events are in the entities of all that are asked for. */
static uint64_t watermark_of(const struct ss_state *state, const struct ss_request *request)
{
    uint64_t lowest = state->ordinal;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        uint64_t at = ss__timeline_watermark(state, &state->timelines[i]);
        if ((request->timelines == 0 || is_in(request->timelines, i)) && at < lowest) {
            lowest = at;
        }
    }
    return lowest;
}

static void let_go(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->held != NULL) {
        ss__store_put_session(shard->store, channel->held);
        channel->held = NULL;
    }
}

/* Those whose failures a checkpoint has been built upon begin with the first event. */
static void void_timelines(const struct ss_shard *shard, struct ss_state *state,
                           struct ss_retry *retry)
{
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        const struct ss_timeline_state *timeline = &state->timelines[i];
        uint32_t projection = shard->timeline_ids[i];
        uint64_t written = ss__store_timeline_ordinal(state->stored, projection);
        retry->failed_before[i] = failed_sum(timeline);
        retry->halted_before[i] = timeline->halted_at;
        if (is_in(retry->timelines, i) && from_the_start(timeline, written)) {
            ss__store_void_timeline(state->stored, projection);
        }
    }
}

static void begin(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    struct ss_retry *retry = calloc(1, sizeof *retry);
    int err = retry == NULL ? SS_E_NOMEM : 0;
    err = err != 0 ? err : ss__store_get_session(shard->store, channel->id, &channel->held);
    if (err == 0) {
        retry->timelines = find_failed(state, request);
        void_timelines(shard, state, retry);
    }
    if (err != 0) {
        free(retry);
        let_go(shard, channel);
        answer(shard, request, err, ss_error_text(err));
        return;
    }
    request->retry = retry;
    ss__state_free(shard, state);
    channel->retrying = (uint8_t)retry->timelines;
    ss__dispatch_turn(shard, channel, request);
}

void ss__retry_resync(struct ss_shard *shard, struct ss_channel *channel)
{
    struct ss_failure failure;
    struct ss_state *state = channel->state;
    ss__store_renew_epoch(shard->store, state->stored);
    state->epoch = ss__store_row(state->stored)->epoch;
    ss__state_forget_snapshots(shard, state);
    /* A place of its own, so that cursors and snapshots from before are known to be older. */
    if (ss__live_begin(shard, state, &failure) == 0) {
        state->live->count++;
    }
    ss__channel_resync(shard, channel);
}

/* Says which of the retried projections still fails first, if one does. */
static void report_failing(const struct ss_shard *shard, const struct ss_state *state,
                           struct ss_request *request)
{
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        const struct ss_timeline_state *timeline = &state->timelines[i];
        if (is_in(request->retry->timelines, i) && ss__timeline_has_failed(timeline)) {
            char text[SS_NAME_BYTES_MAX + 96];
            (void)snprintf(text, sizeof text,
                           "event %llu still fails in the timeline projection \"%s\"",
                           (unsigned long long)ss__timeline_watermark(state, timeline) + 1,
                           shard->options.registry->timelines[i].name);
            ss__request_fail(request, SS_E_PROJECTION, text);
            return;
        }
    }
}

/* The answer is known and goes out when it is on disk. */
static void await(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    request->ordinal = watermark_of(state, request);
    report_failing(shard, state, request);
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        request->retry->shown[i] = ss__timeline_shown(state, &state->timelines[i]);
    }
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
    ss__list_push_back(&shard->retries, &request->link);
}

static void end(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    const struct ss_retry *retry = request->retry;
    bool changed = false;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        const struct ss_timeline_state *timeline = &state->timelines[i];
        changed |= failed_sum(timeline) != retry->failed_before[i] ||
                   timeline->halted_at != retry->halted_before[i];
    }
    if (changed) {
        ss__retry_resync(shard, channel);
    }
    await(shard, channel, request);
}

/* One is under way: what it has made is the answer to this one too, unless that wants more. */
static void join(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    if ((find_failed(channel->state, request) & ~(uint32_t)channel->retrying) != 0) {
        answer(shard, request, SS_E_BUSY, "a retry of another projection is under way");
        return;
    }
    request->retry = calloc(1, sizeof *request->retry);
    if (request->retry == NULL) {
        answer(shard, request, SS_E_NOMEM, ss_error_text(SS_E_NOMEM));
        return;
    }
    request->retry->timelines =
        request->timelines == 0 ? channel->retrying : request->timelines;
    await(shard, channel, request);
}

void ss__retry(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    if (request->retry != NULL && ss__effects_concern(shard, channel)) {
        put_off(shard, channel, request);    /* a subscribe counts on the ring */
    } else if (request->retry != NULL) {
        end(shard, channel, request);
    } else if (channel->retrying != 0) {
        join(shard, channel, request);
    } else if (find_failed(state, request) == 0) {
        request->ordinal = watermark_of(state, request);
        ss__effect_answer(shard, request);
    } else if (channel->rebuilding) {
        answer(shard, request, SS_E_BUSY, "the session is being rebuilt");
    } else if (must_wait(shard, channel)) {
        put_off(shard, channel, request);
    } else {
        begin(shard, channel, request);
    }
}

static void finish(struct ss_shard *shard, struct ss_channel *channel)
{
    channel->retrying = 0;
    let_go(shard, channel);
    ss__channel_release_later(shard, channel);
}

void ss__retry_give_up(struct ss_shard *shard, struct ss_channel *channel)
{
    /* Entities of a retry that are on their way to the disk may be replayed upon soon. */
    if (channel->retrying == 0 || ss__store_checkpointing(channel->held)) {
        return;
    }
    for (uint32_t i = 0; i < SS_PROJECTIONS_MAX; i++) {
        if (is_in(channel->retrying, i)) {
            ss__store_keep_timeline(channel->held, shard->timeline_ids[i]);
        }
    }
    uint64_t epoch = ss__store_row(channel->held)->epoch;
    ss__store_restore_epoch(shard->store, channel->held);
    if (ss__store_row(channel->held)->epoch != epoch && shard->phase != SS_SHARD_ENDED) {
        ss__channel_resync(shard, channel);
    }
    finish(shard, channel);
}

static bool is_on_disk(const struct ss_shard *shard, const struct ss_channel *channel,
                       const struct ss_request *request)
{
    bool written = true;
    for (uint32_t i = 0; i < shard->options.registry->timelines_count; i++) {
        uint32_t projection = shard->timeline_ids[i];
        written &= !ss__store_timeline_is_void(channel->held, projection) &&
                   ss__store_timeline_ordinal(channel->held, projection) >=
                       request->retry->shown[i];
    }
    return written;
}

/* 1: on disk; 0: not yet; or why it never will be. Until then every load of the session tries
 * failed events again: one that did not would put other entities on top of those. */
static int look(struct ss_shard *shard, const struct ss_request *request)
{
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, false);
    if (channel == NULL || !channel->retrying) {
        return SS_E_COMMIT;
    }
    if (is_on_disk(shard, channel, request)) {
        return 1;
    }
    if (ss__store_row(channel->held)->quarantined) {
        return SS_E_CORRUPT;    /* it is never written again */
    }
    if (channel->state != NULL) {
        ss__checkpoint_want(shard, channel->state);
        shard->flush_wanted = true;
        return 0;
    }
    ss__retry_give_up(shard, channel);    /* a failed commit has dropped the state */
    return channel->retrying ? 0 : SS_E_COMMIT;
}

static bool is_awaited(struct ss_shard *shard, const struct ss_channel *channel)
{
    for (struct ss_list *link = shard->retries.next; link != &shard->retries;
         link = link->next) {
        const struct ss_request *request = ss__container_of(link, struct ss_request, link);
        if (ss_str_equal(request->session_id, channel->id)) {
            return true;
        }
    }
    return false;
}

static void settle(struct ss_shard *shard, struct ss_request *request, int found)
{
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, false);
    ss__list_remove(&request->link);
    if (channel != NULL && channel->retrying && !is_awaited(shard, channel)) {
        finish(shard, channel);
    }
    if (found < 0) {
        ss__request_fail(request, found, NULL);
        request->ordinal = 0;
    }
    ss__answer_now(shard, request);
}

void ss__retries_settle(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->retries.next; link != &shard->retries;) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        int found = look(shard, request);
        link = link->next;
        if (found != 0) {
            settle(shard, request, found);
        }
    }
}

void ss__retries_forget(struct ss_shard *shard, struct ss_channel *channel, int err)
{
    for (struct ss_list *link = shard->retries.next; link != &shard->retries;) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        link = link->next;
        if (ss_str_equal(request->session_id, channel->id)) {
            ss__list_remove(&request->link);
            ss__request_fail(request, err, NULL);
            ss__answer_now(shard, request);
        }
    }
    if (channel->retrying) {
        finish(shard, channel);
    }
}

void ss__retries_end(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->retries)) {
        struct ss_request *request =
            ss__container_of(shard->retries.next, struct ss_request, link);
        ss__list_remove(&request->link);
        ss__request_fail(request, SS_E_STOPPING, NULL);
        ss__answer_now(shard, request);
    }
}
