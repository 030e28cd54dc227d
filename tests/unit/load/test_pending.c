#include "load/pending.h"

#include "ss_test.h"

static void push(struct ss_load_pending *pending, uint64_t number)
{
    struct ss_load_message message = { .session = 7, .number = number,
                                       .sent_ns = (int64_t)number * 10 };
    ss_check(ss__load_pending_push(pending, &message) == 0);
}

static void check_next(struct ss_load_pending *pending, uint64_t number)
{
    struct ss_load_item item = { .kind = SS_LOAD_ACK };
    ss_check(ss__load_pending_pop(pending, &item));
    ss_check(item.kind == SS_LOAD_ACK && item.number == number && item.ordinal == number);
    ss_check(item.session == 7 && item.sent_ns == (int64_t)number * 10);
}

SS_TEST(pending, gives_the_oldest_first_while_it_grows_and_wraps)
{
    struct ss_load_pending pending = { 0 };
    uint64_t pushed = 0;
    uint64_t popped = 0;
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 3; i++) {
            push(&pending, ++pushed);
        }
        for (unsigned i = 0; i < 2; i++) {
            check_next(&pending, ++popped);
        }
    }
    while (popped < pushed) {
        check_next(&pending, ++popped);
    }
    ss_check(pending.count == 0);
    ss__load_pending_deinit(&pending);
}

SS_TEST(pending, steady_traffic_needs_no_more_memory)
{
    struct ss_load_pending pending = { 0 };
    push(&pending, 1);
    uint32_t cap = pending.cap;
    for (uint64_t number = 1; number < 1000; number++) {
        push(&pending, number + 1);
        check_next(&pending, number);
    }
    ss_check(pending.cap == cap);
    ss__load_pending_deinit(&pending);
}

SS_TEST(pending, without_anything_an_item_stays_as_it_is)
{
    struct ss_load_pending pending = { 0 };
    struct ss_load_item item = { .number = 5, .session = 6, .sent_ns = 7 };
    ss_check(!ss__load_pending_pop(&pending, &item));
    push(&pending, 1);
    ss__load_pending_clear(&pending);
    ss_check(!ss__load_pending_pop(&pending, &item));
    ss_check(item.number == 5 && item.session == 6 && item.sent_ns == 7);
    ss__load_pending_deinit(&pending);
}
