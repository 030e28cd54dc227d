/* job.h - what a shard has done on another thread.
 *
 * A job is one object on its whole way: of the pool until it has run, then a message to the shard
 * that posted it. A shard that ends waits for its jobs, so that what they borrow of it is there. */
#ifndef SS_SHARD_JOB_H
#define SS_SHARD_JOB_H

#include <stddef.h>

#include "message/message.h"
#include "runtime/pool.h"

struct ss_shard;

struct ss_job {
    struct ss_msg base;             /* first */
    struct ss_pool_job pool_job;
    struct ss_inbox *inbox;
    void (*run)(struct ss_job *job);    /* on a thread of the pool */
};

/* A zeroed job of @bytes (>= sizeof struct ss_job) that comes back as a message of @kind; NULL when
 * out of memory. One that is not posted is freed with free. */
void *ss__job_new(enum ss_msg_kind kind, size_t bytes, void (*run)(struct ss_job *job));

/* Gives the job to the pool. SS_E_BUSY: the pool has no room; the job stays the caller's. */
int ss__job_post(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job);

/* The same for a kind of which the caller keeps count; @pool NULL: it runs here and now. */
void ss__job_post_counted(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job);

/* The same for one that takes long: it runs when no other job waits, and leaves threads to them. */
void ss__job_post_slow(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job);

/* The job has come back: it belongs to the caller. */
struct ss_job *ss__job_back(struct ss_shard *shard, struct ss_msg *msg);

#endif
