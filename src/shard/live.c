#include "shard/live.h"

#include <stdlib.h>

#include "core/fault.h"
#include "shard/overlay.h"
#include "shard/shard_state.h"
#include "shard/stage_frame.h"

struct ss_cursor ss__state_cursor(const struct ss_state *state)
{
    struct ss_cursor cursor = { .epoch = state->epoch, .ordinal = state->ordinal };
    if (state->live != NULL && (state->live->count > 0 || state->live->overlays_count > 0)) {
        cursor.live = state->live->count;
        cursor.run = state->live->run;
    }
    return cursor;
}

int ss__session_cursor(struct ss_shard *shard, const struct ss_channel *channel,
                       struct ss_cursor *ret_place, uint64_t *ret_run)
{
    const struct ss_state *state = channel->state;
    *ret_run = 0;
    if (state != NULL) {
        *ret_place = ss__state_cursor(state);
        *ret_run = state->live == NULL ? 0 : state->live->run;
        return state->replayed ? 0 : SS_E_BUSY;
    }
    struct ss_store_session *stored;
    int err = ss__store_get_session(shard->store, channel->id, &stored);
    if (err == SS_E_NOTFOUND) {
        *ret_place = (struct ss_cursor){ 0 };
        return 0;
    }
    if (err != 0) {
        return err;
    }
    ss__store_use_timelines(shard->store, stored);    /* they are part of the epoch */
    const struct ss_session_row *row = ss__store_row(stored);
    *ret_place = (struct ss_cursor){ .epoch = row->epoch, .ordinal = row->ordinal };
    err = row->quarantined ? SS_E_CORRUPT : 0;
    ss__store_put_session(shard->store, stored);
    return err;
}

/* Runs of this process are told apart by counting, those of different ones by the time. */
static uint64_t next_run(struct ss_shard *shard)
{
    shard->live_run = shard->now_us > shard->live_run ? shard->now_us : shard->live_run + 1;
    return shard->live_run;
}

int ss__live_begin(struct ss_shard *shard, struct ss_state *state, struct ss_failure *failure)
{
    if (state->live == NULL) {
        state->live = SS_FAULT("shard.live") != 0 ? NULL : calloc(1, sizeof *state->live);
        if (state->live == NULL) {
            return ss__fail(failure, SS_E_NOMEM, "%s", ss_error_text(SS_E_NOMEM));
        }
        state->live->run = next_run(shard);
        ss__list_init(&state->live->overlays);
        state->bytes += sizeof *state->live;
        shard->state_bytes += sizeof *state->live;
    }
    return state->live->count < UINT32_MAX
               ? 0
               : ss__fail(failure, SS_E_LIMIT, "too many live-only events after one event");
}

int ss__live_publish(struct ss_shard *shard, struct ss_channel *channel,
                     const struct ss_name *name, const struct ss_str *packed,
                     struct ss_failure *failure)
{
    struct ss_state *state = channel->state;
    int err = ss__live_begin(shard, state, failure);
    if (err != 0) {
        return err;
    }
    state->live->count++;
    ss__state_touch(shard, state);    /* the count is undone with the batch */
    uint8_t encodings = ss__channel_encodings(channel);
    if (encodings == 0) {
        return 0;
    }
    struct ss_ui_frame frame = { .session_id = channel->id,
                                 .place = ss__state_cursor(state),
                                 .time_us = (int64_t)shard->now_us,
                                 .name = name->name,
                                 .last = true,
                                 .type = packed == NULL ? NULL : name->type };
    if (packed != NULL) {
        frame.payload = *packed;
    }
    struct ss_place before = { state->ordinal, state->live->count - 1 };
    err = ss__stage_ui_frame(shard, channel, encodings, &frame, before);
    if (err != 0) {
        state->live->count--;
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    return 0;
}

void ss__live_drop(struct ss_shard *shard, struct ss_state *state)
{
    if (state->live == NULL) {
        return;
    }
    ss__overlays_drop(shard, state);
    shard->state_bytes -= sizeof *state->live;
    state->bytes -= sizeof *state->live;
    free(state->live);
    state->live = NULL;
    if (state->channel->ring != NULL) {
        ss__ring_restart(state->channel->ring);
    }
}
