#include "gateway/egress.h"

#include <sessionstream/error.h>

#include "core/contract.h"
#include "gateway/answer.h"
#include "gateway/conn.h"
#include "gateway/errors.h"
#include "gateway/follow.h"
#include "gateway/requests.h"
#include "gateway/session_routes.h"
#include "gateway/sessions.h"

static void answer_submit(struct ss_conn *conn, const struct ss_request *request)
{
    if (request->err == 0) {
        ss__answer_accepted(conn, request);
        return;
    }
    struct ss_error_frame error = { .session_id = request->session_id,
                                    .request_id = request->request_id,
                                    .replayed = request->replayed };
    if (request->text != NULL && request->text->len > 0) {
        error.message = ss_str_of(request->text->data, request->text->len - 1);
    }
    ss__answer_error(conn, request->err, &error);
}

/* True if the request was taken over. */
static bool reply(struct ss_gateway *gateway, struct ss_request *request)
{
    struct ss_conn *conn = ss__conn_table_get(&gateway->conns, request->connection.slot,
                                              request->connection.generation);
    if (conn != NULL) {
        ss__requests_answered(conn, request);
    }
    if (request->request == SS_REQUEST_LIST) {
        ss__sessions_listed(conn, request);
    } else if (request->request == SS_REQUEST_ERRORS) {
        ss__errors_listed(conn, request);
    } else if (request->request == SS_REQUEST_SUBSCRIBE) {
        return ss__follow_answer(gateway, conn, request);
    } else if (conn == NULL) {
        return false;
    } else if (conn->state == SS_CONN_WEBSOCKET) {
        answer_submit(conn, request);
    } else if (conn->state == SS_CONN_HTTP && conn->in.number == request->number) {
        ss__session_routes_answer(conn, request);
    }
    return false;
}

static void frame(struct ss_gateway *gateway, const struct ss_msg_frame *msg)
{
    if (msg->ends) {
        ss__follow_end(gateway, msg);
    } else {
        ss__follow_frame(gateway, msg);
    }
}

void ss__egress_message(struct ss_gateway *gateway, struct ss_msg *msg)
{
    switch ((enum ss_msg_kind)msg->kind) {
    case SS_MSG_REPLY:
        if (reply(gateway, (struct ss_request *)(void *)msg)) {
            return;
        }
        break;
    case SS_MSG_FRAME:
        frame(gateway, (const struct ss_msg_frame *)(const void *)msg);
        break;
    case SS_MSG_RESYNC:
        ss__follow_resync(gateway, ((const struct ss_msg_resync *)(const void *)msg)->handle);
        break;
    case SS_MSG_REQUEST:
    case SS_MSG_UNINTERESTED:
    case SS_MSG_LOADED:
    case SS_MSG_SNAPSHOT_MADE:
    case SS_MSG_FLUSHED:
    case SS_MSG_SPARE:
    case SS_MSG_LISTED:
    case SS_MSG_WORKED:
    case SS_MSG_METADATA:
    case SS_MSG_IMPORT_READ:
    case SS_MSG_FOLDED:
    case SS_MSG_EVENTS_READ:
    case SS_MSG_CUT:
    case SS_MSG_SCANNED:
    case SS_MSG_STOP:
        SS_INSIST(false && "a message for a shard");
    }
    ss__msg_free(msg);
}
