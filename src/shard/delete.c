#include "shard/delete.h"

#include "core/kill_point.h"
#include "shard/effect.h"
#include "shard/metadata.h"
#include "shard/parked.h"
#include "shard/rebuild.h"
#include "shard/recovered.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/task.h"
#include "shard/work.h"
#include "store/delete.h"
#include "wire/server_frame.h"

static struct ss_effect *make_effect(struct ss_shard *shard, struct ss_channel *channel)
{
    struct ss_effect *effect = ss__effect_add(shard, SS_EFFECT_DELETED);
    if (effect == NULL) {
        return NULL;
    }
    struct ss_error_frame frame = { .code = ss_str(ss_error_wire_name(SS_E_DELETED)),
                                    .message = ss_str(ss_error_text(SS_E_DELETED)),
                                    .session_id = channel->id };
    effect->channel = channel;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        effect->bufs[encoding] = ss__frame_error(shard->options.transport,
                                                 (enum ss_encoding)encoding, &frame,
                                                 &shard->scratch);
    }
    return effect;
}

static int stage(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_store_session *stored;
    int err = ss__store_get_session(shard->store, channel->id, &stored);
    if (err != 0) {
        return err;
    }
    request->ordinal = ss__store_row(stored)->ordinal;
    err = ss__store_stage_delete(shard->store, stored, shard->now_us);
    ss__store_put_session(shard->store, stored);
    SS_KILL_POINT(DELETE_STAGED);
    return err;
}

/* What came before in this batch leaves with its own commit, so that nothing of one life is undone
 * or answered with the next. */
static bool comes_first(const struct ss_channel *channel)
{
    return channel->batch_messages <= 1 &&
           (channel->state == NULL || !channel->state->touched);
}

/* Returns what the application has kept with it and does not free when it is unloaded. */
static void *leave_memory(struct ss_shard *shard, struct ss_channel *channel)
{
    ss__tasks_cancel_session(shard, channel, SS_E_DELETED);
    ss__works_cancel_session(shard, channel, SS_E_DELETED);
    if (channel->state != NULL) {
        ss__state_free(shard, channel->state);
    }
    void *data = channel->data;
    ss__ring_free(channel->ring);
    channel->ring = NULL;
    channel->data = NULL;
    channel->running = channel->running_told = false;
    return data;
}

/* Stages the deletion, and what its followers are told with it. */
static int begin(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    int err = stage(shard, channel, request);
    if (err != 0) {
        return err;
    }
    struct ss_effect *effect = make_effect(shard, channel);
    if (effect == NULL) {
        shard->spoiled = SS_E_NOMEM;    /* it cannot be unstaged alone */
        return SS_E_NOMEM;
    }
    effect->data = leave_memory(shard, channel);
    return 0;
}

void ss__delete_session(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request)
{
    if (!comes_first(channel)) {
        channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;    /* not again in this one */
        ss__park_first(shard, channel, request);
        return;
    }
    int err = begin(shard, channel, request);
    if (err != 0) {
        ss__request_fail(request, err, err == SS_E_NOTFOUND ? "there is no such session" : NULL);
    }
    ss__effect_answer(shard, request);
    ss__channel_release_later(shard, channel);
}

void ss__delete_undone(struct ss_shard *shard, const struct ss_effect *effect)
{
    struct ss_channel *channel = effect->channel;
    struct ss_store_session *stored;
    if (channel->data == NULL) {
        channel->data = effect->data;
    }
    channel->running_told = true;    /* perhaps it was; the next word of it goes out anyhow */
    ss__channel_resync(shard, channel);    /* what was in memory only has gone with the state */
    if (ss__store_get_session(shard->store, channel->id, &stored) != 0) {
        return;
    }
    const struct ss_session_row *row = ss__store_row(stored);
    ss__recovered_unmark(shard, row->sid);
    if (row->running && shard->options.registry->has_hooks) {
        ss__recovered_later(shard, channel->id);
    }
    ss__store_put_session(shard->store, stored);
}

static bool tell(struct ss_shard *shard, const struct ss_effect *effect,
                 const struct ss_interest *interest)
{
    struct ss_msg_frame *msg = ss__msg_new(SS_MSG_FRAME, sizeof *msg);
    if (msg == NULL) {
        return false;
    }
    msg->ends = true;
    msg->handle = interest->handle;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        struct ss_buf *buf = effect->bufs[encoding];
        msg->bufs[encoding] = buf == NULL ? NULL : ss__buf_ref(buf);
        msg->base.node.bytes += buf == NULL ? 0 : buf->len;
    }
    ss__outbox_push(&shard->outboxes[interest->gateway], &msg->base);
    return true;
}

void ss__delete_release(struct ss_shard *shard, const struct ss_effect *effect)
{
    struct ss_channel *channel = effect->channel;
    ss__retries_forget(shard, channel, SS_E_DELETED);
    ss__rebuilds_forget(shard, channel, SS_E_DELETED);
    ss__metadata_release(shard, channel);
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        struct ss_interest *interest = &channel->interests[i];
        if (!tell(shard, effect, interest)) {
            ss__outbox_resync(&shard->outboxes[interest->gateway], &interest->mark,
                              interest->handle);
        }
    }
}
