/* clock.h - time, replaceable in tests: a shard reads time only through the clock it was given. */
#ifndef SS_CORE_CLOCK_H
#define SS_CORE_CLOCK_H

#include <stdint.h>

struct ss_clock {
    uint64_t (*monotonic_ns)(struct ss_clock *clock);
    uint64_t (*wall_us)(struct ss_clock *clock);    /* microseconds since 1970, UTC */
};

/* CLOCK_MONOTONIC and CLOCK_REALTIME. Any thread. */
extern struct ss_clock ss__system_clock;

static inline uint64_t ss__clock_monotonic_ns(struct ss_clock *clock)
{
    return clock->monotonic_ns(clock);
}

static inline uint64_t ss__clock_wall_us(struct ss_clock *clock)
{
    return clock->wall_us(clock);
}

#endif
