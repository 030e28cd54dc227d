/* gateway.h - one network thread: listener, connections, and who follows which session.
 *
 * A gateway turns bytes of sockets into requests for shards and what shards answer into bytes. It
 * owns its libuv loop and everything reachable from it; there is no lock in src/gateway. Others
 * know its connections and sessions only by slot and generation.
 *
 * Life:    new (binds) -> start (listens) -> stop_listening -> stop -> join -> free.
 *          new -> free is fine too.
 * Threads: new, start, join and free belong to one controlling thread; the others say so. */
#ifndef SS_GATEWAY_GATEWAY_H
#define SS_GATEWAY_GATEWAY_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/failure.h"
#include "message/message.h"
#include "message/router.h"
#include "message/stats.h"
#include "schema/registry.h"
#include "wire/transport.h"

struct ss_gateway;

/* How long a gateway does things of one kind while others wait: reads what is ready without a look
 * at what the shards answer, accepts, closes those whose time has come. */
#define SS_GATEWAY_SLICE_US 200

/* All pointers are borrowed and outlive the gateway. Nothing is optional
 * but what says so. */
struct ss_gateway_options {
    uint32_t index;                          /* place among the gateways, from 0 */
    const struct ss_router *router;
    const struct ss_registry *registry;      /* frozen */
    struct ss_trace *trace;                  /* borrowed; NULL: no debug ring */
    const struct ss_transport *transport;
    struct ss_gateway_stats *stats;          /* written by this gateway only */
    const struct ss_stats_table *stats_table;
    const char *listen_host;                 /* address or name; needed by ss__gateway_new only */
    uint16_t listen_port;                    /* 0: any free one, see ss__gateway_port */
    const atomic_bool *ready;                /* false: /readyz answers 503 */
    const struct ss_backup_control *backups;    /* NULL: none can be made */
    uint32_t client_queue_bytes;
    uint64_t answers_bytes_max;       /* SS_ANSWERS_BYTES_MAX */
    uint32_t slow_client_rounds;             /* at most 200; 0: closed at the first overflow */
    uint32_t client_frame_bytes;
    uint32_t connections_max;
    uint32_t subscriptions_max;              /* per connection, at most UINT16_MAX */
    uint32_t handshake_timeout_ms;
    uint32_t ping_interval_ms;
    uint32_t dead_timeout_ms;
    uint32_t stop_timeout_ms;
    uint32_t slice_us;                       /* SS_GATEWAY_SLICE_US; a few are done in any case */
};

/* Makes the process' table of descriptors large enough for @connections, as far as RLIMIT_NOFILE
 * allows. It would grow as they come, and whenever it doubles the kernel lets the thread that
 * accepts wait until every processor has passed a quiet point (10 ms and more), and with it
 * everybody whom the thread serves. A process without other threads is not made to wait: call it
 * before there are any. Failure is silent: the table grows later. */
void ss__gateway_reserve_descriptors(uint64_t connections);

/* Binds the address so that several gateways of this process share the port. Blocks on the name
 * look-up. Errors: SS_E_ADDRESS (@failure names host, port and why), SS_E_NOMEM, SS_E_IO. */
int ss__gateway_new(const struct ss_gateway_options *options, struct ss_gateway **ret_gateway,
                    struct ss_failure *failure);

/* The port bound. Any thread. */
uint16_t ss__gateway_port(const struct ss_gateway *gateway);

/* Shards post REPLY, FRAME and RESYNC here, all SS_POST_INSIDE. Lives as long as the gateway,
 * longer for those who hold a reference. Any thread. */
struct ss_inbox *ss__gateway_inbox(struct ss_gateway *gateway);

/* Starts the thread; returns when the port is listened on. Errors: SS_E_ADDRESS, SS_E_IO,
 * SS_E_NOMEM. After an error the thread is gone. */
int ss__gateway_start(struct ss_gateway *gateway);

/* First step of the stop: closes the listener and reads no more requests; answers still leave,
 * but snapshots in pages end where they are. Any thread; blocks never; repeating it is harmless. */
void ss__gateway_stop_listening(struct ss_gateway *gateway);

/* Second step, after the shards have answered everything: flushes the queues, closes websockets
 * with 1001, gives up on what is not gone after @patience_ms; then the thread ends. Any thread;
 * blocks never; repeating it changes nothing. */
void ss__gateway_stop(struct ss_gateway *gateway, uint32_t patience_ms);

/* Waits for the end of the thread. Only after a successful start. */
void ss__gateway_join(struct ss_gateway *gateway);

/* After join, or for a gateway that never started. NULL is fine. */
void ss__gateway_free(struct ss_gateway *gateway);

#endif
