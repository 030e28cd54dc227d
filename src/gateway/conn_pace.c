/* Whether a client takes what is written to it, and enough of it. */
#include "gateway/conn.h"

#include <poll.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

uint64_t ss__conn_written(struct ss_conn *conn)
{
    if (!conn->blocked) {
        return conn->written;
    }
    uv_buf_t slice;
    (void)ss__send_queue_slices(&conn->queue, &slice, 1);
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
    return conn->written + (slice.len > left ? slice.len - left : 0);
}

void ss__conn_begin_pace(struct ss_conn *conn)
{
    uint64_t held = conn->queue.snapshots_held;
    uint64_t part = conn->queue.bytes / SS_QUEUE_PACE_PART + 1;
    uint64_t of_snapshots = held / SS_SNAPSHOT_PACE_PART;
    if (held > 0 && of_snapshots < SS_SNAPSHOT_PACE_BYTES_MIN) {
        of_snapshots = SS_SNAPSHOT_PACE_BYTES_MIN;
    }
    part = part > of_snapshots ? part : of_snapshots;
    uint64_t all = conn->written + conn->queue.bytes;
    conn->pace_goal = ss__conn_written(conn) + part;
    conn->pace_goal = conn->pace_goal < all ? conn->pace_goal : all;
    conn->pace_ms =
        ss__gateway_now_ms(conn->gateway) + conn->gateway->options.dead_timeout_ms;
    ss__conn_wake_at(conn, conn->pace_ms);
}

void ss__conn_note_progress(struct ss_conn *conn, uint64_t now)
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

static bool has_space(const struct ss_conn *conn)
{
    struct pollfd look = { .events = POLLOUT };
    return uv_fileno((const uv_handle_t *)&conn->tcp, &look.fd) == 0 && poll(&look, 1, 0) == 1 &&
           look.revents == POLLOUT;
}

bool ss__conn_takes_more(const struct ss_conn *conn)
{
    return conn->blocked && has_space(conn);
}

uint64_t ss__conn_look_at_writing(struct ss_conn *conn, uint64_t now)
{
    if (!conn->blocked) {
        return UINT64_MAX;
    }
    uint64_t due = conn->progress_ms + conn->gateway->options.dead_timeout_ms;
    if (now >= due && ss__conn_takes_more(conn)) {
        return now + 1;
    }
    if (now >= due) {
        ss__conn_close_dead(conn);
    }
    return due;
}

uint64_t ss__conn_look_at_pace(struct ss_conn *conn, uint64_t now)
{
    if (conn->pace_ms == 0 || conn->queue.count == 0) {
        conn->pace_ms = 0;
        return UINT64_MAX;
    }
    if (now >= conn->pace_ms) {
        if (ss__conn_written(conn) < conn->pace_goal && !ss__conn_takes_more(conn)) {
            ss__count_error(conn->gateway->options.stats->errors, SS_E_SLOW);
            ss__conn_close_dead(conn);
            return UINT64_MAX;
        }
        ss__conn_begin_pace(conn);
    }
    return conn->pace_ms;
}
