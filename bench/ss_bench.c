/* ss-bench [--dir DIR] [--quick] [--big] [CASE...]: inbox, store, json, publish (default: all). */
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define RESULTS_MAX 64

struct result {
    char name[64];
    double per_second;
    double cpu_us;
    double p50_us;
    double p99_us;
};

static struct result results[RESULTS_MAX];
static unsigned results_count;

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0) {
        ss__bench_fail("no clock");
    }
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ss__bench_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t ss__bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

_Noreturn void ss__bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("ss-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void ss__bench_result(const char *name, uint64_t count, uint64_t ns, uint64_t cpu_ns,
                      uint64_t p50_ns, uint64_t p99_ns)
{
    if (results_count == RESULTS_MAX || count == 0 || ns == 0) {
        ss__bench_fail("%s: nothing measured", name);
    }
    struct result *result = &results[results_count++];
    (void)snprintf(result->name, sizeof result->name, "%s", name);
    result->per_second = (double)count * 1e9 / (double)ns;
    result->cpu_us = (double)cpu_ns / 1e3 / (double)count;
    result->p50_us = (double)p50_ns / 1e3;
    result->p99_us = (double)p99_ns / 1e3;
    printf("{\"case\":\"%s\",\"count\":%llu,\"seconds\":%.4f,\"per_second\":%.0f,"
           "\"cpu_us_each\":%.3f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           name, (unsigned long long)count, (double)ns / 1e9, result->per_second, result->cpu_us,
           result->p50_us, result->p99_us);
    fflush(stdout);
}

void ss__bench_table(void)
{
    fprintf(stderr, "\n%-44s %14s %10s %10s %10s\n", "case", "per second", "CPU us", "p50 us",
            "p99 us");
    for (unsigned i = 0; i < results_count; i++) {
        fprintf(stderr, "%-44s %14.0f %10.3f %10.1f %10.1f\n", results[i].name,
                results[i].per_second, results[i].cpu_us, results[i].p50_us, results[i].p99_us);
    }
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

uint64_t ss__bench_percentile(uint64_t *samples, uint64_t count, unsigned permille)
{
    if (count == 0) {
        return 0;
    }
    qsort(samples, count, sizeof *samples, compare_u64);
    uint64_t at = count * permille / 1000;
    return samples[at < count ? at : count - 1];
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void ss__bench_remove(const char *dir)
{
    /* A directory that is not there is as good as removed. */
    (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void print_usage(void)
{
    fputs("usage: ss-bench [--dir DIR] [--quick] [--big] [inbox|store|json|publish]...\n"
          "  --dir DIR  where stores are made and removed (./bench-data)\n"
          "  --quick    a tenth of the work\n"
          "  --big      also publish to 100,000 of 1,000,000 sessions on disk\n",
          stderr);
}

struct bench_case {
    const char *name;
    void (*run)(const struct ss_bench_options *options);
};

static const struct bench_case cases[] = { { "inbox", ss__bench_inbox },
                                           { "store", ss__bench_store },
                                           { "json", ss__bench_json },
                                           { "publish", ss__bench_publish } };

static bool run_case(const char *name, const struct ss_bench_options *options)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (name == NULL || strcmp(name, cases[i].name) == 0) {
            cases[i].run(options);
            if (name != NULL) {
                return true;
            }
        }
    }
    return name == NULL;
}

int main(int argc, char **argv)
{
#if !defined(NDEBUG) || defined(SS_SANITIZED) || defined(SS_FAULTS)
    (void)run_case;
    (void)argc;
    (void)argv;
    (void)print_usage;
    ss__bench_fail("this is a debug or sanitizer build, its figures mean nothing; use the release "
                   "preset");
#else
    struct ss_bench_options options = { .dir = "bench-data" };
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            options.dir = argv[++i];
        } else if (strcmp(argv[i], "--quick") == 0) {
            options.quick = true;
        } else if (strcmp(argv[i], "--big") == 0) {
            options.big = true;
        } else if (argv[i][0] == '-') {
            print_usage();
            return 2;
        }
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dir") == 0) {
            i++;
        } else if (argv[i][0] != '-') {
            named++;
            if (!run_case(argv[i], &options)) {
                print_usage();
                return 2;
            }
        }
    }
    if (named == 0) {
        (void)run_case(NULL, &options);
    }
    ss__bench_table();
    return 0;
#endif
}
