/* When a websocket client that says nothing is taken for dead. */
#include "gateway/conn.h"

#include <sys/ioctl.h>

bool ss__conn_has_unread(const struct ss_conn *conn)
{
    uv_os_fd_t fd;
    int bytes = 0;
    return uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0 &&
           ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* A busy gateway is not that late. */
#define LATE_MS (2 * SS_GRACE_MS)

bool ss__conn_may_be_in_time(const struct ss_conn *conn, uint64_t due_ms, uint64_t now)
{
    return now >= due_ms + LATE_MS && ss__conn_has_unread(conn);
}

/* When its message has to be finished. The time in which it waits for its turn is ours. */
static uint64_t unfinished_end(const struct ss_conn *conn, uint64_t now)
{
    uint32_t dead_ms = conn->gateway->options.dead_timeout_ms;
    uint32_t waits_ms = conn->pause != 0 ? (uint32_t)now - conn->paused_ms : 0;
    return conn->in.unfinished_ms + waits_ms +
           (dead_ms < SS_UNFINISHED_MS ? dead_ms : SS_UNFINISHED_MS);
}

void ss__conn_watch_message(struct ss_conn *conn)
{
    ss__conn_wake_at(conn, unfinished_end(conn, ss__gateway_now_ms(conn->gateway)));
}

/* When it last showed that it is there. While it is blocked it is sent no ping, and a client that
 * only reads has nothing to say: what it takes is its sign. */
static uint64_t last_sign_ms(const struct ss_conn *conn)
{
    return conn->blocked && conn->progress_ms > conn->heard_ms ? conn->progress_ms
                                                               : conn->heard_ms;
}

uint64_t ss__conn_look_at_silence(struct ss_conn *conn, uint64_t now)
{
    const struct ss_gateway_options *options = &conn->gateway->options;
    uint64_t due = last_sign_ms(conn) + options->dead_timeout_ms;
    if ((conn->pause & ~SS_PAUSE_TURN) != 0) {
        return now + options->dead_timeout_ms;    /* we do not listen */
    }
    if (conn->pause != 0) {
        due = now + options->dead_timeout_ms;    /* it never stops to send */
    }
    if (conn->in.unfinished_ms != 0) {
        uint64_t end = unfinished_end(conn, now);
        if (now >= end && ss__conn_may_be_in_time(conn, end, now)) {
            conn->in.unfinished_ms += now + SS_GRACE_MS - end;
            return now + SS_GRACE_MS;
        }
        if (now >= end) {
            ss__conn_finish_websocket(conn, SS_WS_STATUS_POLICY, "message not finished in time");
            return UINT64_MAX;
        }
        due = due < end ? due : end;
    }
    if (now >= due && (ss__conn_has_unread(conn) || ss__conn_takes_more(conn))) {
        return now + 1;    /* the gateway was late, not the client */
    }
    if (now >= due) {
        ss__conn_close_dead(conn);
        return UINT64_MAX;
    }
    return due;
}
