#include <stdlib.h>
#include <string.h>

#include <sessionstream/engine.h>

#include "core/clock.h"
#include "core/contract.h"
#include "core/log.h"
#include "engine/engine_router.h"
#include "engine/engine_state.h"
#include "engine/options.h"

#define POOL_THREADS 2
#define SHARD_PATH_BYTES 4096

int ss_engine_new(const struct ss_engine_options *options, struct ss_registry *registry,
                  struct ss_engine **ret_engine)
{
    if (registry->frozen) {
        return SS_E_FROZEN;    /* nothing in it is touched: threads may be reading it */
    }
    struct ss_failure failure = { 0 };
    int err = ss__options_check(options, &failure);
    if (err != 0) {
        ss__log(SS_LOG_ERROR, "engine options are invalid", "reason=\"%s\"", failure.text);
    } else {
        err = ss__transport_load(registry->schema, &failure);
    }
    if (err != 0) {
        return ss_registry_fail(registry, err, "%s", failure.text);
    }
    err = ss__registry_freeze(registry);
    if (err != 0) {
        return err;
    }
    struct ss_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return SS_E_NOMEM;
    }
    engine->options = *options;
    engine->registry = registry;
    engine->data_dir = strdup(options->data_dir);
    engine->listen_host = options->listen_host == NULL ? NULL : strdup(options->listen_host);
    engine->backup_dir = options->backup_dir == NULL ? NULL : strdup(options->backup_dir);
    err = engine->data_dir == NULL ||
                  (options->listen_host != NULL && engine->listen_host == NULL) ||
                  (options->backup_dir != NULL && engine->backup_dir == NULL)
              ? SS_E_NOMEM
              : ss__transport_init(&engine->transport, registry->schema, &failure);
    if (err != 0) {
        ss_engine_free(engine);
        return err;
    }
    engine->gateways_count = options->listen_host == NULL ? 0 : options->gateway_count;
    *ret_engine = engine;
    return 0;
}

static struct ss_store_options store_options(const struct ss_engine *engine, const char *path,
                                             uint32_t index)
{
    struct ss_store_options store;
    ss__store_options_init(&store);
    store.dir = path;
    store.shard_index = index;
    store.shard_count = engine->shards_count;
    store.directory_id = engine->directory->directory_id;
    store.must_exist = true;    /* the directory has made it */
    store.durability = engine->options.durability;
    store.map_bytes = engine->options.store_map_bytes;
    store.log_window_bytes = engine->options.log_window_bytes;
    if (store.log_window_bytes_max < store.log_window_bytes) {
        store.log_window_bytes_max = store.log_window_bytes;
    }
    store.min_free_bytes = engine->options.min_free_bytes;
    store.command_ttl_ms = engine->options.idempotency_ttl_ms;
    store.verify = engine->options.verify;
    store.clock = &ss__system_clock;
    return store;
}

/* Of one shard: sessions are spread evenly. */
static struct ss_retention_policy retention_of(const struct ss_engine *engine)
{
    const struct ss_engine_options *options = &engine->options;
    uint64_t total = options->retain_total_bytes;
    uint64_t share = total / engine->shards_count;
    return (struct ss_retention_policy){ .age_us = options->retain_age_ms * 1000,
                                         .events = options->retain_events,
                                         .bytes = options->retain_bytes,
                                         .total_bytes = total == 0 ? 0 : share == 0 ? 1 : share };
}

/* A debug ring for a thread, if they are wanted. */
static int make_trace(struct ss_engine *engine, struct ss_trace **ret_trace)
{
    if (engine->options.debug_ring == 0) {
        return 0;
    }
    *ret_trace = ss__trace_new(engine->options.debug_ring, &engine->trace_numbers);
    return *ret_trace != NULL ? 0 : ss__fail(&engine->failure, SS_E_NOMEM, "out of memory");
}

static int open_shard(struct ss_engine *engine, uint32_t index)
{
    char path[SHARD_PATH_BYTES];
    int err = ss__directory_shard_path(engine->directory, index, path, sizeof path);
    if (err != 0) {
        return ss__fail(&engine->failure, err, "the path of the data directory is too long");
    }
    err = make_trace(engine, &engine->shard_traces[index]);
    if (err != 0) {
        return err;
    }
    struct ss_shard_options options = {
        .index = index,
        .registry = engine->registry,
        .transport = &engine->transport,
        .pool = engine->pool,
        .work_pool = engine->work_pool,
        .router = &engine->router,
        .stats = &engine->shard_stats[index],
        .gateways = engine->gateway_inboxes,
        .gateways_count = engine->gateways_count,
        .clock = &ss__system_clock,
        .store = store_options(engine, path, index),
        .trace = engine->shard_traces[index],
        .durability_interval_ms = engine->options.durability_interval_ms,
        .session_cache_bytes = engine->options.session_cache_bytes,
        .retention = retention_of(engine),
        .retention_sweep_ms = engine->options.retain_sweep_ms,
        .snapshot_frame_bytes = engine->options.snapshot_frame_bytes,
        .snapshot_inline_bytes = SS_SNAPSHOT_INLINE_BYTES,
        .stop_timeout_ms = engine->options.stop_timeout_ms,
        .ui_policy = engine->options.ui_policy,
        .timeline_policy = engine->options.timeline_policy,
    };
    err = ss__shard_new(&options, &engine->shards[index], &engine->failure);
    if (err != 0) {
        return err;
    }
    const struct ss_store_report *report = ss__shard_report(engine->shards[index]);
    engine->sessions_found += report->sessions;
    engine->recovery_us += report->recovery_us;
    engine->router.shards[index] = ss__shard_inbox(engine->shards[index]);
    return 0;
}

static int open_gateway(struct ss_engine *engine, uint32_t index)
{
    int err = make_trace(engine, &engine->gateway_traces[index]);
    if (err != 0) {
        return err;
    }
    struct ss_gateway_options options = {
        .index = index,
        .router = &engine->router,
        .registry = engine->registry,
        .transport = &engine->transport,
        .stats = &engine->gateway_stats[index],
        .trace = engine->gateway_traces[index],
        .stats_table = &engine->stats_table,
        .listen_host = engine->listen_host,
        /* The first one may pick a port; the others share it. */
        .listen_port = index == 0 ? engine->options.listen_port
                                  : ss__gateway_port(engine->gateways[0]),
        .ready = &engine->ready,
        .backups = engine->backups == NULL ? NULL : ss__backups_control(engine->backups),
        .client_queue_bytes = engine->options.client_queue_bytes,
        .answers_bytes_max = SS_ANSWERS_BYTES_MAX,
        .slice_us = SS_GATEWAY_SLICE_US,
        .slow_client_rounds = engine->options.slow_client_rounds,
        .client_frame_bytes = engine->options.client_frame_bytes,
        .connections_max = engine->options.connections_max,
        .subscriptions_max = engine->options.subscriptions_max,
        .handshake_timeout_ms = engine->options.handshake_timeout_ms,
        .ping_interval_ms = engine->options.ping_interval_ms,
        .dead_timeout_ms = engine->options.dead_timeout_ms,
        .stop_timeout_ms = engine->options.stop_timeout_ms,
    };
    err = ss__gateway_new(&options, &engine->gateways[index], &engine->failure);
    if (err == 0) {
        engine->gateway_inboxes[index] = ss__gateway_inbox(engine->gateways[index]);
    }
    return err;
}

static int open_all(struct ss_engine *engine)
{
    bool told = engine->options.shard_count != 0;
    uint32_t wanted =
        told ? engine->options.shard_count : ss__options_default_shards(&engine->options);
    int err = ss__directory_open(engine->data_dir, wanted, told, &engine->directory,
                                 &engine->failure);
    if (err != 0) {
        return err;
    }
    engine->shards_count = engine->directory->shard_count;
    engine->router.shard_count = engine->shards_count;
    engine->router.key = engine->directory->routing_key;
    engine->shard_stats = calloc(engine->shards_count, sizeof *engine->shard_stats);
    engine->gateway_stats = calloc(engine->gateways_count + 1, sizeof *engine->gateway_stats);
    if (engine->shard_stats == NULL || engine->gateway_stats == NULL) {
        return ss__fail(&engine->failure, SS_E_NOMEM, "out of memory");
    }
    engine->stats_table = (struct ss_stats_table){
        .shards_count = engine->shards_count,
        .gateways_count = engine->gateways_count,
        .shards = engine->shard_stats,
        .gateways = engine->gateway_stats,
        .shard_inboxes = (const struct ss_inbox *const *)engine->router.shards,
        .gateway_inboxes = (const struct ss_inbox *const *)engine->gateway_inboxes,
    };
    ss__gateway_reserve_descriptors((uint64_t)engine->options.connections_max *
                                    engine->gateways_count);
    err = ss__pool_new(POOL_THREADS, &engine->pool);
    if (err == 0) {
        err = ss__pool_new(SS_WORK_THREADS, &engine->work_pool);
    }
    if (err != 0) {
        return ss__fail(&engine->failure, err, "pool threads cannot be started");
    }
    if (engine->backup_dir != NULL) {
        err = ss__backups_new(engine->backup_dir, &engine->router, engine->directory,
                              engine->options.min_free_bytes, &engine->backups);
        if (err != 0) {
            return ss__fail(&engine->failure, err, "out of memory");
        }
        engine->stats_table.backups = ss__backups_stats(engine->backups);
    }
    for (uint32_t i = 0; i < engine->gateways_count && err == 0; i++) {
        err = open_gateway(engine, i);
    }
    for (uint32_t i = 0; i < engine->shards_count && err == 0; i++) {
        err = open_shard(engine, i);
    }
    return err;
}

static int start_all(struct ss_engine *engine)
{
    int err = 0;
    while (engine->shards_started < engine->shards_count && err == 0) {
        err = ss__shard_start(engine->shards[engine->shards_started]);
        engine->shards_started += err == 0;
    }
    while (engine->gateways_started < engine->gateways_count && err == 0) {
        err = ss__gateway_start(engine->gateways[engine->gateways_started]);
        engine->gateways_started += err == 0;
    }
    if (err != 0) {
        return ss__fail(&engine->failure, err, "threads cannot be started: %s",
                        ss_error_text(err));
    }
    return 0;
}

static void close_all(struct ss_engine *engine)
{
    ss__backups_free(engine->backups);
    engine->backups = NULL;
    for (uint32_t i = 0; i < SS_GATEWAYS_MAX; i++) {
        ss__gateway_free(engine->gateways[i]);
        free(engine->gateway_traces[i]);
        engine->gateway_traces[i] = NULL;
        engine->gateways[i] = NULL;
        engine->gateway_inboxes[i] = NULL;
    }
    for (uint32_t i = 0; i < SS_SHARDS_MAX; i++) {
        ss__shard_free(engine->shards[i]);
        free(engine->shard_traces[i]);
        engine->shard_traces[i] = NULL;
        engine->shards[i] = NULL;
        engine->router.shards[i] = NULL;
    }
    ss__pool_free(engine->pool);
    engine->pool = NULL;
    ss__pool_free(engine->work_pool);
    engine->work_pool = NULL;
    ss__directory_close(engine->directory);
    engine->directory = NULL;
    free(engine->shard_stats);
    free(engine->gateway_stats);
    engine->shard_stats = NULL;
    engine->gateway_stats = NULL;
}

int ss_engine_start(struct ss_engine *engine)
{
    SS_REQUIRE(engine->directory == NULL);
    engine->failure = (struct ss_failure){ 0 };
    engine->sessions_found = engine->recovery_us = 0;
    int err = open_all(engine);
    if (err == 0) {
        engine->started = true;
        err = start_all(engine);
    }
    if (err != 0) {
        ss_engine_stop(engine);
        close_all(engine);
        return err;
    }
    atomic_store(&engine->ready, true);
    return 0;
}

/* Order: no new connections, no new requests, then every shard to its end, then what the clients
 * still have to get. */
void ss_engine_stop(struct ss_engine *engine)
{
    if (!engine->started) {
        return;
    }
    engine->started = false;
    atomic_store(&engine->ready, false);
    uint64_t began_ns = ss__clock_monotonic_ns(&ss__system_clock);
    uint64_t limit_ns = (uint64_t)engine->options.stop_timeout_ms * 1000000;
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_stop_listening(engine->gateways[i]);
    }
    ss__backups_cancel(engine->backups);
    (void)ss__backups_await(engine->backups, began_ns + limit_ns / 4);    /* or again below */
    for (uint32_t i = 0; i < engine->shards_started; i++) {
        ss__shard_stop(engine->shards[i]);
    }
    for (uint32_t i = 0; i < engine->shards_started; i++) {
        ss__shard_join(engine->shards[i]);
    }
    uint64_t elapsed_ns = ss__clock_monotonic_ns(&ss__system_clock) - began_ns;
    uint32_t patience_ms = ss__options_patience_ms(&engine->options, elapsed_ns);
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_stop(engine->gateways[i], patience_ms);
    }
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_join(engine->gateways[i]);
    }
    if (!ss__backups_await(engine->backups, began_ns + limit_ns)) {
        ss__backups_leave(engine->backups);
    }
    engine->shards_started = engine->gateways_started = 0;
}

void ss_engine_free(struct ss_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    SS_REQUIRE(!engine->started);
    close_all(engine);
    free(engine->data_dir);
    free(engine->listen_host);
    free(engine->backup_dir);
    free(engine);
}

const char *ss_engine_error(const struct ss_engine *engine)
{
    return engine->failure.text;
}

uint16_t ss_engine_port(const struct ss_engine *engine)
{
    return engine->gateways[0] == NULL ? 0 : ss__gateway_port(engine->gateways[0]);
}

uint32_t ss_engine_shard_count(const struct ss_engine *engine)
{
    return engine->shards_count;
}

uint64_t ss_engine_sessions_found(const struct ss_engine *engine)
{
    return engine->sessions_found;
}

uint64_t ss_engine_recovery_us(const struct ss_engine *engine)
{
    return engine->recovery_us;
}

const struct ss_router *ss__engine_router(const struct ss_engine *engine)
{
    return engine->started ? &engine->router : NULL;
}

const struct ss_registry *ss__engine_registry(const struct ss_engine *engine)
{
    return engine->registry;
}

const struct ss_backup_control *ss__engine_backups(const struct ss_engine *engine)
{
    return engine->started && engine->backups != NULL ? ss__backups_control(engine->backups) : NULL;
}
