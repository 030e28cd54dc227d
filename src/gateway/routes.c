#include "gateway/routes.h"

#include <inttypes.h>
#include <stdio.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "gateway/answer.h"
#include "gateway/backup.h"
#include "gateway/debug.h"
#include "gateway/errors.h"
#include "gateway/import.h"
#include "gateway/ingress.h"
#include "gateway/observe.h"
#include "gateway/requests.h"
#include "gateway/respond.h"
#include "gateway/sessions.h"
#include "http/upgrade.h"
#include "schema/json.h"

/* Every number of so many digits is one of 64 bits. */
#define ORDINAL_DIGITS_MAX 19

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define APPLICATION_JSON "application/json"

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
    respond_text(conn, "text/plain; version=0.0.4; charset=utf-8", ss__bytes_view(scratch));
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

/* ---- sessions ---- */

static void respond_failure(struct ss_conn *conn, int err, const struct ss_failure *failure,
                            struct ss_str session_id)
{
    bool echoed = session_id.len <= SS_SESSION_ID_BYTES_MAX &&
                  ss__utf8_valid(session_id.data, session_id.len);
    ss__respond_error(conn, err, ss_str(failure->text), echoed ? session_id : ss_str(NULL));
}

/* Takes the request; NULL: there was no memory for it. */
static void pass_on(struct ss_conn *conn, struct ss_request *request, struct ss_str session_id)
{
    struct ss_failure failure = { .text = "" };
    int err = request == NULL ? SS_E_NOMEM : ss__requests_post(conn, request, &conn->in.number);
    if (err != 0) {
        respond_failure(conn, err, &failure, session_id);
        return;
    }
    ss__conn_pause(conn, SS_PAUSE_ANSWER);
}

/* The value of Idempotency-Key as it is; empty: there is none. */
static int read_key(const struct ss_http_request *request, struct ss_str *ret_key,
                    struct ss_failure *failure)
{
    size_t at = 0;
    struct ss_str key = { NULL, 0 };
    struct ss_str second;
    if (!ss__http_field_next(request, "Idempotency-Key", &at, &key)) {
        *ret_key = key;
        return 0;
    }
    if (ss__http_field_next(request, "Idempotency-Key", &at, &second)) {
        return ss__fail(failure, SS_E_INVAL, "Idempotency-Key is there more than once");
    }
    *ret_key = key;
    return ss__requests_check_key(key, failure);
}

static int read_command(struct ss_conn *conn, const struct ss_http_request *request,
                        const struct ss_name **ret_command, struct ss_str *ret_key,
                        struct ss_failure *failure)
{
    struct ss_gateway *gateway = conn->gateway;
    const struct ss_name *command = NULL;
    int err = ss__requests_check_session(request->segments[2], failure);
    err = err != 0 ? err : read_key(request, ret_key, failure);
    if (err == 0) {
        err = ss__ingress_find_command(gateway, request->segments[4], &command, failure);
    }
    if (err != 0) {
        return err;
    }
    ss__bytes_clear(&gateway->scratch);
    if (request->body.len > 0) {
        err = ss__json_decode(gateway->options.transport->schema, command->type, request->body,
                              &gateway->scratch, failure);
    }
    if (err == 0) {
        err = ss__ingress_check_payload(command, ss__bytes_view(&gateway->scratch), failure);
    }
    if (err == 0) {
        *ret_command = command;
    }
    return err;
}

static void post_command(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    const struct ss_name *command = NULL;
    struct ss_str key = { NULL, 0 };
    int err = read_command(conn, request, &command, &key, &failure);
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    struct ss_request *passed =
        ss__request_new_keyed(SS_REQUEST_SUBMIT, request->segments[2], ss_str(NULL),
                              ss__bytes_view(&conn->gateway->scratch), key);
    if (passed != NULL) {
        passed->name = command;
    }
    pass_on(conn, passed, request->segments[2]);
}

/* A query parameter that is a number; 0 if it is not there. */
static int read_number(const struct ss_http_request *request, const char *name,
                       uint64_t *ret_ordinal, struct ss_failure *failure)
{
    uint8_t digits[ORDINAL_DIGITS_MAX];
    struct ss_str text = { NULL, 0 };
    uint64_t ordinal = 0;
    int err = ss__http_query_value(request->query, name, digits, sizeof digits, &text);
    if (err == SS_E_NOTFOUND) {
        *ret_ordinal = 0;
        return 0;
    }
    for (size_t i = 0; err == 0 && i < text.len; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            err = SS_E_INVAL;
        } else {
            ordinal = ordinal * 10 + (uint64_t)(digits[i] - '0');
        }
    }
    if (err != 0 || text.len == 0) {
        return ss__fail(failure, SS_E_INVAL, "%s must be a number of at most %d digits", name,
                        ORDINAL_DIGITS_MAX);
    }
    *ret_ordinal = ordinal;
    return 0;
}

static bool is_delete(const struct ss_http_request *request)
{
    return ss_str_equal(request->method_name, ss_str("DELETE"));
}

static void get_snapshot(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    uint64_t at = 0;
    int err = ss__requests_check_session(request->segments[2], &failure);
    err = err != 0 ? err : read_number(request, "at", &at, &failure);
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    struct ss_request *passed = ss__request_new(SS_REQUEST_SNAPSHOT, request->segments[2],
                                                ss_str(NULL), ss_str(NULL));
    if (passed != NULL) {
        passed->at = at;
    }
    pass_on(conn, passed, request->segments[2]);
}

static int read_page(const struct ss_http_request *request, uint64_t *ret_after,
                     uint64_t *ret_limit, struct ss_failure *failure)
{
    uint64_t limit = 0;
    int err = ss__requests_check_session(request->segments[2], failure);
    err = err != 0 ? err : read_number(request, "after", ret_after, failure);
    err = err != 0 ? err : read_number(request, "limit", &limit, failure);
    if (err == 0 && limit > SS_EVENT_PAGE_MAX) {
        err = ss__fail(failure, SS_E_INVAL, "limit is at most %d", SS_EVENT_PAGE_MAX);
    }
    *ret_limit = limit == 0 ? SS_EVENT_PAGE_MAX : limit;
    return err;
}

static void get_events(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    uint64_t after = 0;
    uint64_t limit = 0;
    int err = read_page(request, &after, &limit, &failure);
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    struct ss_request *passed = ss__request_new(SS_REQUEST_EVENTS, request->segments[2],
                                                ss_str(NULL), ss_str(NULL));
    if (passed != NULL) {
        passed->at = after;
        passed->limit = (uint32_t)limit;
    }
    pass_on(conn, passed, request->segments[2]);
}

static void pass_session(struct ss_conn *conn, const struct ss_http_request *request,
                        enum ss_request_kind kind)
{
    struct ss_failure failure = { .text = "" };
    int err = ss__requests_check_session(request->segments[2], &failure);
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    pass_on(conn, ss__request_new(kind, request->segments[2], ss_str(NULL), ss_str(NULL)),
            request->segments[2]);
}

/* The bit of the timeline projection that the query names; 0: it names none. */
static int read_projection(const struct ss_conn *conn, struct ss_str query,
                           uint32_t *ret_timelines, struct ss_failure *failure)
{
    uint8_t buffer[SS_NAME_BYTES_MAX];
    struct ss_str name = { NULL, 0 };
    int err = ss__http_query_value(query, "projection", buffer, sizeof buffer, &name);
    *ret_timelines = 0;
    if (err == SS_E_NOTFOUND) {
        return 0;
    }
    int index = err != 0 ? -1 : ss__registry_timeline(conn->gateway->options.registry, name);
    if (index < 0) {
        return ss__fail(failure, SS_E_NOTFOUND, "there is no timeline projection of this name");
    }
    *ret_timelines = 1u << index;
    return 0;
}

/* Of timelines: all, or the one that the query names. */
static void post_timelines(struct ss_conn *conn, const struct ss_http_request *request,
                           enum ss_request_kind kind)
{
    struct ss_failure failure = { .text = "" };
    uint32_t timelines = 0;
    uint64_t from = 0;
    int err = ss__requests_check_session(request->segments[2], &failure);
    err = err != 0 ? err : read_projection(conn, request->query, &timelines, &failure);
    if (kind == SS_REQUEST_REBUILD) {
        err = err != 0 ? err : read_number(request, "from", &from, &failure);
    }
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    struct ss_request *passed =
        ss__request_new(kind, request->segments[2], ss_str(NULL), ss_str(NULL));
    if (passed != NULL) {
        passed->timelines = timelines;
        passed->at = from;
    }
    pass_on(conn, passed, request->segments[2]);
}

static void write_number(struct ss_bytes *out, const char *member, uint64_t number)
{
    ss__bytes_text(out, member);
    ss__bytes_byte(out, '"');
    ss__bytes_u64(out, number);
    ss__bytes_byte(out, '"');
}

static void write_failed(struct ss_bytes *out, const uint64_t *failed, uint32_t count)
{
    ss__bytes_text(out, ",\"failed\":[");
    for (uint32_t i = 0; i < count; i++) {
        write_number(out, i == 0 ? "" : ",", failed[i]);
    }
    ss__bytes_byte(out, ']');
}

static void write_cursor(struct ss_bytes *out, const struct ss_projection_cursor *cursor)
{
    ss__bytes_text(out, "{\"name\":");
    ss__json_string(out, ss_str(cursor->projection));
    ss__bytes_text(out, ",\"version\":");
    ss__bytes_u64(out, cursor->version);
    write_number(out, ",\"timeline\":", cursor->timeline);
    write_number(out, ",\"haltedAt\":", cursor->halted_at);
    write_number(out, ",\"failedTotal\":", cursor->failed_total);
    write_failed(out, cursor->failed, cursor->failed_count);
    ss__bytes_byte(out, '}');
}

static void respond_cursors(struct ss_conn *conn, const struct ss_request *request)
{
    struct ss_bytes *out = &conn->gateway->scratch;
    const struct ss_cursors *cursors = request->cursors;
    ss__bytes_clear(out);
    ss__bytes_text(out, "{\"sessionId\":");
    ss__json_string(out, request->session_id);
    write_number(out, ",\"ordinal\":", cursors->ordinal);
    write_number(out, ",\"timeline\":", cursors->timeline);
    write_number(out, ",\"haltedAt\":", cursors->halted_at);
    write_number(out, ",\"failedTotal\":", cursors->failed_total);
    write_failed(out, cursors->failed, cursors->failed_count);
    ss__bytes_text(out, ",\"projections\":[");
    for (uint32_t i = 0; i < cursors->projections_count; i++) {
        ss__bytes_text(out, i == 0 ? "" : ",");
        write_cursor(out, &cursors->projections[i]);
    }
    ss__bytes_text(out, "]}");
    if (out->err != 0) {
        ss__respond_error(conn, out->err, ss_str(NULL), request->session_id);
        return;
    }
    respond_text(conn, APPLICATION_JSON, ss__bytes_view(out));
}

static const struct ss_http_extra replayed_field = { "Idempotency-Replayed", { "true", 4 } };

void ss__routes_answer(struct ss_conn *conn, struct ss_request *request)
{
    struct ss_bytes *scratch = &conn->gateway->scratch;
    if (request->err != 0) {
        struct ss_str text = { NULL, 0 };
        if (request->text != NULL && request->text->len > 0) {
            text = ss_str_of(request->text->data, request->text->len - 1);
        }
        if (request->err == SS_E_GONE) {
            ss__respond_gone(conn, request->ordinal, text, request->session_id);
            return;
        }
        ss__respond_error_with(conn, request->err, text, request->session_id,
                               request->replayed ? &replayed_field : NULL);
        return;
    }
    if (request->request == SS_REQUEST_SNAPSHOT || request->request == SS_REQUEST_EVENTS) {
        if (request->snapshot == NULL) {
            ss__respond_error(conn, SS_E_INTERNAL, ss_str(NULL), request->session_id);
        } else {
            ss__respond_snapshot(conn, request->snapshot, request->session_id);
        }
        return;
    }
    if (request->debug != NULL) {
        ss__debug_answered(conn, request);
        return;
    }
    if (request->cursors != NULL) {
        respond_cursors(conn, request);
        return;
    }
    ss__bytes_clear(scratch);
    ss__bytes_text(scratch, "{\"sessionId\":");
    ss__json_string(scratch, request->session_id);
    ss__bytes_text(scratch, ",\"ordinal\":\"");
    ss__bytes_u64(scratch, request->ordinal);
    ss__bytes_text(scratch, "\"}");
    if (scratch->err != 0) {
        ss__respond_error(conn, scratch->err, ss_str(NULL), request->session_id);
        return;
    }
    struct ss_http_response response = { .status = 200, .content_type = APPLICATION_JSON,
                                         .extra = &replayed_field,
                                         .extra_count = request->replayed,
                                         .body = ss__bytes_view(scratch) };
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

static void delete_session(struct ss_conn *conn, const struct ss_http_request *request)
{
    if (is_delete(request)) {
        pass_session(conn, request, SS_REQUEST_DELETE);
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
            post_command(conn, request);
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
        post_timelines(conn, request, kind);
    } else if (action && request->method == SS_HTTP_POST) {
        pass_session(conn, request, kind);
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
        get_snapshot(conn, request);
    } else if (list) {
        ss__sessions_list(conn, request);
    } else if (debug) {
        ss__debug_get(conn, request);
    } else if (errors) {
        ss__errors_list(conn, request, session_errors ? request->segments[2] : ss_str(NULL));
    } else if (cursors) {
        pass_session(conn, request, SS_REQUEST_CURSORS);
    } else if (events) {
        get_events(conn, request);
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
