/* Publish in process, one shard, one thread: ordinal, log, both projections, encoded frame, fsync.
 *
 * The shard is stepped on this thread: posting, the batch with its commit, and draining the frames
 * as a gateway would all count. At the end several shards at once, each on a thread of its own. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "bench.h"
#include "bench.pb-c.h"
#include "bench_app.h"
#include "shard/shard.h"
#include "wire/encoding.h"

#define PREPARE_BATCH 512u

struct setting {
    const char *name;
    uint32_t sessions_on_disk;    /* made beforehand; 0: only the active ones */
    uint32_t sessions;            /* active, each with a follower */
    uint32_t entities;            /* per session */
    uint32_t history;             /* events per session beforehand; 0: one for each entity */
    uint32_t batch;               /* events that wait when the shard wakes */
    uint32_t batches;             /* measured, times the scale */
};

struct run {
    const struct setting *setting;
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_shard_stats *stats;
    struct ss_inbox *gateway;
    struct ss_shard *shard;
    struct ss_pool *pool;    /* as the engine has: flushes run there */
    const struct ss_name *event;
    uint64_t done;
    uint64_t failed;
    uint64_t frames;
    uint64_t answers;
    uint32_t random;
};

static uint32_t next_random(struct run *run)
{
    run->random = run->random * 1664525u + 1013904223u;
    return run->random >> 8;
}

static void on_done(const struct ss_result *result, void *ctx)
{
    struct run *run = ctx;
    run->done++;
    run->failed += result->err != 0;
}

static void open_shard(struct run *run, const char *dir, enum ss_durability durability)
{
    struct ss_failure failure = { 0 };
    if (ss__pool_new(1, &run->pool) != 0) {
        ss__bench_fail("publish: no pool");
    }
    struct ss_shard_options shard = { .registry = run->registry,
                                      .transport = &run->transport,
                                      .stats = run->stats,
                                      .gateways = &run->gateway,
                                      .gateways_count = 1,
                                      .clock = &ss__system_clock,
                                      .pool = run->pool,
                                      .durability_interval_ms = 100,
                                      .session_cache_bytes = UINT64_C(8) << 30,
                                      .snapshot_frame_bytes = 1u << 30,
                                      .snapshot_inline_bytes = 1u << 30,
                                      .stop_timeout_ms = 60000 };
    ss__store_options_init(&shard.store);
    shard.store.dir = dir;
    shard.store.durability = durability;
    if (ss__shard_new(&shard, &run->shard, &failure) != 0) {
        ss__bench_fail("publish: %s", failure.text);
    }
}

static void close_shard(struct run *run)
{
    ss__shard_close(run->shard);
    ss__shard_free(run->shard);
    ss__pool_free(run->pool);
}

/* True if something was there. */
static bool drain_gateway(struct run *run)
{
    bool drained = false;
    for (struct ss_inbox_node *node; (node = ss__inbox_take(run->gateway)) != NULL;) {
        struct ss_msg *msg = ss__msg_of(node);
        run->frames += msg->kind == SS_MSG_FRAME;
        run->answers += msg->kind == SS_MSG_REPLY;
        ss__msg_free(msg);
        drained = true;
    }
    return drained;
}

static void post(struct run *run, struct ss_request *request)
{
    if (request == NULL ||
        ss__inbox_post(ss__shard_inbox(run->shard), &request->base.node, SS_POST_INSIDE) != 0) {
        ss__bench_fail("publish: cannot post");
    }
}

static struct ss_str session_name(uint32_t index, char out[32])
{
    int len = snprintf(out, 32, "session-%u", index);
    return ss_str_of(out, (size_t)len);
}

static void post_publish(struct run *run, uint32_t session, uint32_t entity)
{
    static char text[] = "A payload of two hundred bytes or so, the size of a short paragraph that "
                         "a tool or a model would emit, with enough words in it that neither "
                         "checksums nor encoders get away cheaply with what they do.";
    Sessionstream__Bench__Publish message = SESSIONSTREAM__BENCH__PUBLISH__INIT;
    uint8_t packed[512];
    char name[32];
    message.entity = entity;
    message.text = text;
    size_t len = protobuf_c_message_pack(&message.base, packed);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_PUBLISH, session_name(session, name),
                                                 none, ss_str_of(packed, len));
    if (request != NULL) {
        request->name = run->event;
        request->done = on_done;
        request->ctx = run;
    }
    post(run, request);
}

/* What a full gateway kept back leaves with a later step. */
static void step_all(struct run *run)
{
    bool more = true;
    while (more) {
        more = ss__shard_step(run->shard);
        more = drain_gateway(run) || more;
    }
}

/* Until @answers subscribes have been answered: sessions are read by the pool. */
static void await_answers(struct run *run, uint64_t answers)
{
    for (step_all(run); run->answers < answers; step_all(run)) {
        (void)sched_yield();
    }
}

static void follow_all(struct run *run)
{
    char name[32];
    struct ss_str none = { NULL, 0 };
    run->answers = 0;
    for (uint32_t i = 0; i < run->setting->sessions; i++) {
        struct ss_request *request =
            ss__request_new(SS_REQUEST_SUBSCRIBE, session_name(i, name), none, none);
        if (request != NULL) {
            request->connection = (struct ss_connection_id){ 0, 1, 1 };
            request->handle = (struct ss_session_handle){ i, 1 };
            request->encoding = SS_ENCODING_V2_JSON;
        }
        post(run, request);
        if (i % PREPARE_BATCH == PREPARE_BATCH - 1) {
            await_answers(run, i + 1);
        }
    }
    await_answers(run, run->setting->sessions);
}

static void check_done(struct run *run, uint64_t events)
{
    if (run->done != events || run->failed != 0) {
        ss__bench_fail("publish: %" PRIu64 " of %" PRIu64 " published, %" PRIu64 " failed",
                       run->done, events, run->failed);
    }
}

/* Every session gets every entity, and then its history, without waiting for the disk. */
static void prepare(struct run *run, const char *dir)
{
    const struct setting *setting = run->setting;
    uint32_t sessions =
        setting->sessions_on_disk > 0 ? setting->sessions_on_disk : setting->sessions;
    uint32_t rounds = setting->history > setting->entities ? setting->history : setting->entities;
    uint64_t events = (uint64_t)sessions * rounds;
    open_shard(run, dir, SS_DURABILITY_NONE);
    run->done = 0;
    for (uint64_t i = 0; i < events; i++) {
        post_publish(run, (uint32_t)(i % sessions), (uint32_t)(i / sessions) % setting->entities);
        if (i % PREPARE_BATCH == PREPARE_BATCH - 1) {
            step_all(run);
        }
    }
    step_all(run);
    check_done(run, events);
    close_shard(run);
}

/* Publishes to sessions and entities by chance. */
static void publish(struct run *run, uint64_t batches, struct ss_histogram *latency)
{
    const struct setting *setting = run->setting;
    run->done = 0;
    run->frames = 0;
    for (uint64_t b = 0; b < batches; b++) {
        uint64_t begin = ss__bench_ns();
        for (unsigned i = 0; i < setting->batch; i++) {
            post_publish(run, next_random(run) % setting->sessions,
                         next_random(run) % setting->entities);
        }
        step_all(run);
        ss__histogram_add(latency, ss__bench_ns() - begin);
    }
    check_done(run, batches * setting->batch);
    if (run->frames != batches * setting->batch) {
        ss__bench_fail("publish: %" PRIu64 " frames for %" PRIu64 " events", run->frames,
                       batches * setting->batch);
    }
}

static void measure(struct run *run, const struct ss_bench_options *options)
{
    const struct setting *setting = run->setting;
    struct ss_histogram *latency = ss__bench_histogram();
    uint64_t batches = setting->batches * options->scale;
    char params[160];
    publish(run, 10240 / setting->batch, latency);    /* sessions come into memory */
    memset(latency, 0, sizeof *latency);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    publish(run, batches, latency);
    (void)snprintf(params, sizeof params,
                   "\"sessions\":%u,\"sessions_on_disk\":%u,\"entities\":%u,\"history\":%u,"
                   "\"batch\":%u", setting->sessions, setting->sessions_on_disk,
                   setting->entities, setting->history, setting->batch);
    struct ss_bench_result result = { .suite = "publish", .name = setting->name, .params = params,
                                      .count = batches * setting->batch,
                                      .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu, .latency = latency };
    ss__bench_report(&result);
    free(latency);
}

static void init_run(struct run *run, const struct setting *setting, struct ss_registry *registry,
                     struct ss_transport transport)
{
    *run = (struct run){ .setting = setting, .registry = registry, .transport = transport,
                         .random = 12345 };
    run->stats = calloc(1, sizeof *run->stats);
    run->event = ss__registry_find(registry, SS_SPACE_EVENT, ss_str("Published"));
    if (run->stats == NULL || ss__inbox_new(65536, UINT64_C(1) << 30, &run->gateway) != 0) {
        ss__bench_fail("publish: out of memory");
    }
}

static void deinit_run(struct run *run)
{
    ss__inbox_unref(run->gateway);
    free(run->stats);
}

static void run_setting(const struct ss_bench_options *options, const struct setting *setting)
{
    struct run run;
    struct ss_transport transport;
    struct ss_registry *registry = ss__bench_registry(&transport);
    init_run(&run, setting, registry, transport);
    ss__bench_remove(options->dir);
    prepare(&run, options->dir);
    open_shard(&run, options->dir, SS_DURABILITY_FSYNC);
    follow_all(&run);
    measure(&run, options);
    close_shard(&run);
    ss__bench_remove(options->dir);
    deinit_run(&run);
    ss_registry_free(registry);
}

/* ---- events that each begin a session ---- */

/* With what the flushes do for them meanwhile: rows, and entries of the catalog. */
static void run_new_sessions(const struct ss_bench_options *options)
{
    static const struct setting setting = { "publish_new_sessions", 0, 1, 1, 0, 512, 100 };
    struct run run;
    struct ss_transport transport;
    if (!ss__bench_wanted(options, setting.name)) {
        return;
    }
    struct ss_registry *registry = ss__bench_registry(&transport);
    struct ss_histogram *latency = ss__bench_histogram();
    uint64_t batches = setting.batches * options->scale;
    init_run(&run, &setting, registry, transport);
    ss__bench_remove(options->dir);
    open_shard(&run, options->dir, SS_DURABILITY_FSYNC);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t b = 0; b < batches; b++) {
        uint64_t batch_begin = ss__bench_ns();
        for (unsigned i = 0; i < setting.batch; i++) {
            post_publish(&run, (uint32_t)(b * setting.batch + i), 0);
        }
        step_all(&run);
        ss__histogram_add(latency, ss__bench_ns() - batch_begin);
    }
    check_done(&run, batches * setting.batch);
    struct ss_bench_result result = { .suite = "publish", .name = setting.name,
                                      .params = "\"batch\":512",
                                      .count = batches * setting.batch,
                                      .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu, .latency = latency };
    ss__bench_report(&result);
    close_shard(&run);
    ss__bench_remove(options->dir);
    free(latency);
    deinit_run(&run);
    ss_registry_free(registry);
}

/* ---- several shards, each on a thread of its own ---- */

#define SHARDS_MAX 64u

struct lane {
    struct run run;
    pthread_t thread;
    pthread_barrier_t *start;
    uint64_t batches;
    struct ss_histogram *latency;
};

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    (void)pthread_barrier_wait(lane->start);
    publish(&lane->run, lane->batches, lane->latency);
    return NULL;
}

static void open_lane(struct lane *lane, const struct ss_bench_options *options, unsigned index,
                      const struct run *shared)
{
    char dir[512];
    (void)snprintf(dir, sizeof dir, "%s/shard-%u", options->dir, index);
    init_run(&lane->run, shared->setting, shared->registry, shared->transport);
    prepare(&lane->run, dir);
    open_shard(&lane->run, dir, SS_DURABILITY_FSYNC);
    follow_all(&lane->run);
    lane->batches = shared->setting->batches * options->scale;
    lane->latency = ss__bench_histogram();
    publish(&lane->run, 10240 / shared->setting->batch, lane->latency);
    memset(lane->latency, 0, sizeof *lane->latency);
}

/* Returns nanoseconds for the same work in each of @count shards at once. */
static uint64_t time_lanes(struct lane *lanes, unsigned count)
{
    pthread_barrier_t start;
    if (pthread_barrier_init(&start, NULL, count + 1) != 0) {
        ss__bench_fail("publish: no barrier");
    }
    for (unsigned i = 0; i < count; i++) {
        lanes[i].start = &start;
        if (pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) != 0) {
            ss__bench_fail("publish: no thread");
        }
    }
    (void)pthread_barrier_wait(&start);
    uint64_t begin = ss__bench_ns();
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(lanes[i].thread, NULL);
    }
    (void)pthread_barrier_destroy(&start);
    return ss__bench_ns() - begin;
}

/* @rate_of_one: of one shard, to which the efficiency of several refers. */
static void run_shards(const struct ss_bench_options *options, unsigned count, double *rate_of_one)
{
    static const struct setting setting = { "publish_shards", 0, 1000, 1, 0, 512, 60 };
    static struct lane lanes[SHARDS_MAX];
    char name[32];
    char params[96];
    struct run shared = { .setting = &setting };
    (void)snprintf(name, sizeof name, "publish_shards_%u", count);
    if (!ss__bench_wanted(options, name)) {
        return;
    }
    shared.registry = ss__bench_registry(&shared.transport);
    ss__bench_remove(options->dir);
    if (mkdir(options->dir, 0750) != 0) {
        ss__bench_fail("publish: \"%s\" cannot be made", options->dir);
    }
    for (unsigned i = 0; i < count; i++) {
        open_lane(&lanes[i], options, i, &shared);
    }
    uint64_t cpu = ss__bench_cpu_ns();
    struct ss_bench_result result = { .suite = "publish", .name = name, .params = params,
                                      .count = setting.batch * lanes[0].batches * count,
                                      .ns = time_lanes(lanes, count),
                                      .latency = lanes[0].latency };
    result.cpu_ns = ss__bench_cpu_ns() - cpu;
    double rate = (double)result.count * 1e9 / (double)result.ns;
    *rate_of_one = count == 1 ? rate : *rate_of_one;
    (void)snprintf(params, sizeof params, "\"shards\":%u,\"sessions\":%u,\"efficiency\":%.3f",
                   count, setting.sessions, *rate_of_one > 0 ? rate / count / *rate_of_one : 0);
    for (unsigned i = 1; i < count; i++) {
        ss__histogram_merge(lanes[0].latency, lanes[i].latency);
    }
    ss__bench_report(&result);
    for (unsigned i = 0; i < count; i++) {
        close_shard(&lanes[i].run);
        deinit_run(&lanes[i].run);
        free(lanes[i].latency);
    }
    ss__bench_remove(options->dir);
    ss_registry_free(shared.registry);
}

static const struct setting settings[] = {
    { "publish_1000_sessions_1_entity", 0, 1000, 1, 0, 512, 120 },
    { "publish_1_session_1_entity", 0, 1, 1, 0, 512, 60 },
    { "publish_1_session_10_entities", 0, 1, 10, 0, 512, 60 },
    { "publish_1_session_100_entities", 0, 1, 100, 0, 512, 60 },
    { "publish_1_session_1000_entities", 0, 1, 1000, 0, 512, 60 },
    { "publish_1_session_10000_entities", 0, 1, 10000, 0, 512, 60 },
    { "publish_1_session_100000_entities", 0, 1, 100000, 0, 512, 60 },
    { "publish_100_sessions_10000_entities", 0, 100, 10000, 0, 512, 120 },
    { "publish_10_sessions", 0, 10, 1, 0, 512, 60 },
    { "publish_100_sessions", 0, 100, 1, 0, 512, 60 },
    { "publish_10000_sessions", 0, 10000, 1, 0, 512, 120 },
    { "publish_100000_sessions", 0, 100000, 1, 0, 512, 120 },
    { "publish_history_10000", 0, 1, 1, 10000, 512, 60 },
    { "publish_history_1000000", 0, 1, 1, 1000000, 512, 60 },
    { "publish_batch_1", 0, 1000, 1, 0, 1, 500 },
    { "publish_batch_8", 0, 1000, 1, 0, 8, 500 },
    { "publish_batch_64", 0, 1000, 1, 0, 64, 300 },
    { "publish_batch_256", 0, 1000, 1, 0, 256, 150 },
};

static const struct setting big = { "publish_100000_of_1000000_sessions", 1000000, 100000, 1, 0,
                                    512, 120 };

void ss__bench_publish(const struct ss_bench_options *options)
{
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (ss__bench_wanted(options, settings[i].name)) {
            run_setting(options, &settings[i]);
        }
    }
    run_new_sessions(options);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    double rate_of_one = 0;
    for (unsigned count = 1; count <= SHARDS_MAX && (long)count <= processors; count *= 2) {
        run_shards(options, count, &rate_of_one);
    }
    if (options->big && ss__bench_wanted(options, big.name)) {
        run_setting(options, &big);
    }
}
