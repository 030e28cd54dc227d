/* What opening costs: unflushed records in the log, and sessions on disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "store/store.h"

#define COMMIT_EVENTS 512u

struct setting {
    const char *name;
    uint32_t sessions;
    uint32_t records;    /* in the log, over all sessions */
    bool flushed;        /* closed in order, instead of ended in mid-work */
};

static struct ss_store *open_store(const struct ss_bench_options *options,
                                   struct ss_store_report *ret_report)
{
    struct ss_store_options store_options;
    struct ss_store *store;
    struct ss_failure failure = { 0 };
    ss__store_options_init(&store_options);
    store_options.dir = options->dir;
    store_options.durability = SS_DURABILITY_NONE;
    if (ss__store_open(&store_options, &store, ret_report, &failure) != 0) {
        ss__bench_fail("recover: %s", failure.text);
    }
    return store;
}

static void commit(struct ss_store *store)
{
    if (ss__store_commit(store) != 0) {
        ss__bench_fail("recover: commit failed");
    }
}

static void write_events(struct ss_store *store, const struct setting *setting, uint32_t type_id)
{
    char payload[256];
    memset(payload, 'x', sizeof payload);
    struct ss_store_session **sessions = calloc(setting->sessions, sizeof(*sessions));
    for (uint32_t i = 0; i < setting->records; i++) {
        uint32_t at = i % setting->sessions;
        char name[32];
        int len = snprintf(name, sizeof name, "session-%u", at);
        if (sessions == NULL ||
            (sessions[at] == NULL &&
             ss__store_stage_session(store, ss_str_of(name, (size_t)len), 1, &sessions[at]) != 0)) {
            ss__bench_fail("recover: no session");
        }
        struct ss_record record = { .ordinal = ss__store_row(sessions[at])->ordinal + 1,
                                    .time_us = 1,
                                    .type_id = type_id,
                                    .payload = ss_str_of(payload, sizeof payload) };
        if (ss__store_stage_event(store, sessions[at], &record) != 0) {
            ss__bench_fail("recover: stage failed");
        }
        if (i % COMMIT_EVENTS == COMMIT_EVENTS - 1) {
            commit(store);
        }
    }
    commit(store);
    for (uint32_t i = 0; i < setting->sessions; i++) {
        ss__store_put_session(store, sessions[i]);
    }
    free(sessions);
}

static void fill(const struct ss_bench_options *options, const struct setting *setting)
{
    struct ss_store_report report;
    struct ss_store *store = open_store(options, &report);
    struct ss_type_entry type = { .space = SS_TYPE_EVENT, .name = ss_str("E"),
                                  .full_name = ss_str("bench.E"), .fingerprint = 1 };
    if (ss__store_intern_types(store, &type, 1) != 0) {
        ss__bench_fail("recover: no type");
    }
    write_events(store, setting, type.ret_type_id);
    while (setting->flushed && ss__store_flush(store, 1024) > 0) {
    }
    if (!setting->flushed) {
        _exit(0);    /* as a crash would */
    }
    ss__store_close(store);
    _exit(0);
}

static void run(const struct ss_bench_options *options, const struct setting *setting)
{
    char params[128];
    int status = 0;
    ss__bench_remove(options->dir);
    pid_t child = fork();
    if (child == 0) {
        fill(options, setting);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        ss__bench_fail("recover: the store could not be made");
    }
    struct ss_store_report report;
    uint64_t rss = ss__bench_rss();
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    struct ss_store *store = open_store(options, &report);
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    uint64_t grown = ss__bench_rss() - rss;
    if (report.sessions != setting->sessions || report.clean != setting->flushed) {
        ss__bench_fail("recover: %" PRIu64 " sessions found", report.sessions);
    }
    struct ss_histogram *latency = ss__bench_histogram();
    ss__histogram_add(latency, ns);
    (void)snprintf(params, sizeof params,
                   "\"sessions\":%u,\"records\":%" PRIu64 ",\"grown_bytes\":%" PRIu64,
                   setting->sessions, report.recovered_records, grown);
    struct ss_bench_result result = { .suite = "recover", .name = setting->name, .params = params,
                                      .count = setting->records, .ns = ns, .cpu_ns = cpu,
                                      .latency = latency };
    ss__bench_report(&result);
    free(latency);
    ss__store_close(store);
    ss__bench_remove(options->dir);
}

void ss__bench_recover(const struct ss_bench_options *options)
{
    static const struct setting settings[] = {
        { "recover_10000_records", 1000, 10000, false },
        { "recover_100000_records", 10000, 100000, false },
        { "recover_1000000_records", 100000, 1000000, false },
        { "open_1000_sessions", 1000, 1000, true },
        { "open_100000_sessions", 100000, 100000, true },
    };
    static const struct setting big = { "open_1000000_sessions", 1000000, 1000000, true };
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (ss__bench_wanted(options, settings[i].name)) {
            run(options, &settings[i]);
        }
    }
    if (options->big && ss__bench_wanted(options, big.name)) {
        run(options, &big);
    }
}
