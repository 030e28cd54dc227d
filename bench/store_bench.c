/* Appends of 300-byte events over 1,000 sessions, one fsync for each batch. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "store/store.h"

#define SESSIONS 1000u

struct bench {
    struct ss_store *store;
    uint32_t type_id;
    struct ss_store_session *sessions[SESSIONS];
    unsigned at;
};

static void open_store(struct bench *bench, const struct ss_bench_options *options)
{
    struct ss_store_options store_options;
    struct ss_store_report report;
    struct ss_failure failure = { 0 };
    struct ss_type_entry type = { .space = SS_TYPE_EVENT, .name = ss_str("E"),
                                  .full_name = ss_str("bench.E"), .fingerprint = 1 };
    char name[32];
    ss__bench_remove(options->dir);
    ss__store_options_init(&store_options);
    store_options.dir = options->dir;
    if (ss__store_open(&store_options, &bench->store, &report, &failure) != 0 ||
        ss__store_intern_types(bench->store, &type, 1) != 0) {
        ss__bench_fail("store: %s", failure.text);
    }
    bench->type_id = type.ret_type_id;
    for (unsigned i = 0; i < SESSIONS; i++) {
        int len = snprintf(name, sizeof name, "session-%u", i);
        if (ss__store_stage_session(bench->store, ss_str_of(name, (size_t)len), 1,
                                    &bench->sessions[i]) != 0) {
            ss__bench_fail("store: no session");
        }
    }
}

static void append(struct bench *bench, unsigned batch)
{
    char payload[256];
    memset(payload, 'x', sizeof payload);
    for (unsigned i = 0; i < batch; i++) {
        struct ss_store_session *session = bench->sessions[bench->at];
        bench->at = (bench->at + 1) % SESSIONS;
        struct ss_record record = { .ordinal = ss__store_row(session)->ordinal + 1,
                                    .time_us = 1,
                                    .type_id = bench->type_id,
                                    .payload = ss_str_of(payload, sizeof payload) };
        if (ss__store_stage_event(bench->store, session, &record) != 0) {
            ss__bench_fail("store: stage failed");
        }
    }
    if (ss__store_commit(bench->store) != 0) {
        ss__bench_fail("store: commit failed");
    }
    if (ss__store_flush_due(bench->store) && ss__store_flush(bench->store, 0) < 0) {
        ss__bench_fail("store: flush failed");
    }
}

static void run(const struct ss_bench_options *options, const char *name, unsigned batch,
                uint64_t commits)
{
    struct bench bench = { 0 };
    struct ss_histogram *latency = ss__bench_histogram();
    open_store(&bench, options);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < commits; i++) {
        uint64_t commit_begin = ss__bench_ns();
        append(&bench, batch);
        ss__histogram_add(latency, ss__bench_ns() - commit_begin);
    }
    struct ss_store_stats stats;
    char params[32];
    (void)snprintf(params, sizeof params, "\"batch\":%u", batch);
    struct ss_bench_result result = { .suite = "store", .name = name, .params = params,
                                      .count = commits * batch, .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu, .latency = latency };
    ss__store_stats(bench.store, &stats);
    if (stats.events != commits * batch) {
        ss__bench_fail("store: %" PRIu64 " events counted", stats.events);
    }
    ss__bench_report(&result);
    free(latency);
    for (unsigned i = 0; i < SESSIONS; i++) {
        ss__store_put_session(bench.store, bench.sessions[i]);
    }
    ss__store_close(bench.store);
    ss__bench_remove(options->dir);
}

void ss__bench_store(const struct ss_bench_options *options)
{
    static const struct {
        unsigned batch;
        unsigned commits;
    } settings[] = { { 1, 500 }, { 4, 500 }, { 16, 500 }, { 64, 3000 }, { 256, 750 },
                     { 512, 400 }, { 1024, 200 } };
    char name[32];
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
        (void)snprintf(name, sizeof name, "store_append_batch_%u", settings[i].batch);
        if (ss__bench_wanted(options, name)) {
            run(options, name, settings[i].batch, settings[i].commits * options->scale);
        }
    }
}
