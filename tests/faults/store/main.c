/* store_faults: a store and the tools that work on stopped ones while calls fail, one call in each
 * run, at every place that calls.
 *
 * A place is a call with the frames above it; of each, the first pass fails, then the third, the
 * ninth and so on. Places that only errors lead to are found on the way and come in their turn.
 * Every run is a process of its own and has one thread, so the same place fails again. */
#include <errno.h>
#include <getopt.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../interpose.h"
#include "../runs.h"
#include "scenario.h"

#define PASS_FACTOR 3

static const char usage[] =
    "store_faults [OPTION...]: a store and its tools while every call fails in turn\n"
    "  --call NAME       only this one\n"
    "  --list            the names of all calls, and nothing else\n"
    "  --stride N        every N-th place only (1)\n"
    "  --seed N          where the stride begins (by the clock)\n"
    "  --site N          just this place, with the output of the run\n"
    "  --pass N          and this pass of it (1)\n"
    "  --once            of each place only the first pass\n"
    RUNS_USAGE;

static const struct {
    enum fault_call call;
    int code;
    const char *name;
} cases[] = {
    { CALL_MEMORY, ENOMEM, "ENOMEM" },
#ifdef SS_FAULTS
    { CALL_GROWTH, ENOMEM, "ENOMEM" },
#endif
    { CALL_LMDB_READ, EIO, "EIO" },         { CALL_LMDB_READ, MDB_CORRUPTED, "corrupted" },
    { CALL_LMDB_WRITE, EIO, "EIO" },        { CALL_LMDB_WRITE, MDB_MAP_FULL, "full" },
    { CALL_LMDB_LOOK, EINVAL, "EINVAL" },
    { CALL_PWRITE, EIO, "EIO" },            { CALL_PWRITE, ENOSPC, "ENOSPC" },
    { CALL_PWRITE, FAULT_SHORT, "short" },  { CALL_PWRITE, EINTR, "EINTR" },
    { CALL_FILE_WRITEV, EIO, "EIO" },       { CALL_SYNC, EIO, "EIO" },
    { CALL_SYNC, ENOSPC, "ENOSPC" },        { CALL_PREAD, EIO, "EIO" },
    { CALL_PREAD, EINTR, "EINTR" },         { CALL_FILE_WRITE, EINTR, "EINTR" },
    { CALL_FILE_READ, EIO, "EIO" },         { CALL_OPEN, EMFILE, "EMFILE" },
    { CALL_OPEN, ENOSPC, "ENOSPC" },        { CALL_MMAP, ENOMEM, "ENOMEM" },
    { CALL_FALLOCATE, ENOSPC, "ENOSPC" },   { CALL_RENAME, EIO, "EIO" },
    { CALL_MKDIR, ENOSPC, "ENOSPC" },       { CALL_DUP, EMFILE, "EMFILE" },
    { CALL_LOOK, EIO, "EIO" },              { CALL_UNLINK, EIO, "EIO" },
    { CALL_FILE_WRITE, ENOSPC, "ENOSPC" },  { CALL_FILE_WRITE, EIO, "EIO" },
};

static struct {
    const char *call;
    int64_t site;
    uint64_t pass;
    bool once;
} settings = { .site = -1, .pass = 1 };

static struct runs runs;
static struct store_outcome *outcome;    /* these two are shared with the run */
static struct fault_sites *sites;
static struct content content;
static char dir[160];                    /* of the run */
static uint64_t failures;
static uint64_t refused;

static bool copy_source(void)
{
    char command[700];
    (void)snprintf(command, sizeof command, "mkdir '%s' && cp -a '%s/source' '%s/data'", dir,
                   runs.base, dir);
    return system(command) == 0;
}

static void scenario(void *ctx)
{
    store_scenario(dir, ctx, &content, outcome);
}

static bool run_one(struct fault_plan *plan, const char *what)
{
    *outcome = (struct store_outcome){ 0 };
    if (!copy_source()) {
        printf("FAILED: %s: the source cannot be copied\n", what);
        runs.broken++;
        return false;
    }
    bool kept = runs_one(&runs, scenario, plan, what);
    runs_remove_tree(dir);
    failures += outcome->failures;
    refused += outcome->refused;
    return kept;
}

static void run_place(size_t at, uint64_t site, uint64_t pass)
{
    char what[160];
    struct fault_plan plan = { .call = cases[at].call, .code = cases[at].code, .sites = sites,
                               .site = site, .first = pass, .count = 1 };
    (void)snprintf(what, sizeof what, "--call %s (%s) --site %llu --pass %llu",
                   faults_call_name(cases[at].call), cases[at].name, (unsigned long long)site,
                   (unsigned long long)pass);
    (void)run_one(&plan, what);
}

/* Places are numbered by a run without failures, and are the same for every code of a call. */
static void each_place(size_t at)
{
    struct fault_plan calm = { .call = cases[at].call, .sites = sites };
    uint64_t runs_before = runs.count;
    uint64_t failures_before = failures;
    sites->count = 0;
    memset(sites->sites, 0, sizeof sites->sites);
    if (!run_one(&calm, "without faults")) {
        return;
    }
    uint64_t first = settings.site >= 0 ? (uint64_t)settings.site
                                        : runs.seed % runs.stride;
    for (uint64_t site = first; site < sites->count && runs.broken < RUNS_BROKEN_MAX;
         site += runs.stride) {
        uint64_t pass = settings.site >= 0 ? settings.pass : 1;
        do {
            run_place(at, site, pass);
            pass *= PASS_FACTOR;
        } while (settings.site < 0 && !settings.once && pass <= sites->sites[site].passes &&
                 !runs_out_of_time(&runs));
        if (settings.site >= 0 || runs_out_of_time(&runs)) {
            break;
        }
    }
    printf("%-12s %-10s places %5u runs %6llu failed calls %6llu\n",
           faults_call_name(cases[at].call), cases[at].name, sites->count,
           (unsigned long long)(runs.count - runs_before),
           (unsigned long long)(failures - failures_before));
}

static void list_calls(void)
{
    bool told[CALL_COUNT] = { false };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!told[cases[i].call]) {
            printf("%s\n", faults_call_name(cases[i].call));
        }
        told[cases[i].call] = true;
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "call", required_argument, NULL, 'C' }, { "site", required_argument, NULL, 'p' },
        { "pass", required_argument, NULL, 'P' }, { "once", no_argument, NULL, 'o' },
        { "list", no_argument, NULL, 'l' },
        RUNS_OPTIONS
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'C': settings.call = optarg; break;
        case 'p': settings.site = strtoll(optarg, NULL, 10); break;
        case 'P': settings.pass = strtoull(optarg, NULL, 10); break;
        case 'o': settings.once = true; break;
        case 'l': list_calls(); exit(0);
        default: runs_option(&runs, option, optarg, usage);
        }
    }
    runs.loud = settings.site >= 0;
}

int main(int argc, char **argv)
{
    char source[160];
    runs_init(&runs);
    read_options(argc, argv);
    outcome = runs_share(sizeof *outcome);
    sites = runs_share(sizeof *sites);
    runs_begin(&runs);
    (void)snprintf(source, sizeof source, "%s/source", runs.base);
    (void)snprintf(dir, sizeof dir, "%s/run", runs.base);
    content_make(source, &content);
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count && broken_count() == 0 && !runs_out_of_time(&runs); i++) {
        size_t at = (i + runs.seed) % count;    /* those that time cuts off change */
        if (settings.call == NULL ||
            strcmp(settings.call, faults_call_name(cases[at].call)) == 0) {
            each_place(at);
        }
    }
    printf("%llu runs, %llu failed calls, %llu refusals, %llu broken, %lld s\n",
           (unsigned long long)runs.count, (unsigned long long)failures,
           (unsigned long long)refused, (unsigned long long)runs.broken,
           (long long)(time(NULL) - runs.begun));
    runs_end(&runs);
    return runs.broken == 0 && broken_count() == 0 ? 0 : 1;
}
