/* cut.h - one shard as of one moment between two batches, for a backup of a store in use.
 *
 * The cut holds a read transaction of LMDB and the descriptors of the log files as they are then.
 * What it points to does not change until the store lets go of it: pages of the transaction are not
 * used again, log files are neither removed nor used again, and what is appended to the newest one
 * stands behind the end that the cut knows. So the copy is consistent although the shard goes on.
 *
 * What it costs: pages that flushes free meanwhile are not used again, so the data file grows by
 * what is flushed, and the log by what is written. The shard puts off flushes that can wait; the
 * store ends the cut itself (ss__cut_stopped) when the data file has grown by backup_growth_bytes
 * of its options, the log by that and its window, before the map has to grow, and before publishes
 * are refused for want of room. Then the transaction and the log files are let go of at once,
 * whatever the copier is doing: what it reads from then on may be torn, so it asks again when it is
 * done. The descriptors stay open as long as somebody holds the cut. */
#ifndef SS_STORE_CUT_H
#define SS_STORE_CUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct ss_cut_file {
    char name[32];      /* in the directory of the shard */
    int fd;             /* to read from; not written to before @used */
    uint64_t used;      /* bytes that count */
    uint64_t bytes;     /* of the whole file; behind @used nothing is needed */
};

struct ss_cut {
    struct ss_env *env;
    void *txn;                  /* NULL once it is stopped; owner thread */
    uint8_t *head;              /* of the data file: pages that commits write over */
    uint64_t head_bytes;
    uint64_t grown_from;        /* used bytes of the data file when it was made */
    uint64_t log_from;          /* bytes of the log when it was made */
    atomic_bool stop;           /* the store has let go of it */
    atomic_uint holders;        /* the store, and who copies */
    size_t files_count;         /* the first one is the data file */
    struct ss_cut_file files[];
};

/* Makes a cut; no flush may be under way, nothing staged, and no other cut. Owner thread. Blocks
 * not. Errors: SS_E_STOREIO, SS_E_NOMEM. */
int ss__store_cut(struct ss_store *store, struct ss_cut **ret_cut);

/* Ends the cut of the store, and frees it unless somebody else holds it: what that one reads does
 * not count any more. Owner thread. */
void ss__store_uncut(struct ss_store *store);

/* Holds the cut of a store, also beyond the end of that: it can be read, if not used. Whoever has
 * it already; any thread puts it back. */
void ss__cut_hold(struct ss_cut *cut);
void ss__cut_put(struct ss_cut *cut);

/* Whether the copy must be given up, and does not count: see above. Any thread. */
bool ss__cut_stopped(const struct ss_cut *cut);

/* True while there is a cut and a flush would do nothing but make the data file grow. Owner. */
bool ss__store_flush_can_wait(const struct ss_store *store);

#endif
