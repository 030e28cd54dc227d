/* checkpoint.h - when and how entities go to disk. Shard thread.
 *
 * Events are the truth; entities on disk are checkpoints that spare a load the replay. A checkpoint
 * is due when enough events have gone by that its cost is a small part of theirs, so that an event
 * costs the same whatever the session holds. */
#ifndef SS_SHARD_CHECKPOINT_H
#define SS_SHARD_CHECKPOINT_H

#include <stdbool.h>

#include "shard/session.h"

/* Events between two checkpoints: at least, and at most. */
#define SS_CHECKPOINT_EVENTS_MIN 64
#define SS_CHECKPOINT_EVENTS_MAX 16384
/* Events per changed entity before a checkpoint is worth it. */
#define SS_CHECKPOINT_EVENTS_PER_ENTITY 4

/* Entities that make a flush worth it, and how many go into one unless a session has more. */
#define SS_FLUSH_ROWS_MIN 512
#define SS_FLUSH_ROWS_MAX 1024

bool ss__checkpoint_due(const struct ss_shard *shard, const struct ss_state *state);

/* Has the changed entities written by the next flush. The state has been stored. */
void ss__checkpoint_want(struct ss_shard *shard, struct ss_state *state);

/* Stages checkpoints that are wanted, as they are now, for the flush that is planned next; what
 * changes afterwards is of the next one. One that cannot be staged for want of memory is still
 * wanted. Not while events are staged. */
void ss__checkpoint_stage(struct ss_shard *shard);

/* The flush is settled. If it failed what was staged is wanted again. */
void ss__checkpoint_settle(struct ss_shard *shard, bool good);

#endif
