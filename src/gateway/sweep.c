#include "gateway/sweep.h"

#include <sessionstream/error.h>

#include "gateway/conn.h"
#include "gateway/follow.h"
#include "gateway/reader.h"
#include "gateway/requests.h"
#include "gateway/respond.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* xorshift: spreads pings so that a thousand connections of one instant do not stay together. */
static uint64_t next_random(struct ss_gateway *gateway)
{
    uint64_t x = gateway->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    gateway->random = x;
    return x;
}

static void close_dead(struct ss_conn *conn)
{
    ss__count(&conn->gateway->options.stats->dead_clients, 1);
    ss__conn_close(conn);
}

static void note_progress(struct ss_conn *conn, uint64_t now)
{
    if (!conn->blocked) {
        return;
    }
    /* libuv has one buffer of ours at most. */
    uint32_t left = (uint32_t)uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
    if (left < conn->blocked_left) {
        conn->blocked_left = left;
        conn->progress_ms = now;
    }
}

/* Closes a connection that takes nothing of what is queued. */
static uint64_t look_at_writing(struct ss_conn *conn, uint64_t now)
{
    if (!conn->blocked) {
        return UINT64_MAX;
    }
    uint64_t due = conn->progress_ms + conn->gateway->options.dead_timeout_ms;
    if (now >= due) {
        close_dead(conn);
    }
    return due;
}

/* Closes a connection that takes too little of what is queued. */
static uint64_t look_at_pace(struct ss_conn *conn, uint64_t now)
{
    if (conn->pace_ms == 0 || conn->queue.count == 0) {
        conn->pace_ms = 0;
        return UINT64_MAX;
    }
    if (now >= conn->pace_ms) {
        if (ss__conn_written(conn) < conn->pace_goal) {
            ss__count_error(conn->gateway->options.stats->errors, SS_E_SLOW);
            close_dead(conn);
            return UINT64_MAX;
        }
        ss__conn_begin_pace(conn);
    }
    return conn->pace_ms;
}

static uint64_t look_at_http(struct ss_conn *conn, uint64_t now)
{
    uint32_t timeout = conn->gateway->options.handshake_timeout_ms;
    if (conn->pause != 0) {
        return now + timeout;    /* the delay is ours */
    }
    if (conn->deadline_ms != 0) {
        if (now >= conn->deadline_ms) {
            conn->keep_alive = conn->head_only = false;
            ss__respond_status(conn, 408, SS_E_TIMEOUT, "the request took too long", NULL);
        }
        return conn->deadline_ms;
    }
    uint64_t due = conn->heard_ms + timeout;
    if (now >= due && conn->queue.count == 0 && !ss__conn_has_unread(conn)) {
        ss__conn_close(conn);
    }
    return now >= due ? now + timeout : due;
}

static uint64_t unfinished_limit(const struct ss_gateway_options *options)
{
    return options->dead_timeout_ms < SS_UNFINISHED_MS ? options->dead_timeout_ms
                                                       : SS_UNFINISHED_MS;
}

/* When it last showed that it is there. While it is blocked it is sent no ping, and a client that
 * only reads has nothing to say: what it takes is its sign. */
static uint64_t last_sign_ms(const struct ss_conn *conn)
{
    return conn->blocked && conn->progress_ms > conn->heard_ms ? conn->progress_ms
                                                               : conn->heard_ms;
}

static uint64_t look_at_silence(struct ss_conn *conn, uint64_t now)
{
    const struct ss_gateway_options *options = &conn->gateway->options;
    uint64_t due = last_sign_ms(conn) + options->dead_timeout_ms;
    if (conn->pause != 0) {
        return now + options->dead_timeout_ms;    /* we do not listen */
    }
    if (conn->in.unfinished_ms != 0) {
        uint64_t end = conn->in.unfinished_ms + unfinished_limit(options);
        if (now >= end) {
            ss__conn_finish_websocket(conn, SS_WS_STATUS_POLICY, "message not finished in time");
            return UINT64_MAX;
        }
        due = earlier(due, end);
    }
    if (now >= due && ss__conn_has_unread(conn)) {
        return now + 1;    /* the gateway was late, not the client */
    }
    if (now >= due) {
        close_dead(conn);
        return UINT64_MAX;
    }
    return due;
}

static uint64_t look_at_ping(struct ss_conn *conn, uint64_t now)
{
    struct ss_gateway *gateway = conn->gateway;
    uint32_t interval = gateway->options.ping_interval_ms;
    if (now < conn->in.ping_ms) {
        return conn->in.ping_ms;
    }
    if (conn->blocked) {
        return UINT64_MAX;    /* the end of the write wakes us */
    }
    if (conn->queue.count == 0) {
        ss__send_queue_deinit(&conn->queue);    /* what a burst needed is given back */
    }
    if (conn->in.ping_ms != 0) {
        ss__conn_send_control(conn, ss__buf_ref(gateway->ping));
    }
    conn->in.ping_ms = now + interval - next_random(gateway) % (interval / 4 + 1);
    return conn->in.ping_ms;
}

static uint64_t look_at_websocket(struct ss_conn *conn, uint64_t now)
{
    uint64_t due = look_at_silence(conn, now);
    if (conn->state == SS_CONN_WEBSOCKET) {
        due = earlier(due, look_at_ping(conn, now));
        due = earlier(due, ss__follow_catch_up(conn));
    }
    return due;
}

static void look_at(struct ss_conn *conn, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    ss__conn_begin_turn(conn);
    note_progress(conn, now);
    if (conn->state == SS_CONN_HTTP) {
        due = look_at_http(conn, now);
    } else if (conn->state == SS_CONN_WEBSOCKET) {
        due = look_at_websocket(conn, now);
    }
    if (conn->state == SS_CONN_FLUSHING || conn->state == SS_CONN_LINGERING) {
        if (now >= conn->deadline_ms) {
            ss__conn_close(conn);
        }
        due = conn->deadline_ms;
    }
    if (conn->state != SS_CONN_CLOSED) {
        due = earlier(due, look_at_writing(conn, now));
    }
    if (conn->state != SS_CONN_CLOSED) {
        due = earlier(due, look_at_pace(conn, now));
    }
    if (conn->state != SS_CONN_CLOSED) {
        ss__conn_wake_at(conn, due > now ? due : now + 1);
    }
}

static void close_all(struct ss_gateway *gateway)
{
    for (uint32_t slot = 0; slot < gateway->conns.slots_count; slot++) {
        if (gateway->conns.slots[slot].conn != NULL) {
            ss__conn_close(gateway->conns.slots[slot].conn);
        }
    }
}

void ss__sweep(struct ss_gateway *gateway)
{
    uint64_t now = ss__gateway_now_ms(gateway);
    gateway->armed_ms = UINT64_MAX;
    ss__timers_advance(&gateway->timers, now);
    struct ss_timer *timer;
    while ((timer = ss__timers_take(&gateway->timers)) != NULL) {
        struct ss_conn *conn = ss__container_of(timer, struct ss_conn, timer);
        conn->timing = false;
        look_at(conn, now);
    }
    if (ss__requests_relieve(gateway)) {
        ss__conn_arm(gateway, now + SS_PRESSED_LOOK_MS);
    }
    if (gateway->closing && now >= gateway->stop_due_ms) {
        close_all(gateway);
    } else if (gateway->closing) {
        ss__conn_arm(gateway, gateway->stop_due_ms);
    }
    ss__reader_settle(gateway);
    ss__conn_arm_timers(gateway);
}
