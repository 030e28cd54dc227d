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
