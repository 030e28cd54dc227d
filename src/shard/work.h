/* work.h - blocking work of an application, on the work pool and back. Shard thread.
 *
 * A work is one object on its whole way: an effect of the open batch, a job of the pool, a message
 * to the shard. Only its reason to be cancelled is shared with the pool. */
#ifndef SS_SHARD_WORK_H
#define SS_SHARD_WORK_H

#include <stdatomic.h>

#include <sessionstream/work.h>

#include "message/message.h"

struct ss_channel;
struct ss_shard;
struct ss_work;

/* The commit returned: the work goes to the pool. */
void ss__work_release(struct ss_shard *shard, struct ss_work *work);

/* Cancels a work that has not left: its batch failed. */
void ss__work_cancel(struct ss_shard *shard, struct ss_work *work, int reason);

/* Cancels those of a session or of the shard that are in the pool: on_cancel is called when they
 * come back. */
void ss__works_cancel_session(struct ss_shard *shard, const struct ss_channel *channel,
                              int reason);
void ss__works_cancel_all(struct ss_shard *shard, int reason);

/* The pool has run it. */
void ss__work_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same when the shard has ended. */
void ss__work_drop(struct ss_shard *shard, struct ss_msg *msg);

/* On a thread of the pool: what ss_work_canceled looks at there until the next call, not 0 meaning
 * yes. NULL: nothing. */
void ss__work_flag(const atomic_int *reason);

#endif
