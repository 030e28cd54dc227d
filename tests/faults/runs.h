/* runs.h - runs of a scenario, each a process of its own: one that crashes or hangs is found, and
 * the others go on. Each ends with the leak check of the sanitizer, where there is one.
 *
 * One thread, but broken(): any. */
#ifndef SS_FAULTS_RUNS_H
#define SS_FAULTS_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RUNS_BROKEN_MAX 50    /* after so many nothing new is learnt */

/* What the options say, and what came of the runs. */
struct runs {
    uint64_t stride;
    uint64_t seed;
    uint64_t seconds;      /* no new run after so many; 0: no limit */
    const char *dir;
    bool loud;             /* what a run says is shown, not kept for one that failed */
    char base[128];        /* a directory for files, which ends with the program */
    time_t begun;
    uint64_t count;
    uint64_t broken;
};

/* The options of both programs, for getopt_long and for a text on them. */
#define RUNS_OPTIONS                                                                 \
    { "stride", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'S' }, \
    { "seconds", required_argument, NULL, 't' }, { "dir", required_argument, NULL, 'd' }, \
    { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
#define RUNS_USAGE                                                                   \
    "  --seconds N       no new run after so many seconds (no limit)\n"              \
    "  --dir DIR         where the stores are made (/dev/shm, or TMPDIR)\n"          \
    "Exit status: 0 all promises were kept, 1 one was broken.\n"

void runs_init(struct runs *runs);

/* Takes one of RUNS_OPTIONS; for another one, or --help, it prints @usage and ends the program. */
void runs_option(struct runs *runs, int option, const char *value, const char *usage);

/* When the options are known: makes the directory, or ends the program. */
void runs_begin(struct runs *runs);
void runs_end(struct runs *runs);

/* Memory that a run and the program have in common, or the program ends. */
void *runs_share(size_t bytes);

/* Runs @scenario and returns whether all was well; else says so, with @what that names the run and
 * the begin of what it said. */
bool runs_one(struct runs *runs, void (*scenario)(void *ctx), void *ctx, const char *what);

bool runs_out_of_time(const struct runs *runs);

void runs_remove_tree(const char *path);

/* A promise is broken. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned broken_count(void);

#endif
