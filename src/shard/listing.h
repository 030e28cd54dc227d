/* listing.h - the shard's part of a list of sessions, read on the reader pool. Shard thread. */
#ifndef SS_SHARD_LISTING_H
#define SS_SHARD_LISTING_H

#include "message/message.h"

struct ss_shard;

/* Begins to answer a LIST request, which it takes over. */
void ss__listing_start(struct ss_shard *shard, struct ss_request *request);

/* The pool has read: SS_MSG_LISTED. */
void ss__listing_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same after the end of the last batch: nobody gets an answer. */
void ss__listing_drop(struct ss_shard *shard, struct ss_msg *msg);

#endif
