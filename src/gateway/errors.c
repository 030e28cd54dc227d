#include "gateway/errors.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "gateway/requests.h"
#include "gateway/respond.h"
#include "message/error_listing.h"
#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/json_time.h"

#define KIND_BYTES_MAX 32
#define LIMIT_DIGITS_MAX 5

#define TOO_MANY_TEXT                                                                             \
    "the records are larger than an answer may be: ask for the newest (limit=100), or for those " \
    "of one session"

static int read_session(const struct ss_http_request *request, uint8_t *out,
                        struct ss_error_query *query, struct ss_failure *failure)
{
    if (query->session_id.len == 0) {
        int err = ss__http_query_value(request->query, "session", out, SS_SESSION_ID_BYTES_MAX,
                                       &query->session_id);
        if (err == SS_E_NOTFOUND || (err == 0 && query->session_id.len == 0)) {
            query->session_id = ss_str_of(out, 0);
            return 0;
        }
        if (err != 0) {
            return ss__fail(failure, SS_E_INVAL, "session is no percent-encoded session id of at "
                            "most %d bytes", SS_SESSION_ID_BYTES_MAX);
        }
    }
    return ss__requests_check_session(query->session_id, failure);
}

static int read_kind(const struct ss_http_request *request, struct ss_error_query *query,
                     struct ss_failure *failure)
{
    uint8_t word[KIND_BYTES_MAX];
    struct ss_str text;
    int err = ss__http_query_value(request->query, "kind", word, sizeof word, &text);
    if (err == SS_E_NOTFOUND) {
        return 0;
    }
    int kind = err != 0 ? err : ss_error_kind_of(text);
    if (kind < 0) {
        return ss__fail(failure, SS_E_INVAL, "kind must be one of decode, ordinal, ui-projection, "
                        "timeline-projection, fanout, store");
    }
    query->kinds = 1u << kind;
    return 0;
}

static int read_limit(const struct ss_http_request *request, struct ss_error_query *query,
                      struct ss_failure *failure)
{
    uint64_t limit = 0;
    int err = ss__http_query_number(request->query, "limit", LIMIT_DIGITS_MAX, &limit);
    if (err != 0 && err != SS_E_NOTFOUND) {
        return ss__fail(failure, err, "limit must be a number from 0 (all) to 99999");
    }
    query->limit = (uint32_t)limit;
    return 0;
}

/* What could not be sent is answered here: those on the way find nobody who waits. */
static int ask_shards(struct ss_conn *conn, struct ss_error_listing *listing)
{
    const struct ss_router *router = conn->gateway->options.router;
    struct ss_str id = listing->query.session_id;
    uint64_t number = 0;
    for (uint32_t i = 0; i < listing->parts_count; i++) {
        struct ss_request *request =
            ss__request_new(SS_REQUEST_ERRORS, ss_str(NULL), ss_str(NULL), ss_str(NULL));
        if (request == NULL) {
            return SS_E_NOMEM;
        }
        request->errors = ss__error_listing_ref(listing);
        uint32_t shard = id.len > 0 ? ss__router_shard(router, id) : i;
        int err = ss__requests_post_to(conn, shard, request, &number);
        if (err != 0) {
            return err;
        }
    }
    /* This thread alone looks at it, and answers come only after we return. */
    listing->number = conn->in.number = number;
    return 0;
}

void ss__errors_list(struct ss_conn *conn, const struct ss_http_request *request,
                     struct ss_str session_id)
{
    uint8_t id[SS_SESSION_ID_BYTES_MAX];
    struct ss_error_query query = { .session_id = session_id };
    struct ss_failure failure = { .text = "" };
    struct ss_error_listing *listing = NULL;
    int err = read_session(request, id, &query, &failure);
    err = err != 0 ? err : read_kind(request, &query, &failure);
    err = err != 0 ? err : read_limit(request, &query, &failure);
    err = err != 0 ? err
                   : ss__error_listing_new(&query, conn->gateway->options.router->shard_count,
                                           &listing);
    err = err != 0 ? err : ask_shards(conn, listing);
    ss__error_listing_unref(listing);
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(failure.text), ss_str(NULL));
        return;
    }
    ss__conn_pause(conn, SS_PAUSE_ANSWER);
}

/* ---- the answer ---- */

static void write_text(struct ss_bytes *out, const char *name, struct ss_str text)
{
    if (text.len > 0) {
        ss__bytes_text(out, name);
        ss__json_string(out, text);
    }
}

static void write_metadata(struct ss_bytes *out, const struct ss_error_record *record)
{
    for (uint32_t i = 0; i < record->metadata_count; i++) {
        ss__bytes_text(out, i == 0 ? ",\"metadata\":{" : ",");
        ss__json_string(out, record->metadata[i].name);
        ss__bytes_byte(out, ':');
        ss__json_string(out, record->metadata[i].value);
    }
    if (record->metadata_count > 0) {
        ss__bytes_byte(out, '}');
    }
}

static void write_record(struct ss_bytes *out, const struct ss_error_record *record)
{
    ss__bytes_text(out, "{\"shard\":");
    ss__bytes_u64(out, record->shard);
    ss__json_long(out, ",\"number\":", record->number);
    ss__bytes_text(out, ",\"time\":");
    if (!ss__json_write_timestamp(out, (int64_t)(record->time_us / 1000000),
                                  (int32_t)(record->time_us % 1000000) * 1000)) {
        ss__bytes_text(out, "null");    /* no clock has said this */
    }
    write_text(out, ",\"kind\":", ss_str(ss_error_kind_word((int)record->kind)));
    write_text(out, ",\"code\":", ss_str(ss_error_wire_name(record->code)));
    write_text(out, ",\"sessionId\":", record->session_id);
    if (record->ordinal != 0) {
        ss__json_long(out, ",\"ordinal\":", record->ordinal);
    }
    write_text(out, ",\"event\":", record->event);
    write_text(out, ",\"projection\":", record->projection);
    write_text(out, ",\"text\":", record->text);
    if (record->raw.len > 0) {
        ss__bytes_text(out, ",\"raw\":");
        ss__json_base64(out, record->raw);
    }
    write_metadata(out, record);
    ss__bytes_byte(out, '}');
}

void ss__errors_listed(struct ss_conn *conn, const struct ss_request *request)
{
    struct ss_error_listing *listing = request->errors;
    bool complete = ss__error_listing_answered(listing);
    if (!complete || conn == NULL || conn->state != SS_CONN_HTTP ||
        conn->in.number != listing->number) {
        return;
    }
    struct ss_error_list list = ss__error_listing_merge(listing);
    struct ss_bytes *out = &conn->gateway->scratch;
    ss__bytes_clear(out);
    ss__bytes_text(out, "{\"errors\":[");
    for (size_t i = 0; i < list.count; i++) {
        ss__bytes_text(out, i == 0 ? "\n" : ",\n");
        write_record(out, &list.records[i]);
    }
    ss__bytes_text(out, "]}");
    int err = list.err != 0 ? list.err : out->err;
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(err == SS_E_TOOBIG ? TOO_MANY_TEXT : NULL),
                          ss_str(NULL));
        return;
    }
    struct ss_http_response response = { .status = 200, .content_type = "application/json",
                                         .body = ss__bytes_view(out) };
    ss__respond(conn, &response);
}
