/* close.h - a session leaves memory because somebody asks for it. Shard thread.
 *
 * What its checkpoint lacks is written first, and the answer waits for that. A session that is used
 * meanwhile stays. Followers keep their place: their next frame brings the session back. */
#ifndef SS_SHARD_CLOSE_H
#define SS_SHARD_CLOSE_H

#include "shard/session.h"

/* Handles a CLOSE request of a channel that is not loading; takes it. SS_E_NOTFOUND; SS_E_IN_USE:
 * it works, has tasks or works or appended bytes, or was used before it was written; SS_E_STOREIO,
 * SS_E_STOREFULL: it cannot be written and stays. */
void ss__close_session(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

/* A flush or, with an error, a flush or commit has ended: answers those that wait for it. */
void ss__closes_settle(struct ss_shard *shard, int result);

/* The shard ends: answers those that still wait. */
void ss__closes_end(struct ss_shard *shard);

#endif
