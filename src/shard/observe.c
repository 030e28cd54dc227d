#include "shard/observe.h"

#include "message/trace.h"
#include "shard/context_check.h"
#include "shard/shard_state.h"

static void deliver(struct ss_shard *shard, const struct ss_channel *channel,
                    const struct ss_pipeline_record *record)
{
    const struct ss_registry *registry = shard->options.registry;
    const struct ss_context *context = ss__context_use(NULL);
    uint64_t place = shard->observed_count++;
    for (uint32_t i = 0; i < registry->observers_count; i++) {
        const struct ss_observer *observer = &registry->observers[i];
        if (observer->pipeline != NULL && place % observer->sample == 0) {
            observer->pipeline(record, observer->ctx);
        }
    }
    (void)ss__context_use(context);
    if (shard->options.trace != NULL) {
        ss__trace_pipeline(shard->options.trace, channel->hash, record);
    }
}

void ss__observe_pipeline(struct ss_shard *shard, struct ss_channel *channel,
                          const struct ss_pipeline_record *record)
{
    struct ss_pipeline_record *kept =
        record->mode == SS_PIPELINE_REBUILD ? NULL
                                            : ss__arena_alloc(&shard->arena, sizeof *kept);
    struct ss_effect *effect = kept == NULL ? NULL : ss__effect_add(shard, SS_EFFECT_OBSERVED);
    if (effect == NULL) {    /* also without memory: early is better than never */
        deliver(shard, channel, record);
        return;
    }
    *kept = *record;
    kept->packed = ss__arena_str(&shard->arena, record->packed);    /* the handler's own, perhaps */
    effect->channel = channel;
    effect->observed = kept;
}

void ss__observe_settled(struct ss_shard *shard, const struct ss_effect *effect, int err)
{
    struct ss_pipeline_record *record = effect->observed;
    if (err != 0 && record->appended) {
        record->appended = record->cursor_advanced = false;
        record->append_err = err;
        record->applied_count = record->fanout_count = 0;
    }
    deliver(shard, effect->channel, record);
}

void ss__observe_error(struct ss_shard *shard, const struct ss_error_record *record)
{
    const struct ss_registry *registry = shard->options.registry;
    const struct ss_context *context = ss__context_use(NULL);
    for (uint32_t i = 0; i < registry->observers_count; i++) {
        if (registry->observers[i].error != NULL) {
            registry->observers[i].error(record, registry->observers[i].ctx);
        }
    }
    (void)ss__context_use(context);
}
