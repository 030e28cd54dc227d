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
    uint32_t states;          /* channel->states: which state it is to be of */
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

static void end(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    struct ss_retry *retry = request->retry;
    uint64_t total = state->failed == NULL ? 0 : state->failed->total;
    uint64_t watermark = ss__timeline_watermark(state);
    channel->retrying = false;
    let_go(shard, channel);
    request->ordinal = watermark;
    if (ss__timeline_has_failed(state)) {
        char text[96];
        (void)snprintf(text, sizeof text, "event %llu still fails in the timeline projection",
                       (unsigned long long)watermark + 1);
        ss__request_fail(request, SS_E_PROJECTION, text);
    }
    if (total != retry->total_before || state->halted_at != retry->halted_before) {
        resync(shard, channel);
    }
    retry->shown = ss__timeline_shown(state);
    retry->states = channel->states;
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
    ss__list_push_back(&shard->retries, &request->link);
}

void ss__retry(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    if (request->retry != NULL) {
        end(shard, channel, request);
    } else if (!ss__timeline_has_failed(state)) {
        request->ordinal = state->ordinal;
        ss__effect_answer(shard, request);
    } else if (must_wait(shard, state)) {
        ss__park_first(shard, channel, request);
    } else {
        begin(shard, channel, request);
    }
}

void ss__retry_give_up(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->retrying) {
        channel->retrying = false;
        ss__store_keep_timeline(channel->held);
        let_go(shard, channel);
    }
}

/* 1: on disk; 0: not yet; or why it never will be. */
static int look(struct ss_shard *shard, const struct ss_request *request)
{
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, false);
    if (channel == NULL || channel->state == NULL || channel->states != request->retry->states) {
        return SS_E_COMMIT;    /* dropped by a failed commit, or evicted before it was written */
    }
    if (ss__store_row(channel->state->stored)->timeline_ordinal >= request->retry->shown) {
        return 1;
    }
    ss__checkpoint_want(shard, channel->state);
    shard->flush_wanted = true;
    return 0;
}

void ss__retries_settle(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->retries.next; link != &shard->retries;) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        int found = look(shard, request);
        link = link->next;
        if (found != 0) {
            ss__list_remove(&request->link);
            if (found < 0) {
                ss__request_fail(request, found, NULL);
            }
            ss__answer_now(shard, request);
        }
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
