/* bench.h - frame of the benchmarks: time, results, one JSON line per case and a table. */
#ifndef SS_BENCH_BENCH_H
#define SS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct ss_bench_options {
    const char *dir;        /* for stores; emptied before and after each case */
    bool quick;
    bool big;               /* the cases that need a million sessions on disk */
};

/* Nanoseconds of CLOCK_MONOTONIC, and of CPU time of this process. */
uint64_t ss__bench_ns(void);
uint64_t ss__bench_cpu_ns(void);

/* Prints one result as a JSON line on stdout and keeps it for the table on stderr. @p50_ns and
 * @p99_ns are 0 when the case has no latency. */
void ss__bench_result(const char *name, uint64_t count, uint64_t ns, uint64_t cpu_ns,
                      uint64_t p50_ns, uint64_t p99_ns);
void ss__bench_table(void);

/* Ends the program with a message: a benchmark that cannot run or whose answer is wrong. */
_Noreturn void ss__bench_fail(const char *format, ...);

/* A sorted view of samples: the value at @permille. Sorts @samples in place. */
uint64_t ss__bench_percentile(uint64_t *samples, uint64_t count, unsigned permille);

/* Removes a directory with everything in it. */
void ss__bench_remove(const char *dir);

void ss__bench_inbox(const struct ss_bench_options *options);
void ss__bench_store(const struct ss_bench_options *options);
void ss__bench_json(const struct ss_bench_options *options);
void ss__bench_publish(const struct ss_bench_options *options);

#endif
