#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define RESULTS_MAX 128

struct row {
    char name[64];
    double per_second;
    double cpu_us;
    double p50_us;
    double p99_us;
    double max_us;
};

static struct row rows[RESULTS_MAX];
static unsigned rows_count;

bool ss__bench_wanted(const struct ss_bench_options *options, const char *name)
{
    bool wanted = options->only == NULL || strstr(name, options->only) != NULL;
    if (wanted && options->list) {
        puts(name);
    }
    return wanted && !options->list;
}

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

uint64_t ss__bench_rss(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1) {
        ss__bench_fail("/proc/self/statm cannot be read");
    }
    (void)fclose(file);    /* was only read */
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
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

struct ss_histogram *ss__bench_histogram(void)
{
    struct ss_histogram *histogram = calloc(1, sizeof *histogram);
    if (histogram == NULL) {
        ss__bench_fail("out of memory");
    }
    return histogram;
}

/* Reads the value of the first line "@key : value" of a file into @out; "" if there is none. */
static void read_value(const char *path, const char *key, char *out, size_t cap)
{
    char line[512];
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    while (file != NULL && out[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) == 0 && colon != NULL) {
            line[strcspn(line, "\n\"\\")] = '\0';
            (void)snprintf(out, cap, "%s", colon + 1 + strspn(colon + 1, " \t"));
        }
    }
    if (file != NULL) {
        (void)fclose(file);    /* was only read */
    }
}

void ss__bench_print_machine(const struct ss_bench_options *options)
{
    struct utsname name;
    char cpu[256];
    char memory[64];
    read_value("/proc/cpuinfo", "model name", cpu, sizeof cpu);
    read_value("/proc/meminfo", "MemTotal", memory, sizeof memory);
    if (uname(&name) != 0) {
        ss__bench_fail("uname failed");
    }
    printf("{\"machine\":{\"cpu\":\"%s\",\"cores\":%ld,\"memory\":\"%s\",\"kernel\":\"%s %s\","
           "\"compiler\":\"%s\"},\"version\":\"" SS_VERSION "\","
           "\"options\":{\"scale\":%llu,\"big\":%s}}\n",
           cpu, sysconf(_SC_NPROCESSORS_ONLN), memory, name.sysname, name.release, __VERSION__,
           (unsigned long long)options->scale, options->big ? "true" : "false");
    fflush(stdout);
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

void ss__bench_report(const struct ss_bench_result *result)
{
    if (rows_count == RESULTS_MAX || result->count == 0 || result->ns == 0) {
        ss__bench_fail("%s: nothing measured", result->name);
    }
    struct row *row = &rows[rows_count++];
    const struct ss_histogram *latency = result->latency;
    (void)snprintf(row->name, sizeof row->name, "%s", result->name);
    row->per_second = (double)result->count * 1e9 / (double)result->ns;
    row->cpu_us = us(result->cpu_ns) / (double)result->count;
    printf("{\"suite\":\"%s\",\"case\":\"%s\",\"params\":{%s},\"count\":%llu,\"seconds\":%.4f,"
           "\"per_second\":%.0f,\"cpu_us_each\":%.3f,\"rss_bytes\":%llu",
           result->suite, result->name, result->params == NULL ? "" : result->params,
           (unsigned long long)result->count, (double)result->ns / 1e9, row->per_second,
           row->cpu_us, (unsigned long long)ss__bench_rss());
    if (latency != NULL) {
        row->p50_us = us(ss__histogram_at(latency, 5000));
        row->p99_us = us(ss__histogram_at(latency, 9900));
        row->max_us = us(latency->max);
        fputs(",\"latency\":", stdout);
        ss__histogram_print(latency, stdout);
    }
    puts("}");
    fflush(stdout);
    fprintf(stderr, "%s\n", result->name);
}

void ss__bench_table(void)
{
    fprintf(stderr, "\n%-44s %12s %9s %10s %10s %10s\n", "case", "per second", "CPU us", "p50 us",
            "p99 us", "max us");
    for (unsigned i = 0; i < rows_count; i++) {
        fprintf(stderr, "%-44s %12.0f %9.3f %10.1f %10.1f %10.1f\n", rows[i].name,
                rows[i].per_second, rows[i].cpu_us, rows[i].p50_us, rows[i].p99_us,
                rows[i].max_us);
    }
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
