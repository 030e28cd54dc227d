/* world.h - shards, gateways and their clients on one thread, under a clock that a seed moves.
 *
 * The shards are the real ones, with stores in memory-backed directories; pools run a job when
 * they are told to. Gateways are modelled: they count interest, number subscribes and filter
 * frames as src/gateway does, and hand what a client would read to the model. A crash copies the
 * data directories as they are at that moment, drops everything and opens the copies. */
#ifndef SS_SIM_WORLD_H
#define SS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/history.h>

#include "core/clock.h"
#include "message/router.h"
#include "model.h"
#include "runtime/pool.h"
#include "shard/shard.h"
#include "wire/transport.h"

#define SIM_SHARDS_MAX 2
#define SIM_GATEWAYS 3
#define SIM_CALL_STEPS 4

struct random {
    uint64_t state;
};

/* A number below @bound. */
uint32_t random_below(struct random *random, uint32_t bound);

/* What differs from run to run. */
struct sim_plan {
    uint32_t shards;
    uint32_t sessions;
    enum ss_durability durability;
    enum ss_projection_policy ui_policy;
    enum ss_projection_policy timeline_policy;
    uint64_t cache_bytes;
    uint64_t log_file_bytes;
    uint64_t log_window_bytes;
    bool pools;                /* or what they do happens at once */
    bool beside;               /* every snapshot is encoded by the pool */
    bool split;                /* two timeline projections, of which one changes its version */
    uint64_t retain_events;    /* 0: no bound */
    uint64_t retain_age_us;
    uint64_t retain_total;
    bool failing;              /* some projections fail */
    bool deltas;               /* clients ask for what changed */
    bool faults;
};

struct follower {
    struct client client;
    bool following;
    bool live;                 /* has had its answer */
    bool stale;                /* needs a new snapshot */
    bool delta;
    uint32_t generation;       /* of the handle */
    uint32_t asking;           /* subscribes without an answer */
    uint64_t number;           /* of the newest subscribe */
    uint64_t bound;            /* frames up to here came with the answer */
    uint64_t asked_newest;     /* what anybody had been shown then */
};

/* A command on its way. */
struct call {
    struct world *world;
    uint32_t session;
    uint32_t steps;
    uint32_t tokens[SIM_CALL_STEPS];
    bool binds;                /* its answer's ordinal is that of its last step */
    uint64_t at;               /* of a snapshot that was asked for, or what events are after */
    uint64_t first;            /* event of the session that was known to be there then */
    uint64_t newest;           /* and the newest that was shown */
    int err;                   /* of the answer */
    bool lost;                 /* the process died: no answer comes, or nobody hears it */
    unsigned answers;
    struct call *next;
};

struct world {
    struct random random;
    struct sim_plan plan;
    struct model *model;
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_clock clock;
    uint64_t now_ns;
    struct ss_pool *pool;
    struct ss_pool *work_pool;
    struct ss_router router;
    struct ss_shard *shards[SIM_SHARDS_MAX];
    struct ss_shard_stats *stats[SIM_SHARDS_MAX];
    struct ss_inbox *gateways[SIM_GATEWAYS];
    struct follower followers[SIM_GATEWAYS][SIM_SESSIONS_MAX];
    struct call *calls;
    uint64_t numbers;
    uint32_t lives;            /* processes so far; names the data directory */
    char dir[64];
};

void world_begin(struct world *world, const struct sim_plan *plan, uint64_t seed,
                 struct model *model);
void world_end(struct world *world);

/* The process dies as it is, and another one starts. */
void world_crash(struct world *world);

/* It ends in order, and another one starts. Every call is answered. */
void world_restart(struct world *world);

/* One turn of everything that has something to do; false if nothing had. */
bool world_turn(struct world *world);

/* Runs everything there is to run. */
void world_settle(struct world *world);

/* ---- single steps ---- */

struct ss_inbox *world_inbox(struct world *world, uint32_t session);

/* One message to a client of this gateway; false if there is none. */
bool world_deliver(struct world *world, uint32_t gateway);

/* The client subscribes; with its cursor if @resuming. */
void world_subscribe(struct world *world, uint32_t gateway, uint32_t session, bool resuming);
void world_leave(struct world *world, uint32_t gateway, uint32_t session);

/* A call that waits for its answer; give it to world_answered through done. */
struct call *world_call(struct world *world, uint32_t session);
void world_answered(const struct ss_result *result, void *call);
void world_past(const struct ss_result *result, const struct ss_snapshot *snapshot, void *call);
void world_page(const struct ss_result *result, const struct ss_event_page *page, void *call);

#endif
