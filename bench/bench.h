/* bench.h - frame of the benchmarks: options, time, results as JSON lines and a table.
 *
 * A suite is a function that asks ss__bench_wanted before each of its cases, measures, checks its
 * own answer (ss__bench_fail) and reports. One thread, but for what a case starts itself. */
#ifndef SS_BENCH_BENCH_H
#define SS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct ss_bench_options {
    const char *dir;        /* for stores; emptied before and after each case */
    const char *only;       /* cases whose name holds this; NULL: all */
    uint64_t scale;         /* how much work: 1 with --quick, else 10 */
    bool big;               /* the cases that need a million sessions on disk */
    bool list;              /* print the names only */
};

/* True if the case is to be measured; with --list prints its name instead. */
bool ss__bench_wanted(const struct ss_bench_options *options, const char *name);

/* Nanoseconds of CLOCK_MONOTONIC, of CPU time of this process, and its resident bytes. */
uint64_t ss__bench_ns(void);
uint64_t ss__bench_cpu_ns(void);
uint64_t ss__bench_rss(void);

struct ss_bench_result {
    const char *suite;
    const char *name;
    const char *params;                    /* members of a JSON object, no braces; NULL: none */
    uint64_t count;
    uint64_t ns;
    uint64_t cpu_ns;
    const struct ss_histogram *latency;    /* NULL: the case has none */
};

/* Prints a result as a JSON line on stdout and keeps it for the table on stderr. */
void ss__bench_report(const struct ss_bench_result *result);
void ss__bench_table(void);

/* The first line: machine, version, options. */
void ss__bench_print_machine(const struct ss_bench_options *options);

/* Ends the program with a message: a benchmark that cannot run or whose answer is wrong. */
_Noreturn void ss__bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An empty histogram; ends the program when out of memory. Freed with free. */
struct ss_histogram *ss__bench_histogram(void);

/* Removes a directory with everything in it. */
void ss__bench_remove(const char *dir);

void ss__bench_ceiling(const struct ss_bench_options *options);
void ss__bench_inbox(const struct ss_bench_options *options);
void ss__bench_store(const struct ss_bench_options *options);
void ss__bench_encode(const struct ss_bench_options *options);
void ss__bench_publish(const struct ss_bench_options *options);
void ss__bench_ordinal(const struct ss_bench_options *options);
void ss__bench_recover(const struct ss_bench_options *options);

#endif
