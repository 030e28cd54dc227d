#include "gateway/conn.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "gateway/observe.h"
#include "gateway/subscriptions.h"

void ss__conn_arm(struct ss_gateway *gateway, uint64_t due_ms)
{
    if (due_ms >= gateway->armed_ms) {
        return;
    }
    uint64_t now = ss__gateway_now_ms(gateway);
    gateway->armed_ms = due_ms;
    ss__loop_wake_in(&gateway->loop, due_ms > now ? due_ms - now : 0);
}

void ss__conn_arm_timers(struct ss_gateway *gateway)
{
    uint64_t wait = ss__timers_wait_ms(&gateway->timers);
    if (wait != UINT64_MAX) {
        ss__conn_arm(gateway, gateway->timers.now_ms + wait);
    }
}

void ss__conn_wake_at(struct ss_conn *conn, uint64_t due_ms)
{
    struct ss_gateway *gateway = conn->gateway;
    if (conn->state == SS_CONN_CLOSED || (conn->timing && conn->timer.due_ms <= due_ms)) {
        return;
    }
    if (conn->timing) {
        ss__timers_cancel(&gateway->timers, &conn->timer);
    }
    conn->timing = true;
    ss__timers_add(&gateway->timers, &conn->timer, due_ms);
    ss__conn_arm_timers(gateway);
}

int ss__conn_new(struct ss_gateway *gateway, int fd, struct ss_conn **ret_conn)
{
    struct ss_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        (void)close(fd);    /* nothing was sent on it */
        return SS_E_NOMEM;
    }
    conn->gateway = gateway;
    ss__list_init(&conn->dirty);
    ss__list_init(&conn->waiting);
    ss__send_queue_init(&conn->queue);
    ss__http_parser_init(&conn->in.http, gateway->options.client_frame_bytes);
    ss__http_parser_share(&conn->in.http, &gateway->bodies);
    conn->state = SS_CONN_HTTP;
    conn->heard_ms = conn->progress_ms = ss__gateway_now_ms(gateway);
    int err = ss__conn_table_add(&gateway->conns, conn, &conn->slot, &conn->generation);
    if (err != 0) {
        (void)close(fd);
        free(conn);
        return err;
    }
    ss__gauge_set(&gateway->options.stats->connections, gateway->conns.count);
    (void)uv_tcp_init(&gateway->loop.uv, &conn->tcp);    /* without flags it cannot fail */
    conn->tcp.data = conn;
    err = uv_tcp_open(&conn->tcp, fd);
    if (err != 0) {
        (void)close(fd);
        ss__conn_close(conn);
        return ss__err_from_uv(err);
    }
    *ret_conn = conn;
    return 0;
}

struct ss_str ss__conn_id_text(const struct ss_conn *conn, char out[SS_CONN_ID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t place[3] = { conn->slot, conn->generation };
    memcpy(out, "conn-", 5);
    char *at = out + 5;
    for (place[2] = 0; place[2] < SS_CONN_ID_BYTES / 8; place[2]++) {
        uint64_t half = ss__hash(&conn->gateway->id_key, ss_str_of(place, sizeof place));
        for (int shift = 60; shift >= 0; shift -= 4) {
            *at++ = digits[half >> shift & 15];
        }
    }
    return ss_str_of(out, SS_CONN_ID_TEXT_BYTES);
}

void ss__conn_fail(struct ss_conn *conn)
{
    if (conn->state != SS_CONN_CLOSED) {
        conn->failed = true;
        ss__conn_mark_dirty(conn);
    }
}

static void leave_protocol(struct ss_conn *conn)
{
    struct ss_gateway *gateway = conn->gateway;
    if (conn->state == SS_CONN_HTTP) {
        ss__http_parser_deinit(&conn->in.http);
    } else if (conn->state == SS_CONN_WEBSOCKET) {
        if (ss__observed(gateway)) {
            ss__observe(conn, SS_TRANSPORT_DISCONNECTED, ss_str(NULL), 0, ss_str(NULL));
        }
        ss__ws_deinit(&conn->in.ws, &gateway->decoders);
        struct ss_gateway_stats *stats = gateway->options.stats;
        ss__gauge_set(&stats->websockets,
                      atomic_load_explicit(&stats->websockets, memory_order_relaxed) - 1);
    }
    ss__subscriptions_clear(conn);
    ss__conn_drop_held(conn);
    conn->pause = 0;
    ss__list_remove(&conn->waiting);
}

void ss__conn_finish(struct ss_conn *conn, uint64_t patience_ms)
{
    if (!ss__conn_is_open(conn)) {
        return;
    }
    leave_protocol(conn);
    conn->state = SS_CONN_FLUSHING;
    conn->deadline_ms = ss__gateway_now_ms(conn->gateway) + patience_ms;
    ss__conn_wake_at(conn, conn->deadline_ms);
    ss__conn_make_resumable(conn);
    ss__conn_mark_dirty(conn);
}

void ss__conn_finish_websocket(struct ss_conn *conn, uint16_t status, const char *reason)
{
    if (conn->state != SS_CONN_WEBSOCKET) {
        return;
    }
    uint8_t frame[SS_WS_CLOSE_FRAME_BYTES_MAX];
    size_t len;
    ss__ws_close_frame(status, ss_str(reason), frame, &len);
    ss__conn_send_control(conn, ss__buf_copy(frame, len));
    ss__conn_finish(conn, conn->gateway->options.stop_timeout_ms);
}

static void on_closed(uv_handle_t *handle)
{
    struct ss_conn *conn = handle->data;
    struct ss_send_entry entry;
    while (ss__send_queue_take(&conn->queue, &entry)) {
        ss__conn_release(conn, &entry);
    }
    ss__send_queue_deinit(&conn->queue);
    free(conn->blocked_write);
    free(conn);
}

void ss__conn_close(struct ss_conn *conn)
{
    if (conn->state == SS_CONN_CLOSED) {
        return;
    }
    struct ss_gateway *gateway = conn->gateway;
    if (ss__conn_is_open(conn)) {
        leave_protocol(conn);
    }
    conn->state = SS_CONN_CLOSED;
    ss__list_remove(&conn->dirty);
    ss__list_remove(&conn->waiting);
    if (conn->timing) {
        ss__timers_cancel(&gateway->timers, &conn->timer);
        conn->timing = false;
    }
    ss__conn_table_remove(&gateway->conns, conn->slot);
    ss__gauge_set(&gateway->options.stats->connections, gateway->conns.count);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    if (gateway->closing) {
        ss__conn_arm(gateway, ss__gateway_now_ms(gateway));    /* perhaps it was the last one */
    }
}

void ss__conn_close_dead(struct ss_conn *conn)
{
    ss__count(&conn->gateway->options.stats->dead_clients, 1);
    ss__conn_close(conn);
}
