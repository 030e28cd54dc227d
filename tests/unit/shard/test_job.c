/* A job goes to the pool and comes back to its shard; one that is refused never left. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "notes_app.h"

#include "shard/job.h"

struct probe {
    struct ss_job base;
    pthread_t runner;
};

static atomic_bool held;

static void run(struct ss_job *job)
{
    ss__container_of(job, struct probe, base)->runner = pthread_self();
}

static void hold(struct ss_pool_job *job)
{
    (void)job;
    while (atomic_load(&held)) {
        (void)sched_yield();
    }
}

static struct probe *new_probe(void)
{
    struct probe *probe = ss__job_new(SS_MSG_WORKED, sizeof *probe, run);
    ss_check(probe != NULL);
    return probe;
}

static struct probe *await(struct fixture *f)
{
    struct ss_inbox_node *node;
    while ((node = ss__inbox_take(f->shard->inbox)) == NULL) {
        (void)sched_yield();
    }
    ss_check(ss__msg_of(node)->kind == SS_MSG_WORKED && f->shard->jobs == 1);
    return ss__container_of(ss__job_back(f->shard, ss__msg_of(node)), struct probe, base);
}

SS_TEST(job, runs_on_the_pool_and_comes_back_as_its_message)
{
    struct fixture f;
    struct ss_pool *pool;
    fixture_init(&f);
    ss_check(ss__pool_new(1, &pool) == 0);
    struct probe *probe = new_probe();
    ss_check(ss__job_post(f.shard, pool, &probe->base) == 0);
    ss_check(await(&f) == probe && f.shard->jobs == 0);
    ss_check(!pthread_equal(probe->runner, pthread_self()));
    free(probe);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(job, counted_ones_run_here_without_a_pool)
{
    struct fixture f;
    fixture_init(&f);
    struct probe *probe = new_probe();
    ss__job_post_counted(f.shard, NULL, &probe->base);
    ss_check(pthread_equal(probe->runner, pthread_self()) && f.shard->jobs == 1);
    ss_check(await(&f) == probe && f.shard->jobs == 0);
    free(probe);
    fixture_deinit(&f);
}

SS_TEST(job, that_finds_no_room_stays_with_the_caller_and_one_that_is_counted_finds_it)
{
    static struct ss_pool_job fillers[SS_POOL_JOBS_MAX + 1];
    struct fixture f;
    struct ss_pool *pool;
    fixture_init(&f);
    ss_check(ss__pool_new(1, &pool) == 0);
    atomic_store(&held, true);
    int err = 0;
    for (size_t i = 0; i <= SS_POOL_JOBS_MAX && err == 0; i++) {
        fillers[i].run = hold;
        err = ss__pool_post(pool, &fillers[i]);
    }
    if (err == 0) {
        static struct ss_pool_job last = { .run = hold };    /* the thread has taken the first */
        err = ss__pool_post(pool, &last);
    }
    ss_check(err == SS_E_BUSY);
    struct probe *probe = new_probe();
    ss_check(ss__job_post(f.shard, pool, &probe->base) == SS_E_BUSY && f.shard->jobs == 0);
    ss__job_post_counted(f.shard, pool, &probe->base);
    atomic_store(&held, false);
    ss_check(await(&f) == probe);
    free(probe);
    fixture_deinit(&f);
    ss__pool_free(pool);
}
