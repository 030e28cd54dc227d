/* live.h - what a session has in memory only: live-only events, and what was appended to entities
 * (shard/overlay.h). Shard thread.
 *
 * They are counted behind each durable event, and the count means something together with the run
 * that began with the first of them and ends with the state. */
#ifndef SS_SHARD_LIVE_H
#define SS_SHARD_LIVE_H

#include "core/failure.h"
#include "shard/session.h"

struct ss_live {
    uint64_t run;      /* never 0, never the same again */
    uint32_t count;    /* since the newest durable event */
    uint32_t overlays_count;
    uint32_t overlay_bytes;
    struct ss_list overlays;
};

/* Where the session stands, events of the open batch included. */
static inline struct ss_place ss__state_place(const struct ss_state *state)
{
    return (struct ss_place){ state->ordinal, state->live == NULL ? 0 : state->live->count };
}

/* The same for a client to come back to. */
struct ss_cursor ss__state_cursor(const struct ss_state *state);

/* The same of a session that need not be in memory, then from its row. @ret_run: of its live-only
 * events, 0 if there are none. SS_E_BUSY: it is about to be read. SS_E_STOREIO, SS_E_CORRUPT (set
 * aside). */
int ss__session_cursor(struct ss_shard *shard, const struct ss_channel *channel,
                       struct ss_cursor *ret_place, uint64_t *ret_run);

/* Begins the run if there is none. SS_E_NOMEM, SS_E_LIMIT (no number is left). */
int ss__live_begin(struct ss_shard *shard, struct ss_state *state, struct ss_failure *failure);

/* Sends validated bytes to the followers, behind everything published so far. SS_E_NOMEM,
 * SS_E_LIMIT. */
int ss__live_publish(struct ss_shard *shard, struct ss_channel *channel,
                     const struct ss_name *name, const struct ss_str *packed,
                     struct ss_failure *failure);

/* The session has a new durable event. */
static inline void ss__live_restart(struct ss_state *state)
{
    if (state->live != NULL) {
        state->live->count = 0;
    }
}

/* The state goes, and with it the run: its live-only events are in no frame that is kept. */
void ss__live_drop(struct ss_shard *shard, struct ss_state *state);

#endif
