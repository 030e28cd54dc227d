/* healthy.h - well-behaved clients on a thread of their own: what they get, and how fast.
 *
 * A pair is one connection that submits at an even rate and one that follows the same session. */
#ifndef SS_HOSTILE_HEALTHY_H
#define SS_HOSTILE_HEALTHY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "peer.h"

#define HEALTHY_PAIRS_MAX 2

enum healthy_phase {
    HEALTHY_IDLE,
    HEALTHY_QUIET,
    HEALTHY_HOSTILE,
    HEALTHY_HONEST,            /* beside as much load from clients that mean no harm */
    HEALTHY_PHASES
};

struct healthy_pair {
    const char *session;
    double rate;               /* submits a second */
    uint32_t payload;          /* bytes of one */
    struct healthy *healthy;
    struct peer submitter;
    struct peer follower;
    uint64_t next_ns;
    uint64_t sent;
    uint64_t accepted;
    uint64_t acked_ordinal;    /* the highest */
    uint64_t next_ordinal;     /* that the follower expects; 0: before the snapshot */
    uint64_t delivered;
    uint64_t gaps;
    uint64_t doubles;
    uint64_t errors;
    uint64_t snapshots;        /* after the first */
    struct ss_histogram ack[HEALTHY_PHASES];
    struct ss_histogram delivery[HEALTHY_PHASES];
};

struct healthy {
    struct healthy_pair pairs[HEALTHY_PAIRS_MAX];
    unsigned count;
    bool careful;              /* submits no more than its followers keep up with */
    uint16_t port;
    pthread_t thread;
    _Atomic int phase;         /* enum healthy_phase */
    _Atomic uint64_t measured[HEALTHY_PHASES];    /* answers and deliveries */
    _Atomic bool stopping;
    _Atomic bool failed;       /* a connection was lost */
};

/* Connects all pairs, whose first three members are filled, and starts to submit. False: a
 * connection failed. */
bool healthy_start(struct healthy *healthy, uint16_t port);

/* Submits no more, waits up to two minutes until everything is answered and delivered, disconnects. */
void healthy_stop(struct healthy *healthy);

#endif
