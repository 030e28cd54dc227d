/* publisher.h - events that the application publishes from threads of its own.
 *
 * A publisher knows nothing that dies with the engine but the inbox, which outlives it as closed.
 * So names are looked up by the shard. */
#ifndef SS_SHARD_PUBLISHER_H
#define SS_SHARD_PUBLISHER_H

#include <stdbool.h>

#include <sessionstream/work.h>

#include "message/message.h"

struct ss_shard;

/* Finds the event that a SS_REQUEST_PUBLISH_NAMED names and checks its payload. False: the request
 * has its error. Shard thread. */
bool ss__publisher_resolve(struct ss_shard *shard, struct ss_request *request);

#endif
