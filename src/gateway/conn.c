#include "gateway/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/hash.h"
#include "gateway/observe.h"
#include "gateway/subscriptions.h"

/* Slices of one write. */
#define SLICES_MAX 64

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
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);    /* slower without */
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

static void mark_dirty(struct ss_conn *conn)
{
    ss__list_remove(&conn->dirty);
    ss__list_push_back(&conn->gateway->dirty, &conn->dirty);
}

void ss__conn_fail(struct ss_conn *conn)
{
    if (conn->state != SS_CONN_CLOSED) {
        conn->failed = true;
        mark_dirty(conn);
    }
}

/* ---- reading and waiting ---- */

static void make_resumable(struct ss_conn *conn)
{
    ss__list_remove(&conn->waiting);
    ss__list_push_back(&conn->gateway->resumable, &conn->waiting);
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
    ss__list_remove(&conn->waiting);
    if ((conn->pause & SS_PAUSE_PRESSED) != 0) {
        ss__list_push_back(&conn->gateway->pressed, &conn->waiting);
        ss__conn_arm(conn->gateway, ss__gateway_now_ms(conn->gateway) + SS_PRESSED_LOOK_MS);
    }
    if (conn->reading) {
        conn->reading = false;
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);    /* always 0 */
    }
}

void ss__conn_unpause(struct ss_conn *conn, enum ss_conn_pause reason)
{
    if ((conn->pause & (uint8_t)reason) == 0) {
        return;
    }
    conn->pause &= (uint8_t)~(unsigned)reason;
    if (conn->pause == 0) {
        make_resumable(conn);
    } else if (reason == SS_PAUSE_PRESSED) {
        ss__list_remove(&conn->waiting);
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
        /* Not at once: a timer without delay would run again before the sockets of others. */
        ss__conn_wake_at(conn, ss__gateway_now_ms(conn->gateway) + 1);
    }
}

void ss__conn_begin_turn(struct ss_conn *conn)
{
    if ((conn->pause & SS_PAUSE_TURN) != 0) {
        conn->turn_spent = 0;
        ss__conn_unpause(conn, SS_PAUSE_TURN);
    }
}

bool ss__conn_has_unread(const struct ss_conn *conn)
{
    uv_os_fd_t fd;
    int bytes = 0;
    return uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0 &&
           ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
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

/* ---- writing ---- */

/* Subscribes and pages may wait for room in its share. */
static void wake_waiting(struct ss_conn *conn)
{
    if (conn->deferred_count > 0 || conn->paging_count > 0) {
        ss__conn_wake_at(conn, ss__gateway_now_ms(conn->gateway));
    }
}

static void set_answer_bytes(struct ss_gateway *gateway, uint64_t bytes)
{
    gateway->answer_bytes = bytes;
    ss__gauge_set(&gateway->options.stats->answer_bytes, bytes);
}

/* What a connection may leave unread of its answers: less as room gets short. */
static uint64_t answer_share(const struct ss_gateway *gateway)
{
    uint64_t max = gateway->options.answers_bytes_max;
    return gateway->answer_bytes >= max ? 0 : (max - gateway->answer_bytes) / SS_ANSWERS_SHARES;
}

static void release_entry(struct ss_conn *conn, struct ss_send_entry *entry)
{
    if (entry->kind == SS_SEND_SNAPSHOT) {
        ss__snapshot_budget_release(&conn->gateway->snapshots, entry->buf);
        wake_waiting(conn);
    } else if (entry->kind == SS_SEND_ANSWER) {
        set_answer_bytes(conn->gateway, conn->gateway->answer_bytes - entry->buf->len);
    }
    ss__buf_unref(entry->buf);
}

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
        release_entry(conn, &entry);
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
        conn->queue.answers_held <= answer_share(conn->gateway) / 2) {
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
    mark_dirty(conn);
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
    if (kind == SS_SEND_ANSWER) {
        set_answer_bytes(gateway, gateway->answer_bytes + len);
    }
    if (ss__send_queue_charged(&conn->queue) > gateway->options.client_queue_bytes ||
        conn->queue.count > SS_SEND_FRAMES_MAX ||
        conn->queue.answers_held > answer_share(gateway)) {
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

bool ss__conn_has_room(const struct ss_conn *conn, size_t bytes)
{
    const struct ss_gateway *gateway = conn->gateway;
    return gateway->answer_bytes + bytes <= gateway->options.answers_bytes_max;
}

/* ---- snapshots ---- */

/* Its share of the budget: what it has asked for counts as what it holds. */
static uint64_t taken(const struct ss_conn *conn)
{
    return conn->queue.snapshots_held + conn->reserved_bytes;
}

static bool has_share(const struct ss_conn *conn, uint32_t bytes)
{
    uint64_t held = taken(conn);
    return held == 0 || held + bytes <= SS_SNAPSHOT_SHARE_BYTES;
}

int ss__conn_hold_snapshot(struct ss_conn *conn, const struct ss_buf *buf)
{
    if (!has_share(conn, buf->len)) {
        return SS_E_BUSY;
    }
    return ss__snapshot_budget_hold(&conn->gateway->snapshots, buf);
}

int ss__conn_hold_page(struct ss_conn *conn, const struct ss_buf *buf)
{
    return ss__snapshot_budget_hold_page(&conn->gateway->snapshots, buf);
}

bool ss__conn_reserve_page(struct ss_conn *conn, uint32_t bytes)
{
    if (!has_share(conn, bytes) ||
        !ss__snapshot_budget_reserve(&conn->gateway->snapshots, bytes)) {
        return false;
    }
    conn->reserved_bytes += bytes;
    return true;
}

void ss__conn_unreserve_page(struct ss_conn *conn, uint32_t bytes)
{
    SS_REQUIRE(conn->reserved_bytes >= bytes);
    conn->reserved_bytes -= bytes;
    ss__snapshot_budget_unreserve(&conn->gateway->snapshots, bytes);
    wake_waiting(conn);
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

bool ss__conn_has_snapshot(struct ss_conn *conn, uint32_t key)
{
    return taken(conn) >= SS_SNAPSHOT_SHARE_BYTES ||
           ss__send_queue_has_snapshot(&conn->queue, key);
}

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

/* ---- frames ---- */

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
    return ss__send_queue_drop_frames(&conn->queue, gateway->dropped, gateway->withdrawn);
}

/* ---- the end ---- */

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
    make_resumable(conn);
    mark_dirty(conn);
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
        release_entry(conn, &entry);
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
