/* conn.h - one socket: its states, its send queue, and how it ends.
 *
 * In files for what they hold: conn.c its life, conn_pause.c why it does not read, conn_write.c
 * what it writes, conn_budget.c its part of what many share, conn_pace.c and conn_silence.c when it
 * is taken for dead.
 *
 * HTTP -> (WEBSOCKET) -> FLUSHING -> LINGERING -> CLOSED, with short cuts to CLOSED. Below here
 * nobody knows what is read; gateway/reader.h feeds what arrives. Nothing in here calls back
 * upwards: a connection that may read again is put on gateway->resumable, one that needs a look
 * later waits in gateway->timers. Gateway thread. */
#ifndef SS_GATEWAY_CONN_H
#define SS_GATEWAY_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/buf.h"
#include "core/contract.h"
#include "core/list.h"
#include "gateway/send_queue.h"
#include "gateway/state.h"
#include "http/request.h"
#include "runtime/timer.h"
#include "wire/encoding.h"
#include "wire/ws.h"

/* After the last byte: how long to wait for the other side to close, so that what it has sent
 * does not make the kernel reset the connection and lose our last words. */
#define SS_LINGER_MS 2000

/* How often connections are looked at that wait for the inbox of a shard. */
#define SS_PRESSED_LOOK_MS 5

/* Of the id that the hello frame says: "conn-" and bytes in hexadecimal that nobody can guess. */
#define SS_CONN_ID_BYTES 16
#define SS_CONN_ID_TEXT_BYTES (5 + 2 * SS_CONN_ID_BYTES)

enum ss_conn_state {
    SS_CONN_HTTP,
    SS_CONN_WEBSOCKET,
    SS_CONN_FLUSHING,      /* writes what is queued, then lingers; input is thrown away */
    SS_CONN_LINGERING,     /* our side is shut down; waits for the other */
    SS_CONN_CLOSED         /* the handle is closing; memory goes with it */
};

/* Why a connection does not read; bits. */
enum ss_conn_pause {
    SS_PAUSE_REQUESTS = 1,    /* enough unanswered requests */
    SS_PAUSE_ANSWER = 2,      /* HTTP: one request at a time */
    SS_PAUSE_PRESSED = 4,     /* the inbox of a shard is nearly full */
    SS_PAUSE_QUEUE = 8,       /* it does not read what we answer */
    SS_PAUSE_STOPPING = 16,
    SS_PAUSE_TURN = 32        /* it had its share of this turn */
};

struct ss_subscription {
    struct ss_followed *session;   /* NULL: free */
    uint64_t number;               /* of the newest unanswered subscribe; 0: none */
    uint64_t ordinal;              /* of the last answer: frames up to it are in there */
    uint32_t place;                /* among the session's followers, if live */
    bool live;                     /* answered: frames are delivered */
    bool stale;                    /* frames were dropped: skip them until the next answer */
    bool internal;                 /* the unanswered subscribe is ours, not the client's */
    bool owes;                     /* the client waits for `subscribed`; it is stale till then */
    bool resuming;                 /* of the client's newest answered subscribe, as the next two */
    uint8_t reason;                /* enum ss_resume_reason */
    uint32_t page_bytes;           /* of its snapshots; 0: they are not sent in pages */
    uint64_t since;
    struct ss_request *page;       /* its newest page is being written; counts as asking */
    struct ss_request *deferred;   /* the client's subscribe that waits; counts as asking */
};

/* Bytes that were read while the connection may not be served. */
struct ss_held {
    uint32_t len;
    uint32_t at;    /* of them, looked at */
    uint8_t data[];
};

struct ss_conn {
    uv_tcp_t tcp;
    struct ss_gateway *gateway;
    struct ss_list dirty;              /* in gateway->dirty; linked to itself otherwise */
    struct ss_list waiting;            /* in gateway->resumable, ->pressed or ->hungry */
    struct ss_timer timer;
    union {
        struct {                       /* SS_CONN_HTTP */
            struct ss_http_parser http;
            uint64_t number;           /* of the unanswered request; 0: none */
        };
        struct {                       /* SS_CONN_WEBSOCKET */
            struct ss_ws ws;
            uint64_t ping_ms;          /* when the next ping is due */
            uint64_t unfinished_ms;    /* since when a message is unfinished; 0: none */
            uint64_t resync_ms;        /* when the last resync began */
            uint16_t resync_tag;       /* its subscription */
        };
    } in;
    struct ss_send_queue queue;
    struct ss_subscription *subscriptions;
    struct ss_held *held;              /* read and not looked at; NULL: nothing */
    uv_write_t *blocked_write;         /* the kernel's buffer was full; NULL until it happens */
    uint64_t heard_ms;                 /* when bytes last arrived, or a blocked write ended */
    uint64_t progress_ms;              /* when bytes last left, or the queue began to fill */
    uint64_t written;                  /* bytes of the queue that left, in all */
    uint64_t pace_goal;                /* @written has to be it at pace_ms */
    uint64_t pace_ms;                  /* 0: nothing waits that has to be written in time */
    uint64_t reserved_bytes;           /* for pages that it has asked for */
    uint64_t deadline_ms;              /* HTTP: of the request; closing: of the connection */
    uint32_t slot;
    uint32_t generation;
    uint32_t request_bytes;            /* unanswered */
    uint32_t blocked_left;             /* bytes of the blocked write, when last looked at */
    uint32_t turn_ms;                  /* of which turn_spent is, cut */
    uint32_t paused_ms;                /* since when it does not read, cut */
    uint16_t requests;                 /* unanswered */
    uint16_t subscriptions_cap;
    uint16_t subscriptions_count;
    uint16_t stale_count;
    uint16_t deferred_count;
    uint16_t paging_count;
    uint16_t pressed_shard;
    uint16_t turn_spent;               /* of SS_TURN_UNITS_MAX */
    uint8_t state;                     /* enum ss_conn_state */
    uint8_t pause;                     /* bits of enum ss_conn_pause */
    uint8_t encoding;                  /* enum ss_encoding */
    uint8_t rounds;                    /* overflows without a quiet time between them */
    bool overflowed;                   /* since the last resync */
    bool blocked;                      /* blocked_write is in flight */
    bool reading;
    bool glutted;                      /* its last read filled the buffer: next time others first */
    bool failed;                       /* to be closed by the next flush */
    bool ended;                        /* the other side sends nothing more */
    bool timing;                       /* timer waits */
    bool keep_alive;                   /* of the request being answered */
    bool head_only;
    bool was_websocket;                /* it has an id */
};

/* Takes over the connected, non-blocking socket @fd, also on error. Errors: SS_E_NOMEM, SS_E_IO. */
int ss__conn_new(struct ss_gateway *gateway, int fd, struct ss_conn **ret_conn);

/* Writes the id of a connection: made from its slot and generation under a key of the gateway, so
 * that an idle connection keeps no memory for it. */
struct ss_str ss__conn_id_text(const struct ss_conn *conn, char out[SS_CONN_ID_TEXT_BYTES]);

/* Queues a websocket message or HTTP answer; takes the reference in every case. NULL (an encoder
 * was out of memory) fails the connection. One that is closing takes nothing any more. */
void ss__conn_send(struct ss_conn *conn, struct ss_buf *buf);

/* The same for a websocket control frame. */
void ss__conn_send_control(struct ss_conn *conn, struct ss_buf *buf);

/* The same for the `subscribed` of subscription @tag: it stands for the frames of the subscription
 * that are queued before it, and is dropped with them. */
void ss__conn_send_subscribed(struct ss_conn *conn, struct ss_buf *buf, uint16_t tag);

/* Counts @buf in the gateway's budget of snapshots for this connection: to be sent next, or
 * released. Errors: SS_E_BUSY (the budget or this connection's share of it is used up), SS_E_NOMEM.
 */
int ss__conn_hold_snapshot(struct ss_conn *conn, const struct ss_buf *buf);

/* What a client reads when that is SS_E_BUSY. */
#define SS_SNAPSHOTS_BUSY_TEXT                                                                    \
    "too many snapshots wait to be read by their clients, retry after a pause"

/* The same for a page of a snapshot after its first, for which room was reserved. SS_E_NOMEM. */
int ss__conn_hold_page(struct ss_conn *conn, const struct ss_buf *buf);

/* Keeps room for the next page. False: this connection or the gateway has none now. */
bool ss__conn_reserve_page(struct ss_conn *conn, uint32_t bytes);

/* The page is there, or will never be. */
void ss__conn_unreserve_page(struct ss_conn *conn, uint32_t bytes);

/* Queues a snapshot that is held, of the session with this key; takes the reference in every case.
 * Until it is written an HTTP connection reads nothing. */
void ss__conn_send_snapshot(struct ss_conn *conn, struct ss_buf *buf, uint32_t key);

/* True if a snapshot of the session must wait: its last one is not written, or the connection's
 * share is used up. */
bool ss__conn_has_snapshot(struct ss_conn *conn, uint32_t key);

/* Bytes written, those included which the kernel took of a write under way. */
uint64_t ss__conn_written(struct ss_conn *conn);

/* Whether an answer of @bytes has room in what the gateway keeps of them for all. */
bool ss__conn_has_room(const struct ss_conn *conn, size_t bytes);

/* The same of one that must not be missing just then: there is a reserve for clients that have
 * nothing unread. */
bool ss__conn_has_reserve(const struct ss_conn *conn, size_t bytes);

/* Begins a period in which part of what waits must be written. */
void ss__conn_begin_pace(struct ss_conn *conn);

/* True if a write is blocked and the kernel would take more: it has taken more than was looked at,
 * so the gateway was late, not the client. A system call. */
bool ss__conn_takes_more(const struct ss_conn *conn);

/* Sees whether the kernel took a part of the write that is blocked. */
void ss__conn_note_progress(struct ss_conn *conn, uint64_t now);

/* Close a connection that takes nothing of what is queued; that takes too little of it; a websocket
 * one that is silent, or does not finish a message. Each returns when to look again, UINT64_MAX:
 * not because of that. */
uint64_t ss__conn_look_at_writing(struct ss_conn *conn, uint64_t now);
uint64_t ss__conn_look_at_pace(struct ss_conn *conn, uint64_t now);
uint64_t ss__conn_look_at_silence(struct ss_conn *conn, uint64_t now);

/* A client may take so long for one websocket message, and no longer than the dead timeout. */
#define SS_UNFINISHED_MS 30000

/* Looks at a connection with an unfinished message when that has to be finished, or earlier. */
void ss__conn_watch_message(struct ss_conn *conn);

/* Queues a frame of subscription @tag. False, with the reference still the caller's: the queue is
 * full even after a write. */
bool ss__conn_send_frame(struct ss_conn *conn, struct ss_buf *buf, uint16_t tag);

/* Drops the frames of which no byte was written; their subscriptions are set in
 * gateway->dropped, those whose `subscribed` went with them in gateway->withdrawn; both are cleared
 * first. Returns how many. */
uint32_t ss__conn_drop_frames(struct ss_conn *conn);

/* Writes what every dirty connection has queued: one system call each, as far as they accept it.
 * Closes those that failed: so nothing else here ever closes one behind the caller's back. */
void ss__conn_flush_all(struct ss_gateway *gateway);

/* Its memory or socket failed: the next flush closes it. */
void ss__conn_fail(struct ss_conn *conn);

/* Sets or clears reasons not to read. Cleared altogether: the connection becomes resumable. */
void ss__conn_pause(struct ss_conn *conn, enum ss_conn_pause reason);
void ss__conn_unpause(struct ss_conn *conn, enum ss_conn_pause reason);

/* Counts what was done for its messages; over its share of a millisecond it waits in
 * gateway->hungry for its next turn, so that one that never stops to send leaves the others their
 * time. */
void ss__conn_spend(struct ss_conn *conn, size_t units);

/* Its next turn has come. */
void ss__conn_begin_turn(struct ss_conn *conn);

/* True if bytes of the other side wait in the kernel: the silence is ours. A system call. */
bool ss__conn_has_unread(const struct ss_conn *conn);

/* True if what was due at @due_ms is looked at too late, the process having stood still, and bytes
 * of the other side wait: they may have come in time. It is then due SS_GRACE_MS later, once: that
 * look is in time. A system call. */
#define SS_GRACE_MS 125
bool ss__conn_may_be_in_time(const struct ss_conn *conn, uint64_t due_ms, uint64_t now);

/* Looks at the connection at @due_ms (sweep) or earlier. */
void ss__conn_wake_at(struct ss_conn *conn, uint64_t due_ms);

/* Calls the gateway's timer at @due_ms or earlier; the second one for what waits in its wheel. */
void ss__conn_arm(struct ss_gateway *gateway, uint64_t due_ms);
void ss__conn_arm_timers(struct ss_gateway *gateway);

/* The protocol is over: drops subscriptions and unread input, writes what is queued for at most
 * @patience_ms, then closes. Not from inside ss__ws_feed. Harmless when repeated. */
void ss__conn_finish(struct ss_conn *conn, uint64_t patience_ms);

/* The same after a websocket close frame with @status. */
void ss__conn_finish_websocket(struct ss_conn *conn, uint16_t status, const char *reason);

/* Closes at once; queued bytes are lost. Harmless when repeated. */
void ss__conn_close(struct ss_conn *conn);

/* The same of one that is taken for dead, counted as such. */
void ss__conn_close_dead(struct ss_conn *conn);

/* Keeps unread input of one read for later. Never refused for want of room: see
 * ss__conn_read_share. Errors: SS_E_NOMEM. */
int ss__conn_hold(struct ss_conn *conn, const uint8_t *data, size_t len);
void ss__conn_drop_held(struct ss_conn *conn);

/* How much the next read may bring. What was read must find room if its connection has to wait, so
 * a read gets smaller as room does: many that wait slow the reading down, nobody is failed. */
size_t ss__conn_read_share(const struct ss_gateway *gateway);

static inline bool ss__conn_is_open(const struct ss_conn *conn)
{
    return conn->state == SS_CONN_HTTP || conn->state == SS_CONN_WEBSOCKET;
}

/* ---- for the parts of conn ---- */

/* An entry has left the queue: takes it off the budgets and gives up its reference. */
void ss__conn_release(struct ss_conn *conn, struct ss_send_entry *entry);

/* Bytes of answers more (or less) that the clients of the gateway have not read. */
void ss__conn_count_answer(struct ss_gateway *gateway, int64_t more);

/* What a connection may leave unread of its answers: less as room gets short. */
uint64_t ss__conn_answer_share(const struct ss_gateway *gateway);

/* To be looked at by the next flush. */
static inline void ss__conn_mark_dirty(struct ss_conn *conn)
{
    ss__list_remove(&conn->dirty);
    ss__list_push_back(&conn->gateway->dirty, &conn->dirty);
}

/* May read again, or be looked at again. */
static inline void ss__conn_make_resumable(struct ss_conn *conn)
{
    ss__list_remove(&conn->waiting);
    ss__list_push_back(&conn->gateway->resumable, &conn->waiting);
}

static inline struct ss_conn *ss__conn_of_dirty(struct ss_list *link)
{
    return ss__container_of(link, struct ss_conn, dirty);
}

static inline struct ss_conn *ss__conn_of_waiting(struct ss_list *link)
{
    return ss__container_of(link, struct ss_conn, waiting);
}

#endif
