#include "engine/options.h"

#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include <sessionstream/limits.h>

void ss_engine_options_init(struct ss_engine_options *options)
{
    *options = (struct ss_engine_options){
        .data_dir = "./data",
        .gateway_count = 1,
        .listen_host = "127.0.0.1",
        .listen_port = 8080,
        .durability = SS_DURABILITY_FSYNC,
        .durability_interval_ms = 100,
        .log_window_bytes = UINT64_C(512) << 20,
        .min_free_bytes = UINT64_C(256) << 20,
        .session_cache_bytes = UINT64_C(1) << 30,
        .client_queue_bytes = SS_CLIENT_QUEUE_BYTES_MAX,
        .slow_client_rounds = SS_SLOW_CLIENT_ROUNDS,
        .client_frame_bytes = SS_CLIENT_FRAME_BYTES_MAX,
        .snapshot_frame_bytes = SS_SNAPSHOT_FRAME_BYTES_MAX,
        .connections_max = SS_CONNECTIONS_MAX,
        .subscriptions_max = SS_SUBSCRIPTIONS_MAX,
        .handshake_timeout_ms = 10000,
        .ping_interval_ms = 25000,
        .dead_timeout_ms = 60000,
        .idempotency_ttl_ms = 86400000,
        .retain_sweep_ms = 60000,
        .stop_timeout_ms = 4000,
    };
}

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define MINUTE_MS UINT64_C(60000)

struct range {
    const char *name;
    uint64_t value;
    uint64_t min;
    uint64_t max;
};

static int check_ranges(const struct ss_engine_options *options, struct ss_failure *failure)
{
    const struct range ranges[] = {
        { "shard_count", options->shard_count, 0, SS_SHARDS_MAX },
        { "gateway_count", options->gateway_count, options->listen_host != NULL, SS_GATEWAYS_MAX },
        { "durability_interval_ms", options->durability_interval_ms,
          options->durability == SS_DURABILITY_INTERVAL, MINUTE_MS },
        { "store_map_bytes", options->store_map_bytes, 0, 16 * TIB },
        { "log_window_bytes", options->log_window_bytes, 1 * MIB, 64 * GIB },
        { "min_free_bytes", options->min_free_bytes, 0, 16 * TIB },
        { "session_cache_bytes", options->session_cache_bytes, 0, 16 * TIB },
        { "client_queue_bytes", options->client_queue_bytes, 64 * KIB, 1 * GIB },
        { "slow_client_rounds", options->slow_client_rounds, 0, 200 },
        { "client_frame_bytes", options->client_frame_bytes, 1 * KIB, 64 * MIB },
        { "snapshot_frame_bytes", options->snapshot_frame_bytes, 64 * KIB, 64 * MIB },
        { "connections_max", options->connections_max, 1, 1000000 },
        { "subscriptions_max", options->subscriptions_max, 1, UINT16_MAX },
        { "handshake_timeout_ms", options->handshake_timeout_ms, 1, 10 * MINUTE_MS },
        { "ping_interval_ms", options->ping_interval_ms, 1, 60 * MINUTE_MS },
        { "dead_timeout_ms", options->dead_timeout_ms, 2, 120 * MINUTE_MS },
        { "idempotency_ttl_ms", options->idempotency_ttl_ms, 1000, 43200 * MINUTE_MS },
        { "debug_ring", options->debug_ring, 0, 1u << 20 },
        { "retain_age_ms", options->retain_age_ms, 0, 52560000 * MINUTE_MS },
        { "retain_events", options->retain_events, 0, INT64_MAX },
        { "retain_bytes", options->retain_bytes, 0, 16 * TIB },
        { "retain_total_bytes", options->retain_total_bytes, 0, 1024 * TIB },
        { "retain_sweep_ms", options->retain_sweep_ms, 10, 1440 * MINUTE_MS },
        { "stop_timeout_ms", options->stop_timeout_ms, 0, 10 * MINUTE_MS },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *range = &ranges[i];
        if (range->value < range->min || range->value > range->max) {
            return ss__fail(failure, SS_E_INVAL, "%s %" PRIu64 " is not within %" PRIu64
                            " to %" PRIu64, range->name, range->value, range->min, range->max);
        }
    }
    return 0;
}

int ss__options_check(const struct ss_engine_options *options, struct ss_failure *failure)
{
    if (options->data_dir == NULL || options->data_dir[0] == '\0') {
        return ss__fail(failure, SS_E_INVAL, "data_dir is empty");
    }
    if ((unsigned)options->durability > SS_DURABILITY_NONE) {
        return ss__fail(failure, SS_E_INVAL, "durability %d is unknown", (int)options->durability);
    }
    if ((unsigned)options->timeline_policy > SS_POLICY_HALT) {
        return ss__fail(failure, SS_E_INVAL, "timeline_policy %d is unknown",
                        (int)options->timeline_policy);
    }
    if ((unsigned)options->ui_policy > SS_POLICY_ADVANCE) {
        return ss__fail(failure, SS_E_INVAL, "ui_policy %d is neither fail nor advance",
                        (int)options->ui_policy);
    }
    if ((unsigned)options->verify > SS_VERIFY_RECORDS) {
        return ss__fail(failure, SS_E_INVAL, "verify %d is unknown", (int)options->verify);
    }
    int err = check_ranges(options, failure);
    if (err == 0 && options->dead_timeout_ms <= options->ping_interval_ms) {
        err = ss__fail(failure, SS_E_INVAL,
                       "dead_timeout_ms %u is not longer than ping_interval_ms %u",
                       options->dead_timeout_ms, options->ping_interval_ms);
    }
    return err;
}

uint32_t ss__options_default_shards(const struct ss_engine_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long shards = cores - (long)options->gateway_count;
    return (uint32_t)(shards < 2 ? 2 : shards > 8 ? 8 : shards);
}

uint32_t ss__options_patience_ms(const struct ss_engine_options *options, uint64_t elapsed_ns)
{
    uint64_t all_ms = options->stop_timeout_ms;
    uint64_t elapsed_ms = elapsed_ns / 1000000;
    uint64_t left_ms = elapsed_ms < all_ms ? all_ms - elapsed_ms : 0;
    return (uint32_t)(left_ms > all_ms / 4 ? left_ms : all_ms / 4);
}
