/* store_state.h - the inside of a store, for src/store only. Owner thread. */
#ifndef SS_STORE_STORE_STATE_H
#define SS_STORE_STORE_STATE_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/list.h"
#include "core/map.h"
#include "store/env.h"
#include "store/layout.h"
#include "store/store.h"

/* What a transaction may change of a session and a failed one gives back. */
struct ss_session_values {
    struct ss_session_row row;
    uint64_t flushed_ordinal;        /* newest event in a segment */
    uint64_t flushed_us;             /* its time: updated_us of the row on disk */
    struct ss_segment_tip tip;
    uint32_t tail_count;
    uint32_t tail_bytes;
    uint32_t tail_flushed;           /* of the tail, in the open transaction */
    uint32_t tail_flushed_bytes;
    bool flushed_running;            /* said by that event */
    bool entities_void;              /* those on disk are of another timeline version */
    uint64_t void_ordinal;           /* which events they count */
    bool index_running;              /* is in the running index */
};

struct ss_store_session {
    struct ss_session_values now;
    struct ss_session_values saved;  /* as committed; valid while @changed */
    uint64_t *tail;                  /* log sequences of the events after flushed_ordinal */
    uint32_t tail_slots;
    uint32_t epoch_counter;
    uint32_t refs;
    bool changed;                    /* in store->changed */
    bool created;                    /* by the open batch */
    bool closed;                     /* its creation was undone */
    bool row_due;                    /* to be written by the open transaction */
    struct ss_list link;             /* in store->changed */
    uint64_t sid_hash;
    uint64_t id_hash;
    struct ss_str id;
    char memory[];
};

struct ss_staged_record {
    struct ss_staged_record *next;
    uint64_t sequence;
    uint32_t len;
    uint8_t value[];
};

struct ss_staged_checkpoint {
    struct ss_staged_checkpoint *next;
    struct ss_store_session *session;
    const struct ss_entity_row *rows;
    size_t count;
    bool anew;                       /* removes all other entities of the session */
};

/* Counters of the log, given back when a transaction fails. */
struct ss_log_values {
    uint64_t head;               /* no record before this sequence, quarantined ones aside */
    uint64_t next;               /* sequence of the next record */
    uint64_t records;            /* between them */
    uint64_t bytes;
    uint64_t unflushed_bytes;
    uint64_t next_sid;
    uint64_t stored_next_sid;    /* reserved in meta */
    uint64_t segments_written;
    uint64_t stragglers;
    uint64_t trimmed;
};

struct ss_store {
    struct ss_env env;
    struct ss_store_options options;
    char *dir;
    uint64_t incarnation;
    struct ss_log_values log;
    struct ss_log_values log_saved;
    struct ss_map by_sid;
    struct ss_map by_id;
    struct ss_list changed;          /* sessions of the open batch or transaction */
    struct ss_arena arena;           /* staged records */
    struct ss_staged_record *records;
    struct ss_staged_record **records_end;
    struct ss_staged_checkpoint *checkpoints;
    struct ss_staged_checkpoint **checkpoints_end;
    size_t staged_bytes;
    uint32_t staged_records;
    struct ss_bytes scratch;         /* a segment being built */
    struct ss_type_value *types;     /* by type id - 1 */
    uint32_t types_count;
    struct ss_arena types_arena;
    int refusal;                     /* why publishes are refused; 0: they are not */
    bool failed;                     /* a sync failed: no commit until reopened */
    bool run_due;                    /* a raised incarnation goes out with the next commit */
    bool grow_failed;                /* said once */
    uint64_t space_checked_ns;
    atomic_uint damage_lines;        /* written to the log about damage met by requests */
    uint64_t suspect_end;            /* recovery found no damage from this log sequence on */
    uint64_t damage;                 /* of all damaged sequences that recovery found; 0: none */
    uint64_t damage_known;           /* the same when the incarnation was last raised for it */
    uint64_t sessions;
    struct ss_store_stats stats;
};

/* ---- store.c ---- */

/* True for the first lines about damage that requests have met: strangers cause them, and a check
 * names everything. Any thread. */
bool ss__store_may_report(struct ss_store *store);

/* Writes how this run stands: mode, incarnation, whether it ended in order. */
int ss__store_put_run(struct ss_store *store, MDB_txn *txn, bool clean);

/* ---- space.c ---- */

/* Grows a map without a limit of its own that gets full. No transaction may be open. */
void ss__space_make_room(struct ss_store *store);

/* Looks at disk and map again if the last look is old enough. */
void ss__space_check(struct ss_store *store);

/* Refuses publishes from now on until a look finds room. */
void ss__space_refuse(struct ss_store *store);

/* Our code for what mdb_txn_begin or mdb_txn_commit answered; latches the store when what is on
 * the disk can no longer be known. SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM. */
int ss__space_judge(struct ss_store *store, int code);

/* No more commits until restart. */
void ss__space_latch(struct ss_store *store, const char *why);

/* ---- sessions.c ---- */

/* Computes the epochs of all handles anew. */
void ss__sessions_new_epochs(struct ss_store *store);

struct ss_store_session *ss__session_by_sid(struct ss_store *store, uint64_t sid);

/* A handle without reference for a row read from disk; NULL when out of memory. */
struct ss_store_session *ss__session_add(struct ss_store *store, uint64_t sid,
                                         const struct ss_row_value *row);

/* Frees the handle if nothing needs it. */
void ss__session_release(struct ss_store *store, struct ss_store_session *session);

/* Saves the committed values and lists the session as changed. */
void ss__session_change(struct ss_store *store, struct ss_store_session *session);

/* Appends a sequence to the tail. SS_E_NOMEM. */
int ss__session_push(struct ss_store_session *session, uint64_t sequence, uint32_t bytes);

/* Row as it goes to disk. */
struct ss_row_value ss__session_row_value(const struct ss_store_session *session);

/* Frees all handles. */
void ss__sessions_free(struct ss_store *store);

/* ---- flush.c: inside a write transaction; LMDB or our codes are translated to ours ---- */

/* Moves the whole tail into segments. Errors: SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM,
 * SS_E_CORRUPT (the session is quarantined; what stood before the damage is in segments). */
int ss__flush_tail(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session);

/* Flushes sessions whose oldest record has left the window, plus @forced sessions from the head
 * on, and deletes at most @trim_max flushed records from the head. @ret_flushed counts sessions. */
int ss__flush_head(struct ss_store *store, MDB_txn *txn, unsigned forced, uint64_t trim_max,
                   unsigned *ret_flushed);

/* ---- recover.c ---- */

int ss__recover(struct ss_store *store, struct ss_store_report *report,
                struct ss_failure *failure);

/* ---- types.c ---- */

int ss__types_load(struct ss_store *store);

#endif
