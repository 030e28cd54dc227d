/* timer.h - many timers of one thread in one hierarchical wheel: O(1) add and cancel.
 *
 * No clock and no I/O in here: the owner says what time it is. Resolution 1 ms; a timer never
 * fires early. Nodes are embedded in the caller's objects and must stay in place while waiting. */
#ifndef SS_RUNTIME_TIMER_H
#define SS_RUNTIME_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"

#define SS_TIMER_LEVELS 4
#define SS_TIMER_SLOTS 64

struct ss_timer {
    struct ss_list link;
    uint64_t due_ms;
};

struct ss_timers {
    uint64_t now_ms;
    size_t count;                                    /* waiting, expired ones included */
    struct ss_list expired;                          /* due, in order of expiry */
    uint64_t occupied[SS_TIMER_LEVELS];              /* bit per slot that may hold timers */
    struct ss_list slots[SS_TIMER_LEVELS][SS_TIMER_SLOTS];
};

void ss__timers_init(struct ss_timers *timers, uint64_t now_ms);

/* @timer is not waiting. A due time in the past is due at once. */
void ss__timers_add(struct ss_timers *timers, struct ss_timer *timer, uint64_t due_ms);

/* @timer is waiting (added and not yet returned by ss__timers_take). */
void ss__timers_cancel(struct ss_timers *timers, struct ss_timer *timer);

/* Moves the wheel to @now_ms, which never goes back. */
void ss__timers_advance(struct ss_timers *timers, uint64_t now_ms);

/* The next timer that is due, no longer waiting; NULL if none. */
struct ss_timer *ss__timers_take(struct ss_timers *timers);

/* Milliseconds after now_ms until the wheel must be advanced next; UINT64_MAX: nothing waits.
 * May be earlier than the first due time, never later. */
uint64_t ss__timers_wait_ms(const struct ss_timers *timers);

#endif
