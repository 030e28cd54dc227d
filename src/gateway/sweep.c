#include "gateway/sweep.h"

#include <sessionstream/error.h>

#include "gateway/conn.h"
#include "gateway/follow.h"
#include "gateway/reader.h"
#include "gateway/requests.h"
#include "gateway/respond.h"

/* Connections looked at before the clock. */
#define LOOKS_MIN 8

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

static uint64_t look_at_http(struct ss_conn *conn, uint64_t now)
{
    uint32_t timeout = conn->gateway->options.handshake_timeout_ms;
    if (conn->pause != 0) {
        return now + timeout;    /* the delay is ours */
    }
    if (conn->deadline_ms != 0) {
        if (now >= conn->deadline_ms && ss__conn_may_be_in_time(conn, conn->deadline_ms, now)) {
            conn->deadline_ms = now + SS_GRACE_MS;
            return conn->deadline_ms;
        }
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
    uint64_t due = ss__conn_look_at_silence(conn, now);
    if (conn->state == SS_CONN_WEBSOCKET) {
        due = earlier(due, look_at_ping(conn, now));
        due = earlier(due, ss__follow_catch_up(conn));
    }
    return due;
}

static void look_at(struct ss_conn *conn, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    ss__conn_note_progress(conn, now);
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
        due = earlier(due, ss__conn_look_at_writing(conn, now));
    }
    if (conn->state != SS_CONN_CLOSED) {
        due = earlier(due, ss__conn_look_at_pace(conn, now));
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

/* The answers are written along with it: they are most of the work. True: none is left. */
static bool look_at_due(struct ss_gateway *gateway, uint64_t now)
{
    uint64_t until_ns = uv_hrtime() + ss__gateway_slice_ns(gateway);
    struct ss_timer *timer;
    ss__timers_advance(&gateway->timers, now);
    for (unsigned looked = 1; (timer = ss__timers_take(&gateway->timers)) != NULL; looked++) {
        struct ss_conn *conn = ss__container_of(timer, struct ss_conn, timer);
        conn->timing = false;
        look_at(conn, now);
        if (looked % LOOKS_MIN == 0) {
            ss__reader_settle(gateway);
            if (uv_hrtime() >= until_ns) {
                break;
            }
        }
    }
    bool done = ss__timers_wait_ms(&gateway->timers) > 0;
    ss__count(&gateway->options.stats->slices, !done);
    return done;
}

bool ss__sweep(struct ss_gateway *gateway)
{
    uint64_t now = ss__gateway_now_ms(gateway);
    gateway->armed_ms = 0;    /* what is planned on the way is planned in the end */
    bool done = look_at_due(gateway, now);
    gateway->armed_ms = UINT64_MAX;
    if (ss__requests_relieve(gateway)) {
        ss__conn_arm(gateway, now + SS_PRESSED_LOOK_MS);
    }
    if (gateway->closing && now >= gateway->stop_due_ms) {
        close_all(gateway);
    } else if (gateway->closing) {
        ss__conn_arm(gateway, gateway->stop_due_ms);
    }
    ss__reader_settle(gateway);
    if (done) {
        ss__conn_arm_timers(gateway);
    }
    return !done;
}
