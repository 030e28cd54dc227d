/* shard.h - one worker and the state only it may touch.
 *
 * A shard owns a fixed share of the sessions: their ordinals, their entities, their store and the
 * knowledge which gateways follow them. Nobody else reads or writes these; they post messages to
 * its inbox. There is no lock in src/shard.
 *
 * Life:    new -> start -> (messages) -> stop -> join -> free, or, without a thread,
 *          new -> open -> step ... -> close -> free.
 * Threads: new, start, stop, join and free belong to one controlling thread. */
#ifndef SS_SHARD_SHARD_H
#define SS_SHARD_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/failure.h"
#include "message/message.h"
#include "message/router.h"
#include "message/stats.h"
#include "runtime/pool.h"
#include "schema/registry.h"
#include "store/retention.h"
#include "store/store.h"
#include "wire/transport.h"

struct ss_shard;

struct ss_shard_options {
    uint32_t index;
    const struct ss_registry *registry;       /* borrowed, frozen */
    const struct ss_transport *transport;     /* borrowed */
    struct ss_pool *pool;                     /* borrowed; NULL: whole-session reads run inline */
    struct ss_pool *work_pool;                /* borrowed; NULL: blocking work runs inline */
    const struct ss_router *router;           /* borrowed; NULL: every session is of this shard */
    struct ss_shard_stats *stats;             /* borrowed */
    struct ss_inbox *const *gateways;         /* borrowed array */
    uint32_t gateways_count;
    struct ss_clock *clock;                   /* borrowed */
    struct ss_store_options store;
    struct ss_trace *trace;                   /* borrowed; NULL: no debug ring */
    uint32_t durability_interval_ms;
    uint64_t session_cache_bytes;             /* idle states beyond are evicted */
    uint32_t snapshot_frame_bytes;            /* largest snapshot that is not sent in pages */
    uint32_t snapshot_inline_bytes;           /* state of one that is encoded on this thread */
    enum ss_projection_policy ui_policy;
    enum ss_projection_policy timeline_policy;
    struct ss_retention_policy retention;     /* for this shard's part */
    uint32_t retention_sweep_ms;              /* sessions are looked at so often */
    uint32_t stop_timeout_ms;                 /* for flushing at the end */
};

/* Opens and recovers the store. Errors: those of ss__store_open. Blocks: on the disk. */
int ss__shard_new(const struct ss_shard_options *options, struct ss_shard **ret_shard,
                  struct ss_failure *failure);

const struct ss_store_report *ss__shard_report(const struct ss_shard *shard);

/* Any thread may post to it while it holds a reference. */
struct ss_inbox *ss__shard_inbox(struct ss_shard *shard);

/* Starts the thread; returns when it accepts messages. SS_E_NOMEM, SS_E_IO. */
int ss__shard_start(struct ss_shard *shard);

/* Refuses outside work, then ends after everything accepted was handled, tasks were cancelled,
 * the last batch was committed and tails were flushed (for at most stop_timeout_ms). */
void ss__shard_stop(struct ss_shard *shard);
void ss__shard_join(struct ss_shard *shard);

/* Runs at most one batch on the calling thread: the whole shard without thread or loop. Returns
 * true if more waits. Not together with ss__shard_start. */
bool ss__shard_step(struct ss_shard *shard);

/* What stop does, for a shard that is stepped. */
void ss__shard_close(struct ss_shard *shard);

/* After join or close. NULL is fine. */
void ss__shard_free(struct ss_shard *shard);

#endif
