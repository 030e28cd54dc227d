/* spare.h - the next file of the log is made by the pool before it is needed. Shard thread. */
#ifndef SS_SHARD_SPARE_H
#define SS_SHARD_SPARE_H

struct ss_msg;
struct ss_shard;

/* Asks the pool for a file if the store wants one. Without memory or room in the queue it is asked
 * again with the next batch. */
void ss__spare_make(struct ss_shard *shard);

/* The answer. Takes @msg. */
void ss__spare_done(struct ss_shard *shard, struct ss_msg *msg);

#endif
