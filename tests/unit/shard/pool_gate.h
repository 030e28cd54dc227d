/* pool_gate.h - a pool of one thread that does nothing until it is let go. */
#ifndef SS_POOL_GATE_H
#define SS_POOL_GATE_H

#include "ss_test.h"

#include <sched.h>
#include <stdatomic.h>

#include "core/list.h"
#include "runtime/pool.h"

struct gate {
    struct ss_pool_job job;
    atomic_bool entered;
    atomic_bool open;
};

static inline void hold_thread(struct ss_pool_job *job)
{
    struct gate *gate = ss__container_of(job, struct gate, job);
    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open)) {
        sched_yield();
    }
}

/* Keeps the only thread of the pool. */
static inline void close_gate(struct gate *gate, struct ss_pool *pool)
{
    gate->job.run = hold_thread;
    atomic_init(&gate->entered, false);
    atomic_init(&gate->open, false);
    ss_check(ss__pool_post(pool, &gate->job) == 0);
    while (!atomic_load(&gate->entered)) {
        sched_yield();
    }
}

static inline void open_gate(struct gate *gate)
{
    atomic_store(&gate->open, true);
}

#endif
