#include "load/pending.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#define CAP_MIN 64u

static int grow(struct ss_load_pending *pending)
{
    uint32_t cap = pending->cap == 0 ? CAP_MIN : pending->cap * 2;
    struct ss_load_sent *ring = malloc(cap * sizeof *ring);
    if (ring == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < pending->count; i++) {
        ring[i] = pending->ring[(pending->first + i) & (pending->cap - 1)];
    }
    free(pending->ring);
    pending->ring = ring;
    pending->cap = cap;
    pending->first = 0;
    return 0;
}

int ss__load_pending_push(struct ss_load_pending *pending, const struct ss_load_message *message)
{
    if (pending->count == pending->cap && grow(pending) != 0) {
        return SS_E_NOMEM;
    }
    uint32_t at = (pending->first + pending->count++) & (pending->cap - 1);
    pending->ring[at] = (struct ss_load_sent){ message->sent_ns, message->number,
                                               message->session };
    return 0;
}

bool ss__load_pending_pop(struct ss_load_pending *pending, struct ss_load_item *item)
{
    if (pending->count == 0) {
        return false;
    }
    const struct ss_load_sent *sent = &pending->ring[pending->first];
    item->sent_ns = sent->sent_ns;
    item->number = item->ordinal = sent->number;
    item->session = sent->session;
    pending->first = (pending->first + 1) & (pending->cap - 1);
    pending->count--;
    return true;
}

void ss__load_pending_clear(struct ss_load_pending *pending)
{
    pending->first = pending->count = 0;
}

void ss__load_pending_deinit(struct ss_load_pending *pending)
{
    free(pending->ring);
    *pending = (struct ss_load_pending){ 0 };
}
