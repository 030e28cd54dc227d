/* guard.h - the pages under a read, judged before LMDB reads them.
 *
 * Where a page is damaged LMDB may end the process or, worse, find less than there is: an entity or
 * a whole session is then missing without a word. So whoever goes to the store for something that
 * it does not have in memory asks here first. All pages from the root to what is read, and to its
 * neighbours when it is not there, are read with pread and judged by themselves and by their place
 * (page.h); a key that is said to be missing is then missing.
 *
 * It costs a system call and about a microsecond for each page. A flush asks for new entries of
 * the catalog, for the places of segments and of first entities, of those behind all others once,
 * for what it removes or copies, and for pasts; for the rest the reads that came before have asked.
 * Inside a write transaction the guard sees what was committed before. */
#ifndef SS_STORE_GUARD_H
#define SS_STORE_GUARD_H

#include <stdint.h>

#include "store/env.h"

/* For a look at one key in @db as @txn, which only reads, sees it. Errors: SS_E_CORRUPT (a page is
 * damaged), SS_E_STOREIO (the disk gives an error for it), SS_E_NOMEM. The first two are logged, at
 * most 100 of them. Blocks: on the disk. */
int ss__guard_key(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str key);

/* For a walk from @from, or from the key before it, through those that begin with its first
 * @prefix_bytes, and at most about @rows of them. */
int ss__guard_walk(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                   size_t prefix_bytes, uint64_t rows);

/* The same before those are removed: LMDB then also reads, and writes again, the pages beside, and
 * behind those on which there is little the next ones. A bit that is flipped in the number of such
 * a page would give away another one that is in use. */
int ss__guard_remove(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                     size_t prefix_bytes, uint64_t rows);

/* For new rows with high numbers: @ret_first is the number that the last page of @db begins with, 0
 * in a database of one page, so that those with a higher one go there. */
int ss__guard_end(const struct ss_env *env, MDB_txn *txn, enum ss_db db, uint64_t *ret_first);

/* For a look at the first key in @db that is not below @from; keys begin with a number of 8 bytes,
 * big-endian. With SS_E_CORRUPT or SS_E_STOREIO about a page @ret_next is the number that the page
 * behind it begins with, UINT64_MAX when there is none, and else it is 0. */
int ss__guard_next(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                   uint64_t *ret_next);

#endif
