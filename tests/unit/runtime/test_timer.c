#include "runtime/timer.h"

#include <stdlib.h>

#include "core/contract.h"
#include "ss_test.h"

#define COUNT 2000

struct item {
    struct ss_timer timer;
    uint64_t due_ms;
    bool waiting;
    bool fired;
};

static uint32_t seed = 7;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint64_t earliest(const struct item *items)
{
    uint64_t due = UINT64_MAX;
    for (int i = 0; i < COUNT; i++) {
        if (items[i].waiting && items[i].due_ms < due) {
            due = items[i].due_ms;
        }
    }
    return due;
}

SS_TEST(timer, never_early_never_late_and_never_twice)
{
    static struct item items[COUNT];
    struct ss_timers timers;
    uint64_t now = 1000;
    ss__timers_init(&timers, now);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < COUNT; i++) {
            uint32_t span = i % 5 == 0 ? 40000000 : i % 3 == 0 ? 100000 : 500;
            if (!items[i].waiting && next_random(3) > 0) {
                items[i] = (struct item){ .due_ms = now + next_random(span), .waiting = true };
                ss__timers_add(&timers, &items[i].timer, items[i].due_ms);
            } else if (items[i].waiting && next_random(8) == 0) {
                ss__timers_cancel(&timers, &items[i].timer);
                items[i].waiting = false;
            }
        }
        uint64_t due = earliest(items);
        ss_check(ss__timers_wait_ms(&timers) <= (due > now ? due - now : 0));
        now += next_random(round % 4 == 0 ? 5000000 : 700) + 1;
        ss__timers_advance(&timers, now);
        for (struct ss_timer *timer; (timer = ss__timers_take(&timers)) != NULL;) {
            struct item *item = ss__container_of(timer, struct item, timer);
            ss_check(item->waiting && item->due_ms <= now);
            item->waiting = false;
        }
        ss_check(earliest(items) > now);
    }
}

SS_TEST(timer, the_past_is_due_at_once_and_nothing_waits_for_ever)
{
    struct ss_timers timers;
    struct ss_timer timer;
    ss__timers_init(&timers, 500);
    ss_check(ss__timers_wait_ms(&timers) == UINT64_MAX && ss__timers_take(&timers) == NULL);
    ss__timers_add(&timers, &timer, 3);
    ss_check(ss__timers_wait_ms(&timers) == 0 && ss__timers_take(&timers) == &timer);
    ss_check(timers.count == 0);
}
