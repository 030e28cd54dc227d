#include "shard/pass.h"

#include "shard/context.h"
#include "shard/errors.h"
#include "shard/observe.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

void ss__pass_begin(struct pass *pass, const struct ss_channel *channel,
                    const struct ss_name *name, struct ss_event_private *inside,
                    enum ss_pipeline_mode mode)
{
    pass->event = (struct ss_event){ .session_id = channel->id, .inside = inside };
    if (name != NULL) {
        pass->event.name = name->name;
    }
    pass->made.frames = pass->made.changes = NULL;
    pass->made.result = (struct ss_run_result){ 0 };
    pass->made.failed = NULL;
    pass->made.failed_end = &pass->made.failed;
    pass->verdict = (struct ss_verdict){ 0 };
    pass->mode = mode;
    pass->projected = pass->appended = pass->fanned_out = false;
    pass->view_ordinal = 0;
    pass->session_err = pass->append_err = pass->view_err = 0;
    pass->apply_err = pass->cursor_err = pass->fanout_err = 0;
}

void ss__pass_add(struct pass *pass, struct emitted *changes, uint32_t index)
{
    struct emitted **end = &pass->made.changes;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = changes;
    pass->verdict.taken |= 1u << index;
}

void ss__pass_failed(struct ss_shard *shard, struct made *made, enum ss_error_kind kind,
                     uint32_t index, int err, const struct ss_failure *failure)
{
    struct failed_one *failed = ss__arena_alloc(&shard->arena, sizeof *failed);
    if (failed == NULL) {
        return;
    }
    *failed = (struct failed_one){ NULL, kind, index, err, *failure };
    *made->failed_end = failed;
    made->failed_end = &failed->next;
}

static const char *name_of(const struct ss_shard *shard, const struct failed_one *failed)
{
    const struct ss_registry *registry = shard->options.registry;
    return failed->kind == SS_ERROR_KIND_UI_PROJECTION ? registry->uis[failed->index].name
                                                       : registry->timelines[failed->index].name;
}

/* When the UI projection's error is the publisher's, that of the timeline is nobody's. */
void ss__pass_note(struct ss_shard *shard, const struct pass *pass)
{
    bool ui_refuses = pass->verdict.refused_by == SS_REFUSED_BY_UI;
    for (const struct failed_one *at = pass->made.failed; at != NULL; at = at->next) {
        if (at->kind == SS_ERROR_KIND_UI_PROJECTION || !ui_refuses) {
            ss__errors_projection(shard, at->kind, name_of(shard, at), &pass->event, at->err,
                                  &at->failure, pass->mode == SS_PIPELINE_REBUILD);
        }
    }
}

static uint32_t count(const struct emitted *emitted)
{
    uint32_t all = 0;
    for (; emitted != NULL; emitted = emitted->next) {
        all++;
    }
    return all;
}

static void tell_ui_events(struct ss_shard *shard, const struct made *made,
                           struct ss_pipeline_record *record)
{
    struct ss_observed_ui_event *events =
        ss__arena_alloc(&shard->arena, count(made->frames) * sizeof *events);
    for (const struct emitted *at = made->frames; events != NULL && at != NULL; at = at->next) {
        events[record->ui_events_count++] =
            (struct ss_observed_ui_event){ at->name->name, at->payload, at->has_payload };
    }
    record->ui_events = events;
}

static void tell_entities(struct ss_shard *shard, const struct made *made,
                          struct ss_pipeline_record *record)
{
    struct ss_observed_entity *entities =
        ss__arena_alloc(&shard->arena, count(made->changes) * sizeof *entities);
    for (const struct emitted *at = made->changes; entities != NULL && at != NULL;
         at = at->next) {
        entities[record->entities_count++] = (struct ss_observed_entity){
            at->name->name, at->id, at->payload, !at->has_payload
        };
    }
    record->entities = entities;
}

/* The first that failed, or the only one there is. */
static void tell_projections(const struct ss_shard *shard, const struct pass *pass,
                             struct ss_pipeline_record *record)
{
    const struct ss_registry *registry = shard->options.registry;
    if (registry->uis_count == 1 && pass->mode == SS_PIPELINE_LIVE) {
        record->ui_projection = ss_str(registry->uis[0].name);
    }
    if (registry->timelines_count == 1) {
        record->timeline_projection = ss_str(registry->timelines[0].name);
    }
    for (const struct failed_one *at = pass->made.failed; at != NULL; at = at->next) {
        bool ui = at->kind == SS_ERROR_KIND_UI_PROJECTION;
        int *err = ui ? &record->ui_err : &record->timeline_err;
        if (*err == 0) {
            *err = at->err;
            *(ui ? &record->ui_projection : &record->timeline_projection) =
                ss_str(name_of(shard, at));
        }
    }
}

static bool advanced(const struct ss_state *state, uint64_t ordinal)
{
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        if (ss__timeline_watermark(state, &state->timelines[i]) != ordinal) {
            return false;
        }
    }
    return true;
}

void ss__pass_tell(struct ss_shard *shard, struct ss_channel *channel, const struct pass *pass)
{
    struct ss_pipeline_record record = {
        .shard = shard->options.index,
        .mode = pass->mode,
        .time_us = pass->event.time_us,
        .session_id = channel->id,
        .ordinal = pass->event.ordinal,
        .event = pass->event.name,
        .packed = pass->event.packed,
        .appended = pass->appended,
        .append_err = pass->append_err,
        .session_err = pass->session_err,
        .view_ordinal = pass->view_ordinal,
        .view_err = pass->view_err,
        .apply_err = pass->apply_err,
        .cursor_err = pass->cursor_err,
        .fanout_err = pass->fanout_err,
    };
    if (pass->projected) {
        tell_ui_events(shard, &pass->made, &record);
        tell_entities(shard, &pass->made, &record);
        tell_projections(shard, pass, &record);
        record.applied_count =
            pass->appended && pass->verdict.taken != 0 ? record.entities_count : 0;
        record.fanout_count = pass->fanned_out ? record.ui_events_count : 0;
        record.cursor_advanced =
            pass->appended && channel->state != NULL && advanced(channel->state, record.ordinal);
    }
    ss__observe_pipeline(shard, channel, &record);
}
