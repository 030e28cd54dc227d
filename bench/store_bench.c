/* Appends of 300-byte events over 1,000 sessions, one fsync for each batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "store/store.h"

#define SESSIONS 1000u

static void run(const struct ss_bench_options *options, unsigned batch, uint64_t events)
{
    struct ss_store_options store_options;
    struct ss_store *store;
    struct ss_store_report report;
    struct ss_failure failure = { 0 };
    struct ss_store_session *sessions[SESSIONS];
    struct ss_type_entry type = { .space = SS_TYPE_EVENT, .name = ss_str("E"),
                                  .full_name = ss_str("bench.E"), .fingerprint = 1 };
    char payload[256];
    char name[32];
    ss__bench_remove(options->dir);
    ss__store_options_init(&store_options);
    store_options.dir = options->dir;
    if (ss__store_open(&store_options, &store, &report, &failure) != 0 ||
        ss__store_intern_types(store, &type, 1) != 0) {
        ss__bench_fail("store: %s", failure.text);
    }
    for (unsigned i = 0; i < SESSIONS; i++) {
        int len = snprintf(name, sizeof name, "session-%u", i);
        if (ss__store_stage_session(store, ss_str_of(name, (size_t)len), 1, &sessions[i]) != 0) {
            ss__bench_fail("store: no session");
        }
    }
    memset(payload, 'x', sizeof payload);
    uint64_t commits = events / batch;
    uint64_t *samples = malloc(commits * sizeof *samples);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    unsigned at = 0;
    for (uint64_t c = 0; samples != NULL && c < commits; c++) {
        uint64_t commit_begin = ss__bench_ns();
        for (unsigned i = 0; i < batch; i++, at = (at + 1) % SESSIONS) {
            struct ss_record record = { .ordinal = ss__store_row(sessions[at])->ordinal + 1,
                                        .time_us = 1,
                                        .type_id = type.ret_type_id,
                                        .payload = ss_str_of(payload, sizeof payload) };
            if (ss__store_stage_event(store, sessions[at], &record) != 0) {
                ss__bench_fail("store: stage failed");
            }
        }
        if (ss__store_commit(store) != 0) {
            ss__bench_fail("store: commit failed");
        }
        samples[c] = ss__bench_ns() - commit_begin;
    }
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    struct ss_store_stats stats;
    ss__store_stats(store, &stats);
    if (stats.events != commits * batch) {
        ss__bench_fail("store: %llu events counted", (unsigned long long)stats.events);
    }
    (void)snprintf(name, sizeof name, "store_append_batch_%u", batch);
    ss__bench_result(name, commits * batch, ns, cpu, ss__bench_percentile(samples, commits, 500),
                     ss__bench_percentile(samples, commits, 990));
    free(samples);
    for (unsigned i = 0; i < SESSIONS; i++) {
        ss__store_put_session(store, sessions[i]);
    }
    ss__store_close(store);
    ss__bench_remove(options->dir);
}

void ss__bench_store(const struct ss_bench_options *options)
{
    uint64_t scale = options->quick ? 1 : 10;
    run(options, 1, 500 * scale);
    run(options, 16, 8000 * scale);
    run(options, 64, 20000 * scale);
    run(options, 512, 50000 * scale);
}
