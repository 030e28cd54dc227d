/* shard_state.h - the inside of a shard, for src/shard only. Shard thread. */
#ifndef SS_SHARD_SHARD_STATE_H
#define SS_SHARD_SHARD_STATE_H

#include <stdatomic.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "runtime/loop.h"
#include "runtime/timer.h"
#include "shard/effect.h"
#include "shard/outbox.h"
#include "shard/session.h"
#include "shard/shard.h"

enum ss_shard_phase { SS_SHARD_RUNNING, SS_SHARD_DRAINING, SS_SHARD_ENDED };

/* A payload that somebody may still read. */
struct ss_retired {
    struct ss_retired *next;
    struct ss_buf *buf;
};

struct ss_shard {
    struct ss_shard_options options;
    struct ss_inbox *inbox;
    struct ss_msg_stop *stop;              /* made before memory can be short; NULL: posted */
    struct ss_loop loop;
    bool threaded;
    enum ss_shard_phase phase;
    bool observed;                         /* somebody wants pipeline records */
    uint64_t observed_count;               /* made so far */
    uint64_t errors_shown;                 /* number of the next error record to be told */

    struct ss_store *store;
    struct ss_store_report report;
    uint32_t *event_type_ids;              /* by ss_name.index */
    uint32_t *entity_type_ids;
    uint32_t timeline_ids[SS_PROJECTIONS_MAX];    /* type ids of projections, by index */
    uint32_t ui_ids[SS_PROJECTIONS_MAX];
    const struct ss_name **names_by_type;  /* by type id; NULL: unknown to this application */
    uint32_t names_by_type_count;

    struct ss_map channels;
    struct ss_list recent;                 /* states, least recently used first */
    struct ss_list empty;                  /* states of sessions without events: soon forgotten */
    struct ss_list unwritten;              /* states with changes, longest waiting first */
    struct ss_rings rings;
    uint64_t live_run;                     /* the newest: see shard/live.h */
    size_t state_bytes;
    uint32_t states_count;
    uint8_t *recovered;                    /* bit per sid: the recover hook has run */
    uint64_t recovered_bits;
    uint32_t jobs;                         /* under way in the pools */
    struct ss_list folds;                  /* see shard/fold.h */
    uint32_t folds_count;
    uint32_t folds_running;
    struct ss_list rebuilt;                /* see shard/rebuild.h: they hold up the next flush */
    struct ss_list rebuilds_shown;         /* not on disk yet */
    struct ss_list rebuilds_over;          /* freed with the batch */
    struct ss_list works;                  /* of the application: staged or under way */
    uint32_t works_count;
    struct ss_map metadata;                /* of the application, by session id */
    atomic_int stopping;                   /* 0, or SS_E_STOPPING: the pool reads it */

    struct ss_timers timers;               /* waiting tasks */
    struct ss_list ready;                  /* channels with parked requests that may run */
    struct ss_list background;             /* sessions to recover, a few in each batch */
    struct ss_list frozen;                 /* snapshots that are sent in pages */
    struct ss_list snapshot_jobs;          /* see shard/snapshot_job.h */
    uint64_t snapshot_jobs_bytes;          /* of states that are kept for those that wait */
    uint32_t snapshot_jobs_count;
    uint32_t snapshot_jobs_running;
    struct ss_list idle;                   /* channels that perhaps nothing needs any more */

    /* The open batch. */
    uint32_t batch;                        /* its number */
    uint64_t now_ns;
    uint64_t now_us;                       /* wall */
    uint64_t handler_ns;                   /* spent in handlers so far */
    struct ss_arena arena;
    struct ss_bytes scratch;
    struct ss_effects effects;
    int spoiled;                           /* why the batch must not be committed; 0: it may */
    struct ss_list touched;                /* states with events of the batch */
    struct ss_retired *retired;            /* payloads replaced in this batch */

    struct ss_list due;                    /* states whose checkpoint the next flush writes */
    uint64_t due_rows;                     /* about as many entities */
    struct ss_retention *retention;        /* NULL: everything is kept */
    struct ss_list retries;                /* requests whose result is being written */
    struct ss_list closes;                 /* requests whose session is being written */
    uint64_t errors_since_ns;              /* when the first error record began to wait */
    bool flush_wanted;                     /* memory is short: the next flush is due */
    struct ss_list flushing;               /* states whose checkpoint is being written */
    struct ss_arena flush_arena;           /* what it borrows */
    struct ss_retired *flush_payloads;
    struct ss_job *flushed;                /* a flush that the pool has run; settled next */
    struct ss_msg_cut *cut_wanted;         /* of a backup; see shard/cut.h */

    uint64_t interval_due_ns;              /* interval mode: next sync; 0: nothing waits for it */
    uint64_t active_ns;                    /* when the last message was handled */
    bool rested;                           /* nothing left to write since the last batch */
    struct ss_outbox *outboxes;            /* one per gateway */
};

/* Keeps @buf until the end of the batch. @place: memory of the batch, had before there was no way
 * back. */
void ss__shard_retire(struct ss_shard *shard, struct ss_retired *place, struct ss_buf *buf);

/* That is now. */
void ss__shard_free_retired(struct ss_shard *shard);

static inline struct ss_shard_stats *ss__stats(struct ss_shard *shard)
{
    return shard->options.stats;
}

#endif
