/* pipeline_steps.h - what an event that is published and one that is replayed go through alike. In
 * pipeline.c, beside the publisher that calls them for every event. Shard thread. */
#ifndef SS_SHARD_PIPELINE_STEPS_H
#define SS_SHARD_PIPELINE_STEPS_H

#include "core/failure.h"
#include "shard/pass.h"

/* What a timeline projection is given to emit with. */
struct ss_timeline {
    struct ss_shard *shard;
    uint32_t index;            /* in the registry */
    struct emitted **last;     /* where its next change goes */
    struct ss_failure failure;
};

/* Runs one timeline projection; its changes begin at @timeline->last. Below 0: it failed.
 * *@read_err: something else did, and it says nothing. */
int ss__pipeline_run(struct ss_state *state, const struct ss_event *event, int *read_err,
                     struct ss_timeline *timeline);

/* Whether the session has room for the changes. Judged before an event is stored: a replay of what
 * was taken must never meet a limit. The usual case looks nothing up. SS_E_LIMIT, and those of
 * ss__state_find. */
int ss__pipeline_room(struct ss_shard *shard, struct ss_state *state,
                      const struct emitted *changes, struct ss_failure *failure);

/* Makes place for all changes or for none. Those of ss__state_prepare. */
int ss__pipeline_prepare(struct ss_shard *shard, struct ss_state *state, struct emitted *changes);

/* Changes the entities as prepared. */
void ss__pipeline_apply(struct ss_shard *shard, struct ss_state *state,
                        const struct emitted *changes, uint64_t ordinal, uint64_t time_us);

#endif
