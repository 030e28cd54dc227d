/* replay.h - a stored event goes through the timeline projections again. Shard thread, or the desk
 * of a fold. */
#ifndef SS_SHARD_REPLAY_H
#define SS_SHARD_REPLAY_H

#include "shard/session.h"

/* Replays a stored event into the entities at load. After an error the state is of no use.
 * SS_E_PROJECTION, SS_E_NOMEM, SS_E_STOREIO, SS_E_CORRUPT. */
int ss__replay(struct ss_shard *shard, struct ss_channel *channel, const struct ss_record *record);

#endif
