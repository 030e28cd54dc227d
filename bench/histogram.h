/* histogram.h - counts of durations in buckets of equal relative width (an HDR histogram).
 *
 * 128 buckets per power of two: a value is kept within 0.8 %. Values up to 2^SS_HISTOGRAM_BITS
 * nanoseconds (18 minutes), larger ones count as the largest. 35 KiB; one thread at a time. */
#ifndef SS_BENCH_HISTOGRAM_H
#define SS_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define SS_HISTOGRAM_BITS 40
#define SS_HISTOGRAM_HALF_BITS 7
#define SS_HISTOGRAM_HALF (1u << SS_HISTOGRAM_HALF_BITS)
#define SS_HISTOGRAM_BUCKETS                                                                       \
    (SS_HISTOGRAM_HALF * (SS_HISTOGRAM_BITS - SS_HISTOGRAM_HALF_BITS + 1))

/* All zero is empty. */
struct ss_histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[SS_HISTOGRAM_BUCKETS];
};

void ss__histogram_add(struct ss_histogram *histogram, uint64_t ns);

/* Adds what @other counted. */
void ss__histogram_merge(struct ss_histogram *histogram, const struct ss_histogram *other);

/* The upper end of the bucket below which @permyriad of 10,000 values lie; 0 when empty. */
uint64_t ss__histogram_at(const struct ss_histogram *histogram, unsigned permyriad);

/* As a JSON object: unit, count, percentiles, max and the non-empty buckets as [upper, count]. */
void ss__histogram_print(const struct ss_histogram *histogram, FILE *out);

#endif
