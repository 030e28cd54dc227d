/* timeline_cursor.h - where the timeline of a session stands: a watermark and failed events.
 *
 * The watermark is the event before the first one that is not in the entities. A timeline that is
 * halted has all events before state->halted_at, but for failed ones, and none after. Shard
 * thread. */
#ifndef SS_SHARD_TIMELINE_CURSOR_H
#define SS_SHARD_TIMELINE_CURSOR_H

#include "message/message.h"
#include "shard/session.h"

/* What a checkpoint knows of failed events; before the replay. SS_E_NOMEM. */
int ss__timeline_begin(struct ss_state *state, const struct ss_failed_set *failed);

/* Makes sure that the next ss__timeline_failed has memory. SS_E_NOMEM. */
int ss__timeline_reserve(struct ss_state *state);

/* The event is not in the entities and never will be without a retry; after a reserve. */
void ss__timeline_failed(struct ss_state *state, uint64_t ordinal);

uint64_t ss__timeline_watermark(const struct ss_state *state);

/* The newest event that the entities have judged: a checkpoint's. */
static inline uint64_t ss__timeline_shown(const struct ss_state *state)
{
    return state->halted_at != 0 ? state->halted_at - 1 : state->ordinal;
}

/* How many events a checkpoint would add to the one in the store. */
static inline uint64_t ss__timeline_unwritten(const struct ss_state *state)
{
    return ss__timeline_shown(state) - ss__store_row(state->stored)->timeline_ordinal;
}

/* True if a retry has something to do. */
static inline bool ss__timeline_has_failed(const struct ss_state *state)
{
    return state->halted_at != 0 || (state->failed != NULL && state->failed->total > 0);
}

/* Answers a request for the cursors. */
void ss__timeline_answer(struct ss_shard *shard, struct ss_channel *channel,
                         struct ss_request *request);

#endif
