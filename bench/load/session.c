#include "load/session.h"

void ss__load_session_deliver(struct ss_load_session *session, uint64_t ordinal,
                              uint32_t followers, bool *ret_first, bool *ret_last)
{
    if (session->ring == NULL) {
        *ret_first = *ret_last = true;
        return;
    }
    _Atomic uint32_t *count = &session->ring[ordinal % SS_LOAD_RING];
    uint32_t before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    *ret_first = before == 0;
    *ret_last = before + 1 == followers;
    if (*ret_last) {
        atomic_store_explicit(count, 0, memory_order_relaxed);
    }
}
