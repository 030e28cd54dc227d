#include "shard/pipeline.h"

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "shard/context.h"
#include "shard/live.h"
#include "shard/overlay.h"
#include "shard/recovered.h"
#include "shard/shard_state.h"
#include "shard/stage_frame.h"
#include "shard/timeline_cursor.h"

/* What the projections of one event emitted, in order, in the batch arena. */
struct emitted {
    struct emitted *next;
    const struct ss_name *name;
    struct ss_str id;          /* entities */
    struct ss_str payload;
    bool has_payload;          /* entities: false is a tombstone */
    struct ss_entity_change change;
};

struct ss_ui {
    struct ss_shard *shard;
    struct emitted *first;
    struct emitted **last;
    uint32_t count;
    struct ss_failure failure;
};

struct ss_timeline {
    struct ss_shard *shard;
    struct emitted *first;
    struct emitted **last;
    struct ss_failure failure;
};

static int append(struct ss_shard *shard, struct emitted ***last, const struct emitted *value)
{
    struct emitted *entry = ss__arena_alloc(&shard->arena, sizeof *entry);
    if (entry == NULL) {
        return SS_E_NOMEM;
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
    ui->count++;
    return append(ui->shard, &ui->last, value);
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
        err = value->payload.data == NULL ? SS_E_NOMEM : 0;
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
    return value->id.data == NULL ? SS_E_NOMEM
                                  : append(timeline->shard, &timeline->last, value);
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

static int run_ui(struct ss_shard *shard, const struct ss_event *event, const struct ss_view *view,
                  struct ss_ui *ui)
{
    const struct ss_registry *registry = shard->options.registry;
    *ui = (struct ss_ui){ .shard = shard };
    ui->last = &ui->first;
    const struct ss_context *context = ss__context_use(NULL);
    int err = registry->ui == NULL ? 0 : registry->ui(ui, event, view, registry->ui_ctx);
    (void)ss__context_use(context);
    return err;
}

static int run_timeline(struct ss_shard *shard, const struct ss_event *event,
                        const struct ss_view *view, struct ss_timeline *timeline)
{
    const struct ss_registry *registry = shard->options.registry;
    *timeline = (struct ss_timeline){ .shard = shard };
    timeline->last = &timeline->first;
    const struct ss_context *context = ss__context_use(NULL);
    int err = registry->timeline == NULL
                  ? 0
                  : registry->timeline(timeline, event, view, registry->timeline_ctx);
    (void)ss__context_use(context);
    return err;
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

/* Judged before the event is stored: a replay must never meet a limit. The usual case looks
 * nothing up. SS_E_LIMIT, and those of ss__state_find. */
static int check_room(struct ss_shard *shard, struct ss_state *state,
                      struct ss_timeline *timeline)
{
    uint32_t entities = 0;
    size_t bytes = 0;
    for (const struct emitted *at = timeline->first; at != NULL; at = at->next) {
        entities++;
        bytes += at->payload.len;
    }
    if (ss__state_has_room(state, entities, bytes)) {
        return 0;
    }
    int err = weigh(shard, state, timeline->first, &entities, &bytes);
    if (err != 0) {
        return err;
    }
    return ss__state_has_room(state, entities, bytes)
               ? 0
               : ss__fail(&timeline->failure, SS_E_LIMIT,
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

static int prepare(struct ss_shard *shard, struct ss_state *state, struct emitted *changes)
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

static void apply(struct ss_shard *shard, struct ss_state *state, const struct emitted *changes,
                  uint64_t ordinal, uint64_t time_us)
{
    for (const struct emitted *at = changes; at != NULL; at = at->next) {
        ss__overlay_clear(shard, state, at->change.slot);
        ss__state_apply(shard, state, &at->change, ordinal, time_us);
    }
}

static int stage_frames(struct ss_shard *shard, struct ss_channel *channel, const struct ss_ui *ui,
                        struct ss_place before)
{
    uint8_t encodings = ss__channel_encodings(channel);
    if (encodings == 0) {
        return 0;
    }
    struct ss_ui_frame frame = { .session_id = channel->id,
                                 .place = ss__state_cursor(channel->state),
                                 .time_us = (int64_t)shard->now_us };
    for (const struct emitted *at = ui->first; at != NULL; at = at->next) {
        frame.last = at->next == NULL;
        frame.name = at->name->name;
        frame.type = at->has_payload ? at->name->type : NULL;
        frame.payload = at->payload;
        int err = ss__stage_ui_frame(shard, channel, encodings, &frame, before);
        if (err != 0) {
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
                        uint32_t flags)
{
    struct ss_record record = {
        .ordinal = value->ordinal,
        .time_us = value->time_us,
        .type_id = shard->event_type_ids[event->index],
        .flags = flags | (channel->running ? (uint32_t)SS_RECORD_RUNNING : 0),
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

/* What comes of an event, by docs/projections.md: the projections that failed, and the policies. */
struct outcome {
    uint32_t flags;              /* of the record */
    bool applied;                /* its entities become the session's */
    bool shown;                  /* its frames leave */
    bool moved;                  /* the position of a snapshot moves */
    bool halts;                  /* the timeline stops here */
    const char *refused_by;      /* "UI" or "timeline": the publisher gets its error; or NULL */
};

static struct outcome judge(const struct ss_shard *shard, const struct ss_state *state,
                            bool ui_failed, bool timeline_failed)
{
    enum ss_projection_policy policy = shard->options.timeline_policy;
    bool halted = state->halted_at != 0;
    bool ui_refuses = ui_failed && shard->options.ui_policy == SS_POLICY_FAIL;
    bool timeline_refuses = timeline_failed && policy != SS_POLICY_ADVANCE;
    bool refused = ui_refuses || timeline_refuses;
    struct outcome outcome = {
        .flags = (ui_failed ? (uint32_t)SS_RECORD_UI_FAILED : 0) |
                 (timeline_failed ? (uint32_t)SS_RECORD_TIMELINE_FAILED : 0),
        .applied = !refused && !timeline_failed && !halted,
        .shown = !refused && !ui_failed,
        .moved = !refused && !halted,
        .halts = timeline_failed && policy == SS_POLICY_HALT,
        .refused_by = ui_refuses ? "UI" : timeline_refuses ? "timeline" : NULL,
    };
    if (outcome.flags != 0 && !refused) {
        outcome.flags |= SS_RECORD_ADVANCED;
    }
    if (halted || outcome.halts) {
        outcome.flags |= SS_RECORD_HALTED;
    }
    return outcome;
}

/* The event is in the record with these flags: is it in the timeline? */
static bool is_in_timeline(uint32_t flags)
{
    return (flags & (SS_RECORD_TIMELINE_FAILED | SS_RECORD_HALTED)) == 0 &&
           ((flags & SS_RECORD_UI_FAILED) == 0 || (flags & SS_RECORD_ADVANCED) != 0);
}

static void note_failed(struct ss_shard *shard, struct ss_channel *channel, uint64_t ordinal,
                        const struct outcome *outcome)
{
    struct ss_state *state = channel->state;
    ss__count(&ss__stats(shard)->projection_errors, 1);
    if (outcome->halts) {
        state->halted_at = ordinal;
        ss__stage_halted(shard, channel);
    } else if (state->halted_at == 0 && !outcome->applied) {
        ss__timeline_failed(state, ordinal);
    }
}

static int finish(struct ss_shard *shard, struct ss_channel *channel, const struct ss_event *event,
                  const struct ss_ui *ui, const struct ss_timeline *timeline,
                  const struct outcome *outcome, struct ss_place before,
                  struct ss_failure *failure)
{
    if ((outcome->flags & (SS_RECORD_UI_FAILED | SS_RECORD_TIMELINE_FAILED)) != 0) {
        note_failed(shard, channel, event->ordinal, outcome);
    }
    if (outcome->refused_by != NULL) {
        const struct ss_failure *cause =
            outcome->refused_by[0] == 'U' ? &ui->failure : &timeline->failure;
        return ss__fail(failure, SS_E_PROJECTION, "%s projection failed for event \"%.*s\": %s",
                        outcome->refused_by, (int)event->name.len, event->name.data,
                        cause->code != 0 ? cause->text : "the projection returned an error");
    }
    if (outcome->applied) {
        apply(shard, channel->state, timeline->first, event->ordinal, event->time_us);
    }
    if (outcome->moved) {
        channel->state->timeline_ordinal = event->ordinal;
    }
    int err = outcome->shown ? stage_frames(shard, channel, ui, before) : 0;
    return err == 0 ? 0 : ss__fail(failure, err, "%s", ss_error_text(err));
}

/* Runs the projections. An error means that the session could not be read, and that what they made
 * of it is worth nothing. */
static int project(struct ss_shard *shard, struct ss_channel *channel,
                   const struct ss_event *event, struct ss_ui *ui, struct ss_timeline *timeline,
                   struct outcome *ret_outcome)
{
    int read_err = 0;
    struct ss_state *state = channel->state;
    struct ss_view view = { shard, state, &read_err };
    *timeline = (struct ss_timeline){ .shard = shard };
    bool ui_failed = run_ui(shard, event, &view, ui) < 0;
    bool failed = state->halted_at == 0 && run_timeline(shard, event, &view, timeline) < 0;
    int err = read_err;
    if (err == 0 && !failed) {
        err = check_room(shard, state, timeline);
        failed = err == SS_E_LIMIT;
        err = failed ? 0 : err;
    }
    struct outcome outcome = judge(shard, state, ui_failed, failed);
    if (err == 0 && outcome.applied) {
        err = prepare(shard, state, timeline->first);
    } else if (err == 0) {
        err = ss__timeline_reserve(state);
    }
    *ret_outcome = outcome;
    return err;
}

int ss__pipeline_publish(struct ss_shard *shard, struct ss_channel *channel,
                         const struct ss_name *name, struct ss_str packed, uint64_t *ret_ordinal,
                         struct ss_failure *failure)
{
    int err = ss__store_writable(shard->store);
    if (err == 0) {
        err = ensure_stored(shard, channel);
    }
    if (err == 0 && ss__store_row(channel->state->stored)->quarantined) {
        err = SS_E_CORRUPT;
    }
    if (err != 0) {
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    struct ss_place before = ss__state_place(channel->state);
    struct ss_event_private inside = { shard, name->type, NULL };
    struct ss_event event = { .session_id = channel->id,
                              .name = name->name,
                              .ordinal = channel->state->ordinal + 1,
                              .time_us = shard->now_us,
                              .packed = packed,
                              .inside = &inside };
    struct ss_ui ui;
    struct ss_timeline timeline;
    struct outcome outcome;
    err = project(shard, channel, &event, &ui, &timeline, &outcome);
    if (err == 0) {
        err = stage_record(shard, channel, name, &event, outcome.flags);
        if (err != 0 && outcome.applied) {
            discard(shard, channel->state, timeline.first, NULL);
        }
    }
    if (err != 0) {
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    *ret_ordinal = event.ordinal;
    return finish(shard, channel, &event, &ui, &timeline, &outcome, before, failure);
}

/* What a replay does with an event that is not in the timeline. */
static int pass_over(struct ss_state *state, const struct ss_record *record)
{
    if (state->halted_at != 0) {
        return 0;
    }
    if ((record->flags & SS_RECORD_HALTED) != 0) {
        state->halted_at = record->ordinal;
        return 0;
    }
    int err = ss__timeline_reserve(state);
    if (err == 0) {
        ss__timeline_failed(state, record->ordinal);
        if ((record->flags & SS_RECORD_ADVANCED) != 0) {
            state->timeline_ordinal = record->ordinal;
        }
    }
    return err;
}

/* An event that failed before has failed again. */
static int fail_again(struct ss_shard *shard, struct ss_state *state,
                      const struct ss_record *record)
{
    if (shard->options.timeline_policy == SS_POLICY_HALT) {
        state->halted_at = record->ordinal;
        return 0;
    }
    int err = ss__timeline_reserve(state);
    if (err == 0) {
        ss__timeline_failed(state, record->ordinal);
        if ((record->flags & SS_RECORD_ADVANCED) != 0) {
            state->timeline_ordinal = record->ordinal;    /* its frames were sent */
        }
    }
    return err;
}

static int replay_entities(struct ss_shard *shard, struct ss_state *state,
                           const struct ss_event *event, const struct ss_record *record)
{
    bool in_timeline = is_in_timeline(record->flags);
    int err = 0;
    struct ss_view view = { shard, state, &err };
    struct ss_timeline timeline;
    bool failed = run_timeline(shard, event, &view, &timeline) < 0;
    if (err == 0 && !failed && !in_timeline) {
        err = check_room(shard, state, &timeline);    /* it was judged by none yet */
        failed = err == SS_E_LIMIT;
        err = failed ? 0 : err;
    }
    if (err != 0 || failed) {
        return err != 0 ? err : in_timeline ? SS_E_PROJECTION
                                            : fail_again(shard, state, record);
    }
    err = prepare(shard, state, timeline.first);
    if (err == 0) {
        apply(shard, state, timeline.first, event->ordinal, event->time_us);
        state->timeline_ordinal = event->ordinal;
    }
    return err;
}

int ss__pipeline_replay(struct ss_shard *shard, struct ss_channel *channel,
                        const struct ss_record *record)
{
    struct ss_state *state = channel->state;
    const struct ss_name *name = record->type_id < shard->names_by_type_count
                                     ? shard->names_by_type[record->type_id]
                                     : NULL;
    bool in_timeline = is_in_timeline(record->flags);
    state->ordinal = record->ordinal;
    if (state->halted_at != 0 || name == NULL) {
        return 0;
    }
    if (!in_timeline && !state->retrying) {
        return pass_over(state, record);
    }
    struct ss_event_private inside = { shard, name->type, NULL };
    struct ss_event event = { .session_id = channel->id,
                              .name = name->name,
                              .ordinal = record->ordinal,
                              .time_us = record->time_us,
                              .packed = record->payload,
                              .inside = &inside };
    return replay_entities(shard, state, &event, record);
}
