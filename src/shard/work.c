#include "shard/work.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/contract.h"
#include "shard/context.h"
#include "shard/dispatch.h"
#include "shard/job.h"
#include "shard/load.h"
#include "shard/shard_state.h"

struct ss_work {
    struct ss_job base;            /* comes back as SS_MSG_WORKED */
    struct ss_list link;           /* in shard->works */
    struct ss_channel *channel;    /* pinned as by a task */
    const struct ss_work_ops *ops;
    void *arg;
    bool posted;                   /* belongs to the pool until it comes back */
    atomic_int reason;             /* to cancel it; 0: none */
};

static _Thread_local const atomic_int *running;    /* its reason to be cancelled */

bool ss_work_canceled(void)
{
    return running != NULL && atomic_load_explicit(running, memory_order_relaxed) != 0;
}

void ss__work_flag(const atomic_int *reason)
{
    running = reason;
}

static void run(struct ss_job *job)
{
    struct ss_work *work = ss__container_of(job, struct ss_work, base);
    ss__work_flag(&work->reason);
    if (!ss_work_canceled()) {
        work->ops->run(work->arg);
    }
    ss__work_flag(NULL);
}

int ss_work(struct ss_context *context, const struct ss_work_ops *ops, void *arg)
{
    ss__context_check(context);
    struct ss_shard *shard = context->view.shard;
    struct ss_channel *channel = context->channel;
    SS_REQUIRE(ops != NULL && ops->run != NULL && ops->done != NULL);
    if (shard->works_count >= SS_SHARD_WORKS_MAX || channel->tasks_count >= SS_SESSION_TASKS_MAX) {
        return ss__fail(&context->failure, SS_E_LIMIT,
                        "a shard may have %d works under way and a session %d tasks and works",
                        SS_SHARD_WORKS_MAX, SS_SESSION_TASKS_MAX);
    }
    struct ss_work *work = ss__job_new(SS_MSG_WORKED, sizeof *work, run);
    struct ss_effect *effect = work == NULL ? NULL : ss__effect_add(shard, SS_EFFECT_WORK);
    if (effect == NULL) {
        free(work);
        return ss__fail(&context->failure, SS_E_NOMEM, "out of memory");
    }
    work->channel = channel;
    work->ops = ops;
    work->arg = arg;
    atomic_init(&work->reason, 0);
    ss__list_push_back(&shard->works, &work->link);
    ss__gauge_set(&ss__stats(shard)->works, ++shard->works_count);
    channel->tasks_count++;
    effect->work = work;
    return 0;
}

static void detach(struct ss_shard *shard, struct ss_work *work)
{
    ss__list_remove(&work->link);
    ss__gauge_set(&ss__stats(shard)->works, --shard->works_count);
    work->channel->tasks_count--;
    ss__channel_release_later(shard, work->channel);
}

static void cancel_now(struct ss_shard *shard, struct ss_work *work, int reason)
{
    detach(shard, work);
    if (work->ops->on_cancel != NULL) {
        work->ops->on_cancel(work->arg, reason);
    }
    free(work);
}

void ss__work_cancel(struct ss_shard *shard, struct ss_work *work, int reason)
{
    SS_INSIST(!work->posted);
    cancel_now(shard, work, reason);
}

void ss__work_release(struct ss_shard *shard, struct ss_work *work)
{
    if (shard->phase != SS_SHARD_RUNNING) {
        cancel_now(shard, work, SS_E_STOPPING);
        return;
    }
    work->posted = true;
    ss__job_post_counted(shard, shard->options.work_pool, &work->base);
}

/* Works of the open batch are left to their effects, which name them. */
static void cancel_those(struct ss_shard *shard, const struct ss_channel *channel, int reason)
{
    for (struct ss_list *link = shard->works.next; link != &shard->works; link = link->next) {
        struct ss_work *work = ss__container_of(link, struct ss_work, link);
        int none = 0;
        if (work->posted && (channel == NULL || work->channel == channel)) {
            /* The first reason counts. */
            (void)atomic_compare_exchange_strong(&work->reason, &none, reason);
        }
    }
}

void ss__works_cancel_session(struct ss_shard *shard, const struct ss_channel *channel, int reason)
{
    cancel_those(shard, channel, reason);
}

void ss__works_cancel_all(struct ss_shard *shard, int reason)
{
    cancel_those(shard, NULL, reason);
}

void ss__work_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_work *work = ss__container_of(ss__job_back(shard, msg), struct ss_work, base);
    struct ss_channel *channel = work->channel;
    int reason = atomic_load(&work->reason);
    (void)ss__has_share(shard, channel);    /* the batch holds the channel from here on */
    channel->batch_messages++;
    if (reason == 0) {
        reason = ss__load_now(shard, channel);
    }
    if (reason != 0) {
        cancel_now(shard, work, reason);
        return;
    }
    const struct ss_work_ops *ops = work->ops;
    void *arg = work->arg;
    detach(shard, work);
    free(work);
    struct ss_context context;
    ss__context_init(&context, shard, channel);
    uint64_t begin = ss__clock_monotonic_ns(shard->options.clock);
    if (ops->done(&context, arg) < 0) {
        ss__count(&ss__stats(shard)->command_errors, 1);
    }
    ss__context_end(&context);
    ss__handler_took(shard, channel, "work", begin);
}

void ss__work_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_work *work = ss__container_of(ss__job_back(shard, msg), struct ss_work, base);
    int reason = atomic_load(&work->reason);
    cancel_now(shard, work, reason != 0 ? reason : SS_E_STOPPING);
}
