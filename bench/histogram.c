#include "histogram.h"

#include <inttypes.h>

static unsigned bucket_of(uint64_t ns)
{
    if (ns < SS_HISTOGRAM_HALF) {
        return (unsigned)ns;
    }
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    if (power >= SS_HISTOGRAM_BITS) {
        return SS_HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift = power - SS_HISTOGRAM_HALF_BITS;
    return SS_HISTOGRAM_HALF * (shift + 1) + ((unsigned)(ns >> shift) & (SS_HISTOGRAM_HALF - 1));
}

/* The largest value of the bucket. */
static uint64_t upper_of(unsigned bucket)
{
    if (bucket < SS_HISTOGRAM_HALF) {
        return bucket;
    }
    unsigned shift = bucket / SS_HISTOGRAM_HALF - 1;
    uint64_t within = bucket % SS_HISTOGRAM_HALF;
    return ((SS_HISTOGRAM_HALF + within + 1) << shift) - 1;
}

void ss__histogram_add(struct ss_histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->max = ns > histogram->max ? ns : histogram->max;
    histogram->buckets[bucket_of(ns)]++;
}

void ss__histogram_merge(struct ss_histogram *histogram, const struct ss_histogram *other)
{
    histogram->count += other->count;
    histogram->max = other->max > histogram->max ? other->max : histogram->max;
    for (unsigned i = 0; i < SS_HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
}

uint64_t ss__histogram_at(const struct ss_histogram *histogram, unsigned permyriad)
{
    uint64_t below = 0;
    uint64_t wanted = (histogram->count * permyriad + 9999) / 10000;
    for (unsigned i = 0; i < SS_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        below += histogram->buckets[i];
        if (below >= wanted && below > 0) {
            return upper_of(i) < histogram->max ? upper_of(i) : histogram->max;
        }
    }
    return 0;
}

void ss__histogram_print(const struct ss_histogram *histogram, FILE *out)
{
    fprintf(out,
            "{\"unit\":\"ns\",\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p90\":%" PRIu64
            ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 ",\"buckets\":[",
            histogram->count, ss__histogram_at(histogram, 5000), ss__histogram_at(histogram, 9000),
            ss__histogram_at(histogram, 9900), ss__histogram_at(histogram, 9990), histogram->max);
    const char *comma = "";
    for (unsigned i = 0; i < SS_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", comma, upper_of(i), histogram->buckets[i]);
            comma = ",";
        }
    }
    fputs("]}", out);
}
