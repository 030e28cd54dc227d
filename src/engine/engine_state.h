/* engine_state.h - an engine, for engine.c, which starts and stops it, and calls.c. */
#ifndef SS_ENGINE_ENGINE_STATE_H
#define SS_ENGINE_ENGINE_STATE_H

#include <stdatomic.h>

#include <sessionstream/engine.h>
#include <sessionstream/limits.h>

#include "engine/backup.h"
#include "gateway/gateway.h"
#include "message/router.h"
#include "message/stats.h"
#include "message/trace.h"
#include "schema/registry.h"
#include "shard/shard.h"
#include "store/directory.h"
#include "wire/transport.h"

struct ss_engine {
    struct ss_engine_options options;
    char *data_dir;
    char *listen_host;
    char *backup_dir;
    struct ss_backups *backups;    /* NULL: there is no backup_dir */
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_failure failure;
    struct ss_directory *directory;
    struct ss_pool *pool;
    struct ss_pool *work_pool;
    struct ss_router router;
    uint32_t shards_count;
    struct ss_shard *shards[SS_SHARDS_MAX];
    struct ss_gateway *gateways[SS_GATEWAYS_MAX];
    struct ss_inbox *gateway_inboxes[SS_GATEWAYS_MAX];
    uint32_t gateways_count;
    uint32_t shards_started;
    uint32_t gateways_started;
    struct ss_shard_stats *shard_stats;
    struct ss_gateway_stats *gateway_stats;
    struct ss_stats_table stats_table;
    struct ss_trace *shard_traces[SS_SHARDS_MAX];         /* NULL: no debug ring */
    struct ss_trace *gateway_traces[SS_GATEWAYS_MAX];
    atomic_uint_fast64_t trace_numbers;
    atomic_bool ready;
    uint64_t sessions_found;
    uint64_t recovery_us;
    atomic_bool started;    /* submit and publish look from any thread */
};

#endif
