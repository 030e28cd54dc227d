#include "shard/spare.h"

#include <stdlib.h>

#include "core/contract.h"
#include "message/message.h"
#include "runtime/pool.h"
#include "shard/shard_state.h"
#include "store/log.h"

struct spare_done {
    struct ss_msg base;
    struct ss_log_fill fill;
    int err;
};

struct spare_job {
    struct ss_pool_job base;
    struct ss_inbox *inbox;
    struct spare_done *done;    /* made beforehand, so that the answer cannot fail */
};

static void run_job(struct ss_pool_job *base)
{
    struct spare_job *job = ss__container_of(base, struct spare_job, base);
    job->done->err = ss__log_fill(&job->done->fill);
    /* The shard waits for its jobs before it closes the inbox, so this is always taken. */
    SS_INSIST(ss__inbox_post(job->inbox, &job->done->base.node, SS_POST_INSIDE) == 0);
    ss__inbox_unref(job->inbox);
    free(job);
}

static int post_job(struct ss_shard *shard, const struct ss_log_fill *fill)
{
    struct spare_job *job = calloc(1, sizeof *job);
    struct spare_done *done = ss__msg_new(SS_MSG_SPARE, sizeof *done);
    if (job == NULL || done == NULL) {
        free(job);
        free(done);
        return SS_E_NOMEM;
    }
    done->fill = *fill;
    *job = (struct spare_job){ .base.run = run_job,
                               .inbox = ss__inbox_ref(shard->inbox),
                               .done = done };
    int err = ss__pool_post(shard->options.pool, &job->base);
    if (err != 0) {
        ss__inbox_unref(job->inbox);
        free(job);
        free(done);
    }
    return err;
}

void ss__spare_make(struct ss_shard *shard)
{
    struct ss_log_fill fill;
    if (shard->options.pool == NULL || shard->phase != SS_SHARD_RUNNING ||
        !ss__store_wants_spare(shard->store, &fill)) {
        return;
    }
    int err = post_job(shard, &fill);
    if (err != 0) {
        ss__store_spare_filled(shard->store, &fill, err);
        return;
    }
    shard->jobs++;
}

void ss__spare_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct spare_done *done = (struct spare_done *)(void *)msg;
    shard->jobs--;
    ss__store_spare_filled(shard->store, &done->fill, done->err);
    free(done);
}
