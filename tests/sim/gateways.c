#include "gateways.h"

#include <string.h>

#include "ss_test.h"
#include "trace.h"
#include "wire/encoding.h"
#include "wire/server_frame.h"

void gateways_lost(struct world *world)
{
    for (uint32_t i = 0; i < SIM_GATEWAYS; i++) {
        for (uint32_t k = 0; k < SIM_SESSIONS_MAX; k++) {
            struct follower *follower = &world->followers[i][k];
            follower->following = follower->live = follower->stale = false;
            follower->asking = 0;
            follower->generation++;
        }
    }
}

static struct ss_str session_id(uint32_t session, char out[3])
{
    out[0] = 's';
    out[1] = (char)('0' + session);
    out[2] = '\0';
    return ss_str_of(out, 2);
}

/* ---- asking ---- */

static void ask(struct world *world, uint32_t gateway, uint32_t session, bool resuming)
{
    struct follower *follower = &world->followers[gateway][session];
    char id[3];
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SUBSCRIBE, session_id(session, id), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ (uint16_t)gateway, 1, 1 };
    request->handle = (struct ss_session_handle){ session, follower->generation };
    request->number = ++world->numbers;
    request->encoding = SS_ENCODING_V2_JSON;
    request->resuming = resuming;
    if (resuming) {
        ss_check(ss__cursor_parse(ss_str(follower->client.cursor), &request->resume, NULL) == 0);
    }
    uint64_t newest = world->model->sessions[session].newest;
    if (ss__inbox_post(world_inbox(world, session), &request->base.node, SS_POST_OUTSIDE) != 0) {
        ss__msg_free(&request->base);
        return;
    }
    follower->number = world->numbers;
    follower->asked_newest = newest;
    follower->asking++;
}

void world_subscribe(struct world *world, uint32_t gateway, uint32_t session, bool resuming)
{
    struct follower *follower = &world->followers[gateway][session];
    resuming = resuming && !follower->following && follower->client.cursor[0] != '\0';
    trace_add("g%u subscribes to s%u %s", gateway, session,
              resuming ? follower->client.cursor : "");
    follower->following = true;
    ask(world, gateway, session, resuming);
}

/* Nobody is interested any more: the shard is told. */
static void settle(struct world *world, uint32_t gateway, uint32_t session)
{
    struct follower *follower = &world->followers[gateway][session];
    char id[3];
    if (follower->following || follower->asking > 0) {
        return;
    }
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, (uint16_t)gateway,
        (struct ss_session_handle){ session, follower->generation }, session_id(session, id));
    ss_check(msg != NULL);
    if (ss__inbox_post(world_inbox(world, session), &msg->base.node, SS_POST_INSIDE) != 0) {
        ss__msg_free(&msg->base);
    }
    follower->generation++;
}

void world_leave(struct world *world, uint32_t gateway, uint32_t session)
{
    struct follower *follower = &world->followers[gateway][session];
    if (!follower->following) {
        return;
    }
    trace_add("g%u leaves s%u", gateway, session);
    follower->following = follower->live = follower->stale = false;
    follower->number = 0;
    settle(world, gateway, session);
}

/* ---- from the shard ---- */

static void succeed(struct world *world, struct follower *follower, struct ss_request *request)
{
    struct client *client = &follower->client;
    if (request->recovered) {
        model_recovered(world->model, client);
    } else {
        model_snapshot(world->model, client, ss__ws_payload(request->snapshot));
    }
    follower->bound = request->ordinal;
    follower->live = true;
    follower->stale = false;
    for (uint32_t i = 0; i < request->frames_count; i++) {
        model_frame(world->model, client, ss__ws_payload(request->frames[i]));
    }
    model_resumed(world->model, client, &request->place);
    model_is_current(world->model, client, follower->asked_newest);
}

static void answer(struct world *world, uint32_t gateway, struct ss_request *request)
{
    uint32_t session = request->handle.slot;
    struct follower *follower = &world->followers[gateway][session];
    if (request->handle.generation != follower->generation || follower->asking == 0) {
        model_broken("an answer to g%u of s%u that nobody waits for", gateway, session);
    }
    follower->asking--;
    trace_add("g%u: answer of s%u, error %d, %s, %u frames", gateway, session, request->err,
              request->recovered ? "recovered" : "snapshot", request->frames_count);
    if (follower->following && follower->number == request->number) {
        if (request->err == 0 && request->recovered != (request->snapshot == NULL)) {
            model_broken("g%u: an answer of s%u with neither snapshot nor recovery", gateway,
                         session);
        }
        if (request->err == 0) {
            succeed(world, follower, request);
        } else if (!follower->live) {
            follower->following = false;
        }
        follower->number = 0;
    }
    settle(world, gateway, session);
}

/* The session is no more. */
static void ended(struct world *world, uint32_t gateway, struct ss_session_handle handle)
{
    struct follower *follower = &world->followers[gateway][handle.slot];
    if (handle.generation == follower->generation && follower->live) {
        trace_add("g%u: the end of s%u", gateway, handle.slot);
        follower->live = follower->stale = false;
        follower->following = follower->number != 0;    /* what it has asked for is answered */
        settle(world, gateway, handle.slot);
    }
}

static void frame(struct world *world, uint32_t gateway, const struct ss_msg_frame *msg)
{
    struct follower *follower = &world->followers[gateway][msg->handle.slot];
    if (msg->ends) {
        ended(world, gateway, msg->handle);
        return;
    }
    struct ss_buf *buf = msg->bufs[SS_ENCODING_V2_JSON];
    bool bound = !msg->live && msg->ordinal <= follower->bound;
    if (msg->handle.generation != follower->generation || !follower->live || follower->stale ||
        bound || buf == NULL) {
        return;
    }
    trace_add("g%u: frame of s%u:%llu", gateway, msg->handle.slot,
              (unsigned long long)msg->ordinal);
    model_frame(world->model, &follower->client, ss__ws_payload(buf));
}

static void resync(struct world *world, uint32_t gateway, struct ss_session_handle handle)
{
    struct follower *follower = &world->followers[gateway][handle.slot];
    trace_add("g%u: resync of s%u", gateway, handle.slot);
    if (handle.generation == follower->generation && follower->following) {
        follower->stale = follower->live;
        ask(world, gateway, handle.slot, false);
    }
}

bool world_deliver(struct world *world, uint32_t gateway)
{
    struct ss_inbox_node *node = ss__inbox_take(world->gateways[gateway]);
    struct ss_msg *msg = node == NULL ? NULL : ss__msg_of(node);
    if (msg == NULL) {
        return false;
    }
    switch (msg->kind) {
    case SS_MSG_REPLY:
        answer(world, gateway, (struct ss_request *)(void *)msg);
        break;
    case SS_MSG_FRAME:
        frame(world, gateway, (struct ss_msg_frame *)(void *)msg);
        break;
    case SS_MSG_RESYNC:
        resync(world, gateway, ((struct ss_msg_resync *)(void *)msg)->handle);
        break;
    default:
        model_broken("g%u: a message of kind %d", gateway, msg->kind);
    }
    ss__msg_free(msg);
    return true;
}
