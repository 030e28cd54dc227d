#include "core/clock.h"

#include <stddef.h>
#include <time.h>

#include "core/contract.h"
#include "ss_test.h"

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    ss_check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t wall_us(void)
{
    struct timespec now;
    ss_check(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000) + (uint64_t)now.tv_nsec / 1000;
}

SS_TEST(clock, monotonic_time_is_nanoseconds_and_never_goes_back)
{
    uint64_t last = monotonic_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = ss__clock_monotonic_ns(&ss__system_clock);
        ss_check(now >= last);
        last = now;
    }
    ss_check(last <= monotonic_ns());
}

SS_TEST(clock, wall_time_is_microseconds_since_1970)
{
    /* Somebody may set the clock between two readings; not a thousand times. */
    int between = 0;
    for (int i = 0; i < 1000 && between == 0; i++) {
        uint64_t before = wall_us();
        uint64_t now = ss__clock_wall_us(&ss__system_clock);
        between += before <= now && now <= wall_us();
    }
    ss_check(between > 0);
}

struct stopped_clock {
    struct ss_clock clock;
    uint64_t monotonic_ns;
    uint64_t wall_us;
};

static uint64_t stopped_monotonic_ns(struct ss_clock *clock)
{
    return ss__container_of(clock, struct stopped_clock, clock)->monotonic_ns;
}

static uint64_t stopped_wall_us(struct ss_clock *clock)
{
    return ss__container_of(clock, struct stopped_clock, clock)->wall_us;
}

SS_TEST(clock, a_test_gives_its_own)
{
    struct stopped_clock stopped = { { stopped_monotonic_ns, stopped_wall_us }, 7, UINT64_MAX };
    ss_check(ss__clock_monotonic_ns(&stopped.clock) == 7);
    ss_check(ss__clock_wall_us(&stopped.clock) == UINT64_MAX);
}
