#include "runtime/pool.h"

#include <stdlib.h>

#include <uv.h>

#include <sessionstream/error.h>

#include "core/contract.h"

#define THREADS_MAX 16

struct queue {
    struct ss_pool_job *first;
    struct ss_pool_job **last;
};

struct ss_pool {
    uv_mutex_t lock;
    uv_cond_t posted;
    struct queue jobs;
    struct queue slow;          /* taken when @jobs is empty */
    unsigned slow_running;
    unsigned waiting;           /* in @jobs */
    bool ending;
    unsigned threads_count;
    uv_thread_t threads[THREADS_MAX];
};

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void push(struct queue *queue, struct ss_pool_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static struct ss_pool_job *pop(struct queue *queue)
{
    struct ss_pool_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return job;
}

/* One thread is left to the others, if there is another one. With the lock. */
static bool may_run_slow(const struct ss_pool *pool)
{
    return pool->slow_running == 0 || pool->slow_running + 1 < pool->threads_count;
}

/* NULL when none waits that may run. With the lock. */
static struct ss_pool_job *take(struct ss_pool *pool, bool *ret_slow)
{
    struct ss_pool_job *job = pop(&pool->jobs);
    *ret_slow = false;
    if (job != NULL) {
        pool->waiting--;
    } else if (may_run_slow(pool)) {
        job = pop(&pool->slow);
        *ret_slow = job != NULL;
        pool->slow_running += *ret_slow;
    }
    return job;
}

static void ran_slow(struct ss_pool *pool)
{
    uv_mutex_lock(&pool->lock);
    pool->slow_running--;
    if (pool->slow.first != NULL) {
        uv_cond_signal(&pool->posted);
    }
    uv_mutex_unlock(&pool->lock);
}

/* NULL: the pool ends. */
static struct ss_pool_job *wait_for_job(struct ss_pool *pool, bool *ret_slow)
{
    struct ss_pool_job *job;
    uv_mutex_lock(&pool->lock);
    while ((job = take(pool, ret_slow)) == NULL && !pool->ending) {
        uv_cond_wait(&pool->posted, &pool->lock);
    }
    uv_mutex_unlock(&pool->lock);
    return job;
}

static void run_thread(void *argument)
{
    struct ss_pool *pool = argument;
    bool slow;
    for (struct ss_pool_job *job; (job = wait_for_job(pool, &slow)) != NULL;) {
        job->run(job);
        if (slow) {
            ran_slow(pool);
        }
    }
}

int ss__pool_new(unsigned threads, struct ss_pool **ret_pool)
{
    SS_REQUIRE(threads <= THREADS_MAX);
    struct ss_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return SS_E_NOMEM;
    }
    queue_init(&pool->jobs);
    queue_init(&pool->slow);
    if (uv_mutex_init(&pool->lock) != 0) {
        goto fail_memory;
    }
    if (uv_cond_init(&pool->posted) != 0) {
        goto fail_lock;
    }
    for (; pool->threads_count < threads; pool->threads_count++) {
        if (uv_thread_create(&pool->threads[pool->threads_count], run_thread, pool) != 0) {
            ss__pool_free(pool);
            return SS_E_IO;
        }
    }
    *ret_pool = pool;
    return 0;

fail_lock:
    uv_mutex_destroy(&pool->lock);
fail_memory:
    free(pool);
    return SS_E_NOMEM;
}

static void append(struct ss_pool *pool, struct ss_pool_job *job)
{
    push(&pool->jobs, job);
    pool->waiting++;
    uv_cond_signal(&pool->posted);
}

int ss__pool_post(struct ss_pool *pool, struct ss_pool_job *job)
{
    int err = 0;
    uv_mutex_lock(&pool->lock);
    if (pool->waiting >= SS_POOL_JOBS_MAX) {
        err = SS_E_BUSY;
    } else {
        append(pool, job);
    }
    uv_mutex_unlock(&pool->lock);
    return err;
}

void ss__pool_post_counted(struct ss_pool *pool, struct ss_pool_job *job)
{
    uv_mutex_lock(&pool->lock);
    append(pool, job);
    uv_mutex_unlock(&pool->lock);
}

void ss__pool_post_slow(struct ss_pool *pool, struct ss_pool_job *job)
{
    uv_mutex_lock(&pool->lock);
    push(&pool->slow, job);
    uv_cond_signal(&pool->posted);
    uv_mutex_unlock(&pool->lock);
}

bool ss__pool_run_one(struct ss_pool *pool)
{
    bool slow;
    uv_mutex_lock(&pool->lock);
    struct ss_pool_job *job = take(pool, &slow);
    uv_mutex_unlock(&pool->lock);
    if (job != NULL) {
        job->run(job);
    }
    if (slow) {
        ran_slow(pool);
    }
    return job != NULL;
}

void ss__pool_free(struct ss_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->threads_count == 0 && ss__pool_run_one(pool)) {
    }
    uv_mutex_lock(&pool->lock);
    pool->ending = true;
    uv_cond_broadcast(&pool->posted);
    uv_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads_count; i++) {
        SS_INSIST(uv_thread_join(&pool->threads[i]) == 0);
    }
    uv_cond_destroy(&pool->posted);
    uv_mutex_destroy(&pool->lock);
    free(pool);
}
