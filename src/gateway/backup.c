#include "gateway/backup.h"

#include <sessionstream/error.h>

#include "gateway/respond.h"
#include "message/backup.h"
#include "schema/json.h"

#define RATE_DIGITS_MAX 18

static const char *const states[] = { "none", "running", "done", "failed" };

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
    ss__json_long(out, ",\"shardCopied\":", now.shard_copied);
    ss__json_long(out, ",\"shardBytes\":", now.shard_bytes);
    ss__json_long(out, ",\"copied\":", now.copied);
    ss__json_long(out, ",\"begunMicros\":", now.begun_us);
    ss__json_long(out, ",\"tookMicros\":", now.took_us);
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
    int err = ss__http_query_number(request->query, "rate", RATE_DIGITS_MAX, ret_rate);
    if (err == SS_E_NOTFOUND) {
        *ret_rate = 0;
        return 0;
    }
    return err == 0 ? 0 : ss__fail(failure, err, "rate must be a number of bytes a second");
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
