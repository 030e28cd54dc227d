/* errors.h - error records of a shard: made, kept, asked for. Shard thread.
 *
 * A record is kept by the store (store/error_ring.h), which writes it with a flush: noting one
 * costs some memory, never a commit. Then observers are told. One that cannot be kept is
 * told behind a record that says so, counted and logged, no more. */
#ifndef SS_SHARD_ERRORS_H
#define SS_SHARD_ERRORS_H

#include <stdbool.h>

#include <sessionstream/error_records.h>
#include <sessionstream/projection.h>

#include "core/failure.h"
#include "message/message.h"

struct ss_channel;
struct ss_shard;

/* Notes a record; number, shard and time are filled in. */
void ss__errors_note(struct ss_shard *shard, const struct ss_error_record *record);

/* A projection failed with @err for an event; @failure says why if it knows. @projection may be
 * NULL. In a replay the same failure is noted once a minute. */
void ss__errors_projection(struct ss_shard *shard, enum ss_error_kind kind,
                           const char *projection, const struct ss_event *event, int err,
                           const struct ss_failure *failure, bool replay);

/* A stored event of the session cannot be read by this application. Once a minute. */
void ss__errors_unreadable(struct ss_shard *shard, const struct ss_channel *channel,
                           uint64_t ordinal, struct ss_str event);

/* The store failed, for a session (@channel NULL: for none in particular). Once a minute for each
 * session and cause. */
void ss__errors_store(struct ss_shard *shard, const struct ss_channel *channel, int err,
                      const char *text);

/* A gateway is behind, or memory is short: frames of the session were dropped for a resync. Once a
 * minute for each session. */
void ss__errors_fanout(struct ss_shard *shard, const struct ss_channel *channel,
                       uint16_t gateway);

/* Tells observers of records that the store has noted by itself. */
void ss__errors_show(struct ss_shard *shard);

/* Whether records have waited long enough for a flush of their own. */
bool ss__errors_due(const struct ss_shard *shard);

/* Answers an ERRORS request with this shard's part. */
void ss__errors_answer(struct ss_shard *shard, struct ss_request *request);

#endif
