/* desk.h - a place off the shard where the entities of one session are made from its events.
 *
 * It is a struct ss_shard that has what pipeline, state and snapshot need to replay events and to
 * show what came of them, and nothing else: no store, no inbox, no other session. So a replay here
 * and one at load are the same code. Its state has all entities, and none from disk that was not
 * put there. Made and freed on the shard's thread; used by one thread at a time, whichever. */
#ifndef SS_SHARD_DESK_H
#define SS_SHARD_DESK_H

#include "shard/session.h"

struct ss_shard;

/* For the session of @channel, with an empty state that ends after event 0. Borrows what does not
 * change while @shard lives. NULL: out of memory. */
struct ss_shard *ss__desk_new(const struct ss_shard *shard, const struct ss_channel *channel);

/* NULL is fine. */
void ss__desk_free(struct ss_shard *desk);

/* The session's channel at the desk. */
struct ss_channel *ss__desk_channel(struct ss_shard *desk);

/* Frees what the replays since the last call have needed on the way. */
void ss__desk_clear(struct ss_shard *desk);

#endif
