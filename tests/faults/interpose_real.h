/* interpose_real.h - what stands in every function that may fail in place of another. */
#ifndef SS_TESTS_FAULTS_INTERPOSE_REAL_H
#define SS_TESTS_FAULTS_INTERPOSE_REAL_H

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "interpose.h"

/* The function of this name behind ours. */
#define REAL(name)                                                    \
    static __typeof__(name) *real;                                    \
    if (real == NULL) {                                               \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);           \
    }

/* Whether calls of this thread fail and count now. */
bool faults_watched(void);

bool faults_of_libuv(const void *caller);

static inline int faults_fail(int code)
{
    errno = code;
    return -1;
}

#endif
