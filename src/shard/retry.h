/* retry.h - failed events of a session are tried again. Shard thread.
 *
 * The state is dropped and loaded anew by a replay that tries every event, from the halt on if
 * nothing failed before it, else from the first event. The answer goes out when a checkpoint has
 * made the result last; until then the end of the process takes it back, and every load of the
 * session tries the failed events again (channel->retrying). */
#ifndef SS_SHARD_RETRY_H
#define SS_SHARD_RETRY_H

#include "message/message.h"
#include "shard/session.h"

/* Begins or, of a session that has been loaded for it, ends a retry. Takes the request; the
 * session may be without state afterwards. */
void ss__retry(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* The load for a retry has failed: the entities on disk count again. */
void ss__retry_give_up(struct ss_shard *shard, struct ss_channel *channel);

/* The entities are others without any event: followers begin again from a snapshot. */
void ss__retry_resync(struct ss_shard *shard, struct ss_channel *channel);

/* A flush has ended: answers those whose result is on disk, or can no longer get there. */
void ss__retries_settle(struct ss_shard *shard);

/* The session is no more: answers those that wait for its checkpoint. */
void ss__retries_forget(struct ss_shard *shard, struct ss_channel *channel, int err);

/* The shard ends: answers those that still wait. */
void ss__retries_end(struct ss_shard *shard);

#endif
