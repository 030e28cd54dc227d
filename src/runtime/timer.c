#include "runtime/timer.h"

#include "core/contract.h"

#define SLOT_BITS 6
#define SPAN(level) (UINT64_C(1) << (SLOT_BITS * ((level) + 1)))    /* ms a level covers */

void ss__timers_init(struct ss_timers *timers, uint64_t now_ms)
{
    *timers = (struct ss_timers){ .now_ms = now_ms };
    ss__list_init(&timers->expired);
    for (int level = 0; level < SS_TIMER_LEVELS; level++) {
        for (int slot = 0; slot < SS_TIMER_SLOTS; slot++) {
            ss__list_init(&timers->slots[level][slot]);
        }
    }
}

static void place(struct ss_timers *timers, struct ss_timer *timer)
{
    if (timer->due_ms <= timers->now_ms) {
        ss__list_push_back(&timers->expired, &timer->link);
        return;
    }
    uint64_t due = timer->due_ms;
    uint64_t distance = due - timers->now_ms;
    unsigned level = 0;
    while (level + 1 < SS_TIMER_LEVELS && distance >= SPAN(level)) {
        level++;
    }
    if (distance >= SPAN(level)) {
        due = timers->now_ms + SPAN(level) - 1;    /* far away: placed again when it gets near */
    }
    unsigned slot = (unsigned)(due >> (SLOT_BITS * level)) & (SS_TIMER_SLOTS - 1);
    ss__list_push_back(&timers->slots[level][slot], &timer->link);
    timers->occupied[level] |= UINT64_C(1) << slot;
}

void ss__timers_add(struct ss_timers *timers, struct ss_timer *timer, uint64_t due_ms)
{
    timer->due_ms = due_ms;
    timers->count++;
    place(timers, timer);
}

void ss__timers_cancel(struct ss_timers *timers, struct ss_timer *timer)
{
    SS_REQUIRE(timers->count > 0);
    ss__list_remove(&timer->link);
    timers->count--;
}

static void replace_slot(struct ss_timers *timers, unsigned level, unsigned slot)
{
    if ((timers->occupied[level] & (UINT64_C(1) << slot)) == 0) {
        return;
    }
    timers->occupied[level] &= ~(UINT64_C(1) << slot);
    struct ss_list moved;
    ss__list_init(&moved);
    struct ss_list *from = &timers->slots[level][slot];
    if (!ss__list_empty(from)) {
        moved.next = from->next;
        moved.prev = from->prev;
        moved.next->prev = moved.prev->next = &moved;
        ss__list_init(from);
    }
    while (!ss__list_empty(&moved)) {
        struct ss_list *link = moved.next;
        ss__list_remove(link);
        place(timers, ss__container_of(link, struct ss_timer, link));
    }
}

/* One millisecond: cascade the levels that begin a new slot, then expire the finest slot. */
static void tick(struct ss_timers *timers)
{
    timers->now_ms++;
    for (unsigned level = SS_TIMER_LEVELS - 1; level > 0; level--) {
        if ((timers->now_ms & (SPAN(level - 1) - 1)) == 0) {
            unsigned slot = (unsigned)(timers->now_ms >> (SLOT_BITS * level)) &
                            (SS_TIMER_SLOTS - 1);
            replace_slot(timers, level, slot);
        }
    }
    replace_slot(timers, 0, (unsigned)timers->now_ms & (SS_TIMER_SLOTS - 1));
}

/* Milliseconds until the wheel next reaches an occupied slot. */
static uint64_t next_turn(const struct ss_timers *timers)
{
    uint64_t best = UINT64_MAX;
    for (unsigned level = 0; level < SS_TIMER_LEVELS; level++) {
        uint64_t bits = timers->occupied[level];
        if (bits == 0) {
            continue;
        }
        /* Ticks of this level until its next occupied slot begins, from 1 to SS_TIMER_SLOTS. */
        unsigned shift = SLOT_BITS * level;
        uint64_t here = timers->now_ms >> shift;
        unsigned turn = (unsigned)(here + 1) & (SS_TIMER_SLOTS - 1);
        uint64_t rotated = turn == 0 ? bits : (bits >> turn) | (bits << (SS_TIMER_SLOTS - turn));
        uint64_t ticks = (uint64_t)__builtin_ctzll(rotated) + 1;
        uint64_t wait = ((here + ticks) << shift) - timers->now_ms;
        best = wait < best ? wait : best;
    }
    return best;
}

void ss__timers_advance(struct ss_timers *timers, uint64_t now_ms)
{
    while (timers->now_ms < now_ms) {
        uint64_t wait = next_turn(timers);
        if (wait > now_ms - timers->now_ms) {
            timers->now_ms = now_ms;
            return;
        }
        timers->now_ms += wait - 1;
        tick(timers);
    }
}

struct ss_timer *ss__timers_take(struct ss_timers *timers)
{
    if (ss__list_empty(&timers->expired)) {
        return NULL;
    }
    struct ss_timer *timer = ss__container_of(timers->expired.next, struct ss_timer, link);
    ss__list_remove(&timer->link);
    timers->count--;
    return timer;
}

uint64_t ss__timers_wait_ms(const struct ss_timers *timers)
{
    return ss__list_empty(&timers->expired) ? next_turn(timers) : 0;
}
