/* What is asked of a session from outside a handler: checked here, posted to its shard. */
#include <stdlib.h>
#include <string.h>

#include <sessionstream/engine.h>
#include <sessionstream/limits.h>
#include <sessionstream/sessions.h>
#include <sessionstream/snapshot.h>

#include "core/utf8.h"
#include "engine/engine_router.h"
#include "engine/engine_state.h"
#include "schema/validate.h"

int ss__engine_post(struct ss_engine *engine, struct ss_request *request)
{
    struct ss_inbox *inbox = ss__router_inbox(&engine->router, request->session_id);
    int err = ss__inbox_post(inbox, &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
    }
    return err;
}

static int post_keyed(struct ss_engine *engine, enum ss_request_kind kind,
                      struct ss_str session_id, const struct ss_name *name, struct ss_str payload,
                      struct ss_str key, ss_done_fn *done, void *ctx)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new_keyed(kind, session_id, none, payload, key);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->name = name;
    request->done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}

static int post(struct ss_engine *engine, enum ss_request_kind kind, struct ss_str session_id,
                const struct ss_name *name, struct ss_str payload, ss_done_fn *done, void *ctx)
{
    return post_keyed(engine, kind, session_id, name, payload, ss_str(NULL), done, ctx);
}

int ss__engine_check_session(const struct ss_engine *engine, struct ss_str id)
{
    if (!engine->started) {
        return SS_E_STOPPING;
    }
    bool good = id.len > 0 && id.len <= SS_SESSION_ID_BYTES_MAX &&
                ss__utf8_valid(id.data, id.len) && memchr(id.data, '\0', id.len) == NULL;
    return good ? 0 : SS_E_SESSION_ID;
}

static int pack_and_post(struct ss_engine *engine, enum ss_request_kind kind,
                         struct ss_str session_id, const struct ss_name *name,
                         const ProtobufCMessage *payload, struct ss_str key, ss_done_fn *done,
                         void *ctx)
{
    if (payload == NULL) {
        return SS_E_PAYLOAD;
    }
    if (!ss_str_equal(ss_str(payload->descriptor->name), ss__type_name(name->type))) {
        return SS_E_TYPE;
    }
    size_t len = protobuf_c_message_get_packed_size(payload);
    if (len > SS_PAYLOAD_BYTES_MAX) {
        return SS_E_TOOBIG;
    }
    uint8_t small[512];
    uint8_t *packed = len <= sizeof small ? small : malloc(len);
    if (packed == NULL) {
        return SS_E_NOMEM;
    }
    struct ss_str bytes = ss_str_of(packed, protobuf_c_message_pack(payload, packed));
    int err = ss__validate(name->type, bytes, NULL);
    if (err == 0) {
        err = post_keyed(engine, kind, session_id, name, bytes, key, done, ctx);
    }
    if (packed != small) {
        free(packed);
    }
    return err;
}

static int submit(struct ss_engine *engine, struct ss_str session_id, const char *command,
                  const ProtobufCMessage *payload, struct ss_str key, ss_done_fn *done, void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name =
        ss__registry_find(engine->registry, SS_SPACE_COMMAND, ss_str(command));
    return name == NULL ? SS_E_UNKNOWN_COMMAND
                        : pack_and_post(engine, SS_REQUEST_SUBMIT, session_id, name, payload, key,
                                        done, ctx);
}

int ss_engine_submit(struct ss_engine *engine, struct ss_str session_id, const char *command,
                     const ProtobufCMessage *payload, ss_done_fn *done, void *ctx)
{
    return submit(engine, session_id, command, payload, ss_str(NULL), done, ctx);
}

int ss_engine_submit_keyed(struct ss_engine *engine, struct ss_str session_id,
                           const char *command, const ProtobufCMessage *payload,
                           struct ss_str key, ss_done_fn *done, void *ctx)
{
    return ss__request_key_valid(key)
               ? submit(engine, session_id, command, payload, key, done, ctx)
               : SS_E_INVAL;
}

int ss_engine_publish(struct ss_engine *engine, struct ss_str session_id, const char *event,
                      const ProtobufCMessage *payload, ss_done_fn *done, void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name = ss__registry_find(engine->registry, SS_SPACE_EVENT, ss_str(event));
    return name == NULL ? SS_E_UNKNOWN_EVENT
                        : pack_and_post(engine, SS_REQUEST_PUBLISH, session_id, name, payload,
                                        ss_str(NULL), done, ctx);
}

int ss_engine_barrier(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                      void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err
                    : post(engine, SS_REQUEST_BARRIER, session_id, NULL, none, done, ctx);
}

/* @projection NULL: all. */
static int new_timeline_request(struct ss_engine *engine, enum ss_request_kind kind,
                                struct ss_str session_id, const char *projection,
                                struct ss_request **ret_request)
{
    int err = ss__engine_check_session(engine, session_id);
    int index = projection == NULL
                    ? -1
                    : ss__registry_timeline(engine->registry, ss_str(projection));
    if (err != 0 || (projection != NULL && index < 0)) {
        return err != 0 ? err : SS_E_NOTFOUND;
    }
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, session_id, none, none);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->timelines = index < 0 ? 0 : 1u << index;
    *ret_request = request;
    return 0;
}

int ss_engine_retry(struct ss_engine *engine, struct ss_str session_id, const char *projection,
                    ss_done_fn *done, void *ctx)
{
    struct ss_request *request = NULL;
    int err = new_timeline_request(engine, SS_REQUEST_RETRY, session_id, projection, &request);
    if (err != 0) {
        return err;
    }
    request->done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}

int ss_engine_rebuild(struct ss_engine *engine, struct ss_str session_id, const char *projection,
                      uint64_t from, ss_done_fn *done, void *ctx)
{
    struct ss_request *request = NULL;
    int err = new_timeline_request(engine, SS_REQUEST_REBUILD, session_id, projection, &request);
    if (err != 0) {
        return err;
    }
    request->at = from;
    request->done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}

int ss_engine_cursors(struct ss_engine *engine, struct ss_str session_id, ss_cursors_fn *done,
                      void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        err != 0 ? NULL : ss__request_new(SS_REQUEST_CURSORS, session_id, none, none);
    if (request == NULL) {
        return err != 0 ? err : SS_E_NOMEM;
    }
    request->cursors_done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}

int ss_engine_close(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                    void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err : post(engine, SS_REQUEST_CLOSE, session_id, NULL, none, done, ctx);
}

int ss_engine_delete(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                     void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err
                    : post(engine, SS_REQUEST_DELETE, session_id, NULL, none, done, ctx);
}

int ss_engine_snapshot_at(struct ss_engine *engine, struct ss_str session_id, uint64_t at,
                          ss_snapshot_fn *done, void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        err != 0 ? NULL : ss__request_new(SS_REQUEST_SNAPSHOT, session_id, none, none);
    if (request == NULL) {
        return err != 0 ? err : SS_E_NOMEM;
    }
    request->at = at;
    request->snapshot_done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}

int ss_engine_snapshot(struct ss_engine *engine, struct ss_str session_id, ss_snapshot_fn *done,
                       void *ctx)
{
    return ss_engine_snapshot_at(engine, session_id, 0, done, ctx);
}
