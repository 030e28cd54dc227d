#include "shard/retry.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/contract.h"
#include "shard/checkpoint.h"
#include "shard/dispatch.h"
#include "shard/live.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

struct ss_retry {
    uint64_t total_before;    /* failed events */
    uint64_t halted_before;
    uint64_t shown;           /* what the checkpoint is to have */
};

static void answer(struct ss_shard *shard, struct ss_request *request, int err, const char *text)
{
    if (err != 0) {
        ss__request_fail(request, err, text);
    }
    ss__effect_answer(shard, request);
}

/* The rows of a checkpoint that is being written would count again when it is settled. */
static bool must_wait(const struct ss_shard *shard, const struct ss_state *state)
{
    return state->touched || ss__store_flushing(shard->store);
}

static bool from_the_start(const struct ss_state *state)
{
    return state->failed != NULL && state->failed->total > 0 &&
           state->failed->ordinals[0] <= ss__store_row(state->stored)->timeline_ordinal;
}

static void let_go(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->held != NULL) {
        ss__store_put_session(shard->store, channel->held);
        channel->held = NULL;
    }
}

static void begin(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    struct ss_retry *retry = calloc(1, sizeof *retry);
    int err = retry == NULL ? SS_E_NOMEM : 0;
    err = err != 0 ? err : ss__store_get_session(shard->store, channel->id, &channel->held);
    if (err == 0 && from_the_start(state)) {
        err = ss__store_void_timeline(state->stored);
    }
    if (err != 0) {
        free(retry);
        let_go(shard, channel);
        answer(shard, request, err, err == SS_E_VERSION ? "the first events of the session are gone"
                                                        : ss_error_text(err));
        return;
    }
    request->retry = retry;
    retry->total_before = state->failed == NULL ? 0 : state->failed->total;
    retry->halted_before = state->halted_at;
    channel->retrying = true;
    ss__state_free(shard, state);
    ss__dispatch_turn(shard, channel, request);
}

static void resync(struct ss_shard *shard, struct ss_channel *channel)
{
    struct ss_failure failure;
    /* A place of its own, so that cursors and snapshots from before are known to be older. */
    if (ss__live_begin(shard, channel->state, &failure) == 0) {
        channel->state->live->count++;
    }
    ss__ring_free(channel->ring);
    channel->ring = NULL;
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        struct ss_interest *interest = &channel->interests[i];
        ss__outbox_resync(&shard->outboxes[interest->gateway], &interest->mark, interest->handle);
    }
}

/* The answer is known and goes out when it is on disk. */
static void await(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    uint64_t watermark = ss__timeline_watermark(state);
    request->ordinal = watermark;
    if (ss__timeline_has_failed(state)) {
        char text[96];
        (void)snprintf(text, sizeof text, "event %llu still fails in the timeline projection",
                       (unsigned long long)watermark + 1);
        ss__request_fail(request, SS_E_PROJECTION, text);
    }
    request->retry->shown = ss__timeline_shown(state);
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
    ss__list_push_back(&shard->retries, &request->link);
}

static void end(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    const struct ss_retry *retry = request->retry;
    uint64_t total = state->failed == NULL ? 0 : state->failed->total;
    if (total != retry->total_before || state->halted_at != retry->halted_before) {
        resync(shard, channel);
    }
    await(shard, channel, request);
}

/* One is under way: what it has made is the answer to this one too. */
static void join(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    request->retry = calloc(1, sizeof *request->retry);
    if (request->retry == NULL) {
        answer(shard, request, SS_E_NOMEM, ss_error_text(SS_E_NOMEM));
        return;
    }
    await(shard, channel, request);
}

void ss__retry(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    if (request->retry != NULL) {
        end(shard, channel, request);
    } else if (channel->retrying) {
        join(shard, channel, request);
    } else if (!ss__timeline_has_failed(state)) {
        request->ordinal = state->ordinal;
        ss__effect_answer(shard, request);
    } else if (must_wait(shard, state)) {
        ss__park_first(shard, channel, request);
    } else {
        begin(shard, channel, request);
    }
}

static void finish(struct ss_shard *shard, struct ss_channel *channel)
{
    channel->retrying = false;
    let_go(shard, channel);
    ss__channel_release_later(shard, channel);
}

void ss__retry_give_up(struct ss_shard *shard, struct ss_channel *channel)
{
    /* Entities of a retry that are on their way to the disk may be replayed upon soon. */
    if (channel->retrying && !ss__store_checkpointing(channel->held)) {
        ss__store_keep_timeline(channel->held);
        finish(shard, channel);
    }
}

static bool is_on_disk(const struct ss_channel *channel, const struct ss_request *request)
{
    return !ss__store_timeline_is_void(channel->held) &&
           ss__store_row(channel->held)->timeline_ordinal >= request->retry->shown;
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
    if (is_on_disk(channel, request)) {
        return 1;
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
