/* resume.h - clients that come back with a cursor. Shard thread.
 *
 * One that the ring reaches, or that is where the session stands, gets the frames after it and no
 * snapshot; the session need not be in memory for that. Any other gets a snapshot and the reason.
 * Frames that are still to be committed count: they are in the ring before the answer leaves, and
 * if they are not, the request comes here again. */
#ifndef SS_SHARD_RESUME_H
#define SS_SHARD_RESUME_H

#include "message/message.h"
#include "shard/session.h"

/* True if the subscribe is answered, or failed. False: it takes a snapshot, and request->reason
 * says why, or the session has to be loaded for more to be known. Not while it loads. */
bool ss__resume(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* Makes the gateway a follower and stages the answer, or the error. */
void ss__resume_follow(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

#endif
