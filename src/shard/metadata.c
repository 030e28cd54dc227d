#include "shard/metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/metadata.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/context.h"
#include "shard/job.h"
#include "shard/parked.h"
#include "shard/recovered.h"
#include "shard/shard_state.h"
#include "shard/work.h"

/* In shard->metadata, by session id: few applications have any, so channels have no room for it. */
struct metadata {
    const struct ss_channel *channel;
    void *value;
};

struct ss_metadata_call {
    struct ss_job base;             /* first: comes back as SS_MSG_METADATA */
    struct ss_channel *channel;     /* pinned by channel->loading; its id does not change */
    const struct ss_registry *registry;
    const atomic_int *stopping;     /* of the shard, which waits for its jobs */
    struct metadata *metadata;      /* made beforehand */
    int err;
    struct ss_failure failure;
};

bool ss__metadata_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct metadata *)value)->channel->id, key);
}

int ss_metadata_fail(struct ss_metadata_call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)ss__vfail(&call->failure, code, format, args);
    va_end(args);
    return code;
}

void *ss_context_metadata(const struct ss_context *context)
{
    ss__context_check(context);
    const struct ss_channel *channel = context->channel;
    if (!channel->has_metadata) {
        return NULL;
    }
    struct metadata *metadata =
        ss__map_get(&context->view.shard->metadata, channel->hash, channel->id);
    return metadata->value;
}

/* Whether the load of this session will run a hook. An error is left to the load. */
static bool will_run_hook(struct ss_shard *shard, const struct ss_channel *channel)
{
    const struct ss_registry *registry = shard->options.registry;
    struct ss_store_session *stored;
    if (channel->state != NULL || registry->hooks.load != NULL) {
        return channel->state == NULL;
    }
    if (registry->hooks.recover == NULL ||
        ss__store_get_session(shard->store, channel->id, &stored) != 0) {
        return false;
    }
    const struct ss_session_row *row = ss__store_row(stored);
    bool will = row->ordinal > 0 && !ss__recovered(shard, row->sid);
    ss__store_put_session(shard->store, stored);
    return will;
}

static bool is_command(const struct ss_request *request)
{
    return request->request == SS_REQUEST_SUBMIT;
}

static void run_create(struct ss_job *job)
{
    struct ss_metadata_call *call = ss__container_of(job, struct ss_metadata_call, base);
    const struct ss_registry *registry = call->registry;
    ss__work_flag(call->stopping);
    call->err = registry->metadata.create(call, call->channel->id, registry->metadata_ctx,
                                          &call->metadata->value);
    ss__work_flag(NULL);
}

static int start(struct ss_shard *shard, struct ss_channel *channel)
{
    if (shard->phase != SS_SHARD_RUNNING) {
        return SS_E_STOPPING;
    }
    struct metadata *metadata = calloc(1, sizeof *metadata);
    struct ss_metadata_call *call = ss__job_new(SS_MSG_METADATA, sizeof *call, run_create);
    if (metadata == NULL || call == NULL) {
        free(metadata);
        free(call);
        return SS_E_NOMEM;
    }
    metadata->channel = channel;
    call->channel = channel;
    call->registry = shard->options.registry;
    call->stopping = &shard->stopping;
    call->metadata = metadata;
    channel->loading = true;
    /* As many as there are sessions whose requests wait, and these count with the inbox. */
    ss__job_post_counted(shard, shard->options.work_pool, &call->base);
    return 0;
}

enum ss_load_result ss__metadata_get(struct ss_shard *shard, struct ss_channel *channel,
                                     struct ss_request *request, int *ret_err)
{
    SS_REQUIRE(!channel->loading);
    if (shard->options.registry->metadata.create == NULL || channel->has_metadata ||
        (!is_command(request) && !will_run_hook(shard, channel))) {
        return SS_LOAD_READY;
    }
    int err = start(shard, channel);
    if (err != 0) {
        *ret_err = err;
        return SS_LOAD_FAILED;
    }
    ss__park_first(shard, channel, request);
    return SS_LOAD_WAIT;
}

/* Those that cannot do without are answered in their turn; the others go on. */
static void fail_waiting(struct ss_shard *shard, struct ss_channel *channel,
                         const struct ss_metadata_call *call)
{
    char id[SS_SESSION_ID_BYTES_MAX + 3];
    char text[sizeof call->failure.text + sizeof id + 32];
    bool hook = will_run_hook(shard, channel);
    (void)snprintf(text, sizeof text, "session metadata for %s: %s",
                   ss__log_quote(id, sizeof id, channel->id),
                   call->failure.code == call->err ? call->failure.text
                                                   : ss_error_text(call->err));
    if (shard->phase == SS_SHARD_RUNNING) {
        char reason[sizeof text + 2];
        ss__log(SS_LOG_WARN, "session metadata could not be made", "shard=%u error=%s reason=%s",
                shard->options.index, ss_error_name(call->err),
                ss__log_quote(reason, sizeof reason, ss_str(text)));
    }
    for (struct ss_list *link = channel->parked.next; link != &channel->parked;
         link = link->next) {
        struct ss_request *request = ss__container_of(link, struct ss_request, link);
        if (hook || is_command(request)) {
            ss__request_fail(request, call->err, text);
        }
    }
}

static int keep(struct ss_shard *shard, struct ss_channel *channel, struct metadata *metadata)
{
    int err = ss__map_put(&shard->metadata, channel->hash, metadata);
    channel->has_metadata = err == 0;
    return err;
}

static void destroy(struct ss_shard *shard, struct metadata *metadata)
{
    const struct ss_registry *registry = shard->options.registry;
    if (registry->metadata.destroy != NULL) {
        registry->metadata.destroy(metadata->value, registry->metadata_ctx);
    }
    free(metadata);
}

void ss__metadata_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_metadata_call *call =
        ss__container_of(ss__job_back(shard, msg), struct ss_metadata_call, base);
    struct ss_channel *channel = call->channel;
    channel->loading = false;
    if (call->err < 0) {
        free(call->metadata);
    } else {
        call->err = keep(shard, channel, call->metadata);
        if (call->err != 0) {
            destroy(shard, call->metadata);
        }
    }
    if (call->err < 0) {
        fail_waiting(shard, channel, call);
    }
    ss__parked_settle(shard, channel);
    ss__channel_release_later(shard, channel);
    free(call);
}

void ss__metadata_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_metadata_call *call =
        ss__container_of(ss__job_back(shard, msg), struct ss_metadata_call, base);
    call->channel->loading = false;
    if (call->err < 0) {
        free(call->metadata);
    } else {
        destroy(shard, call->metadata);
    }
    free(call);
}

void ss__metadata_free(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->has_metadata) {
        struct metadata *metadata = ss__map_get(&shard->metadata, channel->hash, channel->id);
        channel->has_metadata = false;
        (void)ss__map_remove(&shard->metadata, channel->hash, metadata);
        destroy(shard, metadata);
    }
}

void ss__metadata_release(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->tasks_count == 0 && channel->data == NULL) {
        ss__metadata_free(shard, channel);
    }
}
