#include "shard/flusher.h"

#include <stdlib.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/checkpoint.h"
#include "shard/close.h"
#include "shard/cut.h"
#include "shard/errors.h"
#include "shard/job.h"
#include "shard/rebuild.h"
#include "shard/retention.h"
#include "shard/retry.h"
#include "shard/shard_state.h"

struct flush_job {
    struct ss_job base;    /* comes back as SS_MSG_FLUSHED */
    struct ss_flush *flush;
    uint64_t begin_ns;
};

static void run(struct ss_job *job)
{
    ss__store_flush_run(ss__container_of(job, struct flush_job, base)->flush);
}

static bool post_job(struct ss_shard *shard, struct ss_flush *flush)
{
    /* Whoever fills memory with new sessions waits for the disk. */
    if (shard->options.pool == NULL || shard->phase == SS_SHARD_ENDED ||
        ss__store_crowded(shard->store)) {
        return false;
    }
    struct flush_job *job = ss__job_new(SS_MSG_FLUSHED, sizeof *job, run);
    if (job == NULL) {
        return false;
    }
    job->flush = flush;
    job->begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    if (ss__job_post(shard, shard->options.pool, &job->base) != 0) {
        free(job);
        return false;
    }
    return true;
}

/* Counts and reports how a flush ended. Returns @result. */
static int ended(struct ss_shard *shard, int result, uint64_t begin_ns)
{
    struct ss_shard_stats *stats = ss__stats(shard);
    ss__checkpoint_settle(shard, result >= 0);
    ss__retries_settle(shard);
    ss__rebuilds_settle(shard);
    ss__closes_settle(shard, result);
    ss__retention_flushed(shard);
    ss__count(&stats->flushes, result > 0);
    ss__count(&stats->flush_us, (ss__clock_monotonic_ns(shard->options.clock) - begin_ns) / 1000);
    if (result < 0) {
        ss__count(&stats->flush_errors, 1);
        ss__log(SS_LOG_ERROR, "flush failed, the log keeps what it should have moved",
                "shard=%u error=%s reason=\"%s\"", shard->options.index, ss_error_name(result),
                ss_error_text(result));
        ss__gauge_set(&stats->store_failed, ss__store_writable(shard->store) == SS_E_STOREIO);
        ss__errors_store(shard, NULL, result, "a flush failed, the log keeps what it should move");
    }
    return result;
}

static bool start(struct ss_shard *shard, unsigned tails_max)
{
    struct ss_flush *flush;
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    shard->flush_wanted = false;
    ss__checkpoint_stage(shard);
    int result = ss__store_flush_plan(shard->store, tails_max, &flush);
    if (result == 1 && (flush == NULL || post_job(shard, flush))) {
        return true;
    }
    if (result == 1) {
        ss__store_flush_run(flush);
        result = ss__store_flush_settle(shard->store, flush);
    }
    return ended(shard, result, begin_ns) > 0;
}

void ss__flusher_run(struct ss_shard *shard)
{
    ss__errors_show(shard);
    ss__cut_make(shard);
    if (!ss__cut_defers(shard) &&
        (shard->due_rows >= SS_FLUSH_ROWS_MIN || shard->flush_wanted ||
         ss__store_flush_due(shard->store) || ss__errors_due(shard)) &&
        ss__store_may_flush(shard->store) && ss__list_empty(&shard->rebuilt)) {
        (void)start(shard, 0);    /* an error has been logged and counted */
    }
}

bool ss__flusher_rest(struct ss_shard *shard, unsigned tails_max)
{
    ss__flusher_settle(shard);
    ss__cut_make(shard);
    if (ss__cut_defers(shard)) {
        return ss__store_flushing(shard->store);    /* its end wakes the shard */
    }
    return ss__store_flushing(shard->store) || !ss__list_empty(&shard->rebuilt) ||
           (ss__store_may_flush(shard->store) && start(shard, tails_max));
}

void ss__flusher_done(struct ss_shard *shard, struct ss_msg *msg)
{
    SS_REQUIRE(shard->flushed == NULL);
    shard->flushed = ss__job_back(shard, msg);
}

void ss__flusher_settle(struct ss_shard *shard)
{
    if (shard->flushed != NULL) {
        struct flush_job *job = ss__container_of(shard->flushed, struct flush_job, base);
        shard->flushed = NULL;
        (void)ended(shard, ss__store_flush_settle(shard->store, job->flush), job->begin_ns);
        free(job);
    }
}
