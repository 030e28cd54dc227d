/* state.h - what one gateway thread owns. For src/gateway only.
 *
 * Layers inside the folder, each using only those before it: send_queue, snapshot_budget,
 * followers, conn_table | subscriptions (data) | conn | answer, respond, requests | follow |
 * ingress | routes | reader | egress, sweep, listener | gateway. */
#ifndef SS_GATEWAY_STATE_H
#define SS_GATEWAY_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/hash.h"
#include "core/list.h"
#include "gateway/conn_table.h"
#include "gateway/followers.h"
#include "gateway/gateway.h"
#include "gateway/snapshot_budget.h"
#include "http/request.h"
#include "runtime/loop.h"
#include "runtime/timer.h"
#include "wire/ws.h"

/* One read of a socket; the buffer is shared by all connections of the gateway. */
#define SS_READ_BYTES (64u << 10)

struct ss_listener {
    uv_poll_t poll;
    int fd;               /* -1: closed */
    int reserve_fd;       /* given up for a moment when descriptors run out; -1: none */
    uint64_t warned_ms;   /* last warning about descriptors */
    uint64_t again_ms;    /* accepting is suspended until then; 0: it is not */
    bool open;            /* poll is an active handle */
};

struct ss_gateway {
    /* --- fixed after new --- */
    struct ss_gateway_options options;
    uint16_t port;
    struct ss_inbox *inbox;
    struct ss_hash_key id_key;    /* of ids of connections */
    /* --- any thread --- */
    _Atomic(struct ss_msg_stop *) stop_messages[2];    /* first step, second step; NULL once sent */
    /* --- gateway thread --- */
    struct ss_loop loop;
    struct ss_listener listener;
    struct ss_conn_table conns;
    struct ss_followers followers;
    struct ss_snapshot_budget snapshots;
    struct ss_ws_decoder_pool decoders;
    struct ss_http_bodies bodies;
    struct ss_timers timers;
    uint64_t armed_ms;                /* when the loop's timer will call; UINT64_MAX: never */
    struct ss_list dirty;             /* connections with something new to write */
    struct ss_list resumable;         /* may read again */
    struct ss_list pressed;           /* wait until an inbox is relieved */
    struct ss_list hungry;            /* wait for their next turn */
    struct ss_arena arena;            /* one client message */
    struct ss_bytes scratch;          /* of encoders */
    struct ss_bytes text;             /* of HTTP answers */
    struct ss_buf *ping;              /* a websocket ping, shared */
    uint64_t requests;                /* number of the newest request */
    uint64_t held_bytes;
    uint64_t answer_bytes;            /* memory of answers that are not written */
    uint64_t deliveries;              /* frames times followers in this turn */
    uint64_t turn_spent;              /* units of work for messages (conn.h) in turn_ms */
    uint32_t turn_ms;
    uint32_t reads_unseen;            /* work of reads since the clock was looked at */
    uint64_t worked_ns;               /* when a batch of the inbox was last done */
    uint64_t work_ns;                 /* what that took */
    bool between_reads;               /* work was called from there: sockets still wait */
    bool overdue;                     /* connections whose time has come are left to be looked at */
    uint64_t stop_due_ms;             /* second step: when patience ends */
    uint64_t random;                  /* jitter */
    uint64_t observed_count;          /* transport records made so far */
    bool observed;                    /* somebody wants them */
    bool reading_stopped;
    bool closing;
    uint8_t *read_buffer;             /* SS_READ_BYTES */
    uint8_t *dropped;                 /* bit per subscription of one connection */
    uint8_t *withdrawn;               /* the same, of its `subscribed` */
};

static inline uint64_t ss__gateway_slice_ns(const struct ss_gateway *gateway)
{
    return (uint64_t)gateway->options.slice_us * 1000;
}

/* Milliseconds of the loop's clock at the start of this turn. */
static inline uint64_t ss__gateway_now_ms(const struct ss_gateway *gateway)
{
    return uv_now(&gateway->loop.uv);
}

#endif
