/* snapshot_budget.h - memory of snapshots waiting in the send queues of one gateway.
 *
 * A snapshot shared by many followers is one buffer and counts once. Gateway thread. */
#ifndef SS_GATEWAY_SNAPSHOT_BUDGET_H
#define SS_GATEWAY_SNAPSHOT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/map.h"

struct ss_snapshot_budget {
    struct ss_map held;       /* by address of the buffer */
    uint64_t bytes;           /* of distinct buffers, and reserved */
    uint64_t bytes_max;
};

void ss__snapshot_budget_init(struct ss_snapshot_budget *budget, uint64_t bytes_max);

/* Nothing is held any more. */
void ss__snapshot_budget_deinit(struct ss_snapshot_budget *budget);

/* Counts one more queue that holds @buf. Errors: SS_E_BUSY (it would exceed the budget; one
 * snapshot alone always fits), SS_E_NOMEM. */
int ss__snapshot_budget_hold(struct ss_snapshot_budget *budget, const struct ss_buf *buf);

/* The same for a page, for which room was reserved: SS_E_NOMEM only. */
int ss__snapshot_budget_hold_page(struct ss_snapshot_budget *budget, const struct ss_buf *buf);

/* Keeps room for a page that is asked for; false: there is none, and others hold something. */
bool ss__snapshot_budget_reserve(struct ss_snapshot_budget *budget, uint32_t bytes);

/* The page is there, or will never be; 0 is fine. */
void ss__snapshot_budget_unreserve(struct ss_snapshot_budget *budget, uint32_t bytes);

/* One queue less; before its reference is given back. */
void ss__snapshot_budget_release(struct ss_snapshot_budget *budget, const struct ss_buf *buf);

#endif
