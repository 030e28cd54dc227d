#include "shard/context.h"

#include <stdarg.h>

#include <sessionstream/limits.h>

#include "schema/validate.h"
#include "shard/live.h"
#include "shard/overlay.h"
#include "shard/pipeline.h"
#include "shard/shard_state.h"
#include "shard/stage_frame.h"

void ss__context_init(struct ss_context *context, struct ss_shard *shard,
                      struct ss_channel *channel)
{
    *context = (struct ss_context){ .view = { shard, channel->state, &context->read_err },
                                    .channel = channel };
    context->outer = ss__context_use(context);
}

void ss__context_end(struct ss_context *context)
{
    (void)ss__context_use(context->outer);    /* that is this one */
}

static void *arena_alloc(void *allocator_data, size_t size)
{
    return ss__arena_alloc(allocator_data, size);
}

static void arena_free(void *allocator_data, void *pointer)
{
    (void)allocator_data;    /* the batch frees everything at once */
    (void)pointer;
}

const ProtobufCMessage *ss__unpack(struct ss_shard *shard, const struct ss_type *type,
                                   struct ss_str packed)
{
    ProtobufCAllocator allocator = { arena_alloc, arena_free, &shard->arena };
    return protobuf_c_message_unpack(ss__type_descriptor(type), &allocator, packed.len,
                                     (const uint8_t *)packed.data);
}

static int check_size(const struct ss_name *name, const char *what, size_t len,
                      struct ss_failure *failure)
{
    return len <= SS_PAYLOAD_BYTES_MAX
               ? 0
               : ss__fail(failure, SS_E_TOOBIG, "%s \"%s\" payload has %zu bytes, the limit is %u",
                          what, name->name.data, len, SS_PAYLOAD_BYTES_MAX);
}

int ss__check_packed(const struct ss_name *name, const char *what, struct ss_str packed,
                     struct ss_failure *failure)
{
    int err = check_size(name, what, packed.len, failure);
    return err != 0 ? err : ss__validate(name->type, packed, failure);
}

int ss__pack(struct ss_shard *shard, const struct ss_name *name, const char *what,
             const ProtobufCMessage *message, struct ss_str *ret_packed,
             struct ss_failure *failure)
{
    const char *text = name->name.data;
    if (message == NULL) {
        return ss__fail(failure, SS_E_PAYLOAD, "%s \"%s\" payload is nil", what, text);
    }
    struct ss_str want = ss__type_name(name->type);
    if (message->descriptor != ss__type_descriptor(name->type) &&
        !ss_str_equal(ss_str(message->descriptor->name), want)) {
        return ss__fail(failure, SS_E_TYPE, "%s \"%s\" payload type mismatch: got %s want %.*s",
                        what, text, message->descriptor->name, (int)want.len, want.data);
    }
    size_t len = protobuf_c_message_get_packed_size(message);
    int err = check_size(name, what, len, failure);
    if (err != 0) {
        return err;
    }
    uint8_t *packed = ss__arena_alloc(&shard->arena, len + 1);
    if (packed == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    struct ss_str bytes = ss_str_of(packed, protobuf_c_message_pack(message, packed));
    err = ss__validate(name->type, bytes, failure);
    if (err == 0) {
        *ret_packed = bytes;
    }
    return err;
}

struct ss_str ss_context_session_id(const struct ss_context *context)
{
    ss__context_check(context);
    return context->channel->id;
}

uint64_t ss_context_time_us(const struct ss_context *context)
{
    ss__context_check(context);
    return context->view.shard->now_us;
}

uint64_t ss_context_ordinal(const struct ss_context *context)
{
    ss__context_check(context);
    return context->view.state->ordinal;
}

const struct ss_view *ss_context_view(struct ss_context *context)
{
    ss__context_check(context);
    return &context->view;
}

void *ss_context_data(const struct ss_context *context)
{
    ss__context_check(context);
    return context->channel->data;
}

void ss_context_set_data(struct ss_context *context, void *data)
{
    ss__context_check(context);
    context->channel->data = data;
}

void ss_set_running(struct ss_context *context, bool running)
{
    ss__context_check(context);
    struct ss_channel *channel = context->channel;
    if (channel->running != running || channel->running_told != running) {
        channel->running = channel->running_told = running;
        ss__state_touch(context->view.shard, context->view.state);    /* undone with the batch */
        ss__stage_activity(context->view.shard, channel, running);
    }
}

int ss_fail(struct ss_context *context, int code, const char *format, ...)
{
    ss__context_check(context);
    va_list args;
    va_start(args, format);
    (void)ss__vfail(&context->failure, code, format, args);
    va_end(args);
    return code;
}

int ss__context_allow(struct ss_context *context, const char *event, uint32_t events,
                      size_t bytes)
{
    if (context->events + events > SS_HANDLER_EVENTS_MAX ||
        context->bytes + bytes > SS_HANDLER_BYTES_MAX) {
        return ss__fail(&context->failure, SS_E_LIMIT,
                        "event \"%s\": one call may publish %d events and %u bytes", event,
                        SS_HANDLER_EVENTS_MAX, SS_HANDLER_BYTES_MAX);
    }
    if (context->read_err != 0) {
        return ss__fail(&context->failure, context->read_err,
                        "event \"%s\": an entity could not be read before: %s", event,
                        ss_error_text(context->read_err));
    }
    return 0;
}

int ss__context_publish(struct ss_context *context, const struct ss_name *name,
                        struct ss_str packed)
{
    uint64_t ordinal = 0;
    int err = ss__pipeline_publish(context->view.shard, context->channel, name, packed, &ordinal,
                                   &context->failure);
    if (ordinal != 0) {
        context->ordinal_max = ordinal;
        context->events++;
        context->bytes += packed.len;
    }
    return err;
}

static int publish(struct ss_context *context, const char *event, const struct ss_name *name,
                   struct ss_str packed)
{
    int err = ss__context_allow(context, event, 1, packed.len);
    return err != 0 ? err : ss__context_publish(context, name, packed);
}

const struct ss_name *ss__context_find_event(struct ss_context *context, const char *event)
{
    ss__context_check(context);
    const struct ss_name *name =
        ss__registry_find(context->view.shard->options.registry, SS_SPACE_EVENT, ss_str(event));
    if (name == NULL) {
        (void)ss__fail(&context->failure, SS_E_UNKNOWN_EVENT, "unknown event \"%s\"",
                       event == NULL ? "" : event);
    }
    return name;
}

int ss_publish(struct ss_context *context, const char *event, const ProtobufCMessage *payload)
{
    const struct ss_name *name = ss__context_find_event(context, event);
    if (name == NULL) {
        return SS_E_UNKNOWN_EVENT;
    }
    struct ss_str packed;
    int err = ss__pack(context->view.shard, name, "event", payload, &packed, &context->failure);
    return err != 0 ? err : publish(context, event, name, packed);
}

int ss_publish_packed(struct ss_context *context, const char *event, struct ss_str payload)
{
    const struct ss_name *name = ss__context_find_event(context, event);
    if (name == NULL) {
        return SS_E_UNKNOWN_EVENT;
    }
    int err = ss__check_packed(name, "event", payload, &context->failure);
    return err != 0 ? err : publish(context, event, name, payload);
}

static int publish_live(struct ss_context *context, const struct ss_name *name,
                        const struct ss_str *packed)
{
    size_t bytes = packed == NULL ? 0 : packed->len;
    int err = ss__context_allow(context, name->name.data, 1, bytes);
    if (err == 0) {
        err = ss__live_publish(context->view.shard, context->channel, name, packed,
                               &context->failure);
    }
    if (err == 0) {
        context->events++;
        context->bytes += bytes;
    }
    return err;
}

static const struct ss_name *find_ui(struct ss_context *context, const char *name)
{
    ss__context_check(context);
    const struct ss_name *found =
        ss__registry_find(context->view.shard->options.registry, SS_SPACE_UI, ss_str(name));
    if (found == NULL) {
        (void)ss__fail(&context->failure, SS_E_UNKNOWN_UI, "unknown UI event \"%s\"",
                       name == NULL ? "" : name);
    }
    return found;
}

int ss_publish_live(struct ss_context *context, const char *name, const ProtobufCMessage *payload)
{
    const struct ss_name *found = find_ui(context, name);
    if (found == NULL) {
        return SS_E_UNKNOWN_UI;
    }
    if (payload == NULL) {
        return publish_live(context, found, NULL);
    }
    struct ss_str packed;
    int err = ss__pack(context->view.shard, found, "UI event", payload, &packed,
                       &context->failure);
    return err != 0 ? err : publish_live(context, found, &packed);
}

int ss_publish_live_packed(struct ss_context *context, const char *name, struct ss_str payload)
{
    const struct ss_name *found = find_ui(context, name);
    if (found == NULL) {
        return SS_E_UNKNOWN_UI;
    }
    int err = ss__check_packed(found, "UI event", payload, &context->failure);
    return err != 0 ? err : publish_live(context, found, &payload);
}

int ss_append(struct ss_context *context, const char *kind, struct ss_str id, const char *field,
              struct ss_str bytes)
{
    ss__context_check(context);
    const struct ss_name *name =
        ss__registry_find(context->view.shard->options.registry, SS_SPACE_ENTITY, ss_str(kind));
    if (name == NULL || id.len == 0 || id.len > SS_ENTITY_ID_BYTES_MAX) {
        int code = name == NULL ? SS_E_UNKNOWN_KIND : SS_E_NOTFOUND;
        return ss__fail(&context->failure, code, "append: there is no such entity of kind \"%s\"",
                        kind == NULL ? "" : kind);
    }
    int err = ss__context_allow(context, kind, 1, bytes.len);
    if (err == 0) {
        err = ss__overlay_append(context->view.shard, context->channel, name, id, field, bytes,
                                 &context->failure);
    }
    if (err == 0) {
        context->events++;
        context->bytes += bytes.len;
    }
    return err;
}
