/* dispatch.h - one message by its kind. Shard thread. */
#ifndef SS_SHARD_DISPATCH_H
#define SS_SHARD_DISPATCH_H

#include <stdbool.h>

#include "message/message.h"
#include "shard/session.h"

/* A handler longer than this is counted and named in the log. */
#define SS_SLOW_HANDLER_NS 5000000u

/* Handles a message of the inbox; takes it over. False: it is put off, see shard/parked.h. */
bool ss__dispatch(struct ss_shard *shard, struct ss_msg *msg);

/* The same for a request. */
bool ss__dispatch_request(struct ss_shard *shard, struct ss_request *request);

/* Handles a request whose turn it is: nothing of its session is parked before it. */
void ss__dispatch_turn(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

/* Answers a SNAPSHOT with the session as it is; its state is whole. */
void ss__dispatch_snapshot(struct ss_shard *shard, struct ss_channel *channel,
                           struct ss_request *request);

/* Fails the subscribes in @list of a follower who has left: one that still waits must not bring the
 * interest back afterwards. */
void ss__dispatch_withdraw(struct ss_list *list, const struct ss_msg_uninterested *msg);

/* Fairness: one session may not fill a batch. True if it may have more of this one. */
bool ss__has_share(struct ss_shard *shard, struct ss_channel *channel);

/* Accounts for the time a handler took since @begin_ns. */
void ss__handler_took(struct ss_shard *shard, const struct ss_channel *channel, const char *what,
                      uint64_t begin_ns);

#endif
