/* What a connection writes: answers, snapshots and frames, one system call for all of a turn. */
#include "gateway/conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sessionstream/error.h>

#include "gateway/observe.h"

/* Slices of one write. */
#define SLICES_MAX 64

static void account_written(struct ss_conn *conn, size_t bytes)
{
    struct ss_gateway_stats *stats = conn->gateway->options.stats;
    ss__count(&stats->bytes_out, bytes);
    conn->progress_ms = ss__gateway_now_ms(conn->gateway);
    conn->written += bytes;
    struct ss_send_entry entry;
    while (ss__send_queue_wrote(&conn->queue, &bytes, &entry)) {
        if (ss__observed(conn->gateway) && conn->was_websocket) {
            ss__observe_frame(conn, SS_TRANSPORT_SERVER_FRAME_WRITTEN, entry.buf);
        }
        ss__conn_release(conn, &entry);
    }
}

static void on_written(uv_write_t *write, int status);

/* The kernel takes no more: libuv keeps the first entry and tells when it is gone. */
static void wait_writable(struct ss_conn *conn)
{
    if (conn->blocked_write == NULL) {
        conn->blocked_write = malloc(sizeof *conn->blocked_write);
    }
    uv_buf_t slice;
    (void)ss__send_queue_slices(&conn->queue, &slice, 1);
    if (conn->blocked_write == NULL ||
        uv_write(conn->blocked_write, (uv_stream_t *)&conn->tcp, &slice, 1, on_written) != 0) {
        ss__conn_fail(conn);
        return;
    }
    ss__count(&conn->gateway->options.stats->writes, 1);
    conn->blocked = true;
    conn->blocked_left = (uint32_t)slice.len;    /* of one buffer */
    conn->queue.pinned = 1;
    if (conn->pace_ms == 0) {
        ss__conn_begin_pace(conn);
    }
}

static void note_unwritten(struct ss_conn *conn)
{
    if (ss__observed(conn->gateway) && conn->was_websocket) {
        ss__observe(conn, SS_TRANSPORT_SERVER_FRAME_WRITE_ERROR, ss_str(NULL), SS_E_IO,
                    ss_str(NULL));
    }
}

static void write_queued(struct ss_conn *conn)
{
    while (conn->queue.count > 0 && !conn->blocked && !conn->failed) {
        uv_buf_t slices[SLICES_MAX];
        unsigned count = ss__send_queue_slices(&conn->queue, slices, SLICES_MAX);
        int wrote = uv_try_write((uv_stream_t *)&conn->tcp, slices, count);
        ss__count(&conn->gateway->options.stats->writes, 1);
        if (wrote == UV_EAGAIN) {
            wait_writable(conn);
        } else if (wrote < 0) {
            note_unwritten(conn);
            ss__conn_fail(conn);
        } else {
            account_written(conn, (size_t)wrote);
        }
    }
}

/* Everything is written: our side ends, what the other still sends is thrown away. */
static void linger(struct ss_conn *conn)
{
    uv_os_fd_t fd;
    if (conn->ended || uv_fileno((uv_handle_t *)&conn->tcp, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        ss__conn_close(conn);
        return;
    }
    conn->state = SS_CONN_LINGERING;
    uint64_t due = ss__gateway_now_ms(conn->gateway) + SS_LINGER_MS;
    conn->deadline_ms = due < conn->deadline_ms ? due : conn->deadline_ms;
    ss__conn_wake_at(conn, conn->deadline_ms);
}

static void after_write(struct ss_conn *conn)
{
    uint64_t charged = ss__send_queue_charged(&conn->queue);
    uint64_t max = conn->gateway->options.client_queue_bytes;
    bool unwritten = conn->state == SS_CONN_HTTP && conn->queue.snapshots_held > 0;
    if (charged <= max / 2 && conn->queue.count <= SS_SEND_FRAMES_MAX / 2 && !unwritten &&
        conn->queue.answers_held <= ss__conn_answer_share(conn->gateway) / 2) {
        ss__conn_unpause(conn, SS_PAUSE_QUEUE);
    }
    if (conn->stale_count > 0 && !conn->blocked && charged <= max / 4) {
        ss__conn_wake_at(conn, ss__gateway_now_ms(conn->gateway));
    }
}

static void flush(struct ss_conn *conn)
{
    write_queued(conn);
    if (conn->failed) {
        ss__conn_close(conn);
        return;
    }
    after_write(conn);
    if (conn->state == SS_CONN_FLUSHING && conn->queue.count == 0) {
        linger(conn);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct ss_conn *conn = write->handle->data;
    struct ss_gateway *gateway = conn->gateway;
    if (conn->state == SS_CONN_CLOSED) {
        return;
    }
    conn->blocked = false;
    conn->queue.pinned = 0;
    if (status != 0) {
        note_unwritten(conn);
        ss__conn_close(conn);
        return;
    }
    uv_buf_t slice;
    (void)ss__send_queue_slices(&conn->queue, &slice, 1);
    account_written(conn, slice.len);
    conn->heard_ms = conn->progress_ms;
    ss__list_remove(&conn->dirty);
    flush(conn);
    if (conn->state == SS_CONN_WEBSOCKET && !conn->blocked && conn->in.ping_ms <= conn->heard_ms) {
        ss__conn_wake_at(conn, conn->heard_ms);    /* for the ping that had to wait */
    }
    if (!ss__list_empty(&gateway->resumable)) {
        /* No reader on this stack: let the timer find what may go on. */
        ss__conn_arm(gateway, ss__gateway_now_ms(gateway));
    }
}

void ss__conn_flush_all(struct ss_gateway *gateway)
{
    while (!ss__list_empty(&gateway->dirty)) {
        struct ss_conn *conn = ss__conn_of_dirty(gateway->dirty.next);
        ss__list_remove(&conn->dirty);
        flush(conn);
    }
}

static bool push(struct ss_conn *conn, struct ss_buf *buf, enum ss_send_kind kind, uint32_t tag)
{
    if (ss__observed(conn->gateway) && conn->was_websocket) {
        ss__observe_frame(conn, SS_TRANSPORT_SERVER_FRAME_QUEUED, buf);
    }
    if (conn->queue.count == 0) {
        conn->progress_ms = ss__gateway_now_ms(conn->gateway);
    }
    if (kind == SS_SEND_SNAPSHOT) {
        (void)ss__buf_ref(buf);    /* for the release from the budget if the push fails */
    }
    int err = ss__send_queue_push(&conn->queue, buf, kind, tag);
    if (kind == SS_SEND_SNAPSHOT) {
        if (err != 0) {
            ss__snapshot_budget_release(&conn->gateway->snapshots, buf);
        }
        ss__buf_unref(buf);
    }
    if (err != 0) {
        ss__conn_fail(conn);
        return false;
    }
    ss__conn_mark_dirty(conn);
    return true;
}

static void send_answer(struct ss_conn *conn, struct ss_buf *buf, enum ss_send_kind kind,
                        uint16_t tag)
{
    if (!ss__conn_is_open(conn) || buf == NULL) {
        if (buf == NULL) {
            if (ss__observed(conn->gateway) && conn->was_websocket) {
                ss__observe(conn, SS_TRANSPORT_SERVER_FRAME_MARSHAL_ERROR, ss_str(NULL),
                            SS_E_NOMEM, ss_str(NULL));
            }
            ss__conn_fail(conn);
        }
        ss__buf_unref(buf);
        return;
    }
    uint32_t len = buf->len;
    if (!push(conn, buf, kind, tag)) {
        return;
    }
    struct ss_gateway *gateway = conn->gateway;
    ss__conn_count_answer(gateway, len);
    if (ss__send_queue_charged(&conn->queue) > gateway->options.client_queue_bytes ||
        conn->queue.count > SS_SEND_FRAMES_MAX ||
        conn->queue.answers_held > ss__conn_answer_share(gateway)) {
        ss__conn_pause(conn, SS_PAUSE_QUEUE);
    }
}

void ss__conn_send(struct ss_conn *conn, struct ss_buf *buf)
{
    if (conn->state == SS_CONN_WEBSOCKET) {
        ss__count(&conn->gateway->options.stats->frames_out, 1);
    }
    send_answer(conn, buf, SS_SEND_ANSWER, 0);
}

void ss__conn_send_control(struct ss_conn *conn, struct ss_buf *buf)
{
    send_answer(conn, buf, SS_SEND_ANSWER, 0);
}

void ss__conn_send_subscribed(struct ss_conn *conn, struct ss_buf *buf, uint16_t tag)
{
    ss__count(&conn->gateway->options.stats->frames_out, 1);
    send_answer(conn, buf, SS_SEND_SUBSCRIBED, tag);
}

void ss__conn_send_snapshot(struct ss_conn *conn, struct ss_buf *buf, uint32_t key)
{
    if (!ss__conn_is_open(conn)) {
        ss__snapshot_budget_release(&conn->gateway->snapshots, buf);
        ss__buf_unref(buf);
        return;
    }
    bool first = conn->queue.snapshots_held == 0;
    if (conn->state == SS_CONN_WEBSOCKET) {
        ss__count(&conn->gateway->options.stats->frames_out, 1);
    }
    if (!push(conn, buf, SS_SEND_SNAPSHOT, key)) {
        return;
    }
    if (first) {
        ss__conn_begin_pace(conn);
    }
    if (conn->state == SS_CONN_HTTP) {
        ss__conn_pause(conn, SS_PAUSE_QUEUE);
    }
}

static bool fits(const struct ss_conn *conn, const struct ss_buf *buf)
{
    uint64_t charged = ss__send_queue_charged(&conn->queue);
    return charged == 0 || (charged + buf->len <= conn->gateway->options.client_queue_bytes &&
                            conn->queue.frames < SS_SEND_FRAMES_MAX);
}

bool ss__conn_send_frame(struct ss_conn *conn, struct ss_buf *buf, uint16_t tag)
{
    if (!ss__conn_is_open(conn) || conn->failed) {
        ss__buf_unref(buf);
        return true;
    }
    if (!fits(conn, buf)) {
        write_queued(conn);    /* one turn may bring more than the queue holds: that is not slow */
        if (!fits(conn, buf)) {
            return false;
        }
    }
    if (push(conn, buf, SS_SEND_FRAME, tag)) {
        ss__count(&conn->gateway->options.stats->frames_out, 1);
    }
    return true;
}

uint32_t ss__conn_drop_frames(struct ss_conn *conn)
{
    struct ss_gateway *gateway = conn->gateway;
    memset(gateway->dropped, 0, gateway->options.subscriptions_max / 8 + 1);
    memset(gateway->withdrawn, 0, gateway->options.subscriptions_max / 8 + 1);
    uint64_t held = conn->queue.answers_held;
    uint32_t count =
        ss__send_queue_drop_frames(&conn->queue, gateway->dropped, gateway->withdrawn);
    ss__conn_count_answer(gateway, (int64_t)conn->queue.answers_held - (int64_t)held);
    return count;
}
