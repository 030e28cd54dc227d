#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/engine.h>
#include <sessionstream/limits.h>
#include <sessionstream/sessions.h>
#include <sessionstream/snapshot.h>

#include "core/contract.h"
#include "core/log.h"
#include "core/utf8.h"
#include "engine/backup.h"
#include "engine/engine_router.h"
#include "engine/options.h"
#include "gateway/gateway.h"
#include "message/router.h"
#include "message/stats.h"
#include "message/trace.h"
#include "schema/registry.h"
#include "schema/validate.h"
#include "shard/shard.h"
#include "store/directory.h"
#include "wire/transport.h"

#define POOL_THREADS 2
#define SHARD_PATH_BYTES 4096

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
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_stop_listening(engine->gateways[i]);
    }
    ss__backups_stop(engine->backups);    /* shards that run answer it */
    for (uint32_t i = 0; i < engine->shards_started; i++) {
        ss__shard_stop(engine->shards[i]);
    }
    for (uint32_t i = 0; i < engine->shards_started; i++) {
        ss__shard_join(engine->shards[i]);
    }
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_stop(engine->gateways[i]);
    }
    for (uint32_t i = 0; i < engine->gateways_started; i++) {
        ss__gateway_join(engine->gateways[i]);
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

/* ---- calls from outside a handler ---- */

/* Takes the request. */
static int post_request(struct ss_engine *engine, struct ss_request *request)
{
    struct ss_inbox *inbox = ss__router_inbox(&engine->router, request->session_id);
    int err = ss__inbox_post(inbox, &request->base.node, SS_POST_OUTSIDE);
    if (err != 0) {
        ss__msg_free(&request->base);
    }
    return err;
}

static int post_keyed(struct ss_engine *engine, enum ss_request_kind kind,
                      struct ss_str session_id, const struct ss_name *name, struct ss_str payload,
                      struct ss_str key, ss_done_fn *done, void *ctx)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new_keyed(kind, session_id, none, payload, key);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->name = name;
    request->done = done;
    request->ctx = ctx;
    return post_request(engine, request);
}

static int post(struct ss_engine *engine, enum ss_request_kind kind, struct ss_str session_id,
                const struct ss_name *name, struct ss_str payload, ss_done_fn *done, void *ctx)
{
    return post_keyed(engine, kind, session_id, name, payload, ss_str(NULL), done, ctx);
}

const struct ss_router *ss__engine_router(const struct ss_engine *engine)
{
    return engine->started ? &engine->router : NULL;
}

const struct ss_backup_control *ss__engine_backups(const struct ss_engine *engine)
{
    return engine->started && engine->backups != NULL ? ss__backups_control(engine->backups) : NULL;
}

static int check_session_id(const struct ss_engine *engine, struct ss_str id)
{
    if (!engine->started) {
        return SS_E_STOPPING;
    }
    bool good = id.len > 0 && id.len <= SS_SESSION_ID_BYTES_MAX &&
                ss__utf8_valid(id.data, id.len) && memchr(id.data, '\0', id.len) == NULL;
    return good ? 0 : SS_E_SESSION_ID;
}

const struct ss_registry *ss__engine_registry(const struct ss_engine *engine)
{
    return engine->registry;
}

int ss__engine_check_session(const struct ss_engine *engine, struct ss_str id)
{
    return check_session_id(engine, id);
}

int ss__engine_post(struct ss_engine *engine, struct ss_request *request)
{
    return post_request(engine, request);
}

static int pack_and_post(struct ss_engine *engine, enum ss_request_kind kind,
                         struct ss_str session_id, const struct ss_name *name,
                         const ProtobufCMessage *payload, struct ss_str key, ss_done_fn *done,
                         void *ctx)
{
    if (payload == NULL) {
        return SS_E_PAYLOAD;
    }
    if (!ss_str_equal(ss_str(payload->descriptor->name), ss__type_name(name->type))) {
        return SS_E_TYPE;
    }
    size_t len = protobuf_c_message_get_packed_size(payload);
    if (len > SS_PAYLOAD_BYTES_MAX) {
        return SS_E_TOOBIG;
    }
    uint8_t small[512];
    uint8_t *packed = len <= sizeof small ? small : malloc(len);
    if (packed == NULL) {
        return SS_E_NOMEM;
    }
    struct ss_str bytes = ss_str_of(packed, protobuf_c_message_pack(payload, packed));
    int err = ss__validate(name->type, bytes, NULL);
    if (err == 0) {
        err = post_keyed(engine, kind, session_id, name, bytes, key, done, ctx);
    }
    if (packed != small) {
        free(packed);
    }
    return err;
}

static int submit(struct ss_engine *engine, struct ss_str session_id, const char *command,
                  const ProtobufCMessage *payload, struct ss_str key, ss_done_fn *done, void *ctx)
{
    int err = check_session_id(engine, session_id);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name =
        ss__registry_find(engine->registry, SS_SPACE_COMMAND, ss_str(command));
    return name == NULL ? SS_E_UNKNOWN_COMMAND
                        : pack_and_post(engine, SS_REQUEST_SUBMIT, session_id, name, payload, key,
                                        done, ctx);
}

int ss_engine_submit(struct ss_engine *engine, struct ss_str session_id, const char *command,
                     const ProtobufCMessage *payload, ss_done_fn *done, void *ctx)
{
    return submit(engine, session_id, command, payload, ss_str(NULL), done, ctx);
}

int ss_engine_submit_keyed(struct ss_engine *engine, struct ss_str session_id,
                           const char *command, const ProtobufCMessage *payload,
                           struct ss_str key, ss_done_fn *done, void *ctx)
{
    return ss__request_key_valid(key)
               ? submit(engine, session_id, command, payload, key, done, ctx)
               : SS_E_INVAL;
}

int ss_engine_publish(struct ss_engine *engine, struct ss_str session_id, const char *event,
                      const ProtobufCMessage *payload, ss_done_fn *done, void *ctx)
{
    int err = check_session_id(engine, session_id);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name = ss__registry_find(engine->registry, SS_SPACE_EVENT, ss_str(event));
    return name == NULL ? SS_E_UNKNOWN_EVENT
                        : pack_and_post(engine, SS_REQUEST_PUBLISH, session_id, name, payload,
                                        ss_str(NULL), done, ctx);
}

int ss_engine_barrier(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                      void *ctx)
{
    int err = check_session_id(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err
                    : post(engine, SS_REQUEST_BARRIER, session_id, NULL, none, done, ctx);
}

/* @projection NULL: all. */
static int new_timeline_request(struct ss_engine *engine, enum ss_request_kind kind,
                                struct ss_str session_id, const char *projection,
                                struct ss_request **ret_request)
{
    int err = check_session_id(engine, session_id);
    int index = projection == NULL
                    ? -1
                    : ss__registry_timeline(engine->registry, ss_str(projection));
    if (err != 0 || (projection != NULL && index < 0)) {
        return err != 0 ? err : SS_E_NOTFOUND;
    }
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, session_id, none, none);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->timelines = index < 0 ? 0 : 1u << index;
    *ret_request = request;
    return 0;
}

int ss_engine_retry(struct ss_engine *engine, struct ss_str session_id, const char *projection,
                    ss_done_fn *done, void *ctx)
{
    struct ss_request *request = NULL;
    int err = new_timeline_request(engine, SS_REQUEST_RETRY, session_id, projection, &request);
    if (err != 0) {
        return err;
    }
    request->done = done;
    request->ctx = ctx;
    return post_request(engine, request);
}

int ss_engine_rebuild(struct ss_engine *engine, struct ss_str session_id, const char *projection,
                      uint64_t from, ss_done_fn *done, void *ctx)
{
    struct ss_request *request = NULL;
    int err = new_timeline_request(engine, SS_REQUEST_REBUILD, session_id, projection, &request);
    if (err != 0) {
        return err;
    }
    request->at = from;
    request->done = done;
    request->ctx = ctx;
    return post_request(engine, request);
}

int ss_engine_cursors(struct ss_engine *engine, struct ss_str session_id, ss_cursors_fn *done,
                      void *ctx)
{
    int err = check_session_id(engine, session_id);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        err != 0 ? NULL : ss__request_new(SS_REQUEST_CURSORS, session_id, none, none);
    if (request == NULL) {
        return err != 0 ? err : SS_E_NOMEM;
    }
    request->cursors_done = done;
    request->ctx = ctx;
    return post_request(engine, request);
}

int ss_engine_close(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                    void *ctx)
{
    int err = check_session_id(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err : post(engine, SS_REQUEST_CLOSE, session_id, NULL, none, done, ctx);
}

int ss_engine_delete(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                     void *ctx)
{
    int err = check_session_id(engine, session_id);
    struct ss_str none = { NULL, 0 };
    return err != 0 ? err
                    : post(engine, SS_REQUEST_DELETE, session_id, NULL, none, done, ctx);
}

int ss_engine_snapshot_at(struct ss_engine *engine, struct ss_str session_id, uint64_t at,
                          ss_snapshot_fn *done, void *ctx)
{
    int err = check_session_id(engine, session_id);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        err != 0 ? NULL : ss__request_new(SS_REQUEST_SNAPSHOT, session_id, none, none);
    if (request == NULL) {
        return err != 0 ? err : SS_E_NOMEM;
    }
    request->at = at;
    request->snapshot_done = done;
    request->ctx = ctx;
    return post_request(engine, request);
}

int ss_engine_snapshot(struct ss_engine *engine, struct ss_str session_id, ss_snapshot_fn *done,
                       void *ctx)
{
    return ss_engine_snapshot_at(engine, session_id, 0, done, ctx);
}
