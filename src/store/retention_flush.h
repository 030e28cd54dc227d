/* retention_flush.h - what retention does in the transaction of a flush. For src/store; any thread.
 * Errors: those of a flush. */
#ifndef SS_STORE_RETENTION_FLUSH_H
#define SS_STORE_RETENTION_FLUSH_H

#include "store/flush.h"

/* Raises what the row of the item will say, writes its base, and keeps the base of a session that
 * is about to get a checkpoint. A cut that no segment ends at is forgotten: item->cut is 0 then. */
int ss__cut_item(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item);

/* Removes leftover segments, those of this flush's cuts too. */
int ss__cuts_sweep(struct ss_flush *flush, MDB_txn *txn);

#endif
