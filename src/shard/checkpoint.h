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

bool ss__checkpoint_due(const struct ss_state *state);

/* Stages the changed entities as they are now; what changes afterwards is of the next checkpoint.
 * SS_E_NOMEM, and SS_E_CORRUPT for a session that is set aside. */
int ss__checkpoint_stage(struct ss_shard *shard, struct ss_state *state);

/* The commit that held a staged checkpoint returned. */
void ss__checkpoint_committed(struct ss_shard *shard, struct ss_state *state);

/* It failed, and nothing but the checkpoint was lost: the changes are of the next one. */
void ss__checkpoint_undone(struct ss_state *state);

#endif
