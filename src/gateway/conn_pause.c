/* Why a connection does not read, for how long, and what it has read before. */
#include "gateway/conn.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

/* In the list of those that wait for the same: an inbox comes before a turn. */
static void join_waiting(struct ss_conn *conn)
{
    struct ss_gateway *gateway = conn->gateway;
    ss__list_remove(&conn->waiting);
    if ((conn->pause & SS_PAUSE_PRESSED) != 0) {
        ss__list_push_back(&gateway->pressed, &conn->waiting);
        ss__conn_arm(gateway, ss__gateway_now_ms(gateway) + SS_PRESSED_LOOK_MS);
    } else if ((conn->pause & SS_PAUSE_TURN) != 0) {
        ss__list_push_back(&gateway->hungry, &conn->waiting);
        ss__loop_again(&gateway->loop);
    }
}

void ss__conn_pause(struct ss_conn *conn, enum ss_conn_pause reason)
{
    if (!ss__conn_is_open(conn)) {
        return;
    }
    if (conn->pause == 0) {
        conn->paused_ms = (uint32_t)ss__gateway_now_ms(conn->gateway);
    }
    conn->pause |= (uint8_t)reason;
    join_waiting(conn);
    if (conn->reading) {
        conn->reading = false;
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);    /* always 0 */
    }
}

/* The time that we did not listen is not the client's. */
static void forgive_pause(struct ss_conn *conn)
{
    uint64_t now = ss__gateway_now_ms(conn->gateway);
    conn->heard_ms = now;
    if (conn->state == SS_CONN_WEBSOCKET && conn->in.unfinished_ms != 0) {
        conn->in.unfinished_ms += (uint32_t)now - conn->paused_ms;
        ss__conn_watch_message(conn);
    }
}

void ss__conn_unpause(struct ss_conn *conn, enum ss_conn_pause reason)
{
    if ((conn->pause & (uint8_t)reason) == 0) {
        return;
    }
    conn->pause &= (uint8_t)~(unsigned)reason;
    if (conn->pause == 0) {
        forgive_pause(conn);    /* now: it may have to wait again before it is read */
        ss__conn_make_resumable(conn);
    } else if (reason == SS_PAUSE_PRESSED || reason == SS_PAUSE_TURN) {
        join_waiting(conn);
    }
}

void ss__conn_spend(struct ss_conn *conn, size_t units)
{
    uint32_t now = (uint32_t)ss__gateway_now_ms(conn->gateway);
    struct ss_gateway *gateway = conn->gateway;
    size_t spent = conn->turn_ms == now ? conn->turn_spent : 0;
    spent = spent + units < SS_TURN_UNITS_MAX ? spent + units : SS_TURN_UNITS_MAX;
    conn->turn_ms = now;
    conn->turn_spent = (uint16_t)spent;
    gateway->turn_spent = gateway->turn_ms == now ? gateway->turn_spent + units : units;
    gateway->turn_ms = now;
    bool many = gateway->turn_spent > SS_TURN_SHARED_UNITS;
    if (spent >= (many ? SS_TURN_UNITS_MIN : SS_TURN_UNITS_MAX) && ss__conn_is_open(conn)) {
        ss__conn_pause(conn, SS_PAUSE_TURN);
    }
}

void ss__conn_begin_turn(struct ss_conn *conn)
{
    conn->turn_spent = 0;
    ss__conn_unpause(conn, SS_PAUSE_TURN);
}

int ss__conn_hold(struct ss_conn *conn, const uint8_t *data, size_t len)
{
    SS_REQUIRE(conn->held == NULL && len <= UINT32_MAX);
    conn->held = malloc(sizeof *conn->held + len);
    if (conn->held == NULL) {
        return SS_E_NOMEM;
    }
    conn->held->len = (uint32_t)len;
    conn->held->at = 0;
    memcpy(conn->held->data, data, len);
    conn->gateway->held_bytes += len;
    return 0;
}

size_t ss__conn_read_share(const struct ss_gateway *gateway)
{
    uint64_t held = gateway->held_bytes;
    uint64_t share =
        held >= SS_HELD_BYTES_MAX ? 0 : (SS_HELD_BYTES_MAX - held) / SS_HELD_SHARES;
    return share < SS_READ_BYTES_MIN ? SS_READ_BYTES_MIN
           : share > SS_READ_BYTES   ? SS_READ_BYTES
                                     : (size_t)share;
}

void ss__conn_drop_held(struct ss_conn *conn)
{
    if (conn->held != NULL) {
        conn->gateway->held_bytes -= conn->held->len;
        free(conn->held);
        conn->held = NULL;
    }
}
