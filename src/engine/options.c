#include "engine/options.h"

#include <stdlib.h>
#include <string.h>
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
        .client_frame_bytes = SS_CLIENT_FRAME_BYTES_MAX,
        .connections_max = SS_CONNECTIONS_MAX,
        .subscriptions_max = SS_SUBSCRIPTIONS_MAX,
        .handshake_timeout_ms = 10000,
        .ping_interval_ms = 25000,
        .dead_timeout_ms = 60000,
        .stop_timeout_ms = 4000,
    };
}

int ss__options_check(const struct ss_engine_options *options, struct ss_failure *failure)
{
    if (options->data_dir == NULL || options->data_dir[0] == '\0') {
        return ss__fail(failure, SS_E_INVAL, "data_dir is empty");
    }
    if (options->shard_count > SS_SHARDS_MAX) {
        return ss__fail(failure, SS_E_INVAL, "shard_count %u is over %d", options->shard_count,
                        SS_SHARDS_MAX);
    }
    bool gateways_needed = options->listen_host != NULL;
    if (options->gateway_count > SS_GATEWAYS_MAX ||
        (gateways_needed && options->gateway_count == 0)) {
        return ss__fail(failure, SS_E_INVAL, "gateway_count %u is not within 1 to %d",
                        options->gateway_count, SS_GATEWAYS_MAX);
    }
    if (options->durability == SS_DURABILITY_INTERVAL &&
        (options->durability_interval_ms == 0 || options->durability_interval_ms > 60000)) {
        return ss__fail(failure, SS_E_INVAL,
                        "durability_interval_ms %u is not within 1 to 60000",
                        options->durability_interval_ms);
    }
    return 0;
}

uint32_t ss__options_default_shards(const struct ss_engine_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long shards = cores - (long)options->gateway_count;
    return (uint32_t)(shards < 2 ? 2 : shards > 8 ? 8 : shards);
}
