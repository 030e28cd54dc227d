/* batch.h - one batch: take messages, handle them, commit once, release the effects. Shard thread.
 *
 * The order of these phases is the durability promise of the server (I2, I4). */
#ifndef SS_SHARD_BATCH_H
#define SS_SHARD_BATCH_H

#include <stdbool.h>
#include <stdint.h>

struct ss_shard;

/* After so long without a message a shard writes what only waits in the log. */
#define SS_REST_AFTER_NS UINT64_C(1000000000)

/* Runs one batch; returns true if more waits. */
bool ss__batch_run(struct ss_shard *shard);

/* Commits what is staged, in interval mode too. Returns the store's code. */
int ss__batch_commit(struct ss_shard *shard);

/* Writes checkpoints and segments of sessions at rest, a slice per call. Returns false when
 * nothing is left to do. */
bool ss__batch_rest(struct ss_shard *shard);

/* Milliseconds until the shard wants to run without a message; UINT64_MAX: never. */
uint64_t ss__batch_wait_ms(struct ss_shard *shard);

#endif
