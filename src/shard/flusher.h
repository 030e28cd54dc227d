/* flusher.h - flushes of the store: when, by whom, and what follows. Shard thread.
 *
 * The pool runs them, so that the shard goes on; without a pool they run here. */
#ifndef SS_SHARD_FLUSHER_H
#define SS_SHARD_FLUSHER_H

#include <stdbool.h>

struct ss_msg;
struct ss_shard;

/* Starts a flush if enough waits for one. Between batches. */
void ss__flusher_run(struct ss_shard *shard);

/* Starts a flush that also moves up to @tails_max tails that need not go yet. Returns false when
 * there is nothing left to move, or it failed; true also while one is under way. Between
 * batches. */
bool ss__flusher_rest(struct ss_shard *shard, unsigned tails_max);

/* The pool has run a flush. Takes @msg. */
void ss__flusher_done(struct ss_shard *shard, struct ss_msg *msg);

/* Settles a flush that has been run. Between batches. */
void ss__flusher_settle(struct ss_shard *shard);

#endif
