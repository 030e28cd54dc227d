/* verdict.h - what comes of an event: which projections have taken it, by their failures and the
 * policies (docs/projections.md). Pure.
 *
 * Sets of timeline projections are a bit per index in the registry. */
#ifndef SS_SHARD_VERDICT_H
#define SS_SHARD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/policy.h>

/* What the projections made of it. */
struct ss_run_result {
    uint32_t timelines;         /* all there are */
    uint32_t halted;            /* those that had stopped before: they did not run */
    uint32_t failed;            /* of the others */
    uint32_t uis_failed;        /* UI projections */
};

enum ss_refused_by { SS_REFUSED_BY_NONE, SS_REFUSED_BY_UI, SS_REFUSED_BY_TIMELINE };

struct ss_verdict {
    uint32_t flags;             /* of the record: enum ss_record_flag */
    uint32_t halts;             /* these stop here */
    uint32_t missing;           /* these lack the event from now on */
    uint32_t advanced;          /* of these, for which the policy was to go on */
    uint32_t taken;             /* its changes become the entities of these */
    bool shown;                 /* its frames leave */
    bool moved;                 /* the position of a snapshot moves */
    enum ss_refused_by refused_by;    /* the publisher gets the error of the first of these */
};

struct ss_verdict ss__verdict(const struct ss_run_result *result,
                              enum ss_projection_policy ui_policy,
                              enum ss_projection_policy timeline_policy);

/* Whether the event of a record with these flags was taken by the timeline projections of which the
 * record says nothing else. */
bool ss__verdict_was_taken(uint32_t flags);

#endif
