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

bool ss__checkpoint_due(const struct ss_state *state);

/* Has the changed entities written by the next flush. The state has been stored. */
void ss__checkpoint_want(struct ss_shard *shard, struct ss_state *state);

/* Writes the checkpoints that are wanted, and whatever else the store has to move out of its log:
 * see ss__store_flush, whose answer it returns. After an error they are still wanted. Not while
 * events are staged. */
int ss__checkpoint_flush(struct ss_shard *shard, unsigned tails_max);

#endif
