#include "shard/task.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "shard/context.h"
#include "shard/dispatch.h"
#include "shard/load.h"
#include "shard/shard_state.h"

static void detach(struct ss_shard *shard, struct ss_task *task)
{
    if (task->armed) {
        ss__timers_cancel(&shard->timers, &task->timer);
    }
    ss__list_remove(&task->link);
    task->channel->tasks_count--;
    ss__gauge_set(&ss__stats(shard)->tasks, shard->timers.count);
}

int ss_after(struct ss_context *context, uint64_t delay_ms, const struct ss_task_ops *ops,
             void *arg, struct ss_task **ret_task)
{
    ss__context_check(context);
    struct ss_shard *shard = context->view.shard;
    struct ss_channel *channel = context->channel;
    SS_REQUIRE(ops != NULL && ops->run != NULL);
    if (channel->tasks_count >= SS_SESSION_TASKS_MAX) {
        return ss__fail(&context->failure, SS_E_LIMIT, "a session may have %d waiting tasks",
                        SS_SESSION_TASKS_MAX);
    }
    struct ss_task *task = calloc(1, sizeof *task);
    struct ss_effect *effect = task == NULL ? NULL : ss__effect_add(shard, SS_EFFECT_ARM);
    if (effect == NULL) {
        free(task);
        return ss__fail(&context->failure, SS_E_NOMEM, "out of memory");
    }
    task->channel = channel;
    task->ops = ops;
    task->arg = arg;
    task->delay_ms = delay_ms;
    ss__list_push_back(&channel->tasks, &task->link);
    channel->tasks_count++;
    effect->task = task;
    if (ret_task != NULL) {
        *ret_task = task;
    }
    return 0;
}

/* An unarmed task is named by an effect of the open batch, which must forget it. */
static void forget_effect(struct ss_shard *shard, const struct ss_task *task)
{
    for (struct ss_effect *at = shard->effects.first; at != NULL; at = at->next) {
        if (at->kind == SS_EFFECT_ARM && at->task == task) {
            at->task = NULL;
        }
    }
}

void ss__task_cancel(struct ss_shard *shard, struct ss_task *task, int reason)
{
    if (!task->armed) {
        forget_effect(shard, task);
    }
    detach(shard, task);
    if (task->ops->on_cancel != NULL) {
        task->ops->on_cancel(task->arg, reason);
    }
    free(task);
}

void ss_task_cancel(struct ss_context *context, struct ss_task *task)
{
    ss__context_check(context);
    SS_REQUIRE(task->channel == context->channel);
    ss__task_cancel(context->view.shard, task, SS_E_CANCELED);
}

void ss__task_arm(struct ss_shard *shard, struct ss_task *task)
{
    task->armed = true;
    uint64_t due = shard->timers.now_ms + task->delay_ms;
    ss__timers_add(&shard->timers, &task->timer, due < task->delay_ms ? UINT64_MAX : due);
    ss__gauge_set(&ss__stats(shard)->tasks, shard->timers.count);
}

void ss__tasks_cancel_session(struct ss_shard *shard, struct ss_channel *channel, int reason)
{
    while (!ss__list_empty(&channel->tasks)) {
        ss__task_cancel(shard, ss__container_of(channel->tasks.next, struct ss_task, link),
                        reason);
    }
}

void ss__tasks_cancel_all(struct ss_shard *shard, int reason)
{
    size_t at = 0;
    for (struct ss_channel *channel; (channel = ss__map_next(&shard->channels, &at)) != NULL;) {
        ss__tasks_cancel_session(shard, channel, reason);
    }
}

static void run_task(struct ss_shard *shard, struct ss_task *task)
{
    struct ss_channel *channel = task->channel;
    const struct ss_task_ops *ops = task->ops;
    void *arg = task->arg;
    /* A state that went away is read again here: tasks carry on where the store stands. */
    int err = ss__load_now(shard, channel);
    if (err != 0) {
        ss__task_cancel(shard, task, err);
        return;
    }
    task->armed = false;
    detach(shard, task);
    free(task);
    struct ss_context context;
    ss__context_init(&context, shard, channel);
    uint64_t begin = ss__clock_monotonic_ns(shard->options.clock);
    if (ops->run(&context, arg) < 0) {
        ss__count(&ss__stats(shard)->command_errors, 1);
    }
    ss__context_end(&context);
    ss__handler_took(shard, channel, "task", begin);
}

void ss__tasks_advance(struct ss_shard *shard)
{
    ss__timers_advance(&shard->timers, shard->now_ns / 1000000);
}

bool ss__tasks_run_one(struct ss_shard *shard)
{
    struct ss_timer *timer = ss__timers_take(&shard->timers);
    if (timer == NULL) {
        return false;
    }
    struct ss_task *task = ss__container_of(timer, struct ss_task, timer);
    struct ss_channel *channel = task->channel;
    if (ss__has_share(shard, channel)) {
        channel->batch_messages++;
        task->armed = false;
        run_task(shard, task);
    } else {
        ss__timers_add(&shard->timers, timer, shard->timers.now_ms + 1);
    }
    ss__gauge_set(&ss__stats(shard)->tasks, shard->timers.count);
    return true;
}
