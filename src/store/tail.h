/* tail.h - what of a session is only in the log, copied for a reader. Owner thread. */
#ifndef SS_STORE_TAIL_H
#define SS_STORE_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"

struct ss_store;
struct ss_store_session;

/* Sets @out, which is empty and without memory, to the log records of the committed events after
 * @after up to @at that are in no segment: the log may be trimmed before they are read. If they
 * are more than @bytes_max bytes (0: no bound), only as many as fit, one at least; @ret_at is then
 * the newest of them, else @at. Whoever decodes them verifies them: of a record whose length cannot
 * be, it and the rest are missing. SS_E_NOMEM. */
int ss__tail_copy(const struct ss_store *store, const struct ss_store_session *session,
                  uint64_t after, uint64_t at, size_t bytes_max, struct ss_bytes *out,
                  uint64_t *ret_at);

#endif
