/* delete.h - the end of a session. Shard thread. */
#ifndef SS_SHARD_DELETE_H
#define SS_SHARD_DELETE_H

#include "shard/session.h"

struct ss_effect;

/* Handles a DELETE request of a channel that is not loading, as the first of the session in its
 * batch. The session leaves memory, its tasks and works are cancelled, what the application keeps
 * with it goes through its unload hook, and after the commit followers are told. Requests behind
 * this one find a session without events. */
void ss__delete_session(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request);

/* The commit failed: the session goes on without its tasks, as after any failed commit. */
void ss__delete_undone(struct ss_shard *shard, const struct ss_effect *effect);

/* The deletion is committed: tells the followers that it was the end. */
void ss__delete_release(struct ss_shard *shard, const struct ss_effect *effect);

#endif
