#include "gateway/sessions.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "gateway/requests.h"
#include "gateway/respond.h"
#include "message/listing.h"
#include "schema/json.h"
#include "schema/json_time.h"

#define LIMIT_DIGITS_MAX 4

static int read_id(const struct ss_http_request *request, const char *name, uint8_t *out,
                   struct ss_str *ret_id, struct ss_failure *failure)
{
    int err = ss__http_query_value(request->query, name, out, SS_SESSION_ID_BYTES_MAX, ret_id);
    if (err == SS_E_NOTFOUND) {
        *ret_id = ss_str_of(out, 0);
        return 0;
    }
    if (err == SS_E_TOOBIG) {
        return ss__fail(failure, SS_E_INVAL, "%s is over %d bytes", name,
                        SS_SESSION_ID_BYTES_MAX);
    }
    if (err != 0) {
        return ss__fail(failure, SS_E_INVAL, "%s is not percent-encoded well", name);
    }
    return 0;
}

static int read_limit(const struct ss_http_request *request, uint32_t *ret_limit,
                      struct ss_failure *failure)
{
    uint64_t limit = 0;
    int err = ss__http_query_number(request->query, "limit", LIMIT_DIGITS_MAX, &limit);
    if (err == SS_E_NOTFOUND) {
        *ret_limit = 0;
        return 0;
    }
    if (err != 0 || limit == 0 || limit > SS_LIST_MAX) {
        return ss__fail(failure, SS_E_INVAL, "limit must be a number from 1 to %d", SS_LIST_MAX);
    }
    *ret_limit = (uint32_t)limit;
    return 0;
}

/* What could not be sent is answered here: those on the way find nobody who waits. */
static int ask_shards(struct ss_conn *conn, struct ss_listing *listing)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        struct ss_request *request =
            ss__request_new(SS_REQUEST_LIST, ss_str(NULL), ss_str(NULL), ss_str(NULL));
        if (request == NULL) {
            return SS_E_NOMEM;
        }
        request->listing = ss__listing_ref(listing);
        int err = ss__requests_post_to(conn, i, request, &number);
        if (err != 0) {
            return err;
        }
    }
    /* This thread alone looks at it, and answers come only after we return. */
    listing->number = conn->in.number = number;
    return 0;
}

void ss__sessions_list(struct ss_conn *conn, const struct ss_http_request *request)
{
    uint8_t prefix[SS_SESSION_ID_BYTES_MAX];
    uint8_t after[SS_SESSION_ID_BYTES_MAX];
    struct ss_session_query query;
    struct ss_failure failure = { .text = "" };
    struct ss_listing *listing = NULL;
    int err = read_id(request, "prefix", prefix, &query.prefix, &failure);
    err = err != 0 ? err : read_id(request, "after", after, &query.after, &failure);
    err = err != 0 ? err : read_limit(request, &query.limit, &failure);
    err = err != 0 ? err
                   : ss__listing_new(&query, conn->gateway->options.router->shard_count,
                                     &listing);
    err = err != 0 ? err : ask_shards(conn, listing);
    ss__listing_unref(listing);
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(failure.text), ss_str(NULL));
        return;
    }
    ss__conn_pause(conn, SS_PAUSE_ANSWER);
}

static void write_time(struct ss_bytes *out, const char *name, uint64_t time_us)
{
    ss__bytes_text(out, name);
    if (!ss__json_write_timestamp(out, (int64_t)(time_us / 1000000),
                                  (int32_t)(time_us % 1000000) * 1000)) {
        ss__bytes_text(out, "null");    /* no clock has said this */
    }
}

static void write_session(struct ss_bytes *out, const struct ss_session_info *session)
{
    ss__bytes_text(out, "{\"id\":");
    ss__json_string(out, session->id);
    ss__bytes_text(out, ",\"ordinal\":\"");
    ss__bytes_u64(out, session->ordinal);
    ss__bytes_text(out, "\",\"firstRetained\":\"");
    ss__bytes_u64(out, session->first_retained);
    ss__bytes_byte(out, '"');
    write_time(out, ",\"created\":", session->created_us);
    write_time(out, ",\"updated\":", session->updated_us);
    ss__bytes_text(out, session->running ? ",\"running\":true}" : ",\"running\":false}");
}

static void write_list(struct ss_bytes *out, const struct ss_session_list *list)
{
    ss__bytes_text(out, "{\"sessions\":[");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            ss__bytes_byte(out, ',');
        }
        write_session(out, &list->sessions[i]);
    }
    ss__bytes_byte(out, ']');
    if (list->more) {
        ss__bytes_text(out, ",\"next\":");
        ss__json_string(out, list->sessions[list->count - 1].id);
    }
    ss__bytes_byte(out, '}');
}

void ss__sessions_listed(struct ss_conn *conn, const struct ss_request *request)
{
    struct ss_listing *listing = request->listing;
    bool complete = ss__listing_answered(listing);
    if (!complete || conn == NULL || conn->state != SS_CONN_HTTP ||
        conn->in.number != listing->number) {
        return;
    }
    struct ss_session_list list = ss__listing_merge(listing);
    struct ss_bytes *scratch = &conn->gateway->scratch;
    ss__bytes_clear(scratch);
    if (list.err == 0) {
        write_list(scratch, &list);
        list.err = scratch->err;
    }
    if (list.err != 0) {
        ss__respond_error(conn, list.err, ss_str(NULL), ss_str(NULL));
        return;
    }
    struct ss_http_response response = { .status = 200, .content_type = "application/json",
                                         .body = ss__bytes_view(scratch) };
    ss__respond(conn, &response);
}
