/* snapshot.h - the entities of a session as one frame. Shard thread. */
#ifndef SS_SHARD_SNAPSHOT_H
#define SS_SHARD_SNAPSHOT_H

#include "message/message.h"
#include "shard/session.h"

/* A snapshot this young may be answered again, with the frames after it from the ring. */
#define SS_SNAPSHOT_REUSE_NS 100000000u

/* Sets request->snapshot (websocket message) and the places of the answer, from the cache when the
 * ring reaches back to it, else encoded now. The state is whole. SS_E_NOMEM. */
int ss__snapshot_answer(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request);

/* True if the changes since the request's cursor are known, removals included, and would do. The
 * state is whole. */
bool ss__snapshot_has_delta(const struct ss_channel *channel, const struct ss_request *request);

/* The same as ss__snapshot_answer with nothing but those changes. Made for this request alone. */
int ss__snapshot_delta(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

/* Sets request->snapshot to the SnapshotFrame document as JSON, always of now: encoded once per
 * position of the session. SS_E_NOMEM. */
int ss__snapshot_document(struct ss_shard *shard, struct ss_channel *channel,
                          struct ss_request *request);

#endif
