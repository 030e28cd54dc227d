/* segment_seek.h - finding an event of a session among its segments. For src/store. */
#ifndef SS_STORE_SEGMENT_SEEK_H
#define SS_STORE_SEGMENT_SEEK_H

#include "store/env.h"

/* Moves @cursor, of the segments, to the one that has the event or, if none has it, to the next
 * behind it, which may be another session's. Returns LMDB's code, MDB_NOTFOUND at the end. */
int ss__segment_seek(MDB_cursor *cursor, uint64_t sid, uint64_t ordinal, MDB_val *ret_key,
                     MDB_val *ret_value);

/* Judges the pages for that and for a walk through at most @rows segments from there on: see
 * guard.h. */
int ss__segment_guard(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal,
                      uint64_t rows);

#endif
