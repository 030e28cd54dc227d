/* hostile - clients that mean harm, and what becomes of the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios.h"

#define SHORT "--handshake-timeout", HANDSHAKE_TIMEOUT, "--ping-interval", "700ms", \
              "--dead-timeout", "3s"
#define PATIENT "--ping-interval", "2s", "--dead-timeout", "10s", "--app-option", "entities=16"
#define SLOW SHORT, "--client-queue", "64KiB"

static const struct scenario scenarios[] = {
    { "silent", "connections that say nothing", { SHORT }, silent_connections, 0 },
    { "slow-headers", "a byte of a header every 100 ms", { SHORT }, slow_headers, 0 },
    { "slow-bodies", "a byte of a command every 100 ms", { SHORT }, slow_bodies, 0 },
    { "slow-imports", "a byte of an import every 100 ms", { SHORT }, slow_imports, 0 },
    { "endless-handshakes", "handshakes without their last byte", { SHORT },
      endless_handshakes, 0 },
    { "half-open", "peers whose machine is gone", { SLOW }, half_open_peers, 1000 },
    { "close-wait", "peers that never close what the server has closed", { SHORT },
      close_wait_holders, 0 },
    { "half-closed", "peers that end their side in the middle of a line", { SHORT },
      half_closed_peers, 0 },
    { "connection-churn", "connections that come and go", { SHORT }, connection_churn, 0 },
    { "too-many", "more connections than are allowed", { "--connections", "200" },
      too_many_connections, 0 },
    { "tiny-fragments", "messages of a million fragments", { SHORT }, tiny_fragments, 0 },
    { "endless-message", "messages that grow without end", { SHORT }, endless_message, 0 },
    { "trickled-message", "a byte of a message every 100 ms", { SHORT }, trickled_message, 0 },
    { "huge-lengths", "frames that announce up to 2^63 bytes", { SHORT }, huge_lengths, 0 },
    { "ping-flood", "pings without pause", { SHORT }, ping_flood, 0 },
    { "pong-flood", "pongs that nobody asked for", { SHORT }, pong_flood, 0 },
    { "unread-pongs", "pings whose pongs nobody reads", { SLOW }, unread_pongs, 0 },
    { "unread-json-pongs", "the same of the protocol's own pings", { SLOW }, unread_json_pongs, 0 },
    { "wrong-frames", "frames that are wrong, without pause", { SHORT }, wrong_submits, 0 },
    { "unread-errors", "the same, and nobody reads the answers", { SLOW }, unread_errors, 0 },
    { "never-reads", "followers of a busy session that never read", { SLOW }, never_reads,
      20000 },
    { "byte-a-second", "followers that read a byte a second, or a little more", { SLOW },
      byte_a_second, 20000 },
    { "snapshot-hoarders", "snapshots of big sessions that nobody reads",
      { PATIENT }, snapshot_hoarders, 0 },
    { "http-hoarders", "the same over HTTP", { PATIENT },
      http_hoarders, 0 },
    { "page-abandoners", "snapshots in pages, left after the first",
      { SLOW, "--app-option", "entities=1000" }, page_abandoners, 0 },
    { "subscribe-churn", "10,000 subscribes and unsubscribes a second", { SHORT },
      subscribe_churn, 0 },
    { "subscribe-flood", "100,000 of them a second", { SHORT }, subscribe_flood, 0 },
    { "million-sessions", "subscribes to ever new sessions",
      { SHORT, "--session-cache", "16MiB" }, million_sessions, 0 },
    { "million-published", "events of ever new sessions",
      { SHORT, "--session-cache", "16MiB" }, million_published, 0 },
    { "colliding-ids", "session ids chosen to collide", { SHORT }, colliding_sessions, 0 },
    { "million-keys", "commands with ever new idempotency keys", { SHORT }, million_keys, 0 },
    { "random-http", "random bytes in place of requests", { SHORT }, random_http, 0 },
    { "random-frames", "random bytes behind a handshake", { SHORT }, random_frames, 0 },
    { "cut-frames", "frames cut anywhere", { SHORT }, cut_frames, 0 },
    { "pipelined", "requests without waiting for answers", { "--handshake-timeout", "600s" }, pipelined_requests, 0 },
    { "unread-pipeline", "the same, and nobody reads the answers", { SLOW }, unread_pipeline, 0 },
};

/* Exit statuses of the processes that run one scenario begin here: others are not ours. */
#define RESULT_STATUS 40

/* Groups by their first scenario. */
static const struct {
    const char *name;
    const char *first;
} groups[] = {
    { "connections", "silent" }, { "frames", "tiny-fragments" }, { "readers", "never-reads" },
    { "sessions", "subscribe-churn" }, { "malformed", "random-http" },
};

#define GROUP_COUNT (sizeof groups / sizeof *groups)

#define SCENARIO_COUNT (sizeof scenarios / sizeof *scenarios)

static const char *group_of(size_t scenario)
{
    const char *group = "";
    for (size_t i = 0; i <= scenario; i++) {
        for (size_t g = 0; g < GROUP_COUNT; g++) {
            group = strcmp(groups[g].first, scenarios[i].name) == 0 ? groups[g].name : group;
        }
    }
    return group;
}

static void list(void)
{
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        (void)printf("%-12s %-20s %s\n", group_of(i), scenarios[i].name, scenarios[i].what);
    }
    (void)printf("%-12s %-20s %s\n", "", "overload", "three times what the shards can take; also "
                 "overload-few, overload-many, overload-large");
    (void)printf("%-12s %-20s %s\n", "", "standstill", "a shard whose inbox fills");
    (void)printf("%-12s %-20s %s\n", "", "storm", "all connections drop and come back at once");
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);    /* too few shows when connecting */
    }
}

/* A scenario that is to be run, or runs. */
struct run {
    const struct scenario *scenario;
    pid_t pid;                 /* 0: not at the moment */
    uint32_t good;             /* rounds with a ratio that is not too large */
    uint32_t slow;
    bool failed;               /* something else was wrong */
};

/* The ratio of one round says something of a quiet machine and a quiet disk only: the median of all
 * decides, as soon as it is known on which side it is. */
static bool is_decided(const struct run *one, const struct settings *settings)
{
    uint32_t rounds = settings->ratio_max > 0 ? settings->rounds : 1;
    return one->failed || one->good > rounds / 2 || one->slow > rounds / 2;
}

/* Each in a process of its own, so that none leaves anything to the next. */
static void begin(struct run *one, const struct settings *settings)
{
    (void)fflush(stdout);
    one->pid = fork();
    if (one->pid == 0) {
        exit((int)stage_run(one->scenario, settings) + RESULT_STATUS);
    }
    if (one->pid < 0) {
        perror("hostile: fork");
        exit(2);
    }
}

static void end(struct run *one, int status)
{
    int result = WIFEXITED(status) ? WEXITSTATUS(status) - RESULT_STATUS : -1;
    if (result < STAGE_GOOD || result > STAGE_SLOW) {
        (void)printf("  FAILED  %s ended with status %d\n", one->scenario->name, status);
    }
    one->pid = 0;
    one->good += result == STAGE_GOOD;
    one->slow += result == STAGE_SLOW;
    one->failed = result != STAGE_GOOD && result != STAGE_SLOW;
}

/* Waits for the end of one of them. */
static void await_end(struct run *runs, unsigned count)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid <= 0) {
        perror("hostile: waitpid");
        exit(2);
    }
    for (unsigned i = 0; i < count; i++) {
        if (runs[i].pid == pid) {
            end(&runs[i], status);
        }
    }
}

/* Returns how many failed. */
static unsigned run_all(struct run *runs, unsigned count, const struct settings *settings)
{
    unsigned under_way = 0;
    unsigned failed = 0;
    for (unsigned i = 0; i < count || under_way > 0;) {
        if (i < count && under_way < (settings->jobs < 1 ? 1 : settings->jobs)) {
            begin(&runs[i++], settings);
            under_way++;
            continue;
        }
        await_end(runs, count);
        under_way = 0;
        for (unsigned j = 0; j < i; j++) {
            if (runs[j].pid == 0 && !is_decided(&runs[j], settings)) {
                begin(&runs[j], settings);
            }
            under_way += runs[j].pid > 0;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        failed += runs[i].failed || runs[i].slow > runs[i].good;
    }
    return failed;
}

static bool is_wanted(const struct settings *settings, const char *group, const char *name)
{
    return (settings->scenario == NULL || strcmp(settings->scenario, name) == 0) &&
           (settings->group == NULL || strcmp(settings->group, group) == 0);
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct run runs[SCENARIO_COUNT];
    unsigned ran = 0;
    settings_read(argc, argv, &settings);
    if (settings.list) {
        list();
        return 0;
    }
    raise_file_limit();
    if (settings.scenario != NULL && strncmp(settings.scenario, "overload", 8) == 0) {
        return overload_run(&settings) ? 0 : 1;
    }
    if (settings.scenario != NULL && strcmp(settings.scenario, "standstill") == 0) {
        return standstill_run(&settings) ? 0 : 1;
    }
    if (settings.scenario != NULL && strcmp(settings.scenario, "storm") == 0) {
        return storm_run(&settings) ? 0 : 1;
    }
    stage_print_header();
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        if (is_wanted(&settings, group_of(i), scenarios[i].name)) {
            runs[ran++] = (struct run){ .scenario = &scenarios[i] };
        }
    }
    unsigned failed = run_all(runs, ran, &settings);
    if (ran == 0) {
        (void)fprintf(stderr, "hostile: there is no such scenario or group; see --list\n");
        return 2;
    }
    (void)printf("%u scenarios, %u failed\n", ran, failed);
    return failed == 0 ? 0 : 1;
}
