#include "gateway/backup.h"

#include <sessionstream/error.h>

#include "gateway/respond.h"
#include "message/backup.h"
#include "schema/json.h"

#define RATE_DIGITS_MAX 18

static const char *const states[] = { "none", "running", "done", "failed" };

static void write_number(struct ss_bytes *out, const char *member, uint64_t number)
{
    ss__bytes_text(out, member);
    ss__bytes_byte(out, '"');
    ss__bytes_u64(out, number);
    ss__bytes_byte(out, '"');
}

static void respond_status(struct ss_conn *conn, unsigned status)
{
    const struct ss_backup_control *control = conn->gateway->options.backups;
    struct ss_bytes *out = &conn->gateway->scratch;
    struct ss_backup_status now;
    control->status(control->ctx, &now);
    ss__bytes_clear(out);
    ss__bytes_text(out, "{\"state\":\"");
    ss__bytes_text(out, states[now.state]);
    ss__bytes_text(out, "\",\"name\":");
    ss__json_string(out, ss_str(now.name));
    ss__bytes_text(out, ",\"shard\":");
    ss__bytes_u64(out, now.shard);
    ss__bytes_text(out, ",\"shards\":");
    ss__bytes_u64(out, now.shards);
    write_number(out, ",\"shardCopied\":", now.shard_copied);
    write_number(out, ",\"shardBytes\":", now.shard_bytes);
    write_number(out, ",\"copied\":", now.copied);
    write_number(out, ",\"begunMicros\":", now.begun_us);
    write_number(out, ",\"tookMicros\":", now.took_us);
    if (now.state == SS_BACKUP_FAILED) {
        ss__bytes_text(out, ",\"code\":");
        ss__json_string(out, ss_str(ss_error_wire_name(now.err)));
        ss__bytes_text(out, ",\"detail\":");
        ss__json_string(out, ss_str(now.text));
    }
    ss__bytes_byte(out, '}');
    if (out->err != 0) {
        ss__respond_error(conn, out->err, ss_str(NULL), ss_str(NULL));
        return;
    }
    struct ss_http_response response = { .status = status, .content_type = "application/json",
                                         .body = ss__bytes_view(out) };
    ss__respond(conn, &response);
}

static int read_rate(const struct ss_http_request *request, uint64_t *ret_rate,
                     struct ss_failure *failure)
{
    uint8_t digits[RATE_DIGITS_MAX];
    struct ss_str text = { NULL, 0 };
    uint64_t rate = 0;
    int err = ss__http_query_value(request->query, "rate", digits, sizeof digits, &text);
    if (err == SS_E_NOTFOUND) {
        *ret_rate = 0;
        return 0;
    }
    err = err != 0 || text.len == 0 ? SS_E_INVAL : 0;
    for (size_t i = 0; i < text.len && err == 0; i++) {
        err = digits[i] < '0' || digits[i] > '9' ? SS_E_INVAL : 0;
        rate = rate * 10 + (uint64_t)(digits[i] - '0');
    }
    if (err != 0) {
        return ss__fail(failure, err, "rate must be a number of bytes a second");
    }
    *ret_rate = rate;
    return 0;
}

static void start(struct ss_conn *conn, const struct ss_http_request *request)
{
    const struct ss_backup_control *control = conn->gateway->options.backups;
    struct ss_failure failure = { .text = "" };
    uint8_t buffer[SS_BACKUP_NAME_BYTES_MAX];
    struct ss_str name = { NULL, 0 };
    uint64_t rate = 0;
    int err = ss__http_query_value(request->query, "name", buffer, sizeof buffer, &name);
    if (err != 0) {
        err = ss__fail(&failure, SS_E_INVAL, "name is missing or longer than %d bytes",
                       SS_BACKUP_NAME_BYTES_MAX);
    }
    err = err != 0 ? err : read_rate(request, &rate, &failure);
    err = err != 0 ? err : control->start(control->ctx, name, rate, &failure);
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(failure.text), ss_str(NULL));
    } else {
        respond_status(conn, 202);
    }
}

static void cancel(struct ss_conn *conn)
{
    const struct ss_backup_control *control = conn->gateway->options.backups;
    int err = control->cancel(control->ctx);
    if (err != 0) {
        ss__respond_error(conn, err, ss_str("no backup is running"), ss_str(NULL));
    } else {
        respond_status(conn, 202);
    }
}

void ss__backup_route(struct ss_conn *conn, const struct ss_http_request *request)
{
    if (conn->gateway->options.backups == NULL) {
        ss__respond_error(conn, SS_E_NOTFOUND,
                          ss_str("no backups can be made: the server has no --backup-dir"),
                          ss_str(NULL));
    } else if (request->method == SS_HTTP_POST) {
        start(conn, request);
    } else if (request->method == SS_HTTP_GET) {
        respond_status(conn, 200);
    } else if (ss_str_equal(request->method_name, ss_str("DELETE"))) {
        cancel(conn);
    } else {
        ss__respond_status(conn, 405, SS_E_INVAL, "this path does not answer this method",
                           "GET, POST, DELETE");
    }
}
