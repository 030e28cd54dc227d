/* import.h - events that come with their ordinals. Shard thread.
 *
 * Those that are there already have to be the same, by name and meaning; they are read by the pool
 * and compared here, while other requests of the session wait. The rest is appended as a publish
 * appends, all of it in one commit. */
#ifndef SS_SHARD_IMPORT_H
#define SS_SHARD_IMPORT_H

#include "message/message.h"
#include "shard/session.h"

/* Takes the request of a session that is loaded. It is answered with the last ordinal, or
 * SS_E_CONFLICT (something else is stored), SS_E_INVAL (a gap before the first), SS_E_GONE (what it
 * would be compared with), SS_E_PROJECTION (all of it is stored, a projection failed),
 * SS_E_STOREFULL, SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
void ss__import(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* The pool has read what is stored. */
void ss__import_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same when the shard ends. */
void ss__import_drop(struct ss_shard *shard, struct ss_msg *msg);

#endif
