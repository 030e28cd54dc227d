#include "shard/verdict.h"

#include "store/store.h"

struct ss_verdict ss__verdict(const struct ss_run_result *result,
                              enum ss_projection_policy ui_policy,
                              enum ss_projection_policy timeline_policy)
{
    bool ui_refuses = result->uis_failed != 0 && ui_policy == SS_POLICY_FAIL;
    bool timeline_refuses = result->failed != 0 && timeline_policy != SS_POLICY_ADVANCE;
    struct ss_verdict verdict = {
        .halts = timeline_policy == SS_POLICY_HALT ? result->failed : 0,
        .taken = ui_refuses ? 0 : result->timelines & ~(result->halted | result->failed),
        .refused_by = ui_refuses ? SS_REFUSED_BY_UI
                                 : timeline_refuses ? SS_REFUSED_BY_TIMELINE : SS_REFUSED_BY_NONE,
    };
    verdict.missing =
        (ui_refuses ? result->timelines & ~result->halted : result->failed) & ~verdict.halts;
    verdict.advanced =
        !ui_refuses && timeline_policy == SS_POLICY_ADVANCE ? verdict.missing : 0;
    /* Whoever has entities of the event in a snapshot is to have its frames, and its position. */
    verdict.shown = !ui_refuses && (!timeline_refuses || verdict.taken != 0);
    verdict.moved = !ui_refuses && (result->timelines == 0 || verdict.taken != 0 ||
                                    verdict.advanced != 0);
    verdict.flags = (result->uis_failed != 0 ? (uint32_t)SS_RECORD_UI_FAILED : 0) |
                    (result->failed != 0 ? (uint32_t)SS_RECORD_TIMELINE_FAILED : 0);
    if (verdict.flags != 0 && verdict.shown) {
        verdict.flags |= SS_RECORD_ADVANCED;
    }
    if ((result->halted | verdict.halts) != 0) {
        verdict.flags |= SS_RECORD_HALTED;
    }
    return verdict;
}

bool ss__verdict_was_taken(uint32_t flags)
{
    return (flags & SS_RECORD_UI_FAILED) == 0 || (flags & SS_RECORD_ADVANCED) != 0;
}
