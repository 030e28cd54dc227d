/* retention.h - dropping old events: who loses which, and when.
 *
 * The shard looks at all of its sessions again and again, in slices that the pool runs
 * (store/retention.h), and lets go what the policy does not keep. A session that was idle since
 * the events that go needs nothing but two lines in the next flush; one with later events is
 * loaded, its entities as of the last event that goes are made by a fold (shard/fold.h), and the
 * next flush writes them and drops the events in one transaction. Few of these are under way at a
 * time. What does not come about is found again by the next pass.
 *
 * The age of an event is that of its time against the wall clock, which counts for no more than
 * the shard has seen pass: a clock that is set forward while it runs makes nothing old.
 *
 * Shard thread. Without a policy there is no object and nothing is done. */
#ifndef SS_SHARD_RETENTION_H
#define SS_SHARD_RETENTION_H

#include <stdint.h>

#include "message/message.h"
#include "store/retention.h"

struct ss_channel;
struct ss_retention;
struct ss_shard;

/* Whether anything is to be dropped at all. */
bool ss__retention_wanted(const struct ss_retention_policy *policy);

/* SS_E_NOMEM. */
int ss__retention_new(struct ss_shard *shard, struct ss_retention **ret_retention);
void ss__retention_free(struct ss_retention *retention);

/* Starts the next slice if it is due. Between batches. */
void ss__retention_run(struct ss_shard *shard);

/* A flush has ended: counts what it has dropped. */
void ss__retention_flushed(struct ss_shard *shard);

/* When it wants to be run next, by the shard's clock; UINT64_MAX: when something comes back. */
uint64_t ss__retention_due_ns(const struct ss_shard *shard);

/* A slice has come back; dropped: of a shard that ends. */
void ss__retention_scanned(struct ss_shard *shard, struct ss_msg *msg);
void ss__retention_drop(struct ss_shard *shard, struct ss_msg *msg);

/* The session of a RETAIN request has been loaded: makes what the cut needs. Answers. */
void ss__retain(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request);

#endif
