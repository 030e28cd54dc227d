/* events.h - a page of a session's stored events, read by the pool. Shard thread.
 *
 * The pool makes of it what is asked for: the array of a caller in this process, or the JSON of a
 * gateway. The session goes on meanwhile. */
#ifndef SS_SHARD_EVENTS_H
#define SS_SHARD_EVENTS_H

#include "message/message.h"
#include "shard/session.h"

/* Takes the EVENTS request of a session that is loaded; errors are those of ss_engine_events. */
void ss__events(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* The pool has read: SS_MSG_EVENTS_READ. */
void ss__events_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same after the end of the last batch: nobody gets an answer. */
void ss__events_drop(struct ss_shard *shard, struct ss_msg *msg);

#endif
