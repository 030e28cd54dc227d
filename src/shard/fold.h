/* fold.h - the entities of a session made from its events, off the shard.
 *
 * A fold begins with the nearest base (store/history.h) and replays the events after it through
 * the timeline projection, at a desk of its own: the session goes on meanwhile and shows nothing
 * of it. It runs in the pool, in slices of a few milliseconds, between which others have their
 * turn; a shard without a pool runs it at once. Events that the live timeline left out are left
 * out.
 *
 * A shard has a few under way; others wait. */
#ifndef SS_SHARD_FOLD_H
#define SS_SHARD_FOLD_H

#include <stdatomic.h>

#include <sessionstream/limits.h>

#include "core/failure.h"
#include "message/message.h"
#include "runtime/pool.h"
#include "shard/session.h"
#include "store/history.h"

/* Of SS_FOLDS_MAX. */
#define SS_FOLDS_RUNNING_MAX 2

struct ss_fold;

struct ss_fold_ops {
    /* Every event is in; fold->err may be set. On the thread that ran it. */
    void (*folded)(struct ss_fold *fold);
    /* The shard's thread, in order or not. Ends with ss__fold_deinit and frees the object. */
    void (*done)(struct ss_shard *shard, struct ss_fold *fold);
};

/* As the live timeline has it. */
struct ss_fold_timeline {
    struct ss_failed_set failed;
    uint64_t halted_at;
    uint64_t tried_failed;     /* failed events that were tried */
    uint64_t left_out;         /* events that were left out behind those that are tried */
};

enum ss_fold_phase { SS_FOLD_RESTS, SS_FOLD_WAITS, SS_FOLD_RUNS };

struct ss_fold {
    struct ss_msg msg;              /* first: FOLDED, once it is done */
    struct ss_pool_job job;
    struct ss_list link;            /* in shard->folds */
    const struct ss_fold_ops *ops;
    struct ss_inbox *inbox;
    struct ss_pool *pool;
    struct ss_shard *desk;
    struct ss_history *history;
    struct ss_fold_timeline timelines[SS_PROJECTIONS_MAX];
    uint64_t at;                    /* the last event that is folded */
    struct ss_history_base base;    /* what it began with */
    uint64_t events;                /* read since then */
    uint64_t try_after;             /* events behind this one, up to @try_to, are all tried: they
                                       must not fail */
    uint64_t try_to;
    uint8_t phase;                  /* enum ss_fold_phase */
    bool based;
    atomic_bool canceled;
    int err;
    struct ss_failure failure;      /* says more of @err, or nothing */
};

struct ss_fold_query {
    uint64_t at;
    uint64_t base_max;     /* nothing that was made of later events is used; 0: nothing at all */
    uint32_t timelines;    /* projections: bit per index */
};

/* Prepares one for a session that has no staged events. SS_E_BUSY, and those of ss__history_new. On
 * error there is nothing to undo. */
int ss__fold_init(struct ss_shard *shard, struct ss_channel *channel,
                  const struct ss_fold_query *query, const struct ss_fold_ops *ops,
                  struct ss_fold *fold);
void ss__fold_deinit(struct ss_shard *shard, struct ss_fold *fold);

/* Makes one that has come to its end go on to @at. As ss__fold_init. */
int ss__fold_extend(struct ss_shard *shard, struct ss_channel *channel, uint64_t at,
                    struct ss_fold *fold);

/* Runs it to its end on this thread. Done is not called. */
void ss__fold_run(struct ss_fold *fold);

/* Lets it run, now or when others are done. Takes it: done may be called at once. */
void ss__fold_start(struct ss_shard *shard, struct ss_fold *fold);

/* The state it has made. */
struct ss_state *ss__fold_state(struct ss_fold *fold);

/* Names what a past was made with: one that other code made is of no use. */
uint64_t ss__fold_code(const struct ss_shard *shard);

/* All projections. */
uint32_t ss__fold_all(const struct ss_shard *shard);

/* The pool has run one. */
void ss__fold_done(struct ss_shard *shard, struct ss_msg *msg);

/* Ends all that have not come to their end, with SS_E_STOPPING. */
void ss__folds_cancel(struct ss_shard *shard);

#endif
