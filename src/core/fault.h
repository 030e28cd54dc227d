/* fault.h - named fault points for tests.
 *
 * Without SS_FAULTS (release) SS_FAULT is the constant 0. With it a test arms a point by name; the
 * n-th pass through it then returns the given code. Any thread; arm before the threads start. */
#ifndef SS_CORE_FAULT_H
#define SS_CORE_FAULT_H

#include <stdbool.h>

#ifdef SS_FAULTS
/* Returns 0, or the armed code when its countdown is over. */
int ss__fault_hit(const char *name);

/* From the @after-th pass on (1 = the next), @times passes return @code; @times 0 disarms. */
void ss__fault_arm(const char *name, unsigned after, unsigned times, int code);

/* Disarms all points. */
void ss__fault_reset(void);
#define SS_FAULT(name) ss__fault_hit(name)

/* Asked by arenas and maps before they give anything, so that a test reaches also those callers
 * that nearly always find room. NULL: never refused. Set it while there is one thread. */
extern bool (*ss__fault_memory)(void);
#define SS_FAULT_MEMORY() (ss__fault_memory != NULL && ss__fault_memory())
#else
#define SS_FAULT(name) 0
#define SS_FAULT_MEMORY() false
#endif

#endif
