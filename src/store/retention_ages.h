/* retention_ages.h - bytes by age, in buckets that are an eighth of an octave wide. Pure. */
#ifndef SS_STORE_RETENTION_AGES_H
#define SS_STORE_RETENTION_AGES_H

#include <stdint.h>

#include "store/retention.h"

static inline uint32_t ss__age_bucket(uint64_t age_us)
{
    if (age_us < 8) {
        return (uint32_t)age_us;
    }
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(age_us);
    return (octave - 2) * 8 + (uint32_t)(age_us >> (octave - 3) & 7);
}

/* The youngest age in a bucket. */
static inline uint64_t ss__age_of_bucket(uint32_t bucket)
{
    if (bucket < 8) {
        return bucket;
    }
    return (uint64_t)(8 + bucket % 8) << (bucket / 8 - 1);
}

#endif
