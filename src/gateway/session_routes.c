#include "gateway/session_routes.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "gateway/debug.h"
#include "gateway/ingress.h"
#include "gateway/requests.h"
#include "gateway/respond.h"
#include "schema/json.h"

/* Every number of so many digits is one of 64 bits. */
#define ORDINAL_DIGITS_MAX 19

#define APPLICATION_JSON "application/json"

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

void ss__session_routes_command(struct ss_conn *conn, const struct ss_http_request *request)
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
                       uint64_t *ret_number, struct ss_failure *failure)
{
    int err = ss__http_query_number(request->query, name, ORDINAL_DIGITS_MAX, ret_number);
    if (err == SS_E_NOTFOUND) {
        *ret_number = 0;
        return 0;
    }
    return err == 0 ? 0
                    : ss__fail(failure, err, "%s must be a number of at most %d digits", name,
                               ORDINAL_DIGITS_MAX);
}

void ss__session_routes_snapshot(struct ss_conn *conn, const struct ss_http_request *request)
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

struct page {
    uint64_t after;
    uint64_t limit;
    uint64_t raw;
};

static int read_page(const struct ss_http_request *request, struct page *ret_page,
                     struct ss_failure *failure)
{
    uint64_t limit = 0;
    int err = ss__requests_check_session(request->segments[2], failure);
    err = err != 0 ? err : read_number(request, "after", &ret_page->after, failure);
    err = err != 0 ? err : read_number(request, "limit", &limit, failure);
    err = err != 0 ? err : read_number(request, "raw", &ret_page->raw, failure);
    if (err == 0 && limit > SS_EVENT_PAGE_MAX) {
        err = ss__fail(failure, SS_E_INVAL, "limit is at most %d", SS_EVENT_PAGE_MAX);
    }
    ret_page->limit = limit == 0 ? SS_EVENT_PAGE_MAX : limit;
    return err;
}

void ss__session_routes_events(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    struct page page = { 0 };
    int err = read_page(request, &page, &failure);
    if (err != 0) {
        respond_failure(conn, err, &failure, request->segments[2]);
        return;
    }
    struct ss_request *passed = ss__request_new(SS_REQUEST_EVENTS, request->segments[2],
                                                ss_str(NULL), ss_str(NULL));
    if (passed != NULL) {
        passed->at = page.after;
        passed->limit = (uint32_t)page.limit;
        passed->raw = page.raw != 0;
    }
    pass_on(conn, passed, request->segments[2]);
}

void ss__session_routes_pass(struct ss_conn *conn, const struct ss_http_request *request,
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

void ss__session_routes_timelines(struct ss_conn *conn, const struct ss_http_request *request,
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

static void write_failed(struct ss_bytes *out, const uint64_t *failed, uint32_t count)
{
    ss__bytes_text(out, ",\"failed\":[");
    for (uint32_t i = 0; i < count; i++) {
        ss__json_long(out, i == 0 ? "" : ",", failed[i]);
    }
    ss__bytes_byte(out, ']');
}

static void write_cursor(struct ss_bytes *out, const struct ss_projection_cursor *cursor)
{
    ss__bytes_text(out, "{\"name\":");
    ss__json_string(out, ss_str(cursor->projection));
    ss__bytes_text(out, ",\"version\":");
    ss__bytes_u64(out, cursor->version);
    ss__json_long(out, ",\"timeline\":", cursor->timeline);
    ss__json_long(out, ",\"haltedAt\":", cursor->halted_at);
    ss__json_long(out, ",\"failedTotal\":", cursor->failed_total);
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
    ss__json_long(out, ",\"ordinal\":", cursors->ordinal);
    ss__json_long(out, ",\"timeline\":", cursors->timeline);
    ss__json_long(out, ",\"haltedAt\":", cursors->halted_at);
    ss__json_long(out, ",\"failedTotal\":", cursors->failed_total);
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
    struct ss_http_response response = { .status = 200, .content_type = APPLICATION_JSON,
                                         .body = ss__bytes_view(out) };
    ss__respond(conn, &response);
}

static const struct ss_http_extra replayed_field = { "Idempotency-Replayed", { "true", 4 } };

void ss__session_routes_answer(struct ss_conn *conn, struct ss_request *request)
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
