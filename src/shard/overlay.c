#include "shard/overlay.h"

#include <stdlib.h>

#include <protobuf-c/protobuf-c.h>
#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/utf8.h"
#include "schema/pb.h"
#include "shard/live.h"
#include "shard/shard_state.h"
#include "shard/stage_frame.h"

struct ss_overlay {
    struct ss_list link;                       /* in live->overlays */
    const struct ss_entity_slot *slot;
    const ProtobufCFieldDescriptor *field;
    struct ss_bytes bytes;
    size_t before;                             /* bytes of the durable value */
};

static void account(struct ss_shard *shard, struct ss_state *state, ptrdiff_t more)
{
    state->bytes = (size_t)((ptrdiff_t)state->bytes + more);
    shard->state_bytes = (size_t)((ptrdiff_t)shard->state_bytes + more);
    state->live->overlay_bytes = (uint32_t)((ptrdiff_t)state->live->overlay_bytes + more);
}

static struct ss_overlay *find(const struct ss_state *state, const struct ss_entity_slot *slot)
{
    if (state->live == NULL) {
        return NULL;
    }
    for (struct ss_list *link = state->live->overlays.next; link != &state->live->overlays;
         link = link->next) {
        struct ss_overlay *overlay = ss__container_of(link, struct ss_overlay, link);
        if (overlay->slot == slot) {
            return overlay;
        }
    }
    return NULL;
}

bool ss__overlay_has(const struct ss_state *state, const struct ss_entity_slot *slot)
{
    return find(state, slot) != NULL;
}

static void forget(struct ss_shard *shard, struct ss_state *state, struct ss_overlay *overlay)
{
    account(shard, state, -(ptrdiff_t)(sizeof *overlay + overlay->bytes.len));
    state->live->overlays_count--;
    ss__list_remove(&overlay->link);
    ss__bytes_deinit(&overlay->bytes);
    free(overlay);
}

void ss__overlay_clear(struct ss_shard *shard, struct ss_state *state,
                       const struct ss_entity_slot *slot)
{
    struct ss_overlay *overlay = find(state, slot);
    if (overlay != NULL) {
        forget(shard, state, overlay);
    }
}

void ss__overlays_drop(struct ss_shard *shard, struct ss_state *state)
{
    struct ss_channel *channel = state->channel;
    if (ss__list_empty(&state->live->overlays)) {
        return;
    }
    while (!ss__list_empty(&state->live->overlays)) {
        forget(shard, state,
               ss__container_of(state->live->overlays.next, struct ss_overlay, link));
    }
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        struct ss_interest *interest = &channel->interests[i];
        ss__outbox_resync(&shard->outboxes[interest->gateway], &interest->mark,
                          interest->handle);
    }
}

/* A singular string or bytes field that has no arms beside it. */
static const ProtobufCFieldDescriptor *find_field(const struct ss_name *kind, const char *name)
{
    const ProtobufCMessageDescriptor *type = ss__type_descriptor(kind->type);
    for (unsigned i = 0; name != NULL && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (strcmp(field->name, name) == 0) {
            bool usable = field->label != PROTOBUF_C_LABEL_REPEATED &&
                          (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 &&
                          (field->type == PROTOBUF_C_TYPE_STRING ||
                           field->type == PROTOBUF_C_TYPE_BYTES);
            return usable ? field : NULL;
        }
    }
    return NULL;
}

static struct ss_str value_of(const struct ss_entity_slot *slot, uint32_t number)
{
    struct ss_pb_reader reader =
        ss__pb_reader(ss_str_of(slot->payload->data, slot->payload->len));
    struct ss_pb_field field;
    struct ss_str value = { NULL, 0 };
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_SGROUP) {
            (void)ss__pb_skip_group(&reader, field.number);    /* a failure ends the loop */
        } else if (field.number == number && field.wire == SS_PB_LEN) {
            value = field.bytes;
        }
    }
    return value;
}

static int check(const struct ss_state *state, const struct ss_entity_slot *slot,
                 const ProtobufCFieldDescriptor *field, struct ss_str bytes,
                 struct ss_failure *failure)
{
    const struct ss_overlay *overlay = find(state, slot);
    if (field->type == PROTOBUF_C_TYPE_STRING &&
        (!ss__utf8_valid(bytes.data, bytes.len) || memchr(bytes.data, 0, bytes.len) != NULL)) {
        return ss__fail(failure, SS_E_PAYLOAD,
                        "append to field \"%s\": not UTF-8 in whole characters without NUL",
                        field->name);
    }
    if (overlay != NULL && overlay->field != field) {
        return ss__fail(failure, SS_E_LIMIT,
                        "append to field \"%s\": something was appended to field \"%s\" of this "
                        "entity", field->name, overlay->field->name);
    }
    if ((overlay == NULL && state->live->overlays_count >= SS_APPENDED_ENTITIES_MAX) ||
        state->live->overlay_bytes + bytes.len > SS_APPENDED_BYTES_MAX) {
        return ss__fail(failure, SS_E_LIMIT,
                        "append to field \"%s\": a session may have %d entities and %u bytes of "
                        "it; publish what is there", field->name, SS_APPENDED_ENTITIES_MAX,
                        SS_APPENDED_BYTES_MAX);
    }
    size_t shown = overlay == NULL ? 0 : overlay->bytes.len;
    return slot->payload->len + shown + bytes.len + 16 <= SS_PAYLOAD_BYTES_MAX
               ? 0
               : ss__fail(failure, SS_E_TOOBIG, "append to field \"%s\": the entity would have "
                          "more than %u bytes", field->name, SS_PAYLOAD_BYTES_MAX);
}

/* The overlay of the slot, made if there is none; NULL when out of memory. */
static struct ss_overlay *ensure(struct ss_shard *shard, struct ss_state *state,
                                 const struct ss_entity_slot *slot,
                                 const ProtobufCFieldDescriptor *field)
{
    struct ss_overlay *overlay = find(state, slot);
    if (overlay != NULL) {
        return overlay;
    }
    overlay = calloc(1, sizeof *overlay);
    if (overlay != NULL) {
        overlay->slot = slot;
        overlay->field = field;
        overlay->before = value_of(slot, field->id).len;
        ss__bytes_init(&overlay->bytes, 0);
        ss__list_push_back(&state->live->overlays, &overlay->link);
        state->live->overlays_count++;
        account(shard, state, sizeof *overlay);
    }
    return overlay;
}

static int append(struct ss_shard *shard, struct ss_channel *channel,
                  const struct ss_entity_slot *slot, const ProtobufCFieldDescriptor *field,
                  struct ss_str bytes)
{
    struct ss_state *state = channel->state;
    struct ss_overlay *overlay = ensure(shard, state, slot, field);
    if (overlay == NULL) {
        return SS_E_NOMEM;
    }
    size_t len = overlay->bytes.len;
    uint32_t count = state->live->count;
    ss__bytes_str(&overlay->bytes, bytes);
    if (overlay->bytes.err != 0) {
        overlay->bytes.err = 0;
        return SS_E_NOMEM;
    }
    account(shard, state, (ptrdiff_t)bytes.len);
    state->live->count++;
    ss__state_touch(shard, state);    /* it is undone with the batch */
    struct ss_append_frame frame = { .session_id = channel->id,
                                     .place = ss__state_cursor(state),
                                     .time_us = (int64_t)shard->now_us,
                                     .kind = slot->kind->name,
                                     .id = slot->id,
                                     .field = ss_str(field->name),
                                     .offset = overlay->before + len,
                                     .is_text = field->type == PROTOBUF_C_TYPE_STRING,
                                     .bytes = bytes };
    int err = ss__stage_append(shard, channel, &frame,
                               (struct ss_place){ state->ordinal, count });
    if (err != 0) {
        overlay->bytes.len = len;
        account(shard, state, -(ptrdiff_t)bytes.len);
        state->live->count = count;
    }
    return err;
}

int ss__overlay_append(struct ss_shard *shard, struct ss_channel *channel,
                       const struct ss_name *kind, struct ss_str id, const char *name,
                       struct ss_str bytes, struct ss_failure *failure)
{
    struct ss_entity_slot *slot;
    int err = ss__state_find(shard, channel->state, kind, id, &slot);
    if (err != 0) {
        return ss__fail(failure, err, "%s", ss_error_text(err));
    }
    if (slot == NULL || slot->payload == NULL) {
        return ss__fail(failure, SS_E_NOTFOUND, "append: there is no entity \"%s\" \"%.*s\"",
                        kind->name.data, (int)id.len, id.data);
    }
    if (slot->unreadable) {
        return ss__fail(failure, SS_E_TYPE, "append: what is stored of entity \"%s\" \"%.*s\" "
                        "does not fit its type", kind->name.data, (int)id.len, id.data);
    }
    const ProtobufCFieldDescriptor *field = find_field(kind, name);
    if (field == NULL) {
        return ss__fail(failure, SS_E_TYPE, "append: \"%s\" has no string or bytes field \"%s\", "
                        "singular and in no oneof", kind->name.data, name == NULL ? "" : name);
    }
    err = ss__live_begin(shard, channel->state, failure);
    if (err == 0) {
        err = check(channel->state, slot, field, bytes, failure);
    }
    if (err != 0 || bytes.len == 0) {
        return err;
    }
    err = append(shard, channel, slot, field, bytes);
    return err == 0 ? 0 : ss__fail(failure, err, "%s", ss_error_text(err));
}

/* Everything of @packed but field @number. */
static void copy_others(struct ss_str packed, uint32_t number, struct ss_bytes *out)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    const uint8_t *begin = reader.at;
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_SGROUP) {
            (void)ss__pb_skip_group(&reader, field.number);
        }
        if (field.number != number && !reader.failed) {
            ss__bytes_append(out, begin, (size_t)(reader.at - begin));
        }
        begin = reader.at;
    }
}

int ss__overlay_payload(struct ss_shard *shard, const struct ss_state *state,
                        const struct ss_entity_slot *slot, struct ss_str *ret_payload,
                        struct ss_str *ret_field, uint64_t *ret_bytes)
{
    const struct ss_overlay *overlay = find(state, slot);
    struct ss_str packed = ss_str_of(slot->payload->data, slot->payload->len);
    *ret_field = (struct ss_str){ NULL, 0 };
    *ret_bytes = 0;
    *ret_payload = packed;
    if (overlay == NULL || overlay->bytes.len == 0) {
        return 0;
    }
    struct ss_str value = value_of(slot, overlay->field->id);
    struct ss_bytes merged;
    ss__bytes_init(&merged, 0);
    copy_others(packed, overlay->field->id, &merged);
    ss__pb_tag(&merged, overlay->field->id, SS_PB_LEN);
    ss__bytes_varint(&merged, value.len + overlay->bytes.len);
    ss__bytes_str(&merged, value);
    ss__bytes_str(&merged, ss__bytes_view(&overlay->bytes));
    struct ss_str copy = { NULL, 0 };
    if (merged.err == 0) {
        copy = ss__arena_str(&shard->arena, ss__bytes_view(&merged));
    }
    ss__bytes_deinit(&merged);
    if (copy.data == NULL) {
        return SS_E_NOMEM;
    }
    *ret_payload = copy;
    *ret_field = ss_str(overlay->field->name);
    *ret_bytes = overlay->bytes.len;
    return 0;
}
