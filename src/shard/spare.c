#include "shard/spare.h"

#include <stdlib.h>

#include "core/contract.h"
#include "shard/job.h"
#include "shard/shard_state.h"
#include "store/log.h"

struct spare {
    struct ss_job base;    /* comes back as SS_MSG_SPARE */
    struct ss_log_fill fill;
    int err;
};

static void run(struct ss_job *job)
{
    struct spare *spare = ss__container_of(job, struct spare, base);
    spare->err = ss__log_fill(&spare->fill);
}

static int post(struct ss_shard *shard, const struct ss_log_fill *fill)
{
    struct spare *spare = ss__job_new(SS_MSG_SPARE, sizeof *spare, run);
    if (spare == NULL) {
        return SS_E_NOMEM;
    }
    spare->fill = *fill;
    int err = ss__job_post(shard, shard->options.pool, &spare->base);
    if (err != 0) {
        free(spare);
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
    int err = post(shard, &fill);
    if (err != 0) {
        ss__store_spare_filled(shard->store, &fill, err);
    }
}

void ss__spare_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct spare *spare = ss__container_of(ss__job_back(shard, msg), struct spare, base);
    ss__store_spare_filled(shard->store, &spare->fill, spare->err);
    free(spare);
}
