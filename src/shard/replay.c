#include "shard/replay.h"

#include "shard/context.h"
#include "shard/errors.h"
#include "shard/pass.h"
#include "shard/pipeline_steps.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"
#include "shard/unreadable.h"
#include "shard/verdict.h"
#include "store/outcome.h"

static void replayed_to(struct ss_state *state, struct ss_timeline_state *timeline,
                        uint64_t ordinal)
{
    timeline->ordinal = ordinal;
    if (ordinal > state->timeline_ordinal) {
        state->timeline_ordinal = ordinal;
    }
}

/* The event is missing from the entities; its frames were sent if the policy was to go on. */
static int leave_out(struct ss_state *state, struct ss_timeline_state *timeline, uint64_t ordinal,
                     enum ss_outcome outcome)
{
    int err = ss__timeline_reserve(timeline);
    if (err == 0) {
        ss__timeline_failed(timeline, ordinal);
        if (outcome == SS_OUTCOME_ADVANCED) {
            replayed_to(state, timeline, ordinal);
        }
    }
    return err;
}

/* What a replay does with an event that is not in the timeline. */
static int pass_over(struct ss_state *state, struct ss_timeline_state *timeline, uint64_t ordinal,
                     enum ss_outcome outcome)
{
    if (outcome == SS_OUTCOME_HALTED) {
        timeline->halted_at = ordinal;
        return 0;
    }
    return leave_out(state, timeline, ordinal, outcome);
}

/* An event that failed before has failed again, or one that the projection has never seen: it was
 * not registered then, or is other code now. */
static int fail_again(struct ss_shard *shard, struct ss_state *state,
                      struct ss_timeline_state *timeline, uint64_t ordinal,
                      enum ss_outcome outcome)
{
    if (shard->options.timeline_policy == SS_POLICY_HALT) {
        timeline->halted_at = ordinal;
        return 0;
    }
    return leave_out(state, timeline, ordinal, outcome);
}

/* What a replay knows of one event and one timeline projection. */
struct replay {
    const struct ss_record *record;
    struct pass *pass;               /* of the event */
    uint32_t index;                  /* of the projection */
    enum ss_outcome outcome;
    bool taken;                      /* it was in the timeline */
};

/* An event that was in the timeline and that this application cannot read, or make anything of: it
 * is missing from the entities until a retry succeeds. The others go on. A retry ends instead: the
 * entities there are may have this event. */
static int lose(struct ss_shard *shard, struct ss_channel *channel, const struct replay *replay)
{
    struct ss_state *state = channel->state;
    struct ss_timeline_state *timeline = &state->timelines[replay->index];
    struct ss_type_entry type = { .name = { "", 0 } };
    int err = (channel->retrying >> replay->index & 1) != 0 ? SS_E_PROJECTION
                                                            : ss__timeline_reserve(timeline);
    if (err == 0) {
        (void)ss__store_type(shard->store, replay->record->type_id, &type);    /* for the log */
        ss__unreadable(shard, state, "event", type.name);
        ss__errors_unreadable(shard, channel, replay->record->ordinal, type.name);
        ss__timeline_failed(timeline, replay->record->ordinal);
        replayed_to(state, timeline, replay->record->ordinal);
    }
    return err;
}

static int miss(struct ss_shard *shard, struct ss_channel *channel, const struct replay *replay)
{
    struct ss_state *state = channel->state;
    return replay->taken ? lose(shard, channel, replay)
                         : fail_again(shard, state, &state->timelines[replay->index],
                                      replay->record->ordinal, replay->outcome);
}

/* An event that was in the timeline has to stay there when it is retried. */
static int replay_entities(struct ss_shard *shard, struct ss_channel *channel,
                           const struct replay *replay)
{
    int err = 0;
    uint32_t index = replay->index;
    struct pass *pass = replay->pass;
    const struct ss_event *event = &pass->event;
    struct ss_state *state = channel->state;
    struct emitted *changes = NULL;
    struct ss_timeline timeline = { .shard = shard, .index = index, .last = &changes };
    int result = ss__pipeline_run(state, event, &err, &timeline);
    pass->projected = true;
    pass->view_err = err;
    if (err == SS_E_TYPE) {
        return miss(shard, channel, replay);    /* it needs an entity that cannot be read */
    }
    if (err == 0 && result >= 0 && !replay->taken) {
        err = ss__pipeline_room(shard, state, changes, &timeline.failure);    /* not judged yet */
        result = err == SS_E_LIMIT ? err : result;
        err = err == SS_E_LIMIT ? 0 : err;
        pass->view_err = err;
    }
    if (err == 0 && result < 0) {
        ss__pass_failed(shard, &pass->made, SS_ERROR_KIND_TIMELINE_PROJECTION, index, result,
                        &timeline.failure);
        return replay->taken && (channel->retrying >> index & 1) != 0
                   ? SS_E_PROJECTION
                   : fail_again(shard, state, &state->timelines[index], event->ordinal,
                                replay->outcome);
    }
    if (err != 0) {
        return err;
    }
    err = pass->apply_err = ss__pipeline_prepare(shard, state, changes);
    if (err == 0) {
        ss__pipeline_apply(shard, state, changes, event->ordinal, event->time_us);
        replayed_to(state, &state->timelines[index], event->ordinal);
        ss__pass_add(pass, changes, index);
    }
    return err;
}

/* The event for one projection after the other. */
static int replay_all(struct ss_shard *shard, struct ss_channel *channel,
                      const struct ss_record *record, struct pass *pass, bool readable)
{
    struct ss_state *state = channel->state;
    int err = 0;
    for (uint32_t i = 0; i < state->timelines_count && err == 0; i++) {
        struct ss_timeline_state *timeline = &state->timelines[i];
        if (record->ordinal <= timeline->loaded || timeline->halted_at != 0) {
            continue;
        }
        enum ss_outcome outcome = ss__outcome_of(record, shard->timeline_ids[i]);
        bool taken = outcome == SS_OUTCOME_NONE && ss__verdict_was_taken(record->flags);
        struct replay replay = { record, pass, i, outcome, taken };
        if (!taken && !timeline->retrying) {
            err = pass_over(state, timeline, record->ordinal, outcome);
        } else {
            err = readable ? replay_entities(shard, channel, &replay)
                           : miss(shard, channel, &replay);
        }
    }
    return err;
}

int ss__replay(struct ss_shard *shard, struct ss_channel *channel, const struct ss_record *record)
{
    const struct ss_name *name = record->type_id < shard->names_by_type_count
                                     ? shard->names_by_type[record->type_id]
                                     : NULL;
    channel->state->ordinal = record->ordinal;
    uint32_t now = name == NULL ? 0 : shard->event_type_ids[name->index];
    bool readable = ss__readable(name, now, record->type_id, record->payload);
    struct pass pass;
    struct ss_event_private inside = { .shard = shard, .type = readable ? name->type : NULL };
    ss__pass_begin(&pass, channel, readable ? name : NULL, &inside, SS_PIPELINE_REBUILD);
    pass.appended = true;
    pass.view_ordinal = channel->state->timeline_ordinal;
    pass.event.ordinal = record->ordinal;
    pass.event.time_us = record->time_us;
    pass.event.packed = record->payload;
    int err = replay_all(shard, channel, record, &pass, readable);
    ss__pass_note(shard, &pass);
    if (shard->observed && pass.projected) {
        ss__pass_tell(shard, channel, &pass);
    }
    return err;
}
