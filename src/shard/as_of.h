/* as_of.h - the entities of a session as they were after an earlier event. Shard thread. */
#ifndef SS_SHARD_AS_OF_H
#define SS_SHARD_AS_OF_H

#include "message/message.h"
#include "shard/session.h"

/* A fold over so many events leaves what it made to the store, as a base for the next. */
#define SS_AS_OF_KEEP_EVENTS 8192

/* Answers a SNAPSHOT with request->at, perhaps much later; from the first event that is not older
 * than the position of the session's snapshot on, with the present one. Takes the request. Its
 * errors: SS_E_GONE, SS_E_PROJECTION (an event that is in the timeline fails now), SS_E_LIMIT,
 * SS_E_BUSY, SS_E_DELETED, SS_E_STOPPING, SS_E_STOREIO,
 * SS_E_CORRUPT, SS_E_NOMEM. */
void ss__as_of(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

#endif
