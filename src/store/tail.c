#include "store/tail.h"

#include "store/store_state.h"

int ss__tail_copy(const struct ss_store *store, const struct ss_store_session *session,
                  uint64_t after, uint64_t at, size_t bytes_max, struct ss_bytes *out,
                  uint64_t *ret_at)
{
    /* Staged events are no reader's business yet; the committed tail is a prefix of the array. */
    const struct ss_session_values *now = session->changed ? &session->saved : &session->now;
    uint64_t flushed = now->flushed_ordinal;
    uint64_t first = after > flushed ? after - flushed : 0;
    uint64_t end = at > flushed ? at - flushed : 0;
    end = end < now->tail_count ? end : now->tail_count;
    size_t bytes = 0;
    uint64_t last = first;
    bool full = false;
    while (last < end) {
        size_t len = ss__log_record_at(&store->log, session->tail[last]).len;
        full = bytes_max != 0 && last > first && bytes + len > bytes_max;
        if (len == 0 || full) {
            break;
        }
        bytes += len;
        last++;
    }
    ss__bytes_init(out, bytes);
    for (uint64_t i = first; i < last; i++) {
        ss__bytes_str(out, ss__log_record_at(&store->log, session->tail[i]));
    }
    if (out->err != 0) {
        return SS_E_NOMEM;
    }
    *ret_at = full ? flushed + last : at;
    return 0;
}
