/* worker.h - a thread of the generator: its loop, its connections, what it counted. */
#ifndef SS_LOAD_WORKER_H
#define SS_LOAD_WORKER_H

#include <stdatomic.h>
#include <uv.h>

#include "load/follower.h"
#include "load/publisher.h"
#include "load/run.h"

#define SS_LOAD_VIOLATIONS_KEPT 20
#define SS_LOAD_ERROR_CODES 16

/* Written by the worker, read by anyone. */
struct ss_load_counts {
    _Atomic uint64_t published;
    _Atomic uint64_t acked;
    _Atomic uint64_t delivered;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t following;
    _Atomic uint64_t open_publishers;
    _Atomic uint64_t joins;
    _Atomic uint64_t disconnects;
    _Atomic uint64_t resyncs;
    _Atomic uint64_t errors;
    _Atomic uint64_t unanswered;
    _Atomic uint64_t violations;
    _Atomic uint64_t p50_ns;               /* deliveries of the last second */
    _Atomic uint64_t p99_ns;
    _Atomic uint64_t lagging;              /* connections for which a drain must wait; the main
                                            * thread sets it to have it counted again */
    _Atomic uint64_t unchecked;            /* sessions without their last snapshot */
    _Atomic bool failed;                   /* @failure says why the run cannot go on */
};

struct ss_load_error_count {
    char code[40];
    uint64_t count;
};

struct ss_load_worker {
    struct ss_load_run *run;
    uint32_t index;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_check_t check;                      /* publishes after each round of reads */
    uv_timer_t tick;
    uv_poll_t pace;                        /* publishes at the intended time */
    int pace_fd;
    uint64_t pace_ns;                      /* what it is set to; 0: not */
    bool stopping;
    bool drained;                          /* lagging was counted */
    bool all_stay;                         /* every follower gets every message */
    uint64_t now_ns;                       /* of the bytes being read */
    struct ss_bytes out;                   /* of the connection being served */

    struct ss_load_follower *followers;
    uint32_t follower_count;
    struct ss_load_publisher *publishers;
    uint32_t publisher_count;
    struct ss_load_follower *checkers;     /* one for each session of this worker, or NULL */
    uint32_t checker_count;
    uint32_t checked;                      /* begun */

    struct ss_load_follower *due_first;    /* to join, in the order of their time */
    struct ss_load_follower *due_last;
    uint32_t joining;
    double churn_due;                      /* followers that are to leave */
    uint64_t ticked_ns;
    uint64_t second_ns;
    uint64_t random;

    struct ss_load_counts counts;
    struct ss_histogram interval;
    struct ss_load_samples samples;
    struct ss_load_error_count errors[SS_LOAD_ERROR_CODES];
    char violations[SS_LOAD_VIOLATIONS_KEPT][160];
    struct ss_failure failure;
    uint8_t read_buffer[1 << 18];
};

static inline void ss__load_count(_Atomic uint64_t *count, uint64_t more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* Makes the worker with its share of followers and publishers; NULL when out of memory. */
struct ss_load_worker *ss__load_worker_new(struct ss_load_run *run, uint32_t index);

/* Starts its thread. Errors: SS_E_IO. */
int ss__load_worker_start(struct ss_load_worker *worker);

/* Waits for the end of its thread, which the phase SS_LOAD_STOP brings about. Any thread. */
void ss__load_worker_join(struct ss_load_worker *worker);
void ss__load_worker_free(struct ss_load_worker *worker);

/* Which worker a session's publisher, and its follower with number @follower, belong to. */
uint32_t ss__load_worker_of(const struct ss_load_options *options, uint32_t session,
                            uint32_t follower);

/* The rest on the worker's thread, for its connections. */
void ss__load_worker_joined(struct ss_load_worker *worker, struct ss_load_follower *follower);
void ss__load_worker_opened(struct ss_load_worker *worker);
void ss__load_worker_lost(struct ss_load_worker *worker, bool unwanted, const char *why);
void ss__load_worker_left(struct ss_load_worker *worker, bool followed);
void ss__load_worker_join_later(struct ss_load_worker *worker, struct ss_load_follower *follower,
                                uint64_t delay_ns);

/* The server broke a promise. */
void ss__load_violation(struct ss_load_worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The server answered with an error. */
void ss__load_error(struct ss_load_worker *worker, struct ss_str code);

#endif
