/* Publish in process, one shard, one thread: ordinal, log, both projections, encoded frame, fsync.
 *
 * The shard is stepped on this thread: posting, the batch with its commit, and draining the frames
 * as a gateway would all count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "bench.h"
#include "bench.pb-c.h"
#include "bench_app.h"
#include "shard/shard.h"
#include "wire/encoding.h"

#define BATCH 512u

struct setting {
    const char *name;
    uint32_t sessions_on_disk;    /* made beforehand; 0: only the active ones */
    uint32_t sessions;            /* active */
    uint32_t entities;            /* per session */
    uint64_t events;
    bool followed;                /* a follower of each session: frames are encoded */
};

struct run {
    const struct setting *setting;
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_shard_stats *stats;
    struct ss_inbox *gateway;
    struct ss_shard *shard;
    const struct ss_name *event;
    uint64_t done;
    uint64_t failed;
    uint64_t frames;
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

static void open_shard(struct run *run, const struct ss_bench_options *options,
                       enum ss_durability durability)
{
    struct ss_failure failure = { 0 };
    struct ss_shard_options shard = { .registry = run->registry,
                                      .transport = &run->transport,
                                      .stats = run->stats,
                                      .gateways = &run->gateway,
                                      .gateways_count = 1,
                                      .clock = &ss__system_clock,
                                      .durability_interval_ms = 100,
                                      .session_cache_bytes = UINT64_C(8) << 30,
                                      .stop_timeout_ms = 60000 };
    ss__store_options_init(&shard.store);
    shard.store.dir = options->dir;
    shard.store.durability = durability;
    if (ss__shard_new(&shard, &run->shard, &failure) != 0) {
        ss__bench_fail("publish: %s", failure.text);
    }
}

static void close_shard(struct run *run)
{
    ss__shard_close(run->shard);
    ss__shard_free(run->shard);
}

static void drain_gateway(struct run *run)
{
    for (struct ss_inbox_node *node; (node = ss__inbox_take(run->gateway)) != NULL;) {
        struct ss_msg *msg = ss__msg_of(node);
        run->frames += msg->kind == SS_MSG_FRAME;
        ss__msg_free(msg);
    }
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

static void follow_all(struct run *run)
{
    char name[32];
    struct ss_str none = { NULL, 0 };
    for (uint32_t i = 0; i < run->setting->sessions; i++) {
        struct ss_request *request =
            ss__request_new(SS_REQUEST_SUBSCRIBE, session_name(i, name), none, none);
        if (request != NULL) {
            request->connection = (struct ss_connection_id){ 0, 1, 1 };
            request->handle = (struct ss_session_handle){ i, 1 };
            request->encoding = SS_ENCODING_V2_JSON;
        }
        post(run, request);
        if (i % BATCH == BATCH - 1) {
            while (ss__shard_step(run->shard)) {
            }
            drain_gateway(run);
        }
    }
    while (ss__shard_step(run->shard)) {
    }
    drain_gateway(run);
    run->frames = 0;
}

/* Publishes @events in batches; @samples takes the time of each, or is NULL. */
static uint64_t publish(struct run *run, uint64_t events, bool in_order, uint64_t *samples)
{
    const struct setting *setting = run->setting;
    uint64_t batches = events / BATCH;
    uint32_t next = 0;
    run->done = 0;
    for (uint64_t b = 0; b < batches; b++) {
        uint64_t begin = ss__bench_ns();
        for (unsigned i = 0; i < BATCH; i++) {
            uint32_t at = next++;
            uint32_t session = in_order ? at % setting->sessions : next_random(run) % setting->sessions;
            uint32_t entity = in_order ? at / setting->sessions : next_random(run);
            post_publish(run, session, entity % setting->entities);
        }
        while (ss__shard_step(run->shard)) {
        }
        drain_gateway(run);
        if (samples != NULL) {
            samples[b] = ss__bench_ns() - begin;
        }
    }
    if (run->done != batches * BATCH || run->failed != 0) {
        ss__bench_fail("publish: %llu of %llu published, %llu failed",
                       (unsigned long long)run->done, (unsigned long long)(batches * BATCH),
                       (unsigned long long)run->failed);
    }
    return batches;
}

/* Every session gets every entity once, without waiting for the disk. */
static void prepare(struct run *run, const struct ss_bench_options *options)
{
    struct setting all = *run->setting;
    const struct setting *setting = run->setting;
    all.sessions = setting->sessions_on_disk > 0 ? setting->sessions_on_disk : setting->sessions;
    open_shard(run, options, SS_DURABILITY_NONE);
    run->setting = &all;
    uint64_t events = (uint64_t)all.sessions * all.entities;
    (void)publish(run, (events + BATCH - 1) / BATCH * BATCH, true, NULL);
    run->setting = setting;
    close_shard(run);
}

static void run_setting(const struct ss_bench_options *options, const struct setting *setting)
{
    struct run run = { .setting = setting, .random = 12345 };
    run.registry = ss__bench_registry(&run.transport);
    run.stats = calloc(1, sizeof *run.stats);
    run.event = ss__registry_find(run.registry, SS_SPACE_EVENT, ss_str("Published"));
    if (run.stats == NULL || ss__inbox_new(65536, UINT64_C(1) << 30, &run.gateway) != 0) {
        ss__bench_fail("publish: out of memory");
    }
    ss__bench_remove(options->dir);
    prepare(&run, options);
    open_shard(&run, options, SS_DURABILITY_FSYNC);
    if (setting->followed) {
        follow_all(&run);
    }
    uint64_t *samples = calloc(setting->events / BATCH + 1, sizeof *samples);
    if (samples == NULL) {
        ss__bench_fail("publish: out of memory");
    }
    (void)publish(&run, BATCH * 20, false, NULL);    /* sessions come into memory */
    run.frames = 0;
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    uint64_t batches = publish(&run, setting->events, false, samples);
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    if (setting->followed && run.frames != batches * BATCH) {
        ss__bench_fail("publish: %llu frames for %llu events", (unsigned long long)run.frames,
                       (unsigned long long)(batches * BATCH));
    }
    ss__bench_result(setting->name, batches * BATCH, ns, cpu,
                     ss__bench_percentile(samples, batches, 500),
                     ss__bench_percentile(samples, batches, 990));
    free(samples);
    close_shard(&run);
    ss__bench_remove(options->dir);
    ss__inbox_unref(run.gateway);
    free(run.stats);
    ss_registry_free(run.registry);
}

void ss__bench_publish(const struct ss_bench_options *options)
{
    uint64_t events = options->quick ? 60000 : 600000;
    const struct setting settings[] = {
        { "publish_1000_sessions_1_entity", 0, 1000, 1, events, true },
        { "publish_1_session_1_entity", 0, 1, 1, events / 4, true },
        { "publish_1_session_100_entities", 0, 1, 100, events / 4, true },
        { "publish_1_session_1000_entities", 0, 1, 1000, events / 4, true },
        { "publish_1_session_10000_entities", 0, 1, 10000, events / 4, true },
        { "publish_100_sessions_10000_entities", 0, 100, 10000, events, true },
    };
    const struct setting big = { "publish_100000_of_1000000_sessions", 1000000, 100000, 1, events,
                                 true };
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
        run_setting(options, &settings[i]);
    }
    if (options->big) {
        run_setting(options, &big);
    }
}
