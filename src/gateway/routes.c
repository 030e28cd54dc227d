#include "gateway/routes.h"

#include <inttypes.h>
#include <stdio.h>

#include <sessionstream/error.h>

#include "gateway/answer.h"
#include "gateway/backup.h"
#include "gateway/debug.h"
#include "gateway/errors.h"
#include "gateway/import.h"
#include "gateway/observe.h"
#include "gateway/respond.h"
#include "gateway/session_routes.h"
#include "gateway/sessions.h"
#include "http/upgrade.h"

#define METRICS_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_PLAIN "text/plain; charset=utf-8"

static bool is_read(const struct ss_http_request *request)
{
    return request->method == SS_HTTP_GET || request->method == SS_HTTP_HEAD;
}

static void respond_text(struct ss_conn *conn, const char *content_type, struct ss_str body)
{
    struct ss_http_response response = { .status = 200, .content_type = content_type,
                                         .body = body };
    ss__respond(conn, &response);
}

/* ---- pages ---- */

static void respond_metrics(struct ss_conn *conn)
{
    struct ss_bytes *scratch = &conn->gateway->scratch;
    ss__bytes_clear(scratch);
    ss__stats_text(conn->gateway->options.stats_table, scratch);
    if (scratch->err != 0) {
        ss__respond_error(conn, scratch->err, ss_str(NULL), ss_str(NULL));
        return;
    }
    struct ss_http_response response = { .status = 200, .body = ss__bytes_view(scratch),
                                         .content_type = METRICS_TEXT };
    ss__respond_to_operator(conn, &response);
}

/* The first shard whose store failed, or their number. */
static uint32_t failed_shard(const struct ss_stats_table *table)
{
    uint32_t shard = 0;
    while (shard < table->shards_count &&
           atomic_load_explicit(&table->shards[shard].store_failed, memory_order_relaxed) == 0) {
        shard++;
    }
    return shard;
}

static void respond_ready(struct ss_conn *conn)
{
    const struct ss_gateway *gateway = conn->gateway;
    const struct ss_stats_table *table = gateway->options.stats_table;
    uint32_t shard = table == NULL ? 0 : failed_shard(table);
    if (gateway->reading_stopped) {
        ss__respond_error(conn, SS_E_STOPPING, ss_str(NULL), ss_str(NULL));
    } else if (!atomic_load_explicit(gateway->options.ready, memory_order_acquire)) {
        ss__respond_status(conn, 503, SS_E_BUSY, "not ready", NULL);
    } else if (table != NULL && shard < table->shards_count) {
        char why[160];
        (void)snprintf(why, sizeof why, "the disk of shard %" PRIu32 " failed: it acknowledges "
                       "nothing until the server is restarted; the log says more", shard);
        ss__respond_status(conn, 503, SS_E_STOREIO, why, NULL);
    } else {
        respond_text(conn, TEXT_PLAIN, ss_str("ready\n"));
    }
}

static const struct ss_asset *find_asset(const struct ss_gateway *gateway, struct ss_str path)
{
    const struct ss_asset *asset = gateway->options.registry->assets;
    while (asset != NULL && !ss_str_equal(asset->path, path)) {
        asset = asset->next;
    }
    return asset;
}

static void respond_asset(struct ss_conn *conn, const struct ss_asset *asset)
{
    struct ss_http_response response = { .status = 200, .cache_control = "no-cache",
                                         .body = asset->data };
    char content_type[128];
    size_t len = asset->content_type.len;
    if (len > 0 && len < sizeof content_type) {
        memcpy(content_type, asset->content_type.data, len);
        content_type[len] = '\0';
        response.content_type = content_type;
    }
    struct ss_http_extra policy = { "Content-Security-Policy", asset->policy };
    if (asset->policy.len > 0) {
        response.extra = &policy;
        response.extra_count = 1;
    }
    ss__respond(conn, &response);
}

/* Relative links of a folder's page need the slash at the end of its path. */
static bool lacks_slash(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_bytes *path = &conn->gateway->scratch;
    ss__bytes_clear(path);
    ss__bytes_str(path, request->path);
    ss__bytes_byte(path, '/');
    return path->err == 0 && find_asset(conn->gateway, ss__bytes_view(path)) != NULL;
}

/* To the path that lacks_slash left in the scratch bytes. */
static void respond_moved(struct ss_conn *conn)
{
    struct ss_http_extra location = { "Location", ss__bytes_view(&conn->gateway->scratch) };
    struct ss_http_response response = { .status = 308, .cache_control = "no-cache",
                                         .extra = &location, .extra_count = 1 };
    ss__respond(conn, &response);
}

/* ---- websocket ---- */

static enum ss_encoding encoding_for(enum ss_http_subprotocol subprotocol)
{
    switch (subprotocol) {
    case SS_HTTP_SUBPROTOCOL_V2_JSON:
        return SS_ENCODING_V2_JSON;
    case SS_HTTP_SUBPROTOCOL_V2_PROTOBUF:
        return SS_ENCODING_V2_PROTOBUF;
    case SS_HTTP_SUBPROTOCOL_NONE:
    case SS_HTTP_SUBPROTOCOL_V1_JSON:
        break;
    }
    return SS_ENCODING_V1_JSON;
}

static void upgrade(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_gateway *gateway = conn->gateway;
    struct ss_gateway_stats *stats = gateway->options.stats;
    struct ss_http_upgrade judged;
    int err = ss__http_upgrade(request, &judged);
    ss__bytes_clear(&gateway->text);
    ss__http_upgrade_response(&judged, &gateway->text);
    if (err != 0 || gateway->text.err != 0) {
        ss__count(&stats->handshakes_refused, 1);
        ss__count_error(stats->errors, err != 0 ? err : SS_E_NOMEM);
        if (ss__observed(gateway)) {
            ss__observe(conn, SS_TRANSPORT_UPGRADE_ERROR, ss_str(NULL),
                        err != 0 ? err : SS_E_NOMEM, ss_str(NULL));
        }
        ss__respond_last(conn, &gateway->text);
        return;
    }
    ss__count(&stats->requests, 1);
    ss__conn_send(conn, ss__buf_copy(gateway->text.data, gateway->text.len));
    ss__http_parser_deinit(&conn->in.http);
    ss__ws_init(&conn->in.ws, gateway->options.client_frame_bytes);
    conn->state = SS_CONN_WEBSOCKET;
    conn->encoding = (uint8_t)encoding_for(judged.subprotocol);
    conn->in.ping_ms = conn->in.unfinished_ms = conn->in.resync_ms = 0;
    conn->in.resync_tag = 0;
    ss__gauge_set(&stats->websockets,
                  atomic_load_explicit(&stats->websockets, memory_order_relaxed) + 1);
    ss__conn_wake_at(conn, ss__gateway_now_ms(gateway));    /* plans the first ping */
    ss__answer_hello(conn);
}

static bool wants_websocket(const struct ss_http_request *request)
{
    struct ss_str value;
    return ss__http_field_has_token(request, "Upgrade", "websocket") ||
           ss__http_field(request, "Sec-WebSocket-Key", &value) ||
           ss__http_field(request, "Sec-WebSocket-Version", &value);
}

/* ---- which ---- */

static bool is_path(const struct ss_http_request *request, const char *path)
{
    return ss_str_equal(request->path, ss_str(path));
}

static bool is_session_path(const struct ss_http_request *request, size_t count, const char *last)
{
    return request->segment_count == count && ss_str_equal(request->segments[0], ss_str("v1")) &&
           ss_str_equal(request->segments[1], ss_str("sessions")) &&
           ss_str_equal(request->segments[3], ss_str(last));
}

static bool is_whole_session_path(const struct ss_http_request *request)
{
    return request->segment_count == 3 && ss_str_equal(request->segments[0], ss_str("v1")) &&
           ss_str_equal(request->segments[1], ss_str("sessions"));
}

static bool is_debug_path(const struct ss_http_request *request)
{
    return request->segment_count == 3 && ss_str_equal(request->segments[0], ss_str("debug")) &&
           ss_str_equal(request->segments[1], ss_str("sessions"));
}

static void refuse_method(struct ss_conn *conn, const char *allow)
{
    ss__count(&conn->gateway->options.stats->handshakes_refused, 1);
    ss__respond_status(conn, 405, SS_E_INVAL, "this path does not answer this method", allow);
}

static bool is_delete(const struct ss_http_request *request)
{
    return ss_str_equal(request->method_name, ss_str("DELETE"));
}

static void delete_session(struct ss_conn *conn, const struct ss_http_request *request)
{
    if (is_delete(request)) {
        ss__session_routes_pass(conn, request, SS_REQUEST_DELETE);
    } else {
        refuse_method(conn, "DELETE");
    }
}

/* What is asked of a session by POST, without a body. */
static bool is_action(const struct ss_http_request *request, enum ss_request_kind *ret_kind)
{
    if (is_session_path(request, 4, "retry")) {
        *ret_kind = SS_REQUEST_RETRY;
        return true;
    }
    if (is_session_path(request, 4, "rebuild")) {
        *ret_kind = SS_REQUEST_REBUILD;
        return true;
    }
    if (is_session_path(request, 4, "close")) {
        *ret_kind = SS_REQUEST_CLOSE;
        return true;
    }
    return false;
}

static void route(struct ss_conn *conn, const struct ss_http_request *request)
{
    bool command = is_session_path(request, 5, "commands");
    bool snapshot = is_session_path(request, 4, "snapshot");
    bool list = is_path(request, "/v1/sessions");
    bool cursors = is_session_path(request, 4, "cursors");
    bool events = is_session_path(request, 4, "events");
    enum ss_request_kind kind = SS_REQUEST_RETRY;
    bool action = is_action(request, &kind);
    bool session_errors = is_session_path(request, 4, "errors");
    bool errors = is_path(request, "/v1/errors") || session_errors;
    bool debug = is_debug_path(request);
    bool health = is_path(request, "/healthz");
    bool ready = is_path(request, "/readyz");
    bool metrics = is_path(request, "/metrics");
    const struct ss_asset *asset = command ? NULL : find_asset(conn->gateway, request->path);
    if (is_whole_session_path(request)) {
        delete_session(conn, request);
    } else if (command) {
        if (request->method == SS_HTTP_POST) {
            ss__session_routes_command(conn, request);
        } else {
            refuse_method(conn, "POST");
        }
    } else if (is_path(request, "/v1/backup")) {
        ss__backup_route(conn, request);
    } else if (is_session_path(request, 4, "import")) {
        if (request->method == SS_HTTP_POST) {
            ss__import_post(conn, request);
        } else {
            refuse_method(conn, "POST");
        }
    } else if (action && request->method == SS_HTTP_POST && kind != SS_REQUEST_CLOSE) {
        ss__session_routes_timelines(conn, request, kind);
    } else if (action && request->method == SS_HTTP_POST) {
        ss__session_routes_pass(conn, request, kind);
    } else if (action) {
        refuse_method(conn, "POST");
    } else if (asset == NULL && !snapshot && !cursors && !events && !list && !errors && !debug &&
               !health && !ready && !metrics) {
        if (is_read(request) && lacks_slash(conn, request)) {
            respond_moved(conn);
            return;
        }
        ss__count(&conn->gateway->options.stats->handshakes_refused, 1);
        ss__respond_status(conn, 404, SS_E_NOTFOUND,
                           "nothing here; for a websocket send its handshake", NULL);
    } else if (!is_read(request)) {
        refuse_method(conn, "GET, HEAD");
    } else if (snapshot) {
        ss__session_routes_snapshot(conn, request);
    } else if (list) {
        ss__sessions_list(conn, request);
    } else if (debug) {
        ss__debug_get(conn, request);
    } else if (errors) {
        ss__errors_list(conn, request, session_errors ? request->segments[2] : ss_str(NULL));
    } else if (cursors) {
        ss__session_routes_pass(conn, request, SS_REQUEST_CURSORS);
    } else if (events) {
        ss__session_routes_events(conn, request);
    } else if (health) {
        respond_text(conn, TEXT_PLAIN, ss_str("ok\n"));
    } else if (ready) {
        respond_ready(conn);
    } else if (metrics) {
        respond_metrics(conn);
    } else {
        respond_asset(conn, asset);
    }
}

void ss__routes_request(struct ss_conn *conn, const struct ss_http_request *request)
{
    conn->keep_alive = request->keep_alive;
    conn->head_only = request->method == SS_HTTP_HEAD;
    if (wants_websocket(request)) {
        upgrade(conn, request);
    } else {
        route(conn, request);
    }
}

void ss__routes_malformed(struct ss_conn *conn, int err)
{
    unsigned status = conn->in.http.status == 0 ? 400 : conn->in.http.status;
    ss__count(&conn->gateway->options.stats->handshakes_refused, 1);
    conn->keep_alive = false;
    conn->head_only = false;
    ss__respond_status(conn, status, err, conn->in.http.error, NULL);
}
