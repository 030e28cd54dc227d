#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#define LINES 60
#define LINE_BYTES 160

static char lines[LINES][LINE_BYTES];
static uint64_t count;
static uint64_t run_seed;
static bool run_aloud;

void trace_begin(uint64_t seed, bool aloud)
{
    count = 0;
    run_seed = seed;
    run_aloud = aloud;
}

void trace_add(const char *format, ...)
{
    char *line = lines[count++ % LINES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, LINE_BYTES, format, args);
    va_end(args);
    if (run_aloud) {
        (void)fprintf(stderr, "%llu %s\n", (unsigned long long)count, line);
    }
}

void trace_print(void)
{
    for (uint64_t i = count > LINES ? count - LINES : 0; i < count && !run_aloud; i++) {
        (void)fprintf(stderr, "%llu %s\n", (unsigned long long)i + 1, lines[i % LINES]);
    }
    (void)fprintf(stderr, "seed %llu; the same again: sim --seed %llu --seeds 1\n",
                  (unsigned long long)run_seed, (unsigned long long)run_seed);
}
