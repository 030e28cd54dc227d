/* dispatch.h - one message by its kind. Shard thread. */
#ifndef SS_SHARD_DISPATCH_H
#define SS_SHARD_DISPATCH_H

#include "message/message.h"
#include "shard/session.h"

/* A handler longer than this is counted and named in the log. */
#define SS_SLOW_HANDLER_NS 5000000u

/* Handles a message of the inbox; takes it over. */
void ss__dispatch(struct ss_shard *shard, struct ss_msg *msg);

/* Handles a request, or lets it wait; takes it over. */
void ss__dispatch_request(struct ss_shard *shard, struct ss_request *request);

/* Accounts for the time a handler took since @begin_ns. */
void ss__handler_took(struct ss_shard *shard, const struct ss_channel *channel, const char *what,
                      uint64_t begin_ns);

#endif
