/* The view of the public projection API: entities as of the newest event. */
#include <stdlib.h>
#include <string.h>

#include "shard/context.h"
#include "shard/shard_state.h"

const ProtobufCMessage *ss_event_payload(const struct ss_event *event)
{
    struct ss_event_private *inside = event->inside;
    if (inside->message == NULL) {
        inside->message = ss__unpack(inside->shard, inside->type, event->packed);
        inside->out_of_memory = inside->message == NULL;
    }
    return inside->message;
}

static struct ss_entity entity_of(const struct ss_entity_slot *slot)
{
    return (struct ss_entity){
        .kind = slot->kind->name,
        .id = slot->id,
        .created_ordinal = slot->created_ordinal,
        .last_ordinal = slot->last_ordinal,
        .packed = ss_str_of(slot->payload->data, slot->payload->len),
    };
}

static bool sees(const struct ss_view *view, const struct ss_name *kind)
{
    return view->only == 0 || kind->timeline == view->only - 1;
}

const struct ss_entity *ss_view_get(const struct ss_view *view, const char *kind, struct ss_str id)
{
    const struct ss_name *name =
        ss__registry_find(view->shard->options.registry, SS_SPACE_ENTITY, ss_str(kind));
    if (name == NULL || id.len == 0 || id.len > SS_ENTITY_ID_BYTES_MAX || !sees(view, name)) {
        return NULL;
    }
    struct ss_entity_slot *slot;
    int err = ss__state_find(view->shard, view->state, name, id, &slot);
    if (err != 0) {
        *view->err = err;
        return NULL;
    }
    if (slot == NULL || slot->payload == NULL) {
        return NULL;
    }
    if (slot->unreadable) {
        *view->err = SS_E_TYPE;
        return NULL;
    }
    /* A copy: the slot changes with the next event, what the caller was shown must not. */
    struct ss_entity *entity = ss__arena_alloc(&view->shard->arena, sizeof *entity);
    if (entity == NULL) {
        *view->err = SS_E_NOMEM;
        return NULL;
    }
    *entity = entity_of(slot);
    return entity;
}

static int compare_kind_and_id(const void *left, const void *right)
{
    const struct ss_entity *a = left;
    const struct ss_entity *b = right;
    struct ss_str x = a->kind;
    struct ss_str y = b->kind;
    if (ss_str_equal(x, y)) {
        x = a->id;
        y = b->id;
    }
    int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

int ss_view_each(const struct ss_view *view, const char *kind,
                 bool (*visit)(const struct ss_entity *entity, void *ctx), void *ctx)
{
    int err = ss__state_read_whole(view->shard, view->state);
    if (err != 0) {
        *view->err = err;
        return err;
    }
    struct ss_state *state = view->state;
    struct ss_entity *list =
        ss__arena_alloc(&view->shard->arena, (state->entities.count + 1) * sizeof *list);
    if (list == NULL) {
        *view->err = SS_E_NOMEM;
        return SS_E_NOMEM;
    }
    size_t count = 0;
    size_t at = 0;
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        if (slot->payload != NULL && sees(view, slot->kind) &&
            (kind == NULL || ss_str_equal(slot->kind->name, ss_str(kind)))) {
            if (slot->unreadable) {
                *view->err = SS_E_TYPE;
                return SS_E_TYPE;
            }
            list[count++] = entity_of(slot);
        }
    }
    qsort(list, count, sizeof *list, compare_kind_and_id);
    for (size_t i = 0; i < count && visit(&list[i], ctx); i++) {
    }
    return 0;
}

uint64_t ss_view_ordinal(const struct ss_view *view)
{
    return view->only == 0 ? view->state->timeline_ordinal
                           : view->state->timelines[view->only - 1].ordinal;
}

const ProtobufCMessage *ss_entity_payload(const struct ss_view *view,
                                          const struct ss_entity *entity)
{
    const struct ss_name *kind =
        ss__registry_find(view->shard->options.registry, SS_SPACE_ENTITY, entity->kind);
    const ProtobufCMessage *message =
        kind == NULL ? NULL : ss__unpack(view->shard, kind->type, entity->packed);
    if (kind != NULL && message == NULL) {
        *view->err = SS_E_NOMEM;
    }
    return message;
}
