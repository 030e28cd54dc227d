/* pending.h - what a publisher sent and nobody answered yet, for protocols that answer in order
 * without saying what. Bounded by the caller; grows by doubling, so that steady traffic allocates
 * nothing. */
#ifndef SS_LOAD_PENDING_H
#define SS_LOAD_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "load/dialect.h"

struct ss_load_sent {
    int64_t sent_ns;
    uint64_t number;
    uint32_t session;
};

/* Zeroed: empty. */
struct ss_load_pending {
    struct ss_load_sent *ring;
    uint32_t cap;              /* a power of 2, or 0 */
    uint32_t first;
    uint32_t count;
};

/* Errors: SS_E_NOMEM. */
int ss__load_pending_push(struct ss_load_pending *pending, const struct ss_load_message *message);

/* Fills session, number and sent_ns of @item, and the number as its ordinal, from the oldest, which
 * is forgotten. False, and @item untouched, if there is none. */
bool ss__load_pending_pop(struct ss_load_pending *pending, struct ss_load_item *item);

/* Forgets all, keeps the memory. */
void ss__load_pending_clear(struct ss_load_pending *pending);
void ss__load_pending_deinit(struct ss_load_pending *pending);

#endif
