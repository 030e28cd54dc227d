#include "shard/effect.h"

#include <stdlib.h>

#include "shard/delete.h"
#include "shard/errors.h"
#include "shard/observe.h"
#include "shard/paging.h"
#include "shard/parked.h"
#include "shard/send.h"
#include "shard/shard_state.h"
#include "shard/task.h"
#include "shard/work.h"

void ss__effects_init(struct ss_effects *effects)
{
    effects->first = NULL;
    effects->last = &effects->first;
    effects->events = effects->send_bytes = effects->sends = 0;
}

struct ss_effect *ss__effect_add(struct ss_shard *shard, enum ss_effect_kind kind)
{
    struct ss_effect *effect = ss__arena_calloc(&shard->arena, sizeof *effect);
    if (effect != NULL) {
        effect->kind = kind;
        *shard->effects.last = effect;
        shard->effects.last = &effect->next;
    }
    return effect;
}

bool ss__effects_concern(const struct ss_shard *shard, const struct ss_channel *channel)
{
    const struct ss_effect *effect = shard->effects.first;
    while (effect != NULL && effect->channel != channel) {
        effect = effect->next;
    }
    return effect != NULL;
}

void ss__effect_answer(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_effect *effect = ss__effect_add(shard, SS_EFFECT_ANSWER);
    if (effect == NULL) {
        request->err = 0;    /* what it published may still be committed: say so */
        ss__request_fail(request, SS_E_COMMIT, NULL);
        ss__answer_now(shard, request);
        return;
    }
    effect->request = request;
}

static bool to_gateway(const struct ss_shard *shard, const struct ss_request *request)
{
    uint16_t gateway = request->connection.gateway;
    return gateway != SS_GATEWAY_NONE && gateway < shard->options.gateways_count;
}

static void turn_round(struct ss_request *request)
{
    request->base.kind = SS_MSG_REPLY;
    request->base.node.bytes = (uint32_t)request->memory_bytes +
                               (request->snapshot == NULL || request->snapshot_shared
                                    ? 0
                                    : request->snapshot->len);
}

void ss__answer_now(struct ss_shard *shard, struct ss_request *request)
{
    if (request->err != 0 || !request->more) {
        ss__paging_end(shard, request);
    }
    if (request->err != 0) {
        ss__count_error(ss__stats(shard)->errors, request->err);
    }
    if (to_gateway(shard, request)) {
        turn_round(request);
        ss__outbox_push(&shard->outboxes[request->connection.gateway], &request->base);
        return;
    }
    if (request->cursors_done != NULL) {
        request->cursors_done(request->err, request->err == 0 ? request->cursors : NULL,
                              request->ctx);
    }
    if (request->done != NULL || request->snapshot_done != NULL ||
        request->events_done != NULL) {
        struct ss_result result = { request->err,
                                    request->text == NULL ? ss_error_text(request->err)
                                                          : (const char *)request->text->data,
                                    request->ordinal, request->replayed };
        if (request->err == 0) {
            result.message = "";
        }
        if (request->snapshot_done != NULL) {
            request->snapshot_done(&result, request->err == 0 ? request->view : NULL,
                                   request->ctx);
        } else if (request->events_done != NULL) {
            request->events_done(&result, request->err == 0 ? request->events : NULL,
                                 request->ctx);
        } else {
            request->done(&result, request->ctx);
        }
    }
    ss__msg_free(&request->base);
}

static struct ss_buf *ref_or_null(struct ss_buf *buf)
{
    return buf == NULL ? NULL : ss__buf_ref(buf);
}

/* Hands references to one follower's gateway. */
static void deliver(struct ss_shard *shard, const struct ss_effect *effect,
                    struct ss_interest *interest)
{
    struct ss_outbox *outbox = &shard->outboxes[interest->gateway];
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { NULL };
    bool lost = false;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        bool wanted = (interest->encodings & effect->encodings & (1u << encoding)) != 0;
        lost |= wanted && effect->bufs[encoding] == NULL;
        bufs[encoding] = wanted ? ref_or_null(effect->bufs[encoding]) : NULL;
    }
    struct ss_outbox_frame frame = { interest->handle, effect->place.ordinal,
                                     effect->kind == SS_EFFECT_ACTIVITY || effect->place.live > 0,
                                     bufs };
    if (!ss__outbox_frame(outbox, &interest->mark, &frame)) {
        ss__count(&ss__stats(shard)->overflows, 1);
        ss__errors_fanout(shard, effect->channel, interest->gateway);
    }
    if (lost) {
        ss__outbox_resync(outbox, &interest->mark, interest->handle);
    }
}

/* A gateway whose followers know no such frame gets none. */
static void deliver_all(struct ss_shard *shard, const struct ss_effect *effect)
{
    for (uint32_t i = 0; i < effect->channel->interests_count; i++) {
        struct ss_interest *interest = &effect->channel->interests[i];
        if ((interest->encodings & ~effect->skips) != 0) {
            deliver(shard, effect, interest);
        }
    }
}

static void release_frame(struct ss_shard *shard, struct ss_effect *effect)
{
    struct ss_channel *channel = effect->channel;
    ss__count(&ss__stats(shard)->frames, 1);
    if (channel->ring == NULL && channel->interests_count > 0) {
        /* Without memory for it every subscribe encodes a snapshot: slower, not wrong. */
        channel->ring = ss__ring_new(&shard->rings, effect->before);
    }
    if (channel->ring != NULL) {
        channel->ring->paged = ss__paging_holds(shard, channel);
        ss__ring_push(channel->ring, effect->place, effect->skips, effect->bufs);
    }
    deliver_all(shard, effect);
}

void ss__effects_retry_resyncs(struct ss_shard *shard)
{
    bool due = false;
    for (uint32_t i = 0; i < shard->options.gateways_count; i++) {
        due |= shard->outboxes[i].resync_due;
        shard->outboxes[i].resync_due = false;
    }
    size_t at = 0;
    for (struct ss_channel *channel;
         due && (channel = ss__map_next(&shard->channels, &at)) != NULL;) {
        for (uint32_t i = 0; i < channel->interests_count; i++) {
            struct ss_interest *interest = &channel->interests[i];
            ss__outbox_retry(&shard->outboxes[interest->gateway], &interest->mark,
                             interest->handle);
        }
    }
}

static void release_bufs(struct ss_effect *effect)
{
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        ss__buf_unref(effect->bufs[encoding]);
    }
}

/* Adds the frames between the snapshot, or the client's cursor, and now. False: the ring no longer
 * reaches back. */
static bool add_ring_frames(struct ss_channel *channel, struct ss_request *request)
{
    uint32_t count = 0;
    struct ss_place after = { request->ordinal, request->live };
    if (channel->ring == NULL || !ss__place_is_after(channel->ring->newest, after)) {
        return true;
    }
    if (!ss__ring_reaches(channel->ring, after, request->encoding, &count)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    request->frames = malloc(count * sizeof(*request->frames));
    if (request->frames == NULL) {
        ss__request_fail(request, SS_E_NOMEM, NULL);
        return true;
    }
    ss__ring_copy(channel->ring, request->encoding, count, request->frames);
    request->frames_count = count;
    return true;
}

static void release_subscribed(struct ss_shard *shard, struct ss_effect *effect)
{
    struct ss_request *request = effect->request;
    struct ss_interest *interest =
        request->err != 0 ? NULL
                          : ss__channel_interest(effect->channel, request->connection.gateway,
                                                 request->handle);
    if (interest == NULL || !to_gateway(shard, request)) {
        ss__answer_now(shard, request);    /* whoever asked has left in the same batch */
        return;
    }
    bool lost = request->pages != NULL &&
                ss__paging_is_outdated(shard, effect->channel, interest, request);
    lost = lost || !add_ring_frames(effect->channel, request);
    if (lost && request->page == 0) {
        /* More frames came than the ring holds, in one batch or while the snapshot was made:
         * again, with a new one. */
        ss__paging_end(shard, request);
        request->out_of_reach = true;
        ss__park(shard, effect->channel, request);
        return;
    }
    request->missed = lost;
    if (request->err != 0) {
        ss__answer_now(shard, request);
        return;
    }
    ss__paging_end(shard, request);
    turn_round(request);
    ss__outbox_subscribed(&shard->outboxes[interest->gateway], &interest->mark, request);
}

void ss__effects_release(struct ss_shard *shard)
{
    ss__count(&ss__stats(shard)->events, shard->effects.events);
    struct ss_effect *effect = shard->effects.first;
    ss__effects_init(&shard->effects);
    for (; effect != NULL; effect = effect->next) {
        switch (effect->kind) {
        case SS_EFFECT_OBSERVED:
            ss__observe_settled(shard, effect, 0);
            break;
        case SS_EFFECT_FRAME:
            release_frame(shard, effect);
            release_bufs(effect);
            break;
        case SS_EFFECT_ANSWER:
            ss__answer_now(shard, effect->request);
            break;
        case SS_EFFECT_SUBSCRIBED:
            release_subscribed(shard, effect);
            break;
        case SS_EFFECT_PAGES:
            ss__paging_begin(shard, effect->channel, effect->request);
            break;
        case SS_EFFECT_ACTIVITY:
            deliver_all(shard, effect);
            release_bufs(effect);
            break;
        case SS_EFFECT_DELETED:
            ss__delete_release(shard, effect);
            release_bufs(effect);
            break;
        case SS_EFFECT_ARM:
            if (effect->task != NULL) {
                ss__task_arm(shard, effect->task);
            }
            break;
        case SS_EFFECT_WORK:
            ss__work_release(shard, effect->work);
            break;
        case SS_EFFECT_SEND:
            ss__send_release(shard, effect->request);
            break;
        }
    }
    ss__channels_expire(shard);
}

static bool is_read(const struct ss_request *request)
{
    return request->request == SS_REQUEST_SUBSCRIBE || request->request == SS_REQUEST_SNAPSHOT;
}

/* Reading it again is as good: nobody has seen the answer. */
static bool read_again(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, true);
    if (request->err != 0 || !is_read(request) || channel == NULL) {
        return false;
    }
    ss__buf_unref(request->snapshot);
    request->snapshot = NULL;
    request->page -= request->pages != NULL;
    ss__park(shard, channel, request);
    return true;
}

static void fail_request(struct ss_shard *shard, struct ss_request *request, int err)
{
    if (read_again(shard, request)) {
        return;
    }
    bool published = !is_read(request) && request->ordinal != 0;
    if (request->err == 0 || published || request->key.len > 0) {
        /* An error of its own says nothing of what it published before, and that is gone. The
         * result of a keyed command is not kept, so a retry may get another. */
        ss__buf_unref(request->text);
        request->text = NULL;
        request->err = 0;
        request->replayed = false;
        request->ordinal = 0;
        ss__request_fail(request, err, ss_error_text(err));
    }
    ss__answer_now(shard, request);
}

void ss__effects_fail(struct ss_shard *shard, int err)
{
    /* What certainly did not happen may be retried; the rest is unknown. */
    int answer = err == SS_E_STOREFULL ? SS_E_STOREFULL : SS_E_COMMIT;
    struct ss_effect *effect = shard->effects.first;
    ss__effects_init(&shard->effects);
    for (; effect != NULL; effect = effect->next) {
        release_bufs(effect);
        if (effect->kind == SS_EFFECT_DELETED) {
            ss__delete_undone(shard, effect);
        }
        if (effect->kind == SS_EFFECT_OBSERVED) {
            ss__observe_settled(shard, effect, answer);
        }
        if (effect->kind == SS_EFFECT_ACTIVITY) {
            effect->channel->running_told = !effect->channel->running;    /* nobody was told */
        }
        if (effect->request != NULL && effect->request->page == 0) {
            ss__paging_end(shard, effect->request);    /* its place may be undone: from the start */
        }
        if (effect->request != NULL) {
            fail_request(shard, effect->request, answer);
        }
        if (effect->task != NULL) {
            effect->task->armed = false;
            ss__task_cancel(shard, effect->task, SS_E_COMMIT);
        }
        if (effect->work != NULL) {
            ss__work_cancel(shard, effect->work, SS_E_COMMIT);
        }
    }
}
