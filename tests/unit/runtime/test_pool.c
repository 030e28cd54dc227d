#include "runtime/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <sessionstream/error.h>

#include "core/contract.h"
#include "ss_test.h"
#include "unit/core/child_stderr.h"

#define PRODUCERS 3
#define EACH 3000

struct job {
    struct ss_pool_job base;
    atomic_int runs;
    int at;               /* when it ran, counted in jobs */
    atomic_int *clock;
};

static void run_job(struct ss_pool_job *base)
{
    struct job *job = ss__container_of(base, struct job, base);
    atomic_fetch_add(&job->runs, 1);
    job->at = job->clock == NULL ? 0 : atomic_fetch_add(job->clock, 1);
}

static struct job *new_jobs(int count, atomic_int *clock)
{
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    ss_check(jobs != NULL);
    for (int i = 0; i < count; i++) {
        jobs[i].base.run = run_job;
        jobs[i].clock = clock;
    }
    return jobs;
}

SS_TEST(pool, what_was_posted_is_run_once_before_the_end)
{
    static const unsigned threads[] = { 1, 2, 16 };
    for (int i = 0; i < 3; i++) {
        enum { COUNT = 500 };
        struct job *jobs = new_jobs(COUNT, NULL);
        struct ss_pool *pool;
        ss_check(ss__pool_new(threads[i], &pool) == 0);
        for (int k = 0; k < COUNT; k++) {
            ss_check(ss__pool_post(pool, &jobs[k].base) == 0);
        }
        ss__pool_free(pool);
        for (int k = 0; k < COUNT; k++) {
            ss_check_msg(jobs[k].runs == 1, "%u threads, job %d", threads[i], k);
        }
        free(jobs);
    }
}

SS_TEST(pool, jobs_that_are_counted_elsewhere_have_no_limit_here)
{
    enum { COUNT = SS_POOL_JOBS_MAX * 2 };
    struct job *jobs = new_jobs(COUNT, NULL);
    struct ss_pool *pool;
    ss_check(ss__pool_new(1, &pool) == 0);
    for (int i = 0; i < COUNT; i++) {
        ss__pool_post_counted(pool, &jobs[i].base);
    }
    ss__pool_free(pool);
    for (int i = 0; i < COUNT; i++) {
        ss_check(jobs[i].runs == 1);
    }
    free(jobs);
}

SS_TEST(pool, one_without_work_ends)
{
    struct ss_pool *pool;
    ss_check(ss__pool_new(4, &pool) == 0);
    ss__pool_free(pool);
    ss__pool_free(NULL);
}

/* Occupies a thread until it is told to go on. */
struct gate {
    struct ss_pool_job base;
    uv_sem_t entered;
    uv_sem_t open;
};

static void run_gate(struct ss_pool_job *base)
{
    struct gate *gate = ss__container_of(base, struct gate, base);
    uv_sem_post(&gate->entered);
    uv_sem_wait(&gate->open);
}

static void gate_close(struct gate *gate, struct ss_pool *pool)
{
    gate->base.run = run_gate;
    ss_check(uv_sem_init(&gate->entered, 0) == 0 && uv_sem_init(&gate->open, 0) == 0);
    ss_check(ss__pool_post(pool, &gate->base) == 0);
    uv_sem_wait(&gate->entered);
}

static void gate_deinit(struct gate *gate)
{
    uv_sem_destroy(&gate->entered);
    uv_sem_destroy(&gate->open);
}

struct mark {
    struct ss_pool_job base;
    uv_sem_t reached;
};

static void run_mark(struct ss_pool_job *base)
{
    uv_sem_post(&ss__container_of(base, struct mark, base)->reached);
}

/* With one thread: afterwards everything posted before was run. */
static void wait_for_the_rest(struct ss_pool *pool)
{
    struct mark mark = { .base.run = run_mark };
    ss_check(uv_sem_init(&mark.reached, 0) == 0);
    while (ss__pool_post(pool, &mark.base) == SS_E_BUSY) {
        sched_yield();
    }
    uv_sem_wait(&mark.reached);
    uv_sem_destroy(&mark.reached);
}

SS_TEST(pool, one_thread_takes_jobs_in_the_order_of_their_posting)
{
    enum { COUNT = 300 };
    atomic_int clock = 0;
    struct job *jobs = new_jobs(COUNT, &clock);
    struct ss_pool *pool;
    struct gate gate;
    ss_check(ss__pool_new(1, &pool) == 0);
    gate_close(&gate, pool);
    for (int i = 0; i < COUNT; i++) {
        ss_check(ss__pool_post(pool, &jobs[i].base) == 0);
    }
    ss_check(atomic_load(&clock) == 0);
    uv_sem_post(&gate.open);
    ss__pool_free(pool);
    for (int i = 0; i < COUNT; i++) {
        ss_check_msg(jobs[i].at == i, "job %d", i);
    }
    gate_deinit(&gate);
    free(jobs);
}

SS_TEST(pool, a_full_queue_refuses_and_takes_again_when_jobs_were_run)
{
    struct job *jobs = new_jobs(SS_POOL_JOBS_MAX + 1, NULL);
    struct job *last = &jobs[SS_POOL_JOBS_MAX];
    struct ss_pool *pool;
    struct gate gate;
    ss_check(ss__pool_new(1, &pool) == 0);
    for (int round = 1; round <= 2; round++) {
        gate_close(&gate, pool);
        for (int i = 0; i < SS_POOL_JOBS_MAX; i++) {
            ss_check(ss__pool_post(pool, &jobs[i].base) == 0);
        }
        ss_check(ss__pool_post(pool, &last->base) == SS_E_BUSY);
        ss_check(ss__pool_post(pool, &last->base) == SS_E_BUSY);
        uv_sem_post(&gate.open);
        wait_for_the_rest(pool);
        gate_deinit(&gate);
        for (int i = 0; i < SS_POOL_JOBS_MAX; i++) {
            ss_check(jobs[i].runs == round);
        }
        ss_check(last->runs == 0);
    }
    ss_check(ss__pool_post(pool, &last->base) == 0);
    ss__pool_free(pool);
    ss_check(last->runs == 1);
    free(jobs);
}

struct meeting {
    struct ss_pool_job base;
    pthread_barrier_t *barrier;
};

static void run_meeting(struct ss_pool_job *base)
{
    (void)pthread_barrier_wait(ss__container_of(base, struct meeting, base)->barrier);
}

SS_TEST(pool, as_many_jobs_run_at_once_as_there_are_threads)
{
    enum { COUNT = 16, ROUNDS = 20 };
    pthread_barrier_t barrier;
    static struct meeting meetings[ROUNDS * COUNT];
    struct ss_pool *pool;
    ss_check(pthread_barrier_init(&barrier, NULL, COUNT) == 0);
    ss_check(ss__pool_new(COUNT, &pool) == 0);
    for (int i = 0; i < ROUNDS * COUNT; i++) {
        meetings[i] = (struct meeting){ { .run = run_meeting }, &barrier };
        ss_check(ss__pool_post(pool, &meetings[i].base) == 0);
    }
    ss__pool_free(pool);
    ss_check(pthread_barrier_destroy(&barrier) == 0);
}

struct chain {
    struct ss_pool_job base;
    struct ss_pool *pool;
    unsigned left;
    uv_sem_t *done;
};

/* Owns its memory, and posts the next one from a thread of the pool. */
static void run_chain(struct ss_pool_job *base)
{
    struct chain *chain = ss__container_of(base, struct chain, base);
    if (chain->left == 0) {
        uv_sem_post(chain->done);
        free(chain);
        return;
    }
    struct chain *next = malloc(sizeof *next);
    ss_check(next != NULL);
    *next = *chain;
    next->left--;
    ss_check(ss__pool_post(next->pool, &next->base) == 0);
    free(chain);
}

SS_TEST(pool, a_job_owns_itself_and_may_post_another)
{
    struct ss_pool *pool;
    uv_sem_t done;
    ss_check(uv_sem_init(&done, 0) == 0 && ss__pool_new(2, &pool) == 0);
    for (unsigned i = 0; i < 4; i++) {
        struct chain *chain = malloc(sizeof *chain);
        ss_check(chain != NULL);
        *chain = (struct chain){ { .run = run_chain }, pool, 500, &done };
        ss_check(ss__pool_post(pool, &chain->base) == 0);
    }
    for (int i = 0; i < 4; i++) {
        uv_sem_wait(&done);
    }
    ss__pool_free(pool);
    uv_sem_destroy(&done);
}

struct producer {
    pthread_t thread;
    struct ss_pool *pool;
    struct job *jobs;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (int i = 0; i < EACH; i++) {
        int err;
        while ((err = ss__pool_post(producer->pool, &producer->jobs[i].base)) == SS_E_BUSY) {
            sched_yield();
        }
        ss_check(err == 0);
    }
    return NULL;
}

SS_TEST(pool, any_thread_may_post)
{
    struct producer producers[PRODUCERS];
    struct ss_pool *pool;
    ss_check(ss__pool_new(2, &pool) == 0);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .pool = pool, .jobs = new_jobs(EACH, NULL) };
        ss_check(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) == 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        ss_check(pthread_join(producers[i].thread, NULL) == 0);
    }
    ss__pool_free(pool);
    for (int i = 0; i < PRODUCERS; i++) {
        for (int k = 0; k < EACH; k++) {
            ss_check_msg(producers[i].jobs[k].runs == 1, "producer %d, job %d", i, k);
        }
        free(producers[i].jobs);
    }
}

static void new_pool(void *context)
{
    struct ss_pool *pool;
    (void)ss__pool_new(*(const unsigned *)context, &pool);
}

SS_TEST(pool, a_senseless_number_of_threads_is_the_callers_mistake)
{
    static unsigned count = 17;
    struct child_stderr child;
    child_stderr_run(new_pool, &count, &child);
    ss_check(child.signal == SIGABRT && strstr(child.text, "requirement failed") != NULL);
}

struct order_job {
    struct ss_pool_job base;
    unsigned *turn;
    unsigned ran;
};

static void note_turn(struct ss_pool_job *base)
{
    struct order_job *job = ss__container_of(base, struct order_job, base);
    job->ran = ++*job->turn;
}

SS_TEST(pool, without_threads_jobs_run_when_they_are_told_to)
{
    struct ss_pool *pool;
    unsigned turn = 0;
    struct order_job jobs[3];
    ss_check(ss__pool_new(0, &pool) == 0 && !ss__pool_run_one(pool));
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct order_job){ .base.run = note_turn, .turn = &turn };
        ss_check(ss__pool_post(pool, &jobs[i].base) == 0);
    }
    ss_check(turn == 0);
    ss_check(ss__pool_run_one(pool) && jobs[0].ran == 1 && turn == 1);
    ss_check(ss__pool_run_one(pool) && jobs[1].ran == 2);
    ss__pool_free(pool);
    ss_check(jobs[2].ran == 3);
}

SS_TEST(pool, a_slow_job_waits_for_the_others)
{
    struct ss_pool *pool;
    unsigned turn = 0;
    struct order_job jobs[3];
    ss_check(ss__pool_new(0, &pool) == 0);
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct order_job){ .base.run = note_turn, .turn = &turn };
    }
    ss__pool_post_slow(pool, &jobs[0].base);
    ss__pool_post_slow(pool, &jobs[1].base);
    ss_check(ss__pool_post(pool, &jobs[2].base) == 0);
    ss_check(ss__pool_run_one(pool) && jobs[2].ran == 1);
    ss_check(ss__pool_run_one(pool) && jobs[0].ran == 2);
    ss__pool_free(pool);
    ss_check(jobs[1].ran == 3);
}

/* A thread of a pool of @threads is left to the others while slow ones take as long as they like. */
static void hold_slow(unsigned threads)
{
    enum { SLOW = 6 };
    struct gate gates[SLOW];
    struct mark mark = { .base.run = run_mark };
    struct ss_pool *pool;
    ss_check(uv_sem_init(&mark.reached, 0) == 0 && ss__pool_new(threads, &pool) == 0);
    for (unsigned i = 0; i < SLOW; i++) {
        gates[i].base.run = run_gate;
        ss_check(uv_sem_init(&gates[i].entered, 0) == 0 && uv_sem_init(&gates[i].open, 0) == 0);
        ss__pool_post_slow(pool, &gates[i].base);
    }
    for (unsigned i = 0; i + 1 < threads; i++) {
        uv_sem_wait(&gates[i].entered);
    }
    ss_check(ss__pool_post(pool, &mark.base) == 0);
    uv_sem_wait(&mark.reached);
    ss_check(uv_sem_trywait(&gates[threads - 1].entered) != 0);
    for (unsigned i = 0; i < SLOW; i++) {
        uv_sem_post(&gates[i].open);
    }
    ss__pool_free(pool);    /* runs what was posted */
    for (unsigned i = 0; i < SLOW; i++) {
        ss_check(i + 1 < threads || uv_sem_trywait(&gates[i].entered) == 0);
        gate_deinit(&gates[i]);
    }
    uv_sem_destroy(&mark.reached);
}

SS_TEST(pool, slow_jobs_leave_a_thread_to_the_others)
{
    hold_slow(2);
    hold_slow(4);
}

SS_TEST(pool, one_thread_runs_slow_jobs_too)
{
    struct ss_pool *pool;
    struct job *jobs = new_jobs(5, NULL);
    ss_check(ss__pool_new(1, &pool) == 0);
    for (unsigned i = 0; i < 5; i++) {
        ss__pool_post_slow(pool, &jobs[i].base);
    }
    ss__pool_free(pool);
    for (unsigned i = 0; i < 5; i++) {
        ss_check(jobs[i].runs == 1);
    }
    free(jobs);
}
