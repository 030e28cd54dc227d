#include "shard/publisher.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "shard/context.h"
#include "shard/shard_state.h"

/* Longer ones are cut, and so fit no registered event. */
#define TYPE_NAME_BYTES 512

struct ss_publisher {
    atomic_uint refs;
    struct ss_inbox *inbox;
    struct ss_str session_id;    /* in memory[] */
    char memory[];
};

struct ss_publisher *ss_publisher_ref(struct ss_context *context)
{
    ss__context_check(context);
    struct ss_str id = context->channel->id;
    struct ss_publisher *publisher = malloc(sizeof *publisher + id.len);
    if (publisher == NULL) {
        return NULL;
    }
    atomic_init(&publisher->refs, 1);
    publisher->inbox = ss__inbox_ref(context->view.shard->inbox);
    memcpy(publisher->memory, id.data, id.len);
    publisher->session_id = ss_str_of(publisher->memory, id.len);
    return publisher;
}

struct ss_publisher *ss_publisher_share(struct ss_publisher *publisher)
{
    atomic_fetch_add_explicit(&publisher->refs, 1, memory_order_relaxed);
    return publisher;
}

void ss_publisher_unref(struct ss_publisher *publisher)
{
    if (publisher != NULL &&
        atomic_fetch_sub_explicit(&publisher->refs, 1, memory_order_acq_rel) == 1) {
        ss__inbox_unref(publisher->inbox);
        free(publisher);
    }
}

/* The request says what the event and its type are called: "event", NUL, "type". */
static struct ss_request *make_request(const struct ss_publisher *publisher, const char *event,
                                       const ProtobufCMessage *payload, size_t len)
{
    char names[SS_NAME_BYTES_MAX + 1 + TYPE_NAME_BYTES];
    size_t event_len = strlen(event);
    size_t type_len = strnlen(payload->descriptor->name, TYPE_NAME_BYTES);
    memcpy(names, event, event_len + 1);
    memcpy(names + event_len + 1, payload->descriptor->name, type_len);
    uint8_t small[512];
    uint8_t *packed = len <= sizeof small ? small : malloc(len);
    if (packed == NULL) {
        return NULL;
    }
    struct ss_str bytes = ss_str_of(packed, protobuf_c_message_pack(payload, packed));
    struct ss_request *request =
        ss__request_new(SS_REQUEST_PUBLISH_NAMED, publisher->session_id,
                        ss_str_of(names, event_len + 1 + type_len), bytes);
    if (packed != small) {
        free(packed);
    }
    return request;
}

int ss_publisher_publish(struct ss_publisher *publisher, const char *event,
                         const ProtobufCMessage *payload, ss_done_fn *done, void *ctx)
{
    if (event == NULL || event[0] == '\0' || strnlen(event, SS_NAME_BYTES_MAX + 1) >
                                                 SS_NAME_BYTES_MAX) {
        return SS_E_UNKNOWN_EVENT;
    }
    if (payload == NULL) {
        return SS_E_PAYLOAD;
    }
    size_t len = protobuf_c_message_get_packed_size(payload);
    if (len > SS_PAYLOAD_BYTES_MAX) {
        return SS_E_TOOBIG;
    }
    struct ss_request *request = make_request(publisher, event, payload, len);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->done = done;
    request->ctx = ctx;
    int err = ss__inbox_post(publisher->inbox, &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
    }
    return err;
}

static int resolve(struct ss_shard *shard, struct ss_request *request, struct ss_failure *failure)
{
    const char *event = request->request_id.data;
    size_t event_len = strlen(event);
    struct ss_str type = ss_str_of(event + event_len + 1,
                                   request->request_id.len - event_len - 1);
    const struct ss_name *name =
        ss__registry_find(shard->options.registry, SS_SPACE_EVENT, ss_str(event));
    if (name == NULL) {
        return ss__fail(failure, SS_E_UNKNOWN_EVENT, "unknown event \"%s\"", event);
    }
    struct ss_str want = ss__type_name(name->type);
    if (!ss_str_equal(type, want)) {
        return ss__fail(failure, SS_E_TYPE,
                        "event \"%s\" payload type mismatch: got %.*s want %.*s", event,
                        (int)type.len, type.data, (int)want.len, want.data);
    }
    request->name = name;
    return ss__check_packed(name, "event", request->payload, failure);
}

bool ss__publisher_resolve(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_failure failure = { 0 };
    int err = resolve(shard, request, &failure);
    if (err != 0) {
        ss__request_fail(request, err, failure.text);
    }
    return err == 0;
}
