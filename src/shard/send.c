#include "shard/send.h"

#include <string.h>

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "message/router.h"
#include "shard/context.h"
#include "shard/shard_state.h"

static struct ss_inbox *inbox_of(const struct ss_shard *shard, struct ss_str session_id)
{
    return shard->options.router == NULL ? shard->inbox
                                         : ss__router_inbox(shard->options.router, session_id);
}

static bool is_session_id(struct ss_str id)
{
    return id.len > 0 && id.len <= SS_SESSION_ID_BYTES_MAX && ss__utf8_valid(id.data, id.len) &&
           memchr(id.data, '\0', id.len) == NULL;
}

static int check_room(struct ss_context *context, struct ss_str session_id)
{
    const struct ss_shard *shard = context->view.shard;
    if (shard->phase != SS_SHARD_RUNNING) {
        return ss__fail(&context->failure, SS_E_STOPPING, "%s", ss_error_text(SS_E_STOPPING));
    }
    if (shard->effects.sends >= SS_BATCH_SENDS_MAX ||
        shard->effects.send_bytes >= SS_BATCH_BYTES_MAX ||
        ss__inbox_pressed(inbox_of(shard, session_id))) {
        return ss__fail(&context->failure, SS_E_BUSY,
                        "the shard of the other session is behind, send again after a pause");
    }
    return 0;
}

static int stage(struct ss_context *context, struct ss_str session_id, const struct ss_name *name,
                 struct ss_str packed)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, session_id, ss_str(NULL),
                                                 packed);
    struct ss_effect *effect = request == NULL ? NULL : ss__effect_add(shard, SS_EFFECT_SEND);
    if (effect == NULL) {
        ss__msg_free(request == NULL ? NULL : &request->base);
        return ss__fail(&context->failure, SS_E_NOMEM, "out of memory");
    }
    request->name = name;
    effect->request = request;
    shard->effects.sends++;
    shard->effects.send_bytes += request->memory_bytes;
    context->events++;
    context->bytes += packed.len;
    return 0;
}

int ss_send(struct ss_context *context, struct ss_str session_id, const char *command,
            const ProtobufCMessage *payload)
{
    ss__context_check(context);
    struct ss_shard *shard = context->view.shard;
    if (!is_session_id(session_id)) {
        return ss__fail(&context->failure, SS_E_SESSION_ID,
                        "a session id is 1 to %d bytes of UTF-8 without NUL",
                        SS_SESSION_ID_BYTES_MAX);
    }
    const struct ss_name *name =
        ss__registry_find(shard->options.registry, SS_SPACE_COMMAND, ss_str(command));
    if (name == NULL) {
        return ss__fail(&context->failure, SS_E_UNKNOWN_COMMAND, "unknown command \"%s\"",
                        command == NULL ? "" : command);
    }
    struct ss_str packed;
    int err = ss__pack(shard, name, "command", payload, &packed, &context->failure);
    if (err == 0) {
        err = ss__context_allow(context, command, 1, packed.len);
    }
    if (err == 0) {
        err = check_room(context, session_id);
    }
    return err != 0 ? err : stage(context, session_id, name, packed);
}

void ss__send_release(struct ss_shard *shard, struct ss_request *request)
{
    if (ss__inbox_post(inbox_of(shard, request->session_id), &request->base.node,
                       SS_POST_INSIDE) != 0) {
        ss__msg_free(&request->base);
    }
}
