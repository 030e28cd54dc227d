/* scenario.h - what a server and its clients do while calls fail, and what has to hold then. */
#ifndef SS_FAULTS_SCENARIO_H
#define SS_FAULTS_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "interpose.h"

struct outcome {
    bool ended;                /* the figures count */
    uint64_t passes;           /* through the call that is to fail */
    uint64_t failures;
    uint32_t starts_refused;
    uint32_t requests_refused;
    uint32_t connections_lost;
    uint32_t latched;          /* lives in which a shard stopped acknowledging */
    uint32_t acks;
    uint32_t snapshots;
};

/* A whole life under @plan (no failures with first and per_million 0: then nothing may be refused)
 * in the directory @dir, then without faults. What is wrong goes to broken. */
void scenario_run(const char *dir, const struct fault_plan *plan, struct outcome *ret_outcome);

/* The disk gets full after @events events and has room again later. */
void scenario_full(const char *dir, unsigned events, bool hidden, struct outcome *ret_outcome);

/* No connection can be accepted for a while: that costs no time of a processor, and those who wait
 * are served afterwards. */
void scenario_accept(const char *dir, int code, struct outcome *ret_outcome);

#endif
