#include "shard/close.h"

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "shard/checkpoint.h"
#include "shard/effect.h"
#include "shard/live.h"
#include "shard/metadata.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

/* Why it must stay; NULL: nothing needs it. */
static const char *find_use(const struct ss_channel *channel)
{
    const struct ss_state *state = channel->state;
    if (channel->running) {
        return "the session is running";
    }
    if (channel->rebuilding) {
        return "the session is being rebuilt";
    }
    if (channel->tasks_count > 0) {
        return "the session has waiting tasks or works";
    }
    if (state->live != NULL && state->live->overlays_count > 0) {
        return "what was appended to the session is in no event yet";
    }
    return channel->loading || channel->parked_count > 0 || channel->making || state->touched
               ? "the session is being used"
               : NULL;
}

static bool is_written(const struct ss_shard *shard, const struct ss_state *state)
{
    return state->stored == NULL || ss__store_row(state->stored)->quarantined ||
           (state->dirty_count == 0 && ss__list_empty(&state->staged) &&
            ss__timelines_unwritten(shard, state) == 0);
}

static void drop(struct ss_shard *shard, struct ss_channel *channel)
{
    ss__state_free(shard, channel->state);
    ss__metadata_release(shard, channel);
    ss__channel_release_later(shard, channel);
}

/* It is not in memory. */
static int look_up(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_store_session *stored;
    int err = ss__store_get_session(shard->store, request->session_id, &stored);
    if (err == 0) {
        request->ordinal = ss__store_row(stored)->ordinal;
        ss__store_put_session(shard->store, stored);
    }
    return err;
}

static void fail(struct ss_request *request, int err)
{
    ss__request_fail(request, err, err == SS_E_NOTFOUND ? "there is no such session" : NULL);
}

static void want_checkpoint(struct ss_shard *shard, struct ss_state *state)
{
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
}

/* True: it is answered. */
static bool begin(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    int err = state == NULL || state->stored == NULL ? look_up(shard, request) : 0;
    if (err != 0) {
        fail(request, err);
        return true;
    }
    if (state == NULL) {
        return true;
    }
    const char *use = find_use(channel);
    err = is_written(shard, state) ? 0 : ss__store_writable(shard->store);
    if (use != NULL || err != 0) {
        ss__request_fail(request, use != NULL ? SS_E_IN_USE : err, use);
        return true;
    }
    request->ordinal = state->ordinal;
    if (is_written(shard, state)) {
        drop(shard, channel);
        return true;
    }
    request->state = channel->states;
    want_checkpoint(shard, state);
    return false;
}

void ss__close_session(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    if (channel->state != NULL && channel->state->touched) {
        /* Events of this batch are committed first; it is not tried again before. */
        channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;
        ss__park_first(shard, channel, request);
        return;
    }
    if (begin(shard, channel, request)) {
        ss__effect_answer(shard, request);
    } else {
        ss__list_push_back(&shard->closes, &request->link);
    }
    ss__channel_release_later(shard, channel);
}

/* True: it is answered. */
static bool go_on(struct ss_shard *shard, struct ss_request *request, int result)
{
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, false);
    if (channel == NULL || channel->state == NULL || channel->states != request->state) {
        int err = look_up(shard, request);    /* it left by itself, or is another one now */
        if (err == 0 && channel != NULL && channel->state != NULL) {
            err = SS_E_IN_USE;
        }
        if (err != 0) {
            fail(request, err);
        }
        return true;
    }
    const char *use = channel->state->ordinal != request->ordinal ? "the session has new events"
                                                                  : find_use(channel);
    if (use != NULL) {
        ss__request_fail(request, SS_E_IN_USE, use);
        return true;
    }
    if (is_written(shard, channel->state)) {
        drop(shard, channel);
        return true;
    }
    if (result < 0) {
        fail(request, result);
        return true;
    }
    want_checkpoint(shard, channel->state);
    return false;
}

void ss__closes_settle(struct ss_shard *shard, int result)
{
    for (struct ss_list *link = shard->closes.next; link != &shard->closes;) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        link = link->next;
        if (go_on(shard, request, result)) {
            ss__list_remove(&request->link);
            ss__answer_now(shard, request);
        }
    }
}

void ss__closes_end(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->closes)) {
        struct ss_request *request =
            ss__container_of(shard->closes.next, struct ss_request, link);
        ss__list_remove(&request->link);
        ss__request_fail(request, SS_E_STOPPING, NULL);
        ss__answer_now(shard, request);
    }
}
