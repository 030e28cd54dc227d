#include "shard/dispatch.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/as_of.h"
#include "shard/close.h"
#include "shard/context.h"
#include "shard/cut.h"
#include "shard/debug.h"
#include "shard/delete.h"
#include "shard/effect.h"
#include "shard/errors.h"
#include "shard/events.h"
#include "shard/flusher.h"
#include "shard/fold.h"
#include "shard/import.h"
#include "shard/keyed.h"
#include "shard/listing.h"
#include "shard/load.h"
#include "shard/metadata.h"
#include "shard/paging.h"
#include "shard/parked.h"
#include "shard/pipeline.h"
#include "shard/publisher.h"
#include "shard/rebuild.h"
#include "shard/resume.h"
#include "shard/retention.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/spare.h"
#include "shard/snapshot.h"
#include "shard/snapshot_job.h"
#include "shard/timeline_cursor.h"
#include "shard/work.h"

void ss__handler_took(struct ss_shard *shard, const struct ss_channel *channel, const char *what,
                      uint64_t begin_ns)
{
    uint64_t took = ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    shard->handler_ns += took;
    if (took > SS_SLOW_HANDLER_NS) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        ss__count(&ss__stats(shard)->slow_handlers, 1);
        ss__log(SS_LOG_WARN, "a handler held its shard", "shard=%u handler=%s session=%s ms=%llu",
                shard->options.index, what, ss__log_quote(id, sizeof id, channel->id),
                (unsigned long long)(took / 1000000));
    }
}

static void submit(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    const struct ss_name *name = request->name;
    struct ss_command command = { .session_id = channel->id, .name = name->name,
                                  .payload = ss__unpack(shard, name->type, request->payload),
                                  .packed = request->payload };
    ss__count(&ss__stats(shard)->commands, 1);
    struct ss_keyed keyed;
    bool has_key = request->key.len > 0 && command.payload != NULL;
    if (has_key && ss__keyed_begin(shard, channel, request, &command, &keyed)) {
        ss__effect_answer(shard, request);
        return;
    }
    struct ss_context context;
    ss__context_init(&context, shard, channel);
    int err = SS_E_NOMEM;
    if (command.payload != NULL) {
        uint64_t begin = ss__clock_monotonic_ns(shard->options.clock);
        err = name->handler(&context, &command, name->ctx);
        ss__handler_took(shard, channel, name->name.data, begin);
    }
    ss__context_end(&context);
    request->ordinal = context.ordinal_max;
    if (err < 0) {
        ss__count(&ss__stats(shard)->command_errors, 1);
        ss__request_fail(request, err,
                         context.failure.code == err ? context.failure.text : ss_error_text(err));
    }
    if (has_key) {
        ss__keyed_end(shard, channel, request, &keyed);
    }
    ss__effect_answer(shard, request);
}

static void publish(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_failure failure = { 0 };
    int err = ss__pipeline_publish(shard, channel, request->name, request->payload,
                                   &request->ordinal, &failure);
    if (err != 0) {
        ss__request_fail(request, err, failure.text);
    }
    ss__effect_answer(shard, request);
}

static void subscribe(struct ss_shard *shard, struct ss_channel *channel,
                      struct ss_request *request)
{
    /* Of a state that has just been loaded more is known than before. */
    if (request->resuming && ss__resume(shard, channel, request)) {
        return;
    }
    const uint64_t *since =
        ss__snapshot_has_delta(channel, request) ? &request->resume.ordinal : NULL;
    if (ss__snapshot_job_takes(shard, channel, request, since)) {
        return;
    }
    int err = since != NULL ? ss__snapshot_delta(shard, channel, request)
                            : ss__snapshot_answer(shard, channel, request);
    if (err == 0) {
        ss__resume_follow(shard, channel, request);
        return;
    }
    if (err == SS_E_SNAPSHOT_SIZE && request->page_bytes != 0) {
        err = ss__paging_start(shard, channel, since, request);
    }
    if (err != 0) {
        ss__snapshot_fail(shard, channel, request, err);
        ss__effect_answer(shard, request);
    }
}

void ss__dispatch_snapshot(struct ss_shard *shard, struct ss_channel *channel,
                           struct ss_request *request)
{
    if (ss__snapshot_job_takes(shard, channel, request, NULL)) {
        return;
    }
    int err = ss__snapshot_show(shard, channel, request);
    if (err != 0) {
        ss__snapshot_fail(shard, channel, request, err);
    }
    ss__effect_answer(shard, request);
}

static bool wants_whole(const struct ss_request *request)
{
    return request->request == SS_REQUEST_SUBSCRIBE || request->request == SS_REQUEST_REBUILD ||
           (request->request == SS_REQUEST_SNAPSHOT && (request->at == 0 || request->whole));
}

static void handle(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    ss__list_remove(&channel->state->recent);
    ss__list_push_back(&shard->recent, &channel->state->recent);
    switch (request->request) {
    case SS_REQUEST_SUBMIT:
        submit(shard, channel, request);
        break;
    case SS_REQUEST_PUBLISH:
        publish(shard, channel, request);
        break;
    case SS_REQUEST_PUBLISH_NAMED:
        if (ss__publisher_resolve(shard, request)) {
            publish(shard, channel, request);
        } else {
            ss__effect_answer(shard, request);
        }
        break;
    case SS_REQUEST_IMPORT:
        ss__import(shard, channel, request);
        break;
    case SS_REQUEST_SUBSCRIBE:
        subscribe(shard, channel, request);
        break;
    case SS_REQUEST_SNAPSHOT:
        if (request->at != 0) {
            ss__as_of(shard, channel, request);
        } else {
            ss__dispatch_snapshot(shard, channel, request);
        }
        break;
    case SS_REQUEST_CURSORS:
        ss__timeline_answer(shard, channel, request);
        break;
    case SS_REQUEST_EVENTS:
        ss__events(shard, channel, request);
        break;
    case SS_REQUEST_REBUILD:
        ss__rebuild(shard, channel, request);
        break;
    case SS_REQUEST_RETAIN:
        ss__retain(shard, channel, request);
        break;
    case SS_REQUEST_RETRY:
        ss__retry(shard, channel, request);
        return;    /* perhaps without the state */
    case SS_REQUEST_BARRIER:
    case SS_REQUEST_LIST:
    case SS_REQUEST_DELETE:
    case SS_REQUEST_CLOSE:
    case SS_REQUEST_ERRORS:
    case SS_REQUEST_DEBUG:
    case SS_REQUEST_RECOVER:
        ss__effect_answer(shard, request);
        break;
    }
    if (ss__state_is_empty(channel->state)) {
        ss__list_remove(&channel->state->recent);
        ss__list_push_back(&shard->empty, &channel->state->recent);
    }
}

bool ss__has_share(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->batch != shard->batch) {
        channel->batch = shard->batch;
        channel->batch_messages = 0;
    }
    return channel->batch_messages < SS_BATCH_SESSION_MESSAGES_MAX;
}

/* What the application keeps with the session first: a hook of the load may ask for it. */
static enum ss_load_result load(struct ss_shard *shard, struct ss_channel *channel,
                                struct ss_request *request, int *ret_err)
{
    enum ss_load_result result =
        channel->loading ? SS_LOAD_READY : ss__metadata_get(shard, channel, request, ret_err);
    return result != SS_LOAD_READY
               ? result
               : ss__load(shard, channel, wants_whole(request), request, ret_err);
}

void ss__dispatch_turn(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    int err;
    if (request->err != 0) {
        ss__effect_answer(shard, request);    /* withdrawn, or failed, while it waited */
        ss__channel_release_later(shard, channel);
        return;
    }
    channel->batch_messages++;
    if (request->pages != NULL) {
        ss__paging_turn(shard, channel, request);
        return;
    }
    if (request->request == SS_REQUEST_SUBSCRIBE && request->resuming && !channel->loading &&
        ss__resume(shard, channel, request)) {
        ss__channel_release_later(shard, channel);
        return;
    }
    if (request->request == SS_REQUEST_DELETE && !channel->loading) {
        ss__delete_session(shard, channel, request);
        return;
    }
    if (request->request == SS_REQUEST_CLOSE && !channel->loading) {
        ss__close_session(shard, channel, request);
        return;
    }
    switch (load(shard, channel, request, &err)) {
    case SS_LOAD_READY:
        handle(shard, channel, request);
        break;
    case SS_LOAD_WAIT:
        break;
    case SS_LOAD_FAILED:
        ss__request_fail(request, err, ss_error_text(err));
        ss__effect_answer(shard, request);
        break;
    }
}

bool ss__dispatch_request(struct ss_shard *shard, struct ss_request *request)
{
    ss__list_init(&request->link);
    if (request->request == SS_REQUEST_LIST) {
        ss__listing_start(shard, request);
        return true;
    }
    if (request->request == SS_REQUEST_DEBUG) {
        ss__debug_answer(shard, request);
        return true;
    }
    if (request->request == SS_REQUEST_ERRORS) {
        ss__errors_answer(shard, request);
        return true;
    }
    struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, true);
    if (channel == NULL) {
        ss__request_fail(request, SS_E_NOMEM, NULL);
        ss__effect_answer(shard, request);
        return true;
    }
    if (!channel->loading && (channel->parked_count > 0 || !ss__has_share(shard, channel))) {
        ss__park(shard, channel, request);
        return false;
    }
    (void)ss__has_share(shard, channel);    /* the batch holds the channel from here on */
    ss__dispatch_turn(shard, channel, request);
    return true;
}

static bool same_follower(const struct ss_request *request,
                          const struct ss_msg_uninterested *msg)
{
    return request->request == SS_REQUEST_SUBSCRIBE &&
           request->connection.gateway == msg->gateway &&
           request->handle.slot == msg->handle.slot &&
           request->handle.generation == msg->handle.generation;
}

void ss__dispatch_withdraw(struct ss_list *list, const struct ss_msg_uninterested *msg)
{
    for (struct ss_list *link = list->next; link != list; link = link->next) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        if (same_follower(request, msg)) {
            ss__request_fail(request, SS_E_CANCELED, NULL);
        }
    }
}

static void uninterested(struct ss_shard *shard, struct ss_msg_uninterested *msg)
{
    struct ss_channel *channel =
        ss__channel_get(shard, msg->session_id, msg->session_hash, false);
    if (channel != NULL) {
        ss__dispatch_withdraw(&channel->parked, msg);
        ss__snapshot_jobs_withdraw(shard, channel, msg);
        ss__channel_unfollow(shard, channel, msg->gateway, msg->handle);
        ss__channel_release(shard, channel);
    }
    ss__msg_free(&msg->base);
}

bool ss__dispatch(struct ss_shard *shard, struct ss_msg *msg)
{
    switch (msg->kind) {
    case SS_MSG_REQUEST:
        return ss__dispatch_request(shard, (struct ss_request *)(void *)msg);
    case SS_MSG_UNINTERESTED:
        uninterested(shard, (struct ss_msg_uninterested *)(void *)msg);
        break;
    case SS_MSG_LOADED:
        ss__load_done(shard, msg);
        break;
    case SS_MSG_SNAPSHOT_MADE:
        ss__snapshot_job_done(shard, msg);
        break;
    case SS_MSG_FLUSHED:
        ss__flusher_done(shard, msg);
        break;
    case SS_MSG_SPARE:
        ss__spare_done(shard, msg);
        break;
    case SS_MSG_LISTED:
        ss__listing_done(shard, msg);
        break;
    case SS_MSG_IMPORT_READ:
        ss__import_done(shard, msg);
        break;
    case SS_MSG_WORKED:
        ss__work_done(shard, msg);
        break;
    case SS_MSG_METADATA:
        ss__metadata_done(shard, msg);
        break;
    case SS_MSG_FOLDED:
        ss__fold_done(shard, msg);
        break;
    case SS_MSG_EVENTS_READ:
        ss__events_done(shard, msg);
        break;
    case SS_MSG_CUT:
        ss__cut_take(shard, msg);
        break;
    case SS_MSG_SCANNED:
        ss__retention_scanned(shard, msg);
        return false;    /* the shard rests all the same */
    case SS_MSG_STOP:
        if (shard->phase == SS_SHARD_RUNNING) {
            ss__folds_cancel(shard);
            ss__rebuilds_cancel(shard);
            shard->phase = SS_SHARD_DRAINING;
            ss__works_cancel_all(shard, SS_E_STOPPING);
            atomic_store(&shard->stopping, SS_E_STOPPING);
        }
        ss__msg_free(msg);
        break;
    default:
        SS_INSIST(false);    /* posted by our own code only */
    }
    return true;
}
