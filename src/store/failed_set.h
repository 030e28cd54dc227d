/* failed_set.h - which events of a session are not in a timeline. Plain data.
 *
 * The oldest SS_FAILED_ORDINALS_MAX are known by their ordinals, so that the watermark, the event
 * before the first of them, is always exact; those beyond are counted. */
#ifndef SS_STORE_FAILED_SET_H
#define SS_STORE_FAILED_SET_H

#include <stdint.h>

#include <sessionstream/limits.h>

struct ss_failed_set {
    uint64_t total;
    uint32_t named;
    uint64_t ordinals[SS_FAILED_ORDINALS_MAX];    /* ascending, the oldest of all */
};

/* Adds an ordinal greater than any before. */
static inline void ss__failed_add(struct ss_failed_set *set, uint64_t ordinal)
{
    if (set->named < SS_FAILED_ORDINALS_MAX) {
        set->ordinals[set->named++] = ordinal;
    }
    set->total++;
}

#endif
