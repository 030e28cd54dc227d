#include "gateway/snapshot_budget.h"

#include <sessionstream/error.h>

#include "ss_test.h"

SS_TEST(snapshot_budget, a_shared_snapshot_counts_once)
{
    struct ss_snapshot_budget budget;
    ss__snapshot_budget_init(&budget, 100);
    struct ss_buf *shared = ss__buf_new(80);
    for (int i = 0; i < 50; i++) {
        ss_check(ss__snapshot_budget_hold(&budget, shared) == 0);
    }
    ss_check(budget.bytes == 80);
    for (int i = 0; i < 50; i++) {
        ss_check(budget.bytes == 80);
        ss__snapshot_budget_release(&budget, shared);
    }
    ss_check(budget.bytes == 0);
    ss__buf_unref(shared);
    ss__snapshot_budget_deinit(&budget);
}

SS_TEST(snapshot_budget, refuses_what_exceeds_it_but_never_a_lone_one)
{
    struct ss_snapshot_budget budget;
    ss__snapshot_budget_init(&budget, 100);
    struct ss_buf *huge = ss__buf_new(500);
    struct ss_buf *tiny = ss__buf_new(1);
    ss_check(ss__snapshot_budget_hold(&budget, huge) == 0);
    ss_check(ss__snapshot_budget_hold(&budget, tiny) == SS_E_BUSY);
    ss__snapshot_budget_release(&budget, huge);
    ss_check(ss__snapshot_budget_hold(&budget, tiny) == 0);
    ss__snapshot_budget_release(&budget, tiny);
    ss__buf_unref(huge);
    ss__buf_unref(tiny);
    ss__snapshot_budget_deinit(&budget);
}

SS_TEST(snapshot_budget, a_page_finds_the_room_that_was_kept_for_it)
{
    struct ss_snapshot_budget budget;
    ss__snapshot_budget_init(&budget, 100);
    struct ss_buf *first = ss__buf_new(60);
    struct ss_buf *page = ss__buf_new(40);
    ss_check(ss__snapshot_budget_hold(&budget, first) == 0);
    ss_check(!ss__snapshot_budget_reserve(&budget, 41) && budget.bytes == 60);
    ss_check(ss__snapshot_budget_reserve(&budget, 40) && budget.bytes == 100);
    ss_check(ss__snapshot_budget_hold(&budget, page) == SS_E_BUSY);    /* it is taken */
    ss__snapshot_budget_unreserve(&budget, 40);
    ss_check(ss__snapshot_budget_hold_page(&budget, page) == 0 && budget.bytes == 100);
    ss__snapshot_budget_release(&budget, first);
    ss__snapshot_budget_release(&budget, page);
    ss_check(budget.bytes == 0 && ss__snapshot_budget_reserve(&budget, 500));
    ss__snapshot_budget_unreserve(&budget, 500);
    ss__buf_unref(first);
    ss__buf_unref(page);
    ss__snapshot_budget_deinit(&budget);
}
