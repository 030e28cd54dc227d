/* command_flush.h - what a flush does to the table "command". For src/store. */
#ifndef SS_STORE_COMMAND_FLUSH_H
#define SS_STORE_COMMAND_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include <sessionstream/types.h>

struct ss_env;

struct ss_command_put {
    uint8_t key[8];
    struct ss_str row;
};

/* In the arena of the flush. */
struct ss_command_flush {
    struct ss_command_put *puts;
    const uint64_t *doomed;
    uint32_t puts_count;
    uint32_t doomed_count;
    uint64_t through;             /* log position: none up to it is only in the log; 0: as before */
};

/* Whether there is anything to do. */
static inline bool ss__command_flush_works(const struct ss_command_flush *plan)
{
    return plan->puts_count > 0 || plan->doomed_count > 0;
}

/* Inside a write transaction. Any thread. SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM. */
int ss__command_flush_run(const struct ss_env *env, MDB_txn *txn,
                          const struct ss_command_flush *plan);

#endif
