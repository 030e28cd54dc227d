#include "shard/timeline_cursor.h"

#include <stdlib.h>
#include <string.h>

#include "shard/shard_state.h"

int ss__timeline_begin(struct ss_state *state, const struct ss_failed_set *failed)
{
    state->halted_at = 0;
    if (failed->total == 0) {
        free(state->failed);
        state->failed = NULL;
        return 0;
    }
    int err = ss__timeline_reserve(state);
    if (err == 0) {
        *state->failed = *failed;
    }
    return err;
}

int ss__timeline_reserve(struct ss_state *state)
{
    if (state->failed == NULL) {
        state->failed = calloc(1, sizeof *state->failed);
    }
    return state->failed == NULL ? SS_E_NOMEM : 0;
}

void ss__timeline_failed(struct ss_state *state, uint64_t ordinal)
{
    ss__failed_add(state->failed, ordinal);
}

uint64_t ss__timeline_watermark(const struct ss_state *state)
{
    return state->failed != NULL && state->failed->total > 0 ? state->failed->ordinals[0] - 1
                                                             : ss__timeline_shown(state);
}

void ss__timeline_answer(struct ss_shard *shard, struct ss_channel *channel,
                         struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    request->cursors = calloc(1, sizeof *request->cursors);
    if (request->cursors == NULL) {
        ss__request_fail(request, SS_E_NOMEM, NULL);
        ss__effect_answer(shard, request);
        return;
    }
    *request->cursors = (struct ss_cursors){ .ordinal = state->ordinal,
                                             .timeline = ss__timeline_watermark(state),
                                             .halted_at = state->halted_at };
    if (state->failed != NULL) {
        request->cursors->failed_total = state->failed->total;
        request->cursors->failed_count = state->failed->named;
        memcpy(request->cursors->failed, state->failed->ordinals,
               state->failed->named * sizeof state->failed->ordinals[0]);
    }
    ss__effect_answer(shard, request);
}
