/* docs/projections.md as a function: one projection, and several. */
#include "shard/verdict.h"

#include "ss_test.h"
#include "store/store.h"

#define TF ((uint32_t)SS_RECORD_TIMELINE_FAILED)
#define UF ((uint32_t)SS_RECORD_UI_FAILED)
#define ADV ((uint32_t)SS_RECORD_ADVANCED)
#define HALT ((uint32_t)SS_RECORD_HALTED)

struct row {
    enum ss_projection_policy ui;
    enum ss_projection_policy timeline;
    struct ss_run_result result;    /* timelines, halted, failed, uis_failed */
    uint32_t flags;
    uint32_t taken;
    uint32_t missing;
    uint32_t halts;
    bool shown;
    bool moved;
    enum ss_refused_by refused_by;
};

#define F SS_POLICY_FAIL
#define A SS_POLICY_ADVANCE
#define H SS_POLICY_HALT

static const struct row rows[] = {
    /* one timeline projection */
    { F, F, { 1, 0, 0, 0 }, 0, 1, 0, 0, true, true, SS_REFUSED_BY_NONE },
    { F, F, { 1, 0, 0, 1 }, UF, 0, 1, 0, false, false, SS_REFUSED_BY_UI },
    { A, F, { 1, 0, 0, 1 }, UF | ADV, 1, 0, 0, true, true, SS_REFUSED_BY_NONE },
    { F, F, { 1, 0, 1, 0 }, TF, 0, 1, 0, false, false, SS_REFUSED_BY_TIMELINE },
    { F, A, { 1, 0, 1, 0 }, TF | ADV, 0, 1, 0, true, true, SS_REFUSED_BY_NONE },
    { F, H, { 1, 0, 1, 0 }, TF | HALT, 0, 0, 1, false, false, SS_REFUSED_BY_TIMELINE },
    { F, H, { 1, 1, 0, 0 }, HALT, 0, 0, 0, true, false, SS_REFUSED_BY_NONE },
    { F, A, { 1, 0, 1, 1 }, UF | TF, 0, 1, 0, false, false, SS_REFUSED_BY_UI },
    { A, F, { 1, 0, 1, 1 }, UF | TF, 0, 1, 0, false, false, SS_REFUSED_BY_TIMELINE },
    { A, A, { 1, 0, 1, 1 }, UF | TF | ADV, 0, 1, 0, true, true, SS_REFUSED_BY_NONE },
    /* none */
    { F, F, { 0, 0, 0, 0 }, 0, 0, 0, 0, true, true, SS_REFUSED_BY_NONE },
    { F, F, { 0, 0, 0, 1 }, UF, 0, 0, 0, false, false, SS_REFUSED_BY_UI },
    /* three: a failure counts for one alone */
    { F, F, { 7, 0, 2, 0 }, TF | ADV, 5, 2, 0, true, true, SS_REFUSED_BY_TIMELINE },
    { F, A, { 7, 0, 2, 0 }, TF | ADV, 5, 2, 0, true, true, SS_REFUSED_BY_NONE },
    { F, H, { 7, 0, 2, 0 }, TF | ADV | HALT, 5, 0, 2, true, true, SS_REFUSED_BY_TIMELINE },
    { F, H, { 7, 2, 0, 0 }, HALT, 5, 0, 0, true, true, SS_REFUSED_BY_NONE },
    { F, H, { 7, 2, 4, 0 }, TF | ADV | HALT, 1, 0, 4, true, true, SS_REFUSED_BY_TIMELINE },
    { F, F, { 7, 2, 1, 2 }, UF | TF | HALT, 0, 5, 0, false, false, SS_REFUSED_BY_UI },
    { F, H, { 7, 2, 1, 2 }, UF | TF | HALT, 0, 4, 1, false, false, SS_REFUSED_BY_UI },
    { A, F, { 7, 0, 2, 1 }, UF | TF | ADV, 5, 2, 0, true, true, SS_REFUSED_BY_TIMELINE },
    { F, F, { 7, 0, 7, 0 }, TF, 0, 7, 0, false, false, SS_REFUSED_BY_TIMELINE },
    { F, H, { 7, 7, 0, 0 }, HALT, 0, 0, 0, true, false, SS_REFUSED_BY_NONE },
};

SS_TEST(verdict, follows_from_failures_and_policies)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct ss_verdict got = ss__verdict(&row->result, row->ui, row->timeline);
        ss_check_msg(got.flags == row->flags, "row %zu: flags %u", i, got.flags);
        ss_check_msg(got.taken == row->taken && got.missing == row->missing &&
                         got.halts == row->halts,
                     "row %zu: taken %u missing %u halts %u", i, got.taken, got.missing,
                     got.halts);
        ss_check_msg(got.shown == row->shown && got.moved == row->moved &&
                         got.refused_by == row->refused_by,
                     "row %zu: shown %d moved %d", i, got.shown, got.moved);
        bool advances = row->timeline == A && got.refused_by != SS_REFUSED_BY_UI;
        ss_check(got.advanced == (advances ? got.missing : 0));
    }
}

/* A replay that knows the record alone finds the same projections. */
SS_TEST(verdict, a_record_says_again_who_has_taken_the_event)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        uint32_t named = row->result.halted | row->result.failed;
        uint32_t taken = ss__verdict_was_taken(row->flags) ? row->result.timelines & ~named : 0;
        ss_check_msg(taken == row->taken, "row %zu: %u", i, taken);
    }
}
