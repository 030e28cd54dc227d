#include "shard/debug.h"

#include "message/debug_view.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

static void look_at_store(struct ss_shard *shard, struct ss_str id, struct ss_debug_view *view)
{
    struct ss_store_session *stored;
    int err = ss__store_get_session(shard->store, id, &stored);
    view->quarantined = err == SS_E_CORRUPT;
    if (err != 0) {
        return;
    }
    const struct ss_session_row *row = ss__store_row(stored);
    view->stored = true;
    view->quarantined = row->quarantined;
    view->epoch = row->epoch;
    view->ordinal = row->ordinal;
    view->running = row->running;
    ss__store_put_session(shard->store, stored);
}

/* All timelines together: the one that is furthest behind. */
static void look_at_timelines(const struct ss_state *state, struct ss_debug_view *view)
{
    view->timeline = state->ordinal;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        const struct ss_timeline_state *timeline = &state->timelines[i];
        uint64_t watermark = ss__timeline_watermark(state, timeline);
        uint64_t halted = timeline->halted_at;
        view->timeline = watermark < view->timeline ? watermark : view->timeline;
        if (halted != 0 && (view->halted_at == 0 || halted < view->halted_at)) {
            view->halted_at = halted;
        }
        view->failed_total += timeline->failed == NULL ? 0 : timeline->failed->total;
    }
}

static void look_at_state(const struct ss_state *state, struct ss_debug_view *view)
{
    view->in_memory = true;
    view->whole = state->whole;
    view->entities = state->live_count;
    view->dirty = state->dirty_count;
    view->state_bytes = state->bytes;
    view->snapshot_bytes = state->snapshot_bytes;
    if (state->replayed) {
        view->ordinal = state->ordinal;
        view->shown = state->timeline_ordinal;
        look_at_timelines(state, view);
    }
}

static void look_at_channel(const struct ss_channel *channel, struct ss_debug_view *view)
{
    view->loading = channel->loading;
    view->retrying = channel->retrying;
    view->running = channel->running;
    view->parked = channel->parked_count;
    view->tasks = channel->tasks_count;
    for (uint32_t i = 0; i < channel->interests_count && i < SS_GATEWAYS_MAX; i++) {
        const struct ss_interest *interest = &channel->interests[i];
        view->interests[view->interests_count++] =
            (struct ss_debug_interest){ interest->gateway, interest->encodings };
    }
    if (channel->ring != NULL) {
        view->has_frames = true;
        view->frames = channel->ring->count;
        view->frames_bytes = channel->ring->bytes;
        view->frames_after = channel->ring->complete_after.ordinal;
        view->frames_newest = channel->ring->newest.ordinal;
    }
    if (channel->state != NULL) {
        look_at_state(channel->state, view);
    }
}

void ss__debug_answer(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_debug_view *view = request->debug;
    struct ss_trace *trace = shard->options.trace;
    const struct ss_channel *channel =
        ss__channel_get(shard, request->session_id, request->session_hash, false);
    view->shard = shard->options.index;
    look_at_store(shard, request->session_id, view);
    if (channel != NULL) {
        look_at_channel(channel, view);
    }
    if (trace != NULL) {
        view->tracing = true;
        view->until = atomic_load_explicit(trace->numbers, memory_order_relaxed);
        view->records_count =
            ss__trace_copy(trace, request->session_hash, view->after, view->until, view->records,
                           SS_DEBUG_RECORDS_MAX);
    }
    if (view->records_count == SS_DEBUG_RECORDS_MAX) {
        view->until = view->records[SS_DEBUG_RECORDS_MAX - 1].number;
    }
    ss__answer_now(shard, request);
}
