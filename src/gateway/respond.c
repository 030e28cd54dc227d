#include "gateway/respond.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/map.h"

static void give_back(struct ss_bytes *bytes)
{
    if (bytes->cap > SS_ANSWER_KEPT_BYTES) {
        ss__bytes_deinit(bytes);
    }
}

/* The answer in gateway->text is complete. */
static void end_request(struct ss_conn *conn, struct ss_buf *snapshot, uint32_t key)
{
    struct ss_gateway *gateway = conn->gateway;
    ss__count(&gateway->options.stats->requests, 1);
    if (gateway->text.err != 0) {
        if (snapshot != NULL) {
            ss__snapshot_budget_release(&gateway->snapshots, snapshot);
        }
        ss__conn_fail(conn);
        return;
    }
    ss__conn_send(conn, ss__buf_copy(gateway->text.data, gateway->text.len));
    give_back(&gateway->text);
    give_back(&gateway->scratch);
    if (snapshot != NULL) {
        ss__conn_send_snapshot(conn, ss__buf_ref(snapshot), key);
    }
    conn->in.number = 0;
    conn->deadline_ms = 0;
    if (!conn->keep_alive) {
        ss__conn_finish(conn, SS_RESPOND_PATIENCE_MS);
        return;
    }
    conn->heard_ms = ss__gateway_now_ms(gateway);    /* from now on it is idle */
    ss__conn_unpause(conn, SS_PAUSE_ANSWER);
}

static bool keeps_alive(struct ss_conn *conn)
{
    if (conn->gateway->reading_stopped) {
        conn->keep_alive = false;
    }
    return conn->keep_alive;
}

/* Those that are smaller may not be refused: a refusal is as large. */
#define SMALL_BODY_BYTES 1024

static void respond(struct ss_conn *conn, const struct ss_http_response *response, bool has_room)
{
    struct ss_http_response filled = *response;
    if (!has_room) {
        ss__respond_error(conn, SS_E_BUSY, ss_str("too many answers wait to be read by their "
                                                  "clients, retry after a pause"), ss_str(NULL));
        return;
    }
    filled.keep_alive = keeps_alive(conn);
    filled.head_only = conn->head_only;
    ss__bytes_clear(&conn->gateway->text);
    ss__http_response_write(&conn->gateway->text, &filled);
    end_request(conn, NULL, 0);
}

static bool has_room(const struct ss_conn *conn, size_t len)
{
    return conn->head_only || len <= SMALL_BODY_BYTES || ss__conn_has_room(conn, len);
}

void ss__respond(struct ss_conn *conn, const struct ss_http_response *response)
{
    respond(conn, response, has_room(conn, response->body.len));
}

void ss__respond_to_operator(struct ss_conn *conn, const struct ss_http_response *response)
{
    size_t len = response->body.len;
    respond(conn, response, has_room(conn, len) || ss__conn_has_reserve(conn, len));
}

static void respond_problem(struct ss_conn *conn, struct ss_http_problem *problem)
{
    problem->keep_alive = keeps_alive(conn);
    problem->head_only = conn->head_only;
    ss__bytes_clear(&conn->gateway->text);
    ss__http_problem_write(&conn->gateway->text, problem);
    end_request(conn, NULL, 0);
}

void ss__respond_error(struct ss_conn *conn, int err, struct ss_str detail,
                       struct ss_str session_id)
{
    ss__respond_error_with(conn, err, detail, session_id, NULL);
}

void ss__respond_error_with(struct ss_conn *conn, int err, struct ss_str detail,
                            struct ss_str session_id, const struct ss_http_extra *extra)
{
    ss__count_error(conn->gateway->options.stats->errors, err);
    struct ss_http_problem problem = {
        .status = ss__http_status_of(err),
        .code = ss_error_wire_name(err),
        .detail = detail.len > 0 ? detail : ss_str(ss_error_text(err)),
        .session_id = session_id,
        .extra = extra,
        .extra_count = extra != NULL,
    };
    respond_problem(conn, &problem);
}

void ss__respond_gone(struct ss_conn *conn, uint64_t first, struct ss_str detail,
                      struct ss_str session_id)
{
    ss__count_error(conn->gateway->options.stats->errors, SS_E_GONE);
    struct ss_http_problem problem = {
        .status = ss__http_status_of(SS_E_GONE),
        .code = ss_error_wire_name(SS_E_GONE),
        .detail = detail,
        .session_id = session_id,
        .first_retained = first,
    };
    respond_problem(conn, &problem);
}

void ss__respond_snapshot(struct ss_conn *conn, struct ss_buf *snapshot,
                          struct ss_str session_id)
{
    int err = conn->head_only ? 0 : ss__conn_hold_snapshot(conn, snapshot);
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(err == SS_E_BUSY ? SS_SNAPSHOTS_BUSY_TEXT : NULL),
                          session_id);
        return;
    }
    struct ss_http_response response = {
        .status = 200,
        .content_type = "application/json",
        .keep_alive = keeps_alive(conn),
        .head_only = true,    /* the body follows as it is */
        .body = ss_str_of(snapshot->data, snapshot->len),
    };
    ss__bytes_clear(&conn->gateway->text);
    ss__http_response_write(&conn->gateway->text, &response);
    end_request(conn, conn->head_only ? NULL : snapshot, (uint32_t)ss__map_hash(session_id));
}

void ss__respond_status(struct ss_conn *conn, unsigned status, int err, const char *detail,
                        const char *allow)
{
    ss__count_error(conn->gateway->options.stats->errors, err);
    struct ss_http_extra extra = { "Allow", ss_str(allow) };
    struct ss_http_problem problem = {
        .status = status,
        .code = ss_error_wire_name(err),
        .detail = ss_str(detail),
        .extra = &extra,
        .extra_count = allow != NULL,
    };
    respond_problem(conn, &problem);
}

void ss__respond_last(struct ss_conn *conn, const struct ss_bytes *response)
{
    ss__count(&conn->gateway->options.stats->requests, 1);
    if (response->err != 0) {
        ss__conn_fail(conn);
        return;
    }
    ss__conn_send(conn, ss__buf_copy(response->data, response->len));
    ss__conn_finish(conn, SS_RESPOND_PATIENCE_MS);
}
