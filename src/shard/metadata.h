/* metadata.h - the application's metadata of sessions: made on the work pool, kept beside the
 * channels. Shard thread. See sessionstream/metadata.h for its life. */
#ifndef SS_SHARD_METADATA_H
#define SS_SHARD_METADATA_H

#include <stdbool.h>

#include "message/message.h"
#include "shard/load.h"
#include "shard/session.h"

/* For shard->metadata. */
bool ss__metadata_matches(const void *value, struct ss_str key);

/* Sees to it that the metadata is there if @request needs it. SS_LOAD_READY: it is there, or not
 * needed; SS_LOAD_WAIT: @request waits in the channel and is handled again later; SS_LOAD_FAILED:
 * @ret_err says why. The channel must not be loading. */
enum ss_load_result ss__metadata_get(struct ss_shard *shard, struct ss_channel *channel,
                                     struct ss_request *request, int *ret_err);

/* The pool has come back with it. */
void ss__metadata_done(struct ss_shard *shard, struct ss_msg *msg);

/* The same when nobody waits for it any more. */
void ss__metadata_drop(struct ss_shard *shard, struct ss_msg *msg);

/* Frees the metadata if there is any: the session leaves memory. */
void ss__metadata_free(struct ss_shard *shard, struct ss_channel *channel);

/* The same unless tasks, works or data of the application may still use it. */
void ss__metadata_release(struct ss_shard *shard, struct ss_channel *channel);

#endif
