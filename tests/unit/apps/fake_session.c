#include "unit/apps/fake_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ss_test.h"

struct ss_event_private {
    ProtobufCMessage *payload;
};

static struct fake *fake_of(const void *handle)
{
    return (struct fake *)(uintptr_t)handle;
}

static ProtobufCMessage *copy_message(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    protobuf_c_message_pack(message, packed);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, len, packed);
    free(packed);
    return copy;
}

struct fake *fake_new(const char *kind, ss_ui_fn *project_ui, ss_timeline_fn *project_timeline)
{
    struct fake *fake = calloc(1, sizeof *fake);
    ss_check(fake != NULL);
    fake->kind = kind;
    fake->project_ui = project_ui;
    fake->project_timeline = project_timeline;
    return fake;
}

void fake_cancel_tasks(struct fake *fake, int reason)
{
    for (size_t i = 0; i < fake->tasks_count; i++) {
        fake->tasks[i].ops->on_cancel(fake->tasks[i].arg, reason);
    }
    fake->tasks_count = 0;
}

void fake_forget(struct fake *fake)
{
    for (size_t i = 0; i < fake->entities_count; i++) {
        protobuf_c_message_free_unpacked(fake->entities[i].payload, NULL);
    }
    fake->entities_count = 0;
    fake->ordinal = 0;
}

void fake_free(struct fake *fake)
{
    fake_cancel_tasks(fake, SS_E_STOPPING);
    fake_forget(fake);
    for (size_t i = 0; i < fake->updates_count; i++) {
        protobuf_c_message_free_unpacked(fake->updates[i].payload, NULL);
    }
    free(fake);
}

int fake_run_task(struct fake *fake)
{
    ss_check(fake->tasks_count > 0);
    struct fake_task task = fake->tasks[0];
    fake->tasks_count--;
    memmove(fake->tasks, fake->tasks + 1, fake->tasks_count * sizeof task);
    return task.ops->run(fake_context(fake), task.arg);
}

void fake_run_tasks(struct fake *fake)
{
    while (fake->tasks_count > 0) {
        ss_check(fake_run_task(fake) == 0);
    }
}

const struct fake_entity *fake_entity(struct fake *fake, const char *id)
{
    const struct ss_entity *found = ss_view_get((struct ss_view *)fake, fake->kind, ss_str(id));
    ss_check_msg(found != NULL, "no entity %s", id);
    return (const struct fake_entity *)found;
}

/* ---- the functions an application is given ---- */

uint64_t ss_context_ordinal(const struct ss_context *context)
{
    return fake_of(context)->ordinal;
}

const struct ss_view *ss_context_view(struct ss_context *context)
{
    return (const struct ss_view *)context;
}

void *ss_context_data(const struct ss_context *context)
{
    return fake_of(context)->data;
}

void ss_context_set_data(struct ss_context *context, void *data)
{
    fake_of(context)->data = data;
}

void ss_set_running(struct ss_context *context, bool running)
{
    fake_of(context)->running = running;
}

int ss_fail(struct ss_context *context, int code, const char *format, ...)
{
    struct fake *fake = fake_of(context);
    va_list args;
    va_start(args, format);
    vsnprintf(fake->failure, sizeof fake->failure, format, args);
    va_end(args);
    return code;
}

int ss_publish(struct ss_context *context, const char *event, const ProtobufCMessage *payload)
{
    struct fake *fake = fake_of(context);
    if (fake->publish_error_after > 0) {
        fake->publish_error_after--;
    } else if (fake->publish_error_count > 0) {
        fake->publish_error_count--;
        return fake->publish_error;
    }
    ss_check(fake->ordinal < FAKE_RECORDS_MAX);
    snprintf(fake->events[fake->ordinal].name, sizeof fake->events[0].name, "%s", event);
    fake->events[fake->ordinal].running = fake->running;
    fake->ordinal++;
    struct ss_event_private inside = { copy_message(payload) };
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(payload) + 1);
    ss_check(inside.payload != NULL && packed != NULL);
    struct ss_event record = { .name = ss_str(event), .ordinal = fake->ordinal, .inside = &inside };
    record.packed = ss_str_of(packed, protobuf_c_message_pack(payload, packed));
    fake->event = &record;
    const struct ss_view *view = (const struct ss_view *)fake;
    ss_check(fake->project_ui((struct ss_ui *)fake, &record, view, NULL) == 0);
    ss_check(fake->project_timeline((struct ss_timeline *)fake, &record, view, NULL) == 0);
    fake->event = NULL;
    free(packed);
    protobuf_c_message_free_unpacked(inside.payload, NULL);
    return 0;
}

const ProtobufCMessage *ss_event_payload(const struct ss_event *event)
{
    return event->inside->payload;
}

int ss_after(struct ss_context *context, uint64_t delay_ms, const struct ss_task_ops *ops,
             void *arg, struct ss_task **ret_task)
{
    struct fake *fake = fake_of(context);
    if (fake->after_error != 0) {
        return fake->after_error;
    }
    ss_check(ret_task == NULL && fake->tasks_count < FAKE_TASKS_MAX);
    fake->tasks[fake->tasks_count++] = (struct fake_task){ ops, arg, delay_ms };
    return 0;
}

const struct ss_entity *ss_view_get(const struct ss_view *view, const char *kind, struct ss_str id)
{
    struct fake *fake = fake_of(view);
    ss_check(strcmp(kind, fake->kind) == 0);
    for (size_t i = 0; i < fake->entities_count; i++) {
        if (ss_str_equal(fake->entities[i].entity.id, id)) {
            return &fake->entities[i].entity;
        }
    }
    return NULL;
}

int ss_view_each(const struct ss_view *view, const char *kind,
                 bool (*visit)(const struct ss_entity *entity, void *ctx), void *ctx)
{
    struct fake *fake = fake_of(view);
    ss_check(strcmp(kind, fake->kind) == 0);
    for (size_t i = 0; i < fake->entities_count; i++) {
        if (!visit(&fake->entities[i].entity, ctx)) {
            break;
        }
    }
    return 0;
}

const ProtobufCMessage *ss_entity_payload(const struct ss_view *view,
                                          const struct ss_entity *entity)
{
    (void)view;
    return ((const struct fake_entity *)entity)->payload;
}

int ss_emit_ui(struct ss_ui *ui, const char *name, const ProtobufCMessage *payload)
{
    struct fake *fake = fake_of(ui);
    size_t at = fake->updates_count++;
    snprintf(fake->updates[at].name, sizeof fake->updates[at].name, "%s", name);
    fake->updates[at].ordinal = fake->event->ordinal;
    fake->updates[at].payload = copy_message(payload);
    return 0;
}

/* Replaced payloads of one call stay valid in an engine; here the application must not need it
 * after the put of the same entity, which address sanitizer checks. */
int ss_put_entity(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                  const ProtobufCMessage *payload)
{
    struct fake *fake = fake_of(timeline);
    ss_check(strcmp(kind, fake->kind) == 0);
    ProtobufCMessage *copy = copy_message(payload);
    struct fake_entity *entity =
        (struct fake_entity *)(uintptr_t)ss_view_get((struct ss_view *)fake, kind, id);
    if (entity == NULL) {
        ss_check(fake->entities_count < FAKE_ENTITIES_MAX && id.len < sizeof entity->id);
        entity = &fake->entities[fake->entities_count++];
        memcpy(entity->id, id.data, id.len);
        entity->entity.id = ss_str_of(entity->id, id.len);
        entity->entity.created_ordinal = fake->event->ordinal;
    } else {
        protobuf_c_message_free_unpacked(entity->payload, NULL);
    }
    entity->payload = copy;
    entity->entity.last_ordinal = fake->event->ordinal;
    return 0;
}

static ProtobufCMessage *unpack_as_event(const struct fake *fake, struct ss_str packed)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(
        ss_event_payload(fake->event)->descriptor, NULL, packed.len,
        (const uint8_t *)packed.data);
    ss_check(message != NULL);
    return message;
}

/* Packed payloads are read as messages with the fields of the event. */
int ss_emit_ui_packed(struct ss_ui *ui, const char *name, struct ss_str payload)
{
    ProtobufCMessage *message = unpack_as_event(fake_of(ui), payload);
    int err = ss_emit_ui(ui, name, message);
    protobuf_c_message_free_unpacked(message, NULL);
    return err;
}

int ss_put_entity_packed(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                         struct ss_str payload)
{
    ProtobufCMessage *message = unpack_as_event(fake_of(timeline), payload);
    int err = ss_put_entity(timeline, kind, id, message);
    protobuf_c_message_free_unpacked(message, NULL);
    return err;
}
