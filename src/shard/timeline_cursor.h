/* timeline_cursor.h - where the timelines of a session stand: a watermark and failed events each.
 *
 * The watermark of a projection is the event before the first one that is not in its entities. One
 * that is halted has all events before timeline->halted_at, but for failed ones, and none after.
 * Shard thread. */
#ifndef SS_SHARD_TIMELINE_CURSOR_H
#define SS_SHARD_TIMELINE_CURSOR_H

#include "message/message.h"
#include "shard/session.h"

/* Before the replay: what the checkpoint knows. @retrying: failed events are tried again, and a
 * halt ends. SS_E_NOMEM. */
int ss__timeline_begin(struct ss_timeline_state *timeline, const struct ss_timeline_row *row,
                       bool retrying);

/* Makes sure that the next ss__timeline_failed has memory. SS_E_NOMEM. */
int ss__timeline_reserve(struct ss_timeline_state *timeline);

/* The event is not in the entities and never will be without a retry; after a reserve. */
void ss__timeline_failed(struct ss_timeline_state *timeline, uint64_t ordinal);

uint64_t ss__timeline_watermark(const struct ss_state *state,
                                const struct ss_timeline_state *timeline);

/* The newest event that the entities have judged: a checkpoint's. */
static inline uint64_t ss__timeline_shown(const struct ss_state *state,
                                          const struct ss_timeline_state *timeline)
{
    return timeline->halted_at != 0 ? timeline->halted_at - 1 : state->ordinal;
}

/* How many events a checkpoint would add to the one in the store: for the projection that has most
 * of them. */
uint64_t ss__timelines_unwritten(const struct ss_shard *shard, const struct ss_state *state);

/* True if a retry has something to do. */
static inline bool ss__timeline_has_failed(const struct ss_timeline_state *timeline)
{
    return timeline->halted_at != 0 || (timeline->failed != NULL && timeline->failed->total > 0);
}

/* Answers a request for the cursors. */
void ss__timeline_answer(struct ss_shard *shard, struct ss_channel *channel,
                         struct ss_request *request);

#endif
