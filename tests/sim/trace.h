/* trace.h - what a run has done, to be printed when a promise is broken. */
#ifndef SS_SIM_TRACE_H
#define SS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* A new run; @aloud: every line is printed at once. */
void trace_begin(uint64_t seed, bool aloud);

void trace_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The seed and the last lines. */
void trace_print(void);

#endif
