/* command.h - results of commands that carried an idempotency key. Owner thread of the store.
 *
 * A result is staged like an event and goes to the log in the same batch: both are there after a
 * crash, or neither. All results that count are in memory, so that finding one never reads the
 * disk; flushes copy them into the table "command", from which an open reads them back. A result
 * ends with its time to live, when its session or the shard has too many (the oldest go), or with
 * its session. */
#ifndef SS_STORE_COMMAND_H
#define SS_STORE_COMMAND_H

#include "store/command_value.h"
#include "store/store.h"

/* The result kept under @value's session id and key, staged ones included; NULL: none, or it has
 * expired, or is of an earlier life of the session. @sid: of the session now, 0: it has no events.
 * Valid until the next call that stages, commits or aborts. */
const struct ss_command_value *ss__store_find_command(struct ss_store *store,
                                                      struct ss_str session_id, uint64_t sid,
                                                      struct ss_str key, uint64_t now_us);

/* Stages a result; all of it is copied, in place of one that find does not show any more. The
 * session need not exist. SS_E_NOMEM: nothing was staged. */
int ss__store_stage_command(struct ss_store *store, const struct ss_command_value *value);

/* The session is gone: forgets its committed results, in LMDB with the next flush. */
void ss__store_forget_commands(struct ss_store *store, struct ss_str session_id);

struct ss_command_stats {
    uint64_t kept;       /* in memory */
    uint64_t bytes;      /* of memory */
    uint64_t evicted;    /* before their time, since the open */
};
void ss__store_command_stats(const struct ss_store *store, struct ss_command_stats *ret_stats);

#endif
