/* recovered.h - which sessions of earlier processes have had their recover hook. Shard thread. */
#ifndef SS_SHARD_RECOVERED_H
#define SS_SHARD_RECOVERED_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

struct ss_shard;

bool ss__recovered(const struct ss_shard *shard, uint64_t sid);

/* The hook has run, or need not: the session began in this process. SS_E_NOMEM. */
int ss__recovered_mark(struct ss_shard *shard, uint64_t sid);

/* A failed commit has cut the session off: the hook runs again before its next request. */
void ss__recovered_unmark(struct ss_shard *shard, uint64_t sid);

/* Recovers the session beside other work, a few in each batch. Without memory: when someone asks
 * for it. */
void ss__recovered_later(struct ss_shard *shard, struct ss_str session_id);

#endif
