/* snapshot_job.h - large snapshots in one frame, made beside the shard. Shard thread.
 *
 * A snapshot that is not in the cache and whose session takes more than
 * options.snapshot_inline_bytes is not encoded while the other sessions wait. Those who ask for it
 * wait in a job; when its turn has come, and the batch is committed, the session is frozen
 * (shard/frozen.h) and a thread of the pool encodes it. A subscribe is then answered as one with
 * pages is: the snapshot, and the frames after it from the ring. Whoever asks meanwhile and would
 * be served by it joins; a document shows what was there when it was asked for, so after a change
 * the next one is made for it.
 *
 * A shard has SS_SNAPSHOT_JOBS_RUNNING_MAX of them in the pool. Others wait with their sessions
 * kept in memory, all together within SS_FROZEN_BYTES_MAX; beyond it is SS_E_BUSY. */
#ifndef SS_SHARD_SNAPSHOT_JOB_H
#define SS_SHARD_SNAPSHOT_JOB_H

#include "message/message.h"
#include "shard/session.h"

/* True if the snapshot is made beside the shard: the request waits, or was answered with an error.
 * False: it is to be made here and now. The state is whole. @since as in ss__snapshot_delta. */
bool ss__snapshot_job_takes(struct ss_shard *shard, struct ss_channel *channel,
                            struct ss_request *request, const uint64_t *since);

/* Lets those begin whose turn it is. The batch has just ended: nothing is staged. */
void ss__snapshot_jobs_run(struct ss_shard *shard);

/* The pool has encoded one. Takes @msg. */
void ss__snapshot_job_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same when the shard has ended. */
void ss__snapshot_job_drop(struct ss_shard *shard, struct ss_msg *msg);

/* A gateway has no follower of this handle any more: its requests are answered when it suits. */
void ss__snapshot_jobs_withdraw(struct ss_shard *shard, const struct ss_channel *channel,
                                const struct ss_msg_uninterested *msg);

/* The end of the shard: whoever waits is not answered. None is in the pool. */
void ss__snapshot_jobs_drop(struct ss_shard *shard);

#endif
