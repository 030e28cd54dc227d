/* store_faults: a store and the tools that work on stopped ones while calls fail, one call in each
 * run, at every place that calls.
 *
 * A place is a call with the frames above it; of each, the first pass fails, then the third, the
 * ninth and so on. Places that only errors lead to are found on the way and come in their turn.
 * Every run is a process of its own and has one thread, so the same place fails again. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../interpose.h"
#include "scenario.h"

#define RUN_SECONDS 60
#define FAILED_SHOWN 10
#define BROKEN_MAX 50
#define PASS_FACTOR 3

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static const char usage[] =
    "store_faults [OPTION...]: a store and its tools while every call fails in turn\n"
    "  --call NAME    only this one\n"
    "  --stride N     every N-th place only (1)\n"
    "  --seed N       where the stride begins (by the clock)\n"
    "  --site N       just this place, with the output of the run\n"
    "  --pass N       and this pass of it (1)\n"
    "  --once         of each place only the first pass\n"
    "  --seconds N    no new run after so many seconds (no limit)\n"
    "  --dir DIR      where the stores are made (/dev/shm, or TMPDIR)\n"
    "Exit status: 0 all promises were kept, 1 one was broken.\n";

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
    uint64_t stride;
    uint64_t seed;
    int64_t site;
    uint64_t pass;
    bool once;
    uint64_t seconds;
    char base[128];
} settings = { .stride = 1, .site = -1, .pass = 1 };

static struct store_outcome *outcome;    /* these two are shared with the run */
static struct fault_sites *sites;
static struct content content;
static time_t begun;
static uint64_t runs;
static uint64_t failures;
static uint64_t refused;
static uint64_t broken_runs;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_all(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool copy_source(const char *from, const char *to)
{
    char command[700];
    (void)snprintf(command, sizeof command, "mkdir '%s' && cp -a '%s' '%s/data'", to, from, to);
    return system(command) == 0;
}

_Noreturn static void child(const struct fault_plan *plan, const char *dir, const char *log)
{
    (void)alarm(RUN_SECONDS);
    int fd = settings.site >= 0 ? -1 : open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
    store_scenario(dir, plan, &content, outcome);
    if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0) {
        broken("memory is lost");
    }
    int status = broken_count() == 0 ? 0 : 1;
    if (__lsan_do_recoverable_leak_check != NULL) {
        _exit(status);    /* or it would look once more */
    }
    exit(status);    /* figures of coverage are written */
}

static void show(const char *log)
{
    char line[300];
    FILE *file = fopen(log, "r");
    for (int lines = 0; file != NULL && lines < 12 && fgets(line, sizeof line, file) != NULL;) {
        if (strstr(line, "level=") == NULL) {
            (void)fputs(line, stdout);
            lines++;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static bool run_one(const struct fault_plan *plan, const char *what)
{
    char log[160];
    char source[160];
    char dir[160];
    (void)snprintf(log, sizeof log, "%s/log", settings.base);
    (void)snprintf(source, sizeof source, "%s/source", settings.base);
    (void)snprintf(dir, sizeof dir, "%s/run", settings.base);
    *outcome = (struct store_outcome){ 0 };
    (void)fflush(stdout);
    if (!copy_source(source, dir)) {
        printf("FAILED: %s: the source cannot be copied\n", what);
        broken_runs++;
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(plan, dir, log);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    remove_all(dir);
    runs++;
    failures += outcome->failures;
    refused += outcome->refused;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    broken_runs++;
    if (broken_runs <= FAILED_SHOWN) {
        printf("FAILED: %s: %s\n", what, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
        show(log);
    }
    return false;
}

static bool out_of_time(void)
{
    return settings.seconds != 0 && (uint64_t)(time(NULL) - begun) >= settings.seconds;
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
    uint64_t runs_before = runs;
    uint64_t failures_before = failures;
    sites->count = 0;
    memset(sites->sites, 0, sizeof sites->sites);
    if (!run_one(&calm, "without faults")) {
        return;
    }
    uint64_t first = settings.site >= 0 ? (uint64_t)settings.site
                                        : settings.seed % settings.stride;
    for (uint64_t site = first; site < sites->count && broken_runs < BROKEN_MAX;
         site += settings.stride) {
        uint64_t pass = settings.site >= 0 ? settings.pass : 1;
        do {
            run_place(at, site, pass);
            pass *= PASS_FACTOR;
        } while (settings.site < 0 && !settings.once && pass <= sites->sites[site].passes &&
                 !out_of_time());
        if (settings.site >= 0 || out_of_time()) {
            break;
        }
    }
    printf("%-12s %-10s places %5u runs %6llu failed calls %6llu\n",
           faults_call_name(cases[at].call), cases[at].name, sites->count,
           (unsigned long long)(runs - runs_before),
           (unsigned long long)(failures - failures_before));
}

static void make_base(const char *dir)
{
    const char *temporary = getenv("TMPDIR");
    if (dir == NULL) {
        dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : temporary != NULL ? temporary : "/tmp";
    }
    (void)snprintf(settings.base, sizeof settings.base, "%.90s/ss-faults-XXXXXX", dir);
    if (mkdtemp(settings.base) == NULL) {
        perror(settings.base);
        exit(2);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "call", required_argument, NULL, 'C' }, { "stride", required_argument, NULL, 's' },
        { "seed", required_argument, NULL, 'S' }, { "site", required_argument, NULL, 'p' },
        { "pass", required_argument, NULL, 'P' }, { "seconds", required_argument, NULL, 't' },
        { "once", no_argument, NULL, 'o' },
        { "dir", required_argument, NULL, 'd' },  { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *dir = NULL;
    settings.seed = (uint64_t)time(NULL);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t number = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);
        switch (option) {
        case 'C': settings.call = optarg; break;
        case 's': settings.stride = number == 0 ? 1 : number; break;
        case 'S': settings.seed = number; break;
        case 'p': settings.site = (int64_t)number; break;
        case 'P': settings.pass = number; break;
        case 'o': settings.once = true; break;
        case 't': settings.seconds = number; break;
        case 'd': dir = optarg; break;
        default:
            (void)fputs(usage, option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : 2);
        }
    }
    make_base(dir);
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int main(int argc, char **argv)
{
    char source[160];
    read_options(argc, argv);
    begun = time(NULL);
    outcome = share(sizeof *outcome);
    sites = share(sizeof *sites);
    if (outcome == NULL || sites == NULL) {
        return 2;
    }
    printf("seed %llu\n", (unsigned long long)settings.seed);
    (void)snprintf(source, sizeof source, "%s/source", settings.base);
    content_make(source, &content);
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count && broken_count() == 0 && !out_of_time(); i++) {
        size_t at = (i + settings.seed) % count;    /* those that time cuts off change */
        if (settings.call == NULL ||
            strcmp(settings.call, faults_call_name(cases[at].call)) == 0) {
            each_place(at);
        }
    }
    printf("%llu runs, %llu failed calls, %llu refusals, %llu broken, %lld s\n",
           (unsigned long long)runs, (unsigned long long)failures, (unsigned long long)refused,
           (unsigned long long)broken_runs, (long long)(time(NULL) - begun));
    remove_all(settings.base);
    return broken_runs == 0 && broken_count() == 0 ? 0 : 1;
}
