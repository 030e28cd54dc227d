/* scenario.h - what happens to a store and its copies in one run of store_faults. */
#ifndef SS_FAULTS_STORE_SCENARIO_H
#define SS_FAULTS_STORE_SCENARIO_H

#include <stdint.h>

#include "../interpose.h"
#include "content.h"

struct store_outcome {
    uint64_t failures;    /* of calls */
    uint64_t refused;     /* steps that ended with an error */
};

/* @dir has the data directory "data", which holds @content. Under @plan it is checked, used, backed
 * up, restored, marked as restored and given another number of shards; then all of that again
 * without faults. What is wrong goes to broken(). */
void store_scenario(const char *dir, const struct fault_plan *plan, const struct content *content,
                    struct store_outcome *ret_outcome);

#endif
