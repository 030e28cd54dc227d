#include "gateway/requests.h"

#include <string.h>

#include <sessionstream/error.h>

#include "core/utf8.h"

/* Connections looked at in one turn. */
#define RELIEVED_MAX 256

int ss__requests_post(struct ss_conn *conn, struct ss_request *request, uint64_t *ret_number)
{
    uint32_t shard = ss__router_shard(conn->gateway->options.router, request->session_id);
    return ss__requests_post_to(conn, shard, request, ret_number);
}

int ss__requests_post_to(struct ss_conn *conn, uint32_t shard, struct ss_request *request,
                         uint64_t *ret_number)
{
    struct ss_gateway *gateway = conn->gateway;
    const struct ss_router *router = gateway->options.router;
    uint64_t number = ++gateway->requests;
    size_t bytes = request->memory_bytes;
    request->number = number;
    request->connection = (struct ss_connection_id){
        .gateway = (uint16_t)gateway->options.index,
        .slot = conn->slot,
        .generation = conn->generation,
    };
    int err = ss__inbox_post(router->shards[shard], &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
        return err;
    }
    conn->requests++;
    conn->request_bytes += (uint32_t)bytes;
    if (conn->requests >= SS_CONNECTION_REQUESTS_MAX ||
        conn->request_bytes >= SS_CONNECTION_REQUEST_BYTES_MAX) {
        ss__conn_pause(conn, SS_PAUSE_REQUESTS);
    }
    if (ss__inbox_pressed(router->shards[shard])) {
        conn->pressed_shard = (uint16_t)shard;
        ss__conn_pause(conn, SS_PAUSE_PRESSED);
    }
    *ret_number = number;
    return 0;
}

void ss__requests_answered(struct ss_conn *conn, struct ss_request *request)
{
    if (!ss__conn_is_open(conn) || request->counted) {
        return;
    }
    request->counted = true;
    conn->requests--;
    conn->request_bytes -= (uint32_t)request->memory_bytes;
    if (conn->requests < SS_CONNECTION_REQUESTS_MAX &&
        conn->request_bytes < SS_CONNECTION_REQUEST_BYTES_MAX) {
        ss__conn_unpause(conn, SS_PAUSE_REQUESTS);
    }
}

int ss__requests_check_session(struct ss_str session_id, struct ss_failure *failure)
{
    if (session_id.len == 0) {
        return ss__fail(failure, SS_E_SESSION_ID, "missing session id");
    }
    if (session_id.len > SS_SESSION_ID_BYTES_MAX) {
        return ss__fail(failure, SS_E_SESSION_ID,
                        "session id has %zu bytes, at most %d are allowed", session_id.len,
                        SS_SESSION_ID_BYTES_MAX);
    }
    if (!ss__utf8_valid(session_id.data, session_id.len)) {
        return ss__fail(failure, SS_E_SESSION_ID, "session id is not valid UTF-8");
    }
    if (memchr(session_id.data, '\0', session_id.len) != NULL) {
        return ss__fail(failure, SS_E_SESSION_ID, "session id holds a NUL byte");
    }
    return 0;
}

int ss__requests_check_key(struct ss_str key, struct ss_failure *failure)
{
    return ss__request_key_valid(key)
               ? 0
               : ss__fail(failure, SS_E_INVAL, "an idempotency key is 1 to %d bytes of UTF-8 "
                          "without NUL, this one has %zu bytes", SS_IDEMPOTENCY_KEY_BYTES_MAX,
                          key.len);
}

bool ss__requests_relieve(struct ss_gateway *gateway)
{
    for (unsigned i = 0; i < RELIEVED_MAX && !ss__list_empty(&gateway->pressed); i++) {
        struct ss_conn *conn = ss__conn_of_waiting(gateway->pressed.next);
        if (ss__inbox_pressed(gateway->options.router->shards[conn->pressed_shard])) {
            ss__list_remove(&conn->waiting);
            ss__list_push_back(&gateway->pressed, &conn->waiting);
        } else {
            ss__conn_unpause(conn, SS_PAUSE_PRESSED);
        }
    }
    return !ss__list_empty(&gateway->pressed);
}
