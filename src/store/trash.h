/* trash.h - what deleted sessions leave behind, taken out a little in every flush. For src/store.
 *
 *     trash  0, sid            serial u64     segments, entities or checkpoints are left
 *            1, serial, sid                   nothing is; the log may still hold records of it
 *            2                 serial u64     files before it are no part of the log
 *
 * Around each value stand a version u8 and a checksum; an older program wrote none.
 *
 * serial is that of the log file with the deletion: records of the session are in no later one. An
 * entry stays until that file is gone, so that nobody takes them for damage, or for the birth of a
 * session.
 *
 * Removing a file of the log is not synced, so a power failure may bring it back when its entry is
 * forgotten already. The same transaction that forgets entries notes the oldest file there was
 * then; what is found before that one has come back, and recovery and check do not read it. */
#ifndef SS_STORE_TRASH_H
#define SS_STORE_TRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "store/env.h"

/* Keys of one flush. */
#define SS_TRASH_KEYS_MAX 256u

/* The session numbers in there. */
struct ss_trash {
    uint64_t *sids;    /* ascending */
    size_t count;
    bool left;         /* some have segments or entities */
    bool damaged;      /* a row cannot be read */
    uint64_t oldest_serial;    /* files of the log before it have come back; 0: none was removed */
};

/* Reads them all. Errors: SS_E_NOMEM, SS_E_STOREIO. */
int ss__trash_load(const struct ss_env *env, MDB_txn *txn, struct ss_trash *ret_trash);
void ss__trash_deinit(struct ss_trash *trash);
bool ss__trash_has(const struct ss_trash *trash, uint64_t sid);

/* Notes a session whose row and catalog entry go in the same transaction. */
int ss__trash_put(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t serial);

/* Removes at most SS_TRASH_KEYS_MAX keys, and entries whose file is before @oldest_serial, the
 * first file of the log. Tells how many, and whether something is left. */
int ss__trash_sweep(const struct ss_env *env, MDB_txn *txn, uint64_t oldest_serial,
                    unsigned *ret_removed, bool *ret_left);

#endif
