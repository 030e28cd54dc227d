/* run.h - one load test: what all threads share, its phases, its result. */
#ifndef SS_LOAD_RUN_H
#define SS_LOAD_RUN_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <time.h>

#include "histogram.h"
#include "load/options.h"
#include "load/session.h"

struct ss_load_worker;

enum ss_load_phase {
    SS_LOAD_JOIN,          /* followers join; nothing is published */
    SS_LOAD_PUBLISH,
    SS_LOAD_DRAIN,         /* nothing is published; what is on its way arrives */
    SS_LOAD_CHECK,         /* with --fold: a last snapshot of each session */
    SS_LOAD_STOP
};

struct ss_load_run {
    const struct ss_load_options *options;
    struct sockaddr_storage addresses[SS_LOAD_URLS_MAX];
    struct ss_load_session *sessions;
    struct ss_load_worker **workers;
    _Atomic int phase;                 /* enum ss_load_phase */
    _Atomic int64_t measure_from_ns;   /* messages sent from here ... */
    _Atomic int64_t measure_until_ns;  /* ... to here count; 0: none yet */
};

/* Sums over all workers. */
struct ss_load_totals {
    uint64_t published;
    uint64_t acked;
    uint64_t delivered;
    uint64_t bytes_in;
    uint64_t following;        /* followers that have their snapshot, now */
    uint64_t joins;
    uint64_t disconnects;      /* that the generator did not want */
    uint64_t resyncs;          /* snapshots in place of frames */
    uint64_t errors;
    uint64_t unanswered;       /* publishes on connections that were lost */
    uint64_t violations;
};

struct ss_load_samples {
    struct ss_histogram delivery;      /* publish to each follower */
    struct ss_histogram first;         /* publish to the first follower of a message */
    struct ss_histogram last;
    struct ss_histogram ack;           /* publish to durable */
    struct ss_histogram join;          /* connect to snapshot */
};

struct ss_load_usage {
    double cpu_seconds;
    uint64_t rss_bytes;
};

struct ss_load_result {
    double seconds;                    /* measured */
    double join_seconds;               /* until all had joined; with --ramp 0 */
    struct ss_load_totals window;      /* of what was measured */
    struct ss_load_totals totals;
    struct ss_load_usage generator;    /* of what was measured */
    struct ss_load_usage server;       /* zero without --server-pid */
    uint64_t lagging;                  /* followers without all that was acked at the end */
    struct ss_load_samples samples;
};

static inline uint64_t ss__load_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);    /* it exists on every Linux */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline bool ss__load_publishing(const struct ss_load_run *run)
{
    return atomic_load_explicit(&run->phase, memory_order_relaxed) == SS_LOAD_PUBLISH;
}

static inline bool ss__load_measured(const struct ss_load_run *run, int64_t sent_ns)
{
    int64_t from = atomic_load_explicit(&run->measure_from_ns, memory_order_relaxed);
    return from != 0 && sent_ns >= from &&
           sent_ns < atomic_load_explicit(&run->measure_until_ns, memory_order_relaxed);
}

/* Runs the whole test with progress on stderr. Blocks. Errors with a text: SS_E_ADDRESS, SS_E_IO
 * (no server, or it refuses what is published), SS_E_NOMEM. A broken promise is no error but
 * counted in @ret_result, which the caller zeroes before. */
int ss__load_run(const struct ss_load_options *options, struct ss_load_result *ret_result,
                 struct ss_failure *failure);

#endif
