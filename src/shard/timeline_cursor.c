#include "shard/timeline_cursor.h"

#include <stdlib.h>
#include <string.h>

#include "shard/shard_state.h"

int ss__timeline_begin(struct ss_timeline_state *timeline, const struct ss_timeline_row *row,
                       bool retrying)
{
    timeline->retrying = retrying;
    timeline->ordinal = timeline->loaded = row->ordinal;
    timeline->halted_at = row->halted && !retrying ? row->ordinal + 1 : 0;
    if (row->failed == NULL) {
        free(timeline->failed);
        timeline->failed = NULL;
        return 0;
    }
    int err = ss__timeline_reserve(timeline);
    if (err == 0) {
        *timeline->failed = *row->failed;
    }
    return err;
}

int ss__timeline_reserve(struct ss_timeline_state *timeline)
{
    if (timeline->failed == NULL) {
        timeline->failed = calloc(1, sizeof *timeline->failed);
    }
    return timeline->failed == NULL ? SS_E_NOMEM : 0;
}

void ss__timeline_failed(struct ss_timeline_state *timeline, uint64_t ordinal)
{
    ss__failed_add(timeline->failed, ordinal);
}

uint64_t ss__timeline_watermark(const struct ss_state *state,
                                const struct ss_timeline_state *timeline)
{
    return timeline->failed != NULL && timeline->failed->total > 0
               ? timeline->failed->ordinals[0] - 1
               : ss__timeline_shown(state, timeline);
}

uint64_t ss__timelines_unwritten(const struct ss_shard *shard, const struct ss_state *state)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        uint64_t events = ss__timeline_shown(state, &state->timelines[i]) -
                          ss__store_timeline_ordinal(state->stored, shard->timeline_ids[i]);
        most = events > most ? events : most;
    }
    return most;
}

static void describe(const struct ss_timeline_projection *projection, const struct ss_state *state,
                     const struct ss_timeline_state *timeline, struct ss_projection_cursor *out)
{
    out->projection = projection->name;
    out->version = projection->version;
    out->timeline = ss__timeline_watermark(state, timeline);
    out->halted_at = timeline->halted_at;
    if (timeline->failed != NULL) {
        out->failed_total = timeline->failed->total;
        out->failed_count = timeline->failed->named;
        memcpy(out->failed, timeline->failed->ordinals,
               timeline->failed->named * sizeof timeline->failed->ordinals[0]);
    }
}

void ss__timeline_answer(struct ss_shard *shard, struct ss_channel *channel,
                         struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    struct ss_cursors *cursors = calloc(1, sizeof *cursors);
    if (cursors == NULL) {
        ss__request_fail(request, SS_E_NOMEM, NULL);
        ss__effect_answer(shard, request);
        return;
    }
    cursors->ordinal = cursors->timeline = state->ordinal;
    cursors->projections_count = state->timelines_count;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        struct ss_projection_cursor *of = &cursors->projections[i];
        describe(&shard->options.registry->timelines[i], state, &state->timelines[i], of);
        if (i == 0 || of->timeline < cursors->timeline) {
            cursors->timeline = of->timeline;
            cursors->halted_at = of->halted_at;
            cursors->failed_total = of->failed_total;
            cursors->failed_count = of->failed_count;
            memcpy(cursors->failed, of->failed, sizeof of->failed);
        }
    }
    request->cursors = cursors;
    ss__effect_answer(shard, request);
}
