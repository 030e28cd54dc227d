#include "shard/desk.h"

#include <stdlib.h>
#include <string.h>

#include "shard/shard_state.h"

#define ARENA_CHUNK_BYTES (64u << 10)

static bool channel_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_channel *)value)->id, key);
}

static int add_channel(struct ss_shard *desk, const struct ss_channel *of)
{
    struct ss_channel *channel = ss__channel_get(desk, of->id, of->hash, true);
    struct ss_state *state = channel == NULL ? NULL : ss__state_new(desk, channel);
    if (state == NULL) {
        return SS_E_NOMEM;
    }
    channel->retrying = UINT8_MAX;    /* what is in the timeline must not fail */
    state->epoch = of->state->epoch;
    state->whole = state->replayed = true;
    return 0;
}

struct ss_shard *ss__desk_new(const struct ss_shard *shard, const struct ss_channel *channel)
{
    struct ss_shard *desk = calloc(1, sizeof *desk);
    struct ss_shard_stats *stats = calloc(1, sizeof *stats);
    if (desk == NULL || stats == NULL) {
        free(desk);
        free(stats);
        return NULL;
    }
    desk->options = (struct ss_shard_options){
        .index = shard->options.index,
        .registry = shard->options.registry,
        .transport = shard->options.transport,
        .stats = stats,
        .clock = &ss__system_clock,
        .ui_policy = shard->options.ui_policy,
        .timeline_policy = shard->options.timeline_policy,
        .snapshot_frame_bytes = shard->options.snapshot_frame_bytes,
    };
    desk->event_type_ids = shard->event_type_ids;
    desk->entity_type_ids = shard->entity_type_ids;
    memcpy(desk->timeline_ids, shard->timeline_ids, sizeof desk->timeline_ids);
    memcpy(desk->ui_ids, shard->ui_ids, sizeof desk->ui_ids);
    desk->names_by_type = shard->names_by_type;
    desk->names_by_type_count = shard->names_by_type_count;
    ss__map_init(&desk->channels, channel_matches);
    ss__list_init(&desk->recent);
    ss__list_init(&desk->unwritten);
    ss__list_init(&desk->idle);
    ss__arena_init(&desk->arena, ARENA_CHUNK_BYTES);
    ss__bytes_init(&desk->scratch, 0);
    if (add_channel(desk, channel) != 0) {
        ss__desk_free(desk);
        return NULL;
    }
    return desk;
}

struct ss_channel *ss__desk_channel(struct ss_shard *desk)
{
    size_t at = 0;
    return ss__map_next(&desk->channels, &at);
}

void ss__desk_clear(struct ss_shard *desk)
{
    ss__shard_free_retired(desk);
    ss__arena_reset(&desk->arena);
}

void ss__desk_free(struct ss_shard *desk)
{
    if (desk == NULL) {
        return;
    }
    struct ss_channel *channel = ss__desk_channel(desk);
    if (channel != NULL && channel->state != NULL) {
        ss__state_free(desk, channel->state);
    }
    free(channel);
    ss__map_deinit(&desk->channels);
    ss__desk_clear(desk);
    ss__arena_deinit(&desk->arena);
    ss__bytes_deinit(&desk->scratch);
    free(desk->options.stats);
    free(desk);
}
