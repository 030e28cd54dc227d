/* load.h - getting a session's state into memory. Shard thread.
 *
 * A small session is read at once; a whole one (for a snapshot, a recover hook, a long replay) is
 * read by the pool while other sessions go on, and requests for it wait in its channel. */
#ifndef SS_SHARD_LOAD_H
#define SS_SHARD_LOAD_H

#include <stdbool.h>

#include "message/message.h"
#include "shard/session.h"

/* Requests of one session that may wait for its load. */
#define SS_LOAD_WAITING_MAX 1024

enum ss_load_result {
    SS_LOAD_READY,      /* channel->state is there */
    SS_LOAD_WAIT,       /* the request waits in the channel and is handled again later */
    SS_LOAD_FAILED,     /* ret_err says why */
};

/* Makes the state available for @request; @whole: with all entities. */
enum ss_load_result ss__load(struct ss_shard *shard, struct ss_channel *channel, bool whole,
                             struct ss_request *request, int *ret_err);

/* The same on this thread, without waiting: for tasks. Errors: SS_E_STOREIO, SS_E_CORRUPT,
 * SS_E_NOMEM. */
int ss__load_now(struct ss_shard *shard, struct ss_channel *channel);

/* A read of the pool has come back. */
void ss__load_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same when nobody waits for it any more. */
void ss__load_drop(struct ss_shard *shard, struct ss_msg *msg);

#endif
