/* publisher.h - a connection that publishes to its sessions in turn and checks the answers. */
#ifndef SS_LOAD_PUBLISHER_H
#define SS_LOAD_PUBLISHER_H

#include "load/connection.h"
#include "load/pending.h"
#include "load/session.h"

struct ss_load_publisher {
    struct ss_load_connection connection;
    uint32_t index;                /* its sessions are index, index + publishers, ... */
    uint32_t cursor;               /* the session of the next message */
    uint32_t window;               /* messages in flight; 0: by rate */
    double interval_ns;            /* between two messages; 0: by window */
    double next_ns;                /* intended time of the next one; 0: not begun */
    uint32_t unanswered;
    _Atomic int64_t in_flight;     /* of the window; followers on other threads count down */
    struct ss_load_pending pending;    /* unanswered; only where answers come in order */
    struct ss_bytes payload;       /* as the dialect packs it */
    uint64_t retry_ns;             /* when to connect again; 0: connected or on its way */
};

/* @rate of this publisher alone; 0 with a window. Errors: SS_E_NOMEM. */
int ss__load_publisher_init(struct ss_load_publisher *publisher, struct ss_load_worker *worker,
                            uint32_t index, double rate, uint32_t window);
void ss__load_publisher_deinit(struct ss_load_publisher *publisher);

void ss__load_publisher_connect(struct ss_load_publisher *publisher);

/* Publishes what is due. Returns when it wants to be called next, in nanoseconds of the clock, or
 * UINT64_MAX: not before something completes. */
uint64_t ss__load_publisher_pump(struct ss_load_publisher *publisher);

/* A message of its window has reached everybody. Called on the thread of @from. */
void ss__load_publisher_completed(struct ss_load_publisher *publisher,
                                  struct ss_load_worker *from);

#endif
