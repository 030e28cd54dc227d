/* flush.h - moving what the log holds into LMDB: planned on the owner thread, run on any, settled
 * on the owner thread again. For src/store; others use store.h.
 *
 * While it runs, the owner commits, reads and changes sessions as ever: the plan has copies of what
 * it writes, and points to nothing but the files of the log, which stay until it is settled. */
#ifndef SS_STORE_FLUSH_H
#define SS_STORE_FLUSH_H

#include "core/arena.h"
#include "core/bytes.h"
#include "store/command_flush.h"
#include "store/store_state.h"

/* What is moved of one session. */
struct ss_flush_item {
    struct ss_flush_item *next;
    struct ss_store_session *session;    /* kept until the flush is settled; its id is read */
    uint32_t epoch_counter;              /* of the entities that are on disk then */
    bool born;                           /* gets a catalog entry */
    bool dead;                           /* is taken out, and nothing else is done */
    uint64_t deleted_at;
    bool checkpoint;
    uint8_t anew;                        /* bit per index: removes all other entities of it */
    uint8_t first;                       /* the same: none of it are on disk yet */
    const struct ss_timeline_checkpoint *checkpoints;
    uint32_t checkpoints_count;
    const struct ss_timeline_list *timelines;    /* written with the row */
    struct ss_timeline_list *timelines_then;     /* of a checkpoint: the session's once settled */
    const struct ss_past *past;          /* kept as of an earlier event, or NULL; the flush's */
    uint64_t cut;                        /* events up to here are removed; 0: none */
    const struct ss_past *base;          /* of that event; NULL: the entities on disk are it */
    const struct ss_str *tail;           /* from each record to the end of its file */
    uint32_t tail_count;

    /* As they were; what was done once it ran. */
    struct ss_session_values values;
    uint32_t flushed;                    /* of the tail */
    uint32_t flushed_bytes;
    uint32_t segments;
    const char *damaged;                 /* "log", "segment", "segments" or a database: there */
    uint64_t damaged_number;             /* place in the tail, first ordinal of the segment, sid */
    bool left;                           /* by damage: nothing of it was moved */
};

/* Error records that go along. */
struct ss_flush_errors {
    struct ss_buf **values;              /* in the arena, each with a reference or NULL */
    uint64_t first;                      /* number of the first; 0: there are none */
    uint64_t next;
};

/* The last page of a database, judged once in a flush. */
struct ss_flush_end {
    bool judged;
    int err;
    uint64_t first;                      /* higher numbers go there */
};

struct ss_flush {
    const struct ss_env *env;
    uint64_t seed;
    struct ss_arena arena;
    struct ss_flush_item *first;
    struct ss_flush_item **end;
    struct ss_past *pasts;               /* of the items */
    struct ss_bytes scratch;             /* a segment being built */
    uint64_t next_sid;                   /* to be reserved; 0: enough are */
    struct ss_meta_log log;
    struct ss_command_flush commands;
    struct ss_flush_errors errors;
    unsigned stragglers;
    uint64_t oldest_serial;              /* of the files of the log */
    unsigned trash_removed;
    bool trash_left;
    bool impatient;                      /* what the disk does not give is left like damage */
    struct ss_flush_end rows_end;        /* where new sessions go */
    struct ss_flush_end entities_end;
    struct ss_flush_end segments_end;
    struct ss_cuts cuts;                 /* those of the items; leftovers to be taken out */
    uint32_t leftovers_done;
    uint64_t retention_bytes;            /* removed */
    int err;
    int code;                            /* of the commit, LMDB's; judged by the owner */
    bool disk_full;                      /* when it said EIO */
};

/* The item of a session in the plan, made if there is none; NULL when out of memory. */
struct ss_flush_item *ss__flush_item(struct ss_flush *flush, struct ss_store_session *session);

/* Has the whole tail moved, unless it is planned already. SS_E_NOMEM. */
int ss__flush_add_tail(struct ss_store *store, struct ss_flush *flush,
                       struct ss_store_session *session);

/* Adds sessions whose oldest record has left the log window, and @forced sessions from the oldest
 * record on. SS_E_NOMEM. */
int ss__flush_add_stragglers(struct ss_store *store, struct ss_flush *flush, unsigned forced);

/* Moves the tail of an item into segments, inside a write transaction. Errors: SS_E_STOREFULL,
 * SS_E_STOREIO, SS_E_NOMEM; what is damaged is said in the item. */
int ss__flush_segments(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item);

/* The error records that are not in LMDB yet: planned (SS_E_NOMEM), written inside a write
 * transaction (SS_E_STOREFULL, SS_E_STOREIO), and dropped from the plan. */
int ss__flush_add_errors(struct ss_store *store, struct ss_flush *flush);
int ss__flush_put_errors(const struct ss_flush *flush, MDB_txn *txn);
void ss__flush_drop_errors(struct ss_flush *flush);

/* Writes how far the log reaches, inside a write transaction. */
int ss__flush_put_log(const struct ss_env *env, MDB_txn *txn, const struct ss_meta_log *log);

/* Whether the log is longer than its window, or of more sessions than memory should hold. */
bool ss__log_over_window(const struct ss_store *store);

#endif
