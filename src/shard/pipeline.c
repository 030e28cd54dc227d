#include "shard/pipeline.h"

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "shard/context.h"
#include "shard/errors.h"
#include "shard/live.h"
#include "shard/overlay.h"
#include "shard/pass.h"
#include "shard/pipeline_steps.h"
#include "shard/recovered.h"
#include "shard/shard_state.h"
#include "shard/stage_frame.h"
#include "shard/timeline_cursor.h"
#include "shard/verdict.h"
#include "store/outcome.h"

struct ss_ui {
    struct ss_shard *shard;
    struct emitted **last;
    struct ss_failure failure;
};

/* Remembered, whatever the projection makes of it: see ran_out. */
static int out_of_memory(struct ss_failure *failure)
{
    return ss__fail(failure, SS_E_NOMEM, "%s", ss_error_text(SS_E_NOMEM));
}

/* Lack of memory says nothing about the event, and may be over at the next one: it must not be
 * stored as a failure of the projection. */
static bool ran_out(const struct ss_event *event, int result, const struct ss_failure *failure)
{
    return result == SS_E_NOMEM || failure->code == SS_E_NOMEM || event->inside->out_of_memory;
}

static int append(struct ss_shard *shard, struct emitted ***last, const struct emitted *value,
                  struct ss_failure *failure)
{
    struct emitted *entry = ss__arena_alloc(&shard->arena, sizeof *entry);
    if (entry == NULL) {
        return out_of_memory(failure);
    }
    *entry = *value;
    entry->next = NULL;
    **last = entry;
    *last = &entry->next;
    return 0;
}

static int find_ui(struct ss_ui *ui, const char *name, const struct ss_name **ret_name)
{
    *ret_name = ss__registry_find(ui->shard->options.registry, SS_SPACE_UI, ss_str(name));
    return *ret_name != NULL
               ? 0
               : ss__fail(&ui->failure, SS_E_UNKNOWN_UI, "unknown UI event \"%s\"", name);
}

static int emit(struct ss_ui *ui, const struct emitted *value)
{
    return append(ui->shard, &ui->last, value, &ui->failure);
}

int ss_emit_ui(struct ss_ui *ui, const char *name, const ProtobufCMessage *payload)
{
    struct emitted value = { .has_payload = payload != NULL };
    int err = find_ui(ui, name, &value.name);
    if (err == 0 && payload != NULL) {
        err = ss__pack(ui->shard, value.name, "UI event", payload, &value.payload, &ui->failure);
    }
    return err != 0 ? err : emit(ui, &value);
}

/* Checks packed bytes and keeps a copy as long as the batch. */
static int keep_packed(struct ss_shard *shard, struct emitted *value, const char *what,
                       struct ss_str packed, struct ss_failure *failure)
{
    int err = ss__check_packed(value->name, what, packed, failure);
    if (err == 0) {
        value->payload = ss__arena_str(&shard->arena, packed);
        err = value->payload.data == NULL ? out_of_memory(failure) : 0;
    }
    return err;
}

int ss_emit_ui_packed(struct ss_ui *ui, const char *name, struct ss_str payload)
{
    struct emitted value = { .has_payload = true };
    int err = find_ui(ui, name, &value.name);
    err = err != 0 ? err : keep_packed(ui->shard, &value, "UI event", payload, &ui->failure);
    return err != 0 ? err : emit(ui, &value);
}

static int find_kind(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                     const struct ss_name **ret_kind)
{
    const struct ss_name *entry =
        ss__registry_find(timeline->shard->options.registry, SS_SPACE_ENTITY, ss_str(kind));
    if (entry == NULL) {
        return ss__fail(&timeline->failure, SS_E_UNKNOWN_KIND, "unknown timeline entity \"%s\"",
                        kind);
    }
    if (entry->timeline != timeline->index) {
        const struct ss_timeline_projection *all = timeline->shard->options.registry->timelines;
        return ss__fail(&timeline->failure, SS_E_UNKNOWN_KIND,
                        "entity kind \"%s\" belongs to timeline projection \"%s\", not to \"%s\"",
                        kind, all[entry->timeline].name, all[timeline->index].name);
    }
    if (id.len == 0 || id.len > SS_ENTITY_ID_BYTES_MAX || !ss__utf8_valid(id.data, id.len)) {
        return ss__fail(&timeline->failure, SS_E_INVAL,
                        "entity \"%s\": the id must be 1 to %d bytes of UTF-8", kind,
                        SS_ENTITY_ID_BYTES_MAX);
    }
    *ret_kind = entry;
    return 0;
}

static int change(struct ss_timeline *timeline, struct emitted *value, struct ss_str id)
{
    value->id = ss__arena_str(&timeline->shard->arena, id);
    return value->id.data == NULL
               ? out_of_memory(&timeline->failure)
               : append(timeline->shard, &timeline->last, value, &timeline->failure);
}

int ss_put_entity(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                  const ProtobufCMessage *payload)
{
    struct emitted value = { .has_payload = true };
    int err = find_kind(timeline, kind, id, &value.name);
    if (err == 0) {
        err = ss__pack(timeline->shard, value.name, "timeline entity", payload, &value.payload,
                       &timeline->failure);
    }
    return err != 0 ? err : change(timeline, &value, id);
}

int ss_put_entity_packed(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                         struct ss_str payload)
{
    struct emitted value = { .has_payload = true };
    int err = find_kind(timeline, kind, id, &value.name);
    err = err != 0 ? err
                   : keep_packed(timeline->shard, &value, "timeline entity", payload,
                                 &timeline->failure);
    return err != 0 ? err : change(timeline, &value, id);
}

int ss_tombstone(struct ss_timeline *timeline, const char *kind, struct ss_str id)
{
    struct emitted value = { 0 };
    int err = find_kind(timeline, kind, id, &value.name);
    return err != 0 ? err : change(timeline, &value, id);
}

/* Those that fail have emitted nothing. SS_E_NOMEM. */
static int run_uis(struct ss_shard *shard, const struct ss_event *event,
                   const struct ss_view *view, struct made *made)
{
    const struct ss_registry *registry = shard->options.registry;
    const struct ss_context *context = ss__context_use(NULL);
    struct emitted **last = &made->frames;
    bool short_of_memory = false;
    *last = NULL;
    for (uint32_t i = 0; i < registry->uis_count && !short_of_memory; i++) {
        struct ss_ui ui = { .shard = shard, .last = last };
        int err = registry->uis[i].project(&ui, event, view, registry->uis[i].ctx);
        short_of_memory = ran_out(event, err, &ui.failure);
        if (err >= 0 || short_of_memory) {
            last = ui.last;
            continue;
        }
        ss__pass_failed(shard, made, SS_ERROR_KIND_UI_PROJECTION, i, err, &ui.failure);
        *last = NULL;
        if (made->result.uis_failed == 0) {
            made->ui_failure = ui.failure;
        }
        made->result.uis_failed |= 1u << i;
    }
    (void)ss__context_use(context);
    return short_of_memory ? SS_E_NOMEM : 0;
}

int ss__pipeline_run(struct ss_state *state, const struct ss_event *event, int *read_err,
                     struct ss_timeline *timeline)
{
    struct ss_shard *shard = timeline->shard;
    uint32_t index = timeline->index;
    const struct ss_timeline_projection *code = &shard->options.registry->timelines[index];
    struct ss_view view = { shard, state, read_err, index + 1 };
    const struct ss_context *context = ss__context_use(NULL);
    int result = code->project(timeline, event, &view, code->ctx);
    (void)ss__context_use(context);
    if (*read_err == 0 && ran_out(event, result, &timeline->failure)) {
        *read_err = SS_E_NOMEM;
    }
    return result;
}

/* What the changes add to the state in memory, those that replace taken off. */
static int weigh(struct ss_shard *shard, struct ss_state *state, const struct emitted *changes,
                 uint32_t *ret_entities, size_t *ret_bytes)
{
    uint32_t entities = 0;
    size_t bytes = 0;
    for (const struct emitted *at = changes; at != NULL; at = at->next) {
        struct ss_entity_slot *slot = NULL;
        int err = ss__state_find(shard, state, at->name, at->id, &slot);
        if (err != 0) {
            return err;
        }
        size_t before = slot == NULL || slot->payload == NULL ? 0 : slot->payload->len;
        entities += at->has_payload && (slot == NULL || slot->payload == NULL);
        bytes += at->payload.len > before ? at->payload.len - before : 0;
    }
    *ret_entities = entities;
    *ret_bytes = bytes;
    return 0;
}

int ss__pipeline_room(struct ss_shard *shard, struct ss_state *state,
                      const struct emitted *changes, struct ss_failure *failure)
{
    uint32_t entities = 0;
    size_t bytes = 0;
    for (const struct emitted *at = changes; at != NULL; at = at->next) {
        entities++;
        bytes += at->payload.len;
    }
    if (ss__state_has_room(state, entities, bytes)) {
        return 0;
    }
    int err = weigh(shard, state, changes, &entities, &bytes);
    if (err != 0) {
        return err;
    }
    return ss__state_has_room(state, entities, bytes)
               ? 0
               : ss__fail(failure, SS_E_LIMIT,
                          "a session may hold %d entities and %u bytes of them; remove some",
                          SS_SESSION_ENTITIES_MAX, SS_SESSION_STATE_BYTES_MAX);
}

static void discard(struct ss_shard *shard, struct ss_state *state, const struct emitted *first,
                    const struct emitted *end)
{
    for (const struct emitted *at = first; at != end; at = at->next) {
        ss__state_discard(shard, state, &at->change);
    }
}

int ss__pipeline_prepare(struct ss_shard *shard, struct ss_state *state, struct emitted *changes)
{
    for (struct emitted *at = changes; at != NULL; at = at->next) {
        int err = ss__state_prepare(shard, state, at->name, at->id,
                                    at->has_payload ? &at->payload : NULL, &at->change);
        if (err != 0) {
            discard(shard, state, changes, at);
            return err;
        }
    }
    return 0;
}

void ss__pipeline_apply(struct ss_shard *shard, struct ss_state *state,
                        const struct emitted *changes, uint64_t ordinal, uint64_t time_us)
{
    for (const struct emitted *at = changes; at != NULL; at = at->next) {
        ss__overlay_clear(shard, state, at->change.slot);
        ss__state_apply(shard, state, &at->change, ordinal, time_us);
    }
}

static int stage_frames(struct ss_shard *shard, struct ss_channel *channel,
                        const struct emitted *frames, uint64_t time_us,
                        struct ss_place before)
{
    uint8_t encodings = ss__channel_encodings(channel);
    if (encodings == 0) {
        return 0;
    }
    struct ss_ui_frame frame = { .session_id = channel->id,
                                 .place = ss__state_cursor(channel->state),
                                 .time_us = (int64_t)time_us };
    for (const struct emitted *at = frames; at != NULL; at = at->next) {
        frame.last = at->next == NULL;
        frame.name = at->name->name;
        frame.type = at->has_payload ? at->name->type : NULL;
        frame.payload = at->payload;
        int err = ss__stage_ui_frame(shard, channel, encodings, &frame, before);
        if (err != 0) {
            shard->spoiled = err;    /* a follower would miss it and not know */
            return err;
        }
        before = ss__state_place(channel->state);
        frame.index++;
    }
    return 0;
}

static int ensure_stored(struct ss_shard *shard, struct ss_channel *channel)
{
    struct ss_state *state = channel->state;
    if (state->stored != NULL) {
        return 0;
    }
    int err = ss__store_stage_session(shard->store, channel->id, shard->now_us, &state->stored);
    if (err == 0) {
        state->epoch = ss__store_row(state->stored)->epoch;
        ss__state_touch(shard, state);
        err = ss__recovered_mark(shard, ss__store_row(state->stored)->sid);
    }
    return err;
}

static int stage_record(struct ss_shard *shard, struct ss_channel *channel,
                        const struct ss_name *event, const struct ss_event *value,
                        uint32_t flags, struct ss_str header)
{
    struct ss_record record = {
        .ordinal = value->ordinal,
        .time_us = value->time_us,
        .type_id = shard->event_type_ids[event->index],
        .flags = flags | (channel->running ? (uint32_t)SS_RECORD_RUNNING : 0),
        .header = header,
        .payload = value->packed,
    };
    int err = ss__store_stage_event(shard->store, channel->state->stored, &record);
    if (err == 0) {
        channel->state->ordinal = value->ordinal;
        ss__live_restart(channel->state);
        shard->effects.events++;
        ss__state_touch(shard, channel->state);
    }
    return err;
}

/* Which projections failed or had stopped, for the record. */
static void note_outcome(const struct ss_shard *shard, const struct ss_run_result *result,
                         const struct ss_verdict *verdict, struct ss_outcome_item *item)
{
    for (uint32_t i = 0; i < SS_PROJECTIONS_MAX; i++) {
        uint32_t bit = 1u << i;
        if (((result->halted | verdict->halts) & bit) != 0) {
            ss__outcome_add(item, shard->timeline_ids[i], SS_OUTCOME_HALTED);
        } else if ((result->failed & bit) != 0) {
            ss__outcome_add(item, shard->timeline_ids[i],
                            (verdict->advanced & bit) != 0 ? SS_OUTCOME_ADVANCED
                                                           : SS_OUTCOME_FAILED);
        }
        if ((result->uis_failed & bit) != 0) {
            ss__outcome_add(item, shard->ui_ids[i], SS_OUTCOME_FAILED);
        }
    }
}

static int reserve_failed(struct ss_state *state, uint32_t missing)
{
    int err = 0;
    for (uint32_t i = 0; missing >> i != 0 && err == 0; i++) {
        if ((missing >> i & 1) != 0) {
            err = ss__timeline_reserve(&state->timelines[i]);
        }
    }
    return err;
}

static void note_failed(struct ss_shard *shard, struct ss_channel *channel,
                        const struct pass *pass)
{
    struct ss_state *state = channel->state;
    const struct ss_verdict *verdict = &pass->verdict;
    uint64_t ordinal = pass->event.ordinal;
    ss__count(&ss__stats(shard)->projection_errors, 1);
    ss__pass_note(shard, pass);
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        struct ss_timeline_state *timeline = &state->timelines[i];
        if ((verdict->halts >> i & 1) != 0) {
            timeline->halted_at = ordinal;
            ss__stage_halted(shard, channel, shard->options.registry->timelines[i].name);
        } else if ((verdict->missing >> i & 1) != 0) {
            ss__timeline_failed(timeline, ordinal);
        }
    }
}

static unsigned first_of(uint32_t set)
{
    unsigned index = 0;
    while (index < SS_PROJECTIONS_MAX && (set >> index & 1) == 0) {
        index++;
    }
    return index;
}

static int refuse(const struct ss_shard *shard, const struct ss_event *event,
                  const struct made *made, const struct ss_verdict *verdict,
                  struct ss_failure *failure)
{
    const struct ss_registry *registry = shard->options.registry;
    bool ui = verdict->refused_by == SS_REFUSED_BY_UI;
    const struct ss_failure *cause = ui ? &made->ui_failure : &made->timeline_failure;
    const char *name = ui ? registry->uis[first_of(made->result.uis_failed)].name
                          : registry->timelines[first_of(made->result.failed)].name;
    return ss__fail(failure, SS_E_PROJECTION,
                    "%s projection \"%s\" failed for event \"%.*s\": %s", ui ? "UI" : "timeline",
                    name, (int)event->name.len, event->name.data,
                    cause->code != 0 ? cause->text : "the projection returned an error");
}

static int finish(struct ss_shard *shard, struct ss_channel *channel, struct pass *pass,
                  struct ss_place before, struct ss_failure *failure)
{
    struct ss_state *state = channel->state;
    const struct ss_event *event = &pass->event;
    const struct made *made = &pass->made;
    const struct ss_verdict *verdict = &pass->verdict;
    if ((verdict->flags & (SS_RECORD_UI_FAILED | SS_RECORD_TIMELINE_FAILED)) != 0) {
        note_failed(shard, channel, pass);
    }
    if (verdict->taken != 0) {
        ss__pipeline_apply(shard, state, made->changes, event->ordinal, event->time_us);
    }
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        if (((verdict->taken | verdict->advanced) >> i & 1) != 0) {
            state->timelines[i].ordinal = event->ordinal;
        }
    }
    if (verdict->moved) {
        state->timeline_ordinal = event->ordinal;
    }
    if (verdict->shown) {
        pass->fanned_out = ss__channel_encodings(channel) != 0;
        pass->fanout_err = stage_frames(shard, channel, made->frames, event->time_us, before);
    }
    if (pass->fanout_err != 0) {
        return ss__fail(failure, pass->fanout_err, "%s", ss_error_text(pass->fanout_err));
    }
    return verdict->refused_by == SS_REFUSED_BY_NONE
               ? 0
               : refuse(shard, event, made, verdict, failure);
}

/* The changes of one projection join those before. An error of a read. */
static int project_timeline(struct ss_shard *shard, struct ss_state *state, uint32_t index,
                            const struct ss_event *event, struct emitted ***last,
                            struct made *made)
{
    int err = 0;
    struct ss_timeline timeline = { .shard = shard, .index = index, .last = *last };
    int result = ss__pipeline_run(state, event, &err, &timeline);
    if (err == 0 && result >= 0) {
        err = ss__pipeline_room(shard, state, made->changes, &timeline.failure);
        result = err == SS_E_LIMIT ? err : result;
        err = err == SS_E_LIMIT ? 0 : err;
    }
    if (result >= 0) {
        *last = timeline.last;
        return err;
    }
    **last = NULL;
    ss__pass_failed(shard, made, SS_ERROR_KIND_TIMELINE_PROJECTION, index, result,
                    &timeline.failure);
    if (made->result.failed == 0) {
        made->timeline_failure = timeline.failure;
    }
    made->result.failed |= 1u << index;
    return err;
}

/* Runs all projections. An error means that the session could not be read, and that what they made
 * of it is worth nothing. */
static int project(struct ss_shard *shard, struct ss_channel *channel, struct pass *pass)
{
    struct ss_state *state = channel->state;
    const struct ss_event *event = &pass->event;
    struct made *made = &pass->made;
    struct ss_view view = { shard, state, &pass->view_err, 0 };
    pass->projected = true;
    made->result = (struct ss_run_result){ .timelines = (1u << state->timelines_count) - 1 };
    int err = run_uis(shard, event, &view, made);
    pass->view_err = pass->view_err != 0 ? pass->view_err : err;
    struct emitted **last = &made->changes;
    *last = NULL;
    for (uint32_t i = 0; i < state->timelines_count && pass->view_err == 0; i++) {
        if (state->timelines[i].halted_at != 0) {
            made->result.halted |= 1u << i;
        } else {
            pass->view_err = project_timeline(shard, state, i, event, &last, made);
        }
    }
    pass->verdict =
        ss__verdict(&made->result, shard->options.ui_policy, shard->options.timeline_policy);
    if (pass->view_err != 0) {
        return pass->view_err;
    }
    if (pass->verdict.taken != 0) {
        pass->apply_err = ss__pipeline_prepare(shard, state, made->changes);
    }
    if (pass->apply_err == 0 && pass->verdict.missing != 0) {
        pass->cursor_err = reserve_failed(state, pass->verdict.missing);
        if (pass->cursor_err != 0 && pass->verdict.taken != 0) {
            discard(shard, state, made->changes, NULL);
        }
    }
    return pass->apply_err != 0 ? pass->apply_err : pass->cursor_err;
}

/* Whether the session may have another event. */
static int admit(struct ss_shard *shard, struct ss_channel *channel, struct pass *pass)
{
    pass->append_err = ss__store_writable(shard->store);
    if (pass->append_err == 0) {
        pass->session_err = ensure_stored(shard, channel);
    }
    if (pass->append_err == 0 && pass->session_err == 0 &&
        ss__store_row(channel->state->stored)->quarantined) {
        pass->session_err = SS_E_CORRUPT;
    }
    return pass->append_err != 0 ? pass->append_err : pass->session_err;
}

static int stage(struct ss_shard *shard, struct ss_channel *channel, const struct ss_name *name,
                 struct pass *pass)
{
    const struct ss_verdict *verdict = &pass->verdict;
    struct ss_outcome_item item;
    item.len = 0;
    if ((verdict->flags & ~(uint32_t)SS_RECORD_ADVANCED) != 0) {
        note_outcome(shard, &pass->made.result, verdict, &item);
    }
    pass->append_err = stage_record(shard, channel, name, &pass->event, verdict->flags,
                                    ss__outcome_header(&item));
    if (pass->append_err != 0 && verdict->taken != 0) {
        discard(shard, channel->state, pass->made.changes, NULL);
    }
    return pass->append_err;
}

static int publish(struct ss_shard *shard, struct ss_channel *channel, const struct ss_name *name,
                   struct pass *pass, uint64_t *ret_ordinal, struct ss_failure *failure)
{
    int err = admit(shard, channel, pass);
    if (err != 0) {
        ss__errors_store(shard, err == SS_E_CORRUPT ? channel : NULL, err, "events are refused");
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    struct ss_place before = ss__state_place(channel->state);
    pass->view_ordinal = channel->state->timeline_ordinal;
    pass->event.ordinal = channel->state->ordinal + 1;
    err = project(shard, channel, pass);
    err = err != 0 ? err : stage(shard, channel, name, pass);
    if (err != 0) {
        ss__errors_store(shard, channel, err, "an event could not be stored");
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    pass->appended = true;
    *ret_ordinal = pass->event.ordinal;
    return finish(shard, channel, pass, before, failure);
}

int ss__pipeline_publish(struct ss_shard *shard, struct ss_channel *channel,
                         const struct ss_name *name, struct ss_str packed, uint64_t *ret_ordinal,
                         struct ss_failure *failure)
{
    return ss__pipeline_append(shard, channel, name, packed, shard->now_us, ret_ordinal, failure);
}

int ss__pipeline_append(struct ss_shard *shard, struct ss_channel *channel,
                        const struct ss_name *name, struct ss_str packed, uint64_t time_us,
                        uint64_t *ret_ordinal, struct ss_failure *failure)
{
    struct pass pass;
    struct ss_event_private inside = { .shard = shard, .type = name->type };
    ss__pass_begin(&pass, channel, name, &inside, SS_PIPELINE_LIVE);
    pass.event.time_us = time_us;
    pass.event.packed = packed;
    int err = publish(shard, channel, name, &pass, ret_ordinal, failure);
    if (shard->observed) {
        ss__pass_tell(shard, channel, &pass);
    }
    return err;
}
