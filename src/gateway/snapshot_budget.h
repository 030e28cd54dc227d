/* snapshot_budget.h - memory of snapshots waiting in the send queues of one gateway.
 *
 * A snapshot shared by many followers is one buffer and counts once. Gateway thread. */
#ifndef SS_GATEWAY_SNAPSHOT_BUDGET_H
#define SS_GATEWAY_SNAPSHOT_BUDGET_H

#include <stdint.h>

#include "core/buf.h"
#include "core/map.h"

struct ss_snapshot_budget {
    struct ss_map held;       /* by address of the buffer */
    uint64_t bytes;           /* of distinct buffers */
    uint64_t bytes_max;
};

void ss__snapshot_budget_init(struct ss_snapshot_budget *budget, uint64_t bytes_max);

/* Nothing is held any more. */
void ss__snapshot_budget_deinit(struct ss_snapshot_budget *budget);

/* Counts one more queue that holds @buf. Errors: SS_E_BUSY (it would exceed the budget; one
 * snapshot alone always fits), SS_E_NOMEM. */
int ss__snapshot_budget_hold(struct ss_snapshot_budget *budget, const struct ss_buf *buf);

/* One queue less; before its reference is given back. */
void ss__snapshot_budget_release(struct ss_snapshot_budget *budget, const struct ss_buf *buf);

#endif
