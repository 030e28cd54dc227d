/* parked.h - requests that are put off: their session loads, or had its share of the batch.
 *
 * A session's requests run in the order they came: while one of it is parked, later ones join
 * behind it. Sessions with parked requests take turns. A parked request counts as one that is still
 * in the inbox, so that its limits hold. Shard thread. */
#ifndef SS_SHARD_PARKED_H
#define SS_SHARD_PARKED_H

#include "message/message.h"
#include "shard/session.h"

/* Parks @request behind the session's others. */
void ss__park(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* Parks a request that was its session's first to run. */
void ss__park_first(struct ss_shard *shard, struct ss_channel *channel,
                    struct ss_request *request);

/* The session's first parked request, which is parked no longer; NULL: none, or it loads. */
struct ss_request *ss__unpark(struct ss_shard *shard, struct ss_channel *channel);

/* The session has begun or ended to load: its parked requests must not, or may run. */
void ss__parked_settle(struct ss_shard *shard, struct ss_channel *channel);

/* Takes the session whose turn it is off the list, NULL if there is none; ss__parked_settle puts
 * it to the end. */
struct ss_channel *ss__parked_turn(struct ss_shard *shard);

#endif
