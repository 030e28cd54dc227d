/* submit -> ordinal assigned, and submit -> durable answer, through a running engine.
 *
 * Open loop: commands are sent at the times a plan says, and latency counts from those times, so
 * that a stall shows in every command it delays. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <sessionstream/engine.h>

#include "bench.h"
#include "bench.pb-c.h"
#include "bench_app.h"

#define SESSIONS 1000u
#define SPIN_NS 60000u
#define WARM_EVENTS 1000u

struct run {
    struct ss_engine *engine;
    uint64_t answered;          /* under the lock, with both histograms */
    uint64_t failed;
    bool measured;
    struct ss_histogram *assigned;
    struct ss_histogram *durable;
    pthread_mutex_t lock;
    pthread_cond_t all_answered;
    uint64_t expected;
};

static struct run bench;

static void note(struct ss_histogram *histogram, uint64_t planned_ns)
{
    uint64_t took = ss__bench_ns() - planned_ns;
    pthread_mutex_lock(&bench.lock);
    if (bench.measured) {
        ss__histogram_add(histogram, took);
    }
    pthread_mutex_unlock(&bench.lock);
}

int ss__bench_on_publish(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const Sessionstream__Bench__Publish *publish =
        (const Sessionstream__Bench__Publish *)command->payload;
    int err = ss_publish(context, "Published", command->payload);
    note(bench.assigned, publish->sent_ns);
    return err;
}

static void on_done(const struct ss_result *result, void *ctx)
{
    uint64_t planned_ns = (uintptr_t)ctx;
    uint64_t took = ss__bench_ns() - planned_ns;
    pthread_mutex_lock(&bench.lock);
    if (bench.measured) {
        ss__histogram_add(bench.durable, took);
    }
    bench.failed += result->err != 0;
    if (++bench.answered == bench.expected) {
        pthread_cond_signal(&bench.all_answered);
    }
    pthread_mutex_unlock(&bench.lock);
}

static void wait_until(uint64_t planned_ns)
{
    uint64_t now = ss__bench_ns();
    if (planned_ns > now + SPIN_NS) {
        uint64_t until = planned_ns - SPIN_NS / 2;
        struct timespec time = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);    /* early is fine */
    }
    while (ss__bench_ns() < planned_ns) {
    }
}

static void send_all(uint64_t count, uint64_t rate)
{
    static char text[] = "A payload of two hundred bytes or so, the size of a short paragraph that "
                         "a tool or a model would emit, with enough words in it that neither "
                         "checksums nor encoders get away cheaply with what they do.";
    Sessionstream__Bench__Publish message = SESSIONSTREAM__BENCH__PUBLISH__INIT;
    message.text = text;
    uint64_t begin = ss__bench_ns();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t planned_ns = begin + i * 1000000000u / rate;
        char name[32];
        int len = snprintf(name, sizeof name, "session-%u", (unsigned)(i % SESSIONS));
        wait_until(planned_ns);
        message.sent_ns = planned_ns;
        int err;
        while ((err = ss_engine_submit(bench.engine, ss_str_of(name, (size_t)len), "Publish",
                                       &message.base, on_done,
                                       (void *)(uintptr_t)planned_ns)) == SS_E_BUSY) {
            /* Beyond what the shard takes: the plan goes on, the delay is counted. */
        }
        if (err != 0) {
            ss__bench_fail("ordinal: %s", ss_error_text(err));
        }
    }
}

static void phase(uint64_t count, uint64_t rate, bool measured)
{
    pthread_mutex_lock(&bench.lock);
    bench.answered = 0;
    bench.expected = count;
    bench.measured = measured;
    pthread_mutex_unlock(&bench.lock);
    send_all(count, rate);
    pthread_mutex_lock(&bench.lock);
    while (bench.answered < count) {
        pthread_cond_wait(&bench.all_answered, &bench.lock);
    }
    pthread_mutex_unlock(&bench.lock);
}

static void open_engine(const struct ss_bench_options *options, struct ss_registry *registry,
                        uint32_t shards)
{
    struct ss_engine_options engine;
    ss__bench_remove(options->dir);
    ss_engine_options_init(&engine);
    engine.data_dir = options->dir;
    engine.shard_count = shards;
    engine.listen_host = NULL;
    int err = ss_engine_new(&engine, registry, &bench.engine);
    err = err != 0 ? err : ss_engine_start(bench.engine);
    if (err != 0) {
        ss__bench_fail("ordinal: %s", bench.engine == NULL ? ss_error_text(err)
                                                           : ss_engine_error(bench.engine));
    }
}

static void report(const char *what, uint32_t shards, uint64_t rate, uint64_t ns, uint64_t cpu,
                   const struct ss_histogram *latency)
{
    char name[64];
    char params[96];
    (void)snprintf(name, sizeof name, "ordinal_%s_%u_shards_%" PRIu64, what, shards, rate);
    (void)snprintf(params, sizeof params, "\"what\":\"%s\",\"shards\":%u,\"rate\":%" PRIu64, what,
                   shards, rate);
    struct ss_bench_result result = { .suite = "ordinal", .name = name, .params = params,
                                      .count = latency->count, .ns = ns, .cpu_ns = cpu,
                                      .latency = latency };
    ss__bench_report(&result);
}

static void run(const struct ss_bench_options *options, uint32_t shards, uint64_t rate)
{
    uint64_t count = rate * options->scale / 5;    /* 0.2 or 2 seconds */
    struct ss_registry *registry = ss__bench_command_registry();
    bench = (struct run){ .assigned = ss__bench_histogram(), .durable = ss__bench_histogram(),
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .all_answered = PTHREAD_COND_INITIALIZER };
    open_engine(options, registry, shards);
    phase(WARM_EVENTS, rate < WARM_EVENTS ? WARM_EVENTS : rate, false);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    phase(count, rate, true);
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    if (bench.failed != 0 || bench.assigned->count != count || bench.durable->count != count) {
        ss__bench_fail("ordinal: %" PRIu64 " of %" PRIu64 " answered, %" PRIu64 " failed",
                       bench.durable->count, count, bench.failed);
    }
    ss_engine_stop(bench.engine);
    ss_engine_free(bench.engine);
    ss_registry_free(registry);
    report("assigned", shards, rate, ns, cpu, bench.assigned);
    report("durable", shards, rate, ns, cpu, bench.durable);
    free(bench.assigned);
    free(bench.durable);
    ss__bench_remove(options->dir);
}

void ss__bench_ordinal(const struct ss_bench_options *options)
{
    static const uint64_t rates[] = { 500, 10000, 50000 };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    (void)prctl(PR_SET_TIMERSLACK, 1);    /* a coarser clock only makes us spin less early */
    for (uint32_t shards = 1; shards <= (cores > 1 ? (uint32_t)cores : 2); shards *= 2) {
        for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
            char name[64];
            (void)snprintf(name, sizeof name, "ordinal_%u_shards_%" PRIu64, shards, rates[i]);
            if (ss__bench_wanted(options, name)) {
                run(options, shards, rates[i]);
            }
        }
    }
}
