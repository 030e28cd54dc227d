/* A connection's part of what the gateway keeps for all that do not read: answers and snapshots. */
#include "gateway/conn.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/contract.h"

/* ---- answers ---- */

void ss__conn_count_answer(struct ss_gateway *gateway, int64_t more)
{
    gateway->answer_bytes += (uint64_t)more;
    ss__gauge_set(&gateway->options.stats->answer_bytes, gateway->answer_bytes);
}

uint64_t ss__conn_answer_share(const struct ss_gateway *gateway)
{
    uint64_t max = gateway->options.answers_bytes_max;
    return gateway->answer_bytes >= max ? 0 : (max - gateway->answer_bytes) / SS_ANSWERS_SHARES;
}

bool ss__conn_has_room(const struct ss_conn *conn, size_t bytes)
{
    const struct ss_gateway *gateway = conn->gateway;
    return gateway->answer_bytes + bytes <= gateway->options.answers_bytes_max;
}

bool ss__conn_has_reserve(const struct ss_conn *conn, size_t bytes)
{
    const struct ss_gateway *gateway = conn->gateway;
    uint64_t max = gateway->options.answers_bytes_max + SS_ANSWERS_RESERVE_BYTES;
    return conn->queue.count == 0 && gateway->answer_bytes + bytes <= max;
}

/* ---- snapshots ---- */

/* Subscribes and pages may wait for room in its share. */
static void wake_waiting(struct ss_conn *conn)
{
    if (conn->deferred_count > 0 || conn->paging_count > 0) {
        ss__conn_wake_at(conn, ss__gateway_now_ms(conn->gateway));
    }
}

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

bool ss__conn_has_snapshot(struct ss_conn *conn, uint32_t key)
{
    return taken(conn) >= SS_SNAPSHOT_SHARE_BYTES ||
           ss__send_queue_has_snapshot(&conn->queue, key);
}

/* ---- both ---- */

void ss__conn_release(struct ss_conn *conn, struct ss_send_entry *entry)
{
    if (entry->kind == SS_SEND_SNAPSHOT) {
        ss__snapshot_budget_release(&conn->gateway->snapshots, entry->buf);
        wake_waiting(conn);
    } else if (entry->kind == SS_SEND_ANSWER || entry->kind == SS_SEND_SUBSCRIBED) {
        ss__conn_count_answer(conn->gateway, -(int64_t)entry->buf->len);
    }
    ss__buf_unref(entry->buf);
}
