/* faults: a server and its clients while allocations and system calls fail. */
#include <errno.h>
#include <getopt.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpose.h"
#include "runs.h"
#include "scenario.h"
#include "verdict.h"

static const char usage[] =
    "faults [OPTION...]: a server and its clients while allocations and system calls fail\n"
    "  --memory          every allocation in turn\n"
    "  --growth          every piece of memory of an arena, every entry of a map in turn\n"
    "  --calls           every system call in turn, with each of its errors\n"
    "  --random          calls and allocations by chance\n"
    "  --full            a disk that gets full and has room again\n"
    "  --call NAME       of --calls, only this one\n"
    "  --stride N        every N-th pass only (1)\n"
    "  --seed N          where the stride begins, and what chance gives (by the clock)\n"
    "  --runs N          of --random and --full (100)\n"
    "  --burst N         passes that fail one after the other (1)\n"
    "  --only K          just this pass, with the output of the run\n"
    RUNS_USAGE;

struct settings {
    bool memory;
    bool growth;
    bool calls;
    bool random;
    bool full;
    const char *call;
    uint64_t runs;
    uint64_t burst;
    uint64_t only;
};

struct totals {
    uint64_t runs;
    uint64_t failures;
    uint64_t starts_refused;
    uint64_t requests_refused;
    uint64_t connections_lost;
    uint64_t latched;
    uint64_t acks;
    uint64_t snapshots;
    uint64_t broken;
};

static struct settings settings = { .runs = 100, .burst = 1 };
static struct runs runs;
static struct totals totals;
static struct outcome *outcome;    /* shared with the run */
static char dir[160];              /* of the run */

/* ---- one run ---- */

/* Under @plan, or with a disk that gets full after so many @events. */
struct life {
    const struct fault_plan *plan;
    uint64_t events;
};

static void live(void *ctx)
{
    const struct life *life = ctx;
    if (life->plan == NULL) {
        scenario_full(dir, (unsigned)life->events, life->events % 2 == 1, outcome);
    } else if (life->plan->count == UINT64_MAX) {
        scenario_accept(dir, life->plan->code, outcome);
    } else {
        scenario_run(dir, life->plan, outcome);
    }
    verdict_free();
}

/* True if all was well. */
static bool run_one(const struct fault_plan *plan, uint64_t events, const char *what)
{
    struct life life = { plan, events };
    *outcome = (struct outcome){ 0 };
    bool kept = runs_one(&runs, live, &life, what);
    runs_remove_tree(dir);
    totals.runs = runs.count;
    totals.broken = runs.broken;
    totals.failures += outcome->failures;
    totals.starts_refused += outcome->starts_refused;
    totals.requests_refused += outcome->requests_refused;
    totals.connections_lost += outcome->connections_lost;
    totals.latched += outcome->latched;
    totals.acks += outcome->acks;
    totals.snapshots += outcome->snapshots;
    return kept;
}

static void print_part(const char *name, const struct totals *before)
{
    printf("%-25s runs %6llu failed calls %7llu starts refused %6llu requests refused %6llu "
           "connections lost %6llu latched %5llu broken %llu\n", name,
           (unsigned long long)(totals.runs - before->runs),
           (unsigned long long)(totals.failures - before->failures),
           (unsigned long long)(totals.starts_refused - before->starts_refused),
           (unsigned long long)(totals.requests_refused - before->requests_refused),
           (unsigned long long)(totals.connections_lost - before->connections_lost),
           (unsigned long long)(totals.latched - before->latched),
           (unsigned long long)(totals.broken - before->broken));
}

/* ---- in turn ---- */

/* @name with every stride-th pass of @call, until there are no more. */
static void in_turn(enum fault_call call, int code, const char *name)
{
    struct totals before = totals;
    uint64_t first = settings.only != 0 ? settings.only
                                        : 1 + runs.seed % runs.stride;
    uint64_t passes = UINT64_MAX;
    for (; first <= passes && !runs_out_of_time(&runs); first += runs.stride) {
        char what[160];
        struct fault_plan plan = { .call = call, .code = code, .first = first,
                                   .count = settings.burst };
        (void)snprintf(what, sizeof what, "%s %s pass %llu burst %llu", faults_call_name(call),
                       name, (unsigned long long)first, (unsigned long long)settings.burst);
        (void)run_one(&plan, 0, what);
        passes = outcome->ended ? outcome->passes : passes;
        if (settings.only != 0 || totals.broken > RUNS_BROKEN_MAX) {
            break;
        }
    }
    printf("%-12s %-12s runs %6llu failed calls %7llu passes %7llu starts refused %6llu requests "
           "refused %6llu connections lost %6llu latched %5llu broken %llu\n",
           faults_call_name(call), name, (unsigned long long)(totals.runs - before.runs),
           (unsigned long long)(totals.failures - before.failures),
           (unsigned long long)outcome->passes,
           (unsigned long long)(totals.starts_refused - before.starts_refused),
           (unsigned long long)(totals.requests_refused - before.requests_refused),
           (unsigned long long)(totals.connections_lost - before.connections_lost),
           (unsigned long long)(totals.latched - before.latched),
           (unsigned long long)(totals.broken - before.broken));
}

static const struct {
    enum fault_call call;
    int code;
    const char *name;
} cases[] = {
    { CALL_PWRITE, EIO, "EIO" },           { CALL_PWRITE, ENOSPC, "ENOSPC" },
    { CALL_PWRITE, EINTR, "EINTR" },       { CALL_PWRITE, FAULT_SHORT, "short" },
    { CALL_FILE_WRITEV, EIO, "EIO" },      { CALL_FILE_WRITEV, ENOSPC, "ENOSPC" },
    { CALL_FILE_WRITEV, EINTR, "EINTR" },  { CALL_FILE_WRITEV, FAULT_SHORT, "short" },
    { CALL_SYNC, EIO, "EIO" },             { CALL_SYNC, ENOSPC, "ENOSPC" },
    { CALL_PREAD, EIO, "EIO" },            { CALL_OPEN, EMFILE, "EMFILE" },
    { CALL_OPEN, ENFILE, "ENFILE" },       { CALL_OPEN, ENOSPC, "ENOSPC" },
    { CALL_OPEN, EIO, "EIO" },             { CALL_MMAP, ENOMEM, "ENOMEM" },
    { CALL_FALLOCATE, ENOSPC, "ENOSPC" },  { CALL_FALLOCATE, EINTR, "EINTR" },
    { CALL_RENAME, EIO, "EIO" },           { CALL_RENAME, ENOSPC, "ENOSPC" },
    { CALL_MKDIR, ENOSPC, "ENOSPC" },      { CALL_DUP, EMFILE, "EMFILE" },
    { CALL_ACCEPT, EMFILE, "EMFILE" },     { CALL_ACCEPT, ENFILE, "ENFILE" },
    { CALL_ACCEPT, ENOMEM, "ENOMEM" },     { CALL_ACCEPT, EINTR, "EINTR" },
    { CALL_ACCEPT, ECONNABORTED, "ECONNABORTED" },
    { CALL_RECV, EINTR, "EINTR" },         { CALL_RECV, EAGAIN, "EAGAIN" },
    { CALL_RECV, ECONNRESET, "ECONNRESET" }, { CALL_RECV, FAULT_SHORT, "short" },
    { CALL_SEND, EINTR, "EINTR" },         { CALL_SEND, EAGAIN, "EAGAIN" },
    { CALL_SEND, EPIPE, "EPIPE" },         { CALL_SEND, ENOBUFS, "ENOBUFS" },
    { CALL_SEND, FAULT_SHORT, "short" },
    { CALL_WAKE, EINTR, "EINTR" },         { CALL_WAKE, EAGAIN, "EAGAIN" },
    { CALL_EPOLL_ADD, ENOMEM, "ENOMEM" },  { CALL_EPOLL_CREATE, EMFILE, "EMFILE" },
    { CALL_EVENTFD, EMFILE, "EMFILE" },    { CALL_SOCKET, EMFILE, "EMFILE" },
    { CALL_THREAD, EAGAIN, "EAGAIN" },
    { CALL_LMDB_READ, EIO, "EIO" },        { CALL_LMDB_READ, ENOMEM, "ENOMEM" },
    { CALL_LMDB_WRITE, EIO, "EIO" },       { CALL_LMDB_WRITE, MDB_MAP_FULL, "full" },
};

static void without_descriptors(void)
{
    static const int codes[] = { EMFILE, ENFILE, ENOMEM };
    struct totals before = totals;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct fault_plan plan = { .code = codes[i], .first = 1, .count = UINT64_MAX };
        (void)run_one(&plan, 0, strerror(codes[i]));
    }
    print_part("accept fails for a while", &before);
}

static void all_calls(void)
{
    if (settings.call == NULL) {
        without_descriptors();
    }
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count; i++) {
        size_t at = (i + runs.seed) % count;    /* those that time cuts off change */
        if (settings.call == NULL ||
            strcmp(settings.call, faults_call_name(cases[at].call)) == 0) {
            in_turn(cases[at].call, cases[at].code, cases[at].name);
        }
    }
}

/* ---- by chance ---- */

static void by_chance(void)
{
    static const uint32_t rates[] = { 200, 1000, 5000 };
    struct totals before = totals;
    for (uint64_t i = 0; i < settings.runs && !runs_out_of_time(&runs); i++) {
        char what[80];
        struct fault_plan plan = { .seed = runs.seed + i,
                                   .per_million = rates[(runs.seed + i) % 3] };
        (void)snprintf(what, sizeof what, "random seed %llu", (unsigned long long)plan.seed);
        (void)run_one(&plan, 0, what);
    }
    print_part("random", &before);
}

static void full_disks(void)
{
    struct totals before = totals;
    for (uint64_t i = 0; i < settings.runs && !runs_out_of_time(&runs); i++) {
        char what[80];
        uint64_t events = (runs.seed + i * 7) % 250;
        (void)snprintf(what, sizeof what, "full disk after %llu events",
                       (unsigned long long)events);
        (void)run_one(NULL, events, what);
    }
    print_part("full disk", &before);
}

/* ---- options ---- */

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "memory", no_argument, NULL, 'm' },   { "growth", no_argument, NULL, 'g' },
        { "calls", no_argument, NULL, 'c' },    { "random", no_argument, NULL, 'r' },
        { "full", no_argument, NULL, 'f' },     { "call", required_argument, NULL, 'C' },
        { "runs", required_argument, NULL, 'n' }, { "burst", required_argument, NULL, 'b' },
        { "only", required_argument, NULL, 'o' },
        RUNS_OPTIONS
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'm': settings.memory = true; break;
        case 'g': settings.growth = true; break;
        case 'c': settings.calls = true; break;
        case 'r': settings.random = true; break;
        case 'f': settings.full = true; break;
        case 'C': settings.call = optarg; break;
        case 'n': settings.runs = strtoull(optarg, NULL, 10); break;
        case 'b': settings.burst = strtoull(optarg, NULL, 10); break;
        case 'o': settings.only = strtoull(optarg, NULL, 10); break;
        default: runs_option(&runs, option, optarg, usage);
        }
    }
    runs.loud = settings.only != 0;
}

int main(int argc, char **argv)
{
    runs_init(&runs);
    read_options(argc, argv);
    outcome = runs_share(sizeof *outcome);
    runs_begin(&runs);
    (void)snprintf(dir, sizeof dir, "%s/data", runs.base);
    /* Without faults everything has to succeed, or a refusal later would say nothing. */
    struct fault_plan calm = { .call = CALL_MEMORY };
    if (!run_one(&calm, 0, "without faults")) {
        runs_end(&runs);
        return 1;
    }
    printf("without faults: allocations %llu acks %u snapshots %u\n",
           (unsigned long long)outcome->passes, outcome->acks, outcome->snapshots);
    if (settings.memory) {
        in_turn(CALL_MEMORY, ENOMEM, "ENOMEM");
    }
    if (settings.growth) {
        in_turn(CALL_GROWTH, ENOMEM, "ENOMEM");
    }
    if (settings.calls) {
        all_calls();
    }
    if (settings.random) {
        by_chance();
    }
    if (settings.full) {
        full_disks();
    }
    printf("%llu runs, %llu failed calls, %llu acks and %llu snapshots judged, %llu broken, "
           "%lld s\n", (unsigned long long)totals.runs, (unsigned long long)totals.failures,
           (unsigned long long)totals.acks, (unsigned long long)totals.snapshots,
           (unsigned long long)totals.broken, (long long)(time(NULL) - runs.begun));
    runs_end(&runs);
    return totals.broken == 0 ? 0 : 1;
}
