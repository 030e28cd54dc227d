#include "gateway/reader.h"

#include <sessionstream/error.h>

#include "core/contract.h"
#include "gateway/ingress.h"
#include "gateway/observe.h"
#include "gateway/respond.h"
#include "gateway/routes.h"

/* What callbacks of the decoder ask for, done when it has returned. */
struct reading {
    struct ss_conn *conn;
    bool over;
};

static bool may_read(const struct ss_conn *conn)
{
    return ss__conn_is_open(conn) && conn->pause == 0 && !conn->failed;
}

/* A unit of work for so many bytes of pongs. */
#define REPLY_UNIT_BYTES 64

/* Reads before the clock is looked at, each counted anew for so many bytes. */
#define READS_UNSEEN_MAX 8
#define READ_UNSEEN_BYTES 4096

/* They take so many times as long as what comes between them. */
#define READ_SHARE 4

/* What a message costs. */
static size_t units_of(size_t len)
{
    return 1 + len / SS_TURN_UNIT_BYTES;
}

static bool on_message(void *ctx, enum ss_ws_opcode opcode, struct ss_str bytes)
{
    struct reading *reading = ctx;
    reading->conn->in.unfinished_ms = 0;
    ss__conn_spend(reading->conn, units_of(bytes.len));
    ss__ingress_message(reading->conn, opcode == SS_WS_BINARY, bytes);
    return may_read(reading->conn);
}

static bool on_reply(void *ctx, struct ss_str frames)
{
    struct reading *reading = ctx;
    ss__conn_spend(reading->conn, 1 + frames.len / REPLY_UNIT_BYTES);
    ss__conn_send_control(reading->conn, ss__buf_copy(frames.data, frames.len));
    return may_read(reading->conn);
}

static bool on_fragment(void *ctx)
{
    struct reading *reading = ctx;
    ss__conn_spend(reading->conn, 1);
    return may_read(reading->conn);
}

static bool on_pong(void *ctx, struct ss_str payload)
{
    (void)payload;
    return on_fragment(ctx);
}

static void on_close(void *ctx, bool by_peer, uint16_t status, struct ss_str reason)
{
    (void)status;
    (void)reason;
    struct reading *reading = ctx;
    if (!by_peer) {
        ss__count_error(reading->conn->gateway->options.stats->errors, SS_E_PROTO);
    }
    reading->over = true;
}

static const struct ss_ws_callbacks callbacks = {
    .on_message = on_message,
    .on_reply = on_reply,
    .on_close = on_close,
    .on_pong = on_pong,
    .on_fragment = on_fragment,
};

static size_t feed_websocket(struct ss_conn *conn, const uint8_t *data, size_t len)
{
    struct ss_gateway *gateway = conn->gateway;
    struct reading reading = { .conn = conn };
    size_t consumed = len;
    int err = ss__ws_feed(&conn->in.ws, &gateway->decoders, data, len, &callbacks, &reading,
                          &consumed);
    if (err != 0 && ss__observed(gateway)) {
        ss__observe(conn, SS_TRANSPORT_READ_ERROR, ss_str(NULL), err, ss_str(NULL));
    }
    if (err != 0 || reading.over) {
        ss__conn_finish(conn, SS_RESPOND_PATIENCE_MS);
        return len;
    }
    if (!ss__ws_unfinished(&conn->in.ws)) {
        conn->in.unfinished_ms = 0;
    } else if (conn->in.unfinished_ms == 0) {
        conn->in.unfinished_ms = ss__gateway_now_ms(gateway);
        ss__conn_watch_message(conn);
    }
    return consumed;
}

static size_t feed_http(struct ss_conn *conn, const uint8_t *data, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct ss_http_parser *parser = &conn->in.http;
    size_t consumed = 0;
    int progress = ss__http_parser_feed(parser, data, len, &consumed);
    if (progress < 0) {
        ss__routes_malformed(conn, progress);
        return len;
    }
    if (progress == SS_HTTP_DONE) {
        conn->deadline_ms = 0;
        ss__conn_spend(conn, SS_TURN_REQUEST_UNITS + units_of(consumed));
        ss__routes_request(conn, ss__http_parser_request(parser));
        if (conn->state == SS_CONN_HTTP) {
            ss__http_parser_reset(parser);
        }
        return consumed;
    }
    if (ss__http_parser_take_continue(parser)) {
        ss__conn_send(conn, ss__buf_copy(go_on, sizeof go_on - 1));
    }
    if (conn->deadline_ms == 0 && !ss__http_parser_idle(parser)) {
        struct ss_gateway *gateway = conn->gateway;
        conn->deadline_ms =
            ss__gateway_now_ms(gateway) + gateway->options.handshake_timeout_ms;
        ss__conn_wake_at(conn, conn->deadline_ms);
    }
    return consumed;
}

/* Looks at bytes as long as the connection may; returns how many it took. */
static size_t consume(struct ss_conn *conn, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (at < len && may_read(conn)) {
        at += conn->state == SS_CONN_HTTP ? feed_http(conn, data + at, len - at)
                                          : feed_websocket(conn, data + at, len - at);
    }
    return at;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct ss_conn *conn = handle->data;
    if (conn->glutted) {    /* more has come, and will be told of again after the others */
        conn->glutted = false;
        *ret_buf = uv_buf_init(NULL, 0);
        return;
    }
    *ret_buf = uv_buf_init((char *)conn->gateway->read_buffer,
                           (unsigned)ss__conn_read_share(conn->gateway));
}

/* The other side has ended; what is queued for it may still be wanted. */
static void on_end(struct ss_conn *conn)
{
    conn->ended = true;
    if (conn->state == SS_CONN_HTTP && conn->queue.count > 0) {
        ss__conn_finish(conn, SS_RESPOND_PATIENCE_MS);
    } else if (conn->state != SS_CONN_FLUSHING || conn->queue.count == 0) {
        ss__conn_close(conn);
    }
}

/* What the shards answer does not wait for the last of the sockets that were ready with this one.
 * Reading gets most of the time all the same: small batches cost more. */
static void look_at_inbox(struct ss_gateway *gateway, size_t len)
{
    gateway->reads_unseen += (uint32_t)(1 + len / READ_UNSEEN_BYTES);
    if (gateway->reads_unseen < READS_UNSEEN_MAX) {
        return;
    }
    gateway->reads_unseen = 0;
    uint64_t slice_ns = ss__gateway_slice_ns(gateway);
    slice_ns = slice_ns > gateway->work_ns * READ_SHARE ? slice_ns : gateway->work_ns * READ_SHARE;
    if (ss__inbox_depth(gateway->inbox) > 0 && uv_hrtime() - gateway->worked_ns >= slice_ns) {
        ss__count(&gateway->options.stats->slices, 1);
        gateway->between_reads = true;
        ss__loop_work(&gateway->loop);
        gateway->between_reads = false;
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ss_conn *conn = stream->data;
    struct ss_gateway *gateway = conn->gateway;
    ss__role_assert(SS_ROLE_GATEWAY, gateway->options.index);
    if (len == UV_ENOBUFS) {
        return;
    }
    if (len < 0) {
        conn->reading = false;
        if (len == UV_EOF) {
            on_end(conn);
        } else {
            if (ss__observed(gateway) && conn->state == SS_CONN_WEBSOCKET) {
                ss__observe(conn, SS_TRANSPORT_READ_ERROR, ss_str(NULL), SS_E_IO, ss_str(NULL));
            }
            ss__conn_close(conn);
        }
    } else if (len > 0) {
        ss__count(&gateway->options.stats->bytes_in, (uint64_t)len);
        conn->heard_ms = ss__gateway_now_ms(gateway);
        conn->glutted = (size_t)len == buf->len;
        const uint8_t *data = (const uint8_t *)buf->base;
        size_t took = consume(conn, data, (size_t)len);
        if (took < (size_t)len && ss__conn_is_open(conn) &&
            ss__conn_hold(conn, data + took, (size_t)len - took) != 0) {
            ss__conn_fail(conn);
        }
    }
    ss__reader_settle(gateway);
    look_at_inbox(gateway, len > 0 ? (size_t)len : 0);
}

int ss__reader_start(struct ss_conn *conn)
{
    if (conn->reading) {
        return 0;
    }
    if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0) {
        return SS_E_IO;
    }
    conn->reading = true;
    return 0;
}

static void resume(struct ss_conn *conn)
{
    if (conn->held != NULL) {
        struct ss_held *held = conn->held;
        size_t taken = consume(conn, held->data + held->at, held->len - held->at);
        if (conn->held == held) {
            held->at += (uint32_t)taken;
        }
        if (!ss__conn_is_open(conn) || conn->held == NULL || held->at < held->len) {
            return;    /* held bytes are gone with the protocol, or it waits again */
        }
        ss__conn_drop_held(conn);
    }
    if (conn->pause != 0 || conn->ended || conn->failed || conn->state == SS_CONN_CLOSED) {
        return;
    }
    if (ss__reader_start(conn) != 0) {
        ss__conn_fail(conn);
    }
}

void ss__reader_resume_all(struct ss_gateway *gateway)
{
    while (!ss__list_empty(&gateway->resumable)) {
        struct ss_conn *conn = ss__conn_of_waiting(gateway->resumable.next);
        ss__list_remove(&conn->waiting);
        resume(conn);
    }
}

bool ss__reader_feed_hungry(struct ss_gateway *gateway)
{
    if (ss__list_empty(&gateway->hungry)) {
        return false;
    }
    uint64_t until_ns = uv_hrtime() + ss__gateway_slice_ns(gateway);
    do {
        ss__conn_begin_turn(ss__conn_of_waiting(gateway->hungry.next));
        ss__reader_settle(gateway);
    } while (!ss__list_empty(&gateway->hungry) && uv_hrtime() < until_ns);
    bool left = !ss__list_empty(&gateway->hungry);
    ss__count(&gateway->options.stats->slices, left);
    return left;
}

void ss__reader_settle(struct ss_gateway *gateway)
{
    do {
        ss__conn_flush_all(gateway);
        ss__reader_resume_all(gateway);
    } while (!ss__list_empty(&gateway->dirty));
    if (gateway->closing && gateway->conns.count == 0) {
        ss__loop_stop(&gateway->loop);
    }
}
