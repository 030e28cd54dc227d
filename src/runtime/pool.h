/* pool.h - a few threads for blocking reads and long work, shared by all shards.
 *
 * A job runs once on some thread of the pool. The queue is bounded. The lock in here is the one of
 * the queue; jobs are whole-session reads, so it is taken rarely. */
#ifndef SS_RUNTIME_POOL_H
#define SS_RUNTIME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define SS_POOL_JOBS_MAX 4096

struct ss_pool;

struct ss_pool_job {
    struct ss_pool_job *next;
    void (*run)(struct ss_pool_job *job);    /* on a pool thread; owns the job from then on */
};

/* Starts @threads threads; with 0 jobs wait for ss__pool_run_one (a simulation). Errors:
 * SS_E_NOMEM, SS_E_IO. */
int ss__pool_new(unsigned threads, struct ss_pool **ret_pool);

/* Any thread; blocks never. SS_E_BUSY: SS_POOL_JOBS_MAX jobs wait. The job stays the caller's on
 * error. */
int ss__pool_post(struct ss_pool *pool, struct ss_pool_job *job);

/* The same without that limit: the caller keeps count of its jobs. */
void ss__pool_post_counted(struct ss_pool *pool, struct ss_pool_job *job);

/* The same for a job that takes tens of milliseconds: it runs when no other job waits, and all of
 * them together take at most all threads but one, or the only one. */
void ss__pool_post_slow(struct ss_pool *pool, struct ss_pool_job *job);

/* Runs the oldest waiting job on the calling thread; false if there is none. */
bool ss__pool_run_one(struct ss_pool *pool);

/* Runs what was posted, ends the threads, frees. Nobody may post any more. NULL is fine. */
void ss__pool_free(struct ss_pool *pool);

#endif
