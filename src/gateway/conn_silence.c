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
#define LATE_MS 250

bool ss__conn_may_be_in_time(const struct ss_conn *conn, uint64_t due_ms, uint64_t now)
{
    return now >= due_ms + LATE_MS && ss__conn_has_unread(conn);
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

uint64_t ss__conn_look_at_silence(struct ss_conn *conn, uint64_t now)
{
    const struct ss_gateway_options *options = &conn->gateway->options;
    uint64_t due = last_sign_ms(conn) + options->dead_timeout_ms;
    if (conn->pause != 0) {
        return now + options->dead_timeout_ms;    /* we do not listen */
    }
    if (conn->in.unfinished_ms != 0) {
        uint64_t end = conn->in.unfinished_ms + unfinished_limit(options);
        if (now >= end && ss__conn_may_be_in_time(conn, end, now)) {
            return now + 1;
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
