/* rebuild.h - the entities of a session are made again from its events, beside those that are
 * shown. Shard thread.
 *
 * A fold (shard/fold.h) makes them from the entities as they were after an earlier event, while the
 * session goes on; what is published meanwhile is folded after it, until so little is missing that
 * it can be done at once. Then they take the place of the present ones, between two batches: in
 * memory in one step, on disk with the next checkpoint, which holds all of them and replaces all
 * that is there in one transaction. Until then the store has the old ones, and the end of the
 * process takes the new ones back. Nothing changes if anything fails. */
#ifndef SS_SHARD_REBUILD_H
#define SS_SHARD_REBUILD_H

#include <stdbool.h>

#include "message/message.h"
#include "shard/session.h"

/* Begins one, of request->timelines, from request->at; takes the request, which is answered when
 * the result is on disk, or has shown nothing new. Its errors: SS_E_NOTFOUND (no events, no
 * projection), SS_E_DELETED, SS_E_INVAL (from an event that is not there or
 * behind a halt), SS_E_BUSY (one is under way, or events come faster than they are folded),
 * SS_E_GONE, SS_E_PROJECTION (the text names the event), SS_E_LIMIT, SS_E_TYPE (an entity it begins
 * with cannot be read), SS_E_STOPPING, SS_E_COMMIT (the state was dropped before it was written),
 * SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
void ss__rebuild(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

/* Ends those that have been folded, if that is possible now. Before a batch. */
void ss__rebuilds_run(struct ss_shard *shard);

/* Whether that would find something to do. */
bool ss__rebuilds_ready(const struct ss_shard *shard);

/* Frees what has been replaced. After a batch. */
void ss__rebuilds_clear(struct ss_shard *shard);

/* A flush has ended, or a state was dropped: answers those whose result is on disk, or can no
 * longer get there. */
void ss__rebuilds_settle(struct ss_shard *shard);

/* The session is no more: answers those that have been folded. */
void ss__rebuilds_forget(struct ss_shard *shard, struct ss_channel *channel, int err);

/* The shard is about to end: answers those that have been folded, but not shown yet. */
void ss__rebuilds_cancel(struct ss_shard *shard);

/* It ends: answers those that are not on disk yet. */
void ss__rebuilds_end(struct ss_shard *shard);

#endif
