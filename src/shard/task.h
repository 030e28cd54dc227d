/* task.h - delayed calls of an application, on the shard's timer wheel. Shard thread. */
#ifndef SS_SHARD_TASK_H
#define SS_SHARD_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/handler.h>

#include "core/list.h"
#include "runtime/timer.h"

struct ss_channel;
struct ss_shard;

struct ss_task {
    struct ss_timer timer;
    struct ss_list link;              /* in channel->tasks */
    struct ss_channel *channel;
    const struct ss_task_ops *ops;
    void *arg;
    uint64_t delay_ms;
    bool armed;                       /* waits in the wheel; false until the commit */
};

/* The commit returned: the task begins to wait. */
void ss__task_arm(struct ss_shard *shard, struct ss_task *task);

/* Cancels one task, or all of a session or of the shard, with @reason. */
void ss__task_cancel(struct ss_shard *shard, struct ss_task *task, int reason);
void ss__tasks_cancel_session(struct ss_shard *shard, struct ss_channel *channel, int reason);
void ss__tasks_cancel_all(struct ss_shard *shard, int reason);

/* Takes the batch's time for the tasks. */
void ss__tasks_advance(struct ss_shard *shard);

/* Runs one task that is due, or puts it off by a millisecond if its session had its share of the
 * batch. False: there is none. */
bool ss__tasks_run_one(struct ss_shard *shard);

#endif
