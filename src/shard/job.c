#include "shard/job.h"

#include "core/contract.h"
#include "shard/shard_state.h"

void *ss__job_new(enum ss_msg_kind kind, size_t bytes, void (*run)(struct ss_job *job))
{
    SS_REQUIRE(bytes >= sizeof(struct ss_job));
    struct ss_job *job = ss__msg_new(kind, bytes);
    if (job != NULL) {
        job->run = run;
    }
    return job;
}

static void run_job(struct ss_pool_job *pool_job)
{
    struct ss_job *job = ss__container_of(pool_job, struct ss_job, pool_job);
    struct ss_inbox *inbox = job->inbox;
    job->run(job);
    /* The shard waits for its jobs before it closes the inbox, so this is always taken. */
    SS_INSIST(ss__inbox_post(inbox, &job->base.node, SS_POST_INSIDE) == 0);
    ss__inbox_unref(inbox);
}

static void prepare(struct ss_shard *shard, struct ss_job *job)
{
    job->inbox = ss__inbox_ref(shard->inbox);
    job->pool_job.run = run_job;
    shard->jobs++;
}

int ss__job_post(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job)
{
    prepare(shard, job);
    int err = ss__pool_post(pool, &job->pool_job);
    if (err != 0) {
        ss__inbox_unref(job->inbox);
        shard->jobs--;
    }
    return err;
}

void ss__job_post_counted(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job)
{
    prepare(shard, job);
    if (pool == NULL) {
        run_job(&job->pool_job);
    } else {
        ss__pool_post_counted(pool, &job->pool_job);
    }
}

void ss__job_post_slow(struct ss_shard *shard, struct ss_pool *pool, struct ss_job *job)
{
    prepare(shard, job);
    ss__pool_post_slow(pool, &job->pool_job);
}

struct ss_job *ss__job_back(struct ss_shard *shard, struct ss_msg *msg)
{
    shard->jobs--;
    return (struct ss_job *)(void *)msg;
}
