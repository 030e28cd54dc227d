/* store_state.h - the inside of a store, for src/store only. Owner thread. */
#ifndef SS_STORE_STORE_STATE_H
#define SS_STORE_STORE_STATE_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/list.h"
#include "core/map.h"
#include "store/commands.h"
#include "store/env.h"
#include "store/error_ring.h"
#include "store/layout.h"
#include "store/log_walk.h"
#include "store/retention.h"
#include "store/store.h"

/* A reader of a session copies its tail: one as long as this is flushed even where flushes wait. */
#define SS_TAIL_LONG_BYTES (4u << 20)

/* What a commit may change of a session and a failed one gives back. */
struct ss_session_values {
    struct ss_session_row row;
    uint64_t flushed_ordinal;        /* newest event in a segment */
    uint64_t flushed_us;             /* its time: updated_us of the row on disk */
    struct ss_segment_tip tip;
    uint32_t tail_count;
    uint32_t tail_bytes;
    bool flushed_running;            /* said by that event */
    bool index_running;              /* is in the running index */
};

struct ss_store_session {
    struct ss_session_values now;
    struct ss_session_values saved;  /* as committed; valid while @changed */
    struct ss_timeline_list *timelines;    /* as on disk */
    uint64_t timelines_void;         /* bit per index in @timelines: its entities do not count */
    bool void_stays;                 /* whatever the checkpoint under way writes */
    uint64_t *tail;                  /* log positions of the events after flushed_ordinal */
    uint32_t tail_slots;
    uint32_t epoch_counter;          /* of what is shown */
    uint32_t epoch_base;             /* of what is shown once a remake is dropped */
    uint32_t epoch_stored;           /* of the entities on disk */
    uint32_t remade;                 /* how often its entities had to be made anew */
    uint32_t refs;
    bool changed;                    /* in store->changed */
    bool created;                    /* by the open batch */
    bool closed;                     /* its creation was undone */
    bool full;                       /* in store->full */
    uint32_t full_bytes;             /* what it counts there */
    uint64_t born;                   /* log position of its creation; 0: it is in LMDB */
    bool born_aside;                 /* its place in the catalog is damaged: it stays in the log */
    bool deleted;                    /* is found no longer */
    bool deleting;                   /* by the open batch */
    bool dead_aside;                 /* a page where it lies is damaged: it stays in the log */
    uint64_t deleted_at;             /* log position of its deletion; 0: it is in LMDB */
    struct ss_list dead_link;        /* in store->dead */
    struct ss_flush_item *item;      /* in the flush under way; NULL: not in it */
    struct ss_list link;             /* in store->changed */
    struct ss_list full_link;
    struct ss_list born_link;        /* in store->born */
    uint64_t sid_hash;
    uint64_t id_hash;
    struct ss_str id;
    char memory[];
};

struct ss_staged_checkpoint {
    struct ss_staged_checkpoint *next;
    struct ss_store_session *session;
    const struct ss_timeline_checkpoint *timelines;
    uint32_t count;
};

/* How far the search for stragglers has come: all before is in segments or set aside. */
struct ss_log_walker {
    uint64_t serial;
    uint64_t offset;                 /* of a batch */
    uint64_t at;                     /* of a record in it; 0: its first */
    uint32_t index;                  /* of that record */
};

struct ss_store {
    struct ss_env env;
    struct ss_store_options options;
    char *dir;
    struct ss_timeline_code timelines[SS_PROJECTIONS_MAX];    /* of this process */
    uint32_t timelines_count;
    uint64_t timelines_code;       /* of all of them and their versions; part of every epoch */
    uint64_t incarnation;
    uint32_t renewals;               /* epochs that this process gave to remade entities */
    uint8_t log_durability;          /* enum ss_durability of the run that wrote the newest file */
    struct ss_log log;
    uint64_t log_told;               /* LMDB knows that no older file is needed */
    uint64_t next_sid;
    uint64_t stored_next_sid;        /* reserved in meta */
    uint64_t unflushed_bytes;        /* of the log */
    struct ss_log_walker walker;
    struct ss_log_walker walker_saved;
    uint64_t tails_before_us;        /* those with older events go soon; 0: none for that */
    bool flushing;                   /* a flush is planned and not settled */
    struct ss_cut *cut;              /* of a backup under way, or NULL: see cut.h */
    uint64_t flush_retry_ns;         /* not before, after one that failed; 0: at any time */
    uint32_t flush_unread;           /* how many failed at a page that could not be read, less
                                        those since that met none */
    struct ss_map by_sid;
    struct ss_map by_id;
    uint32_t used;                   /* handles that somebody has got */
    struct ss_list changed;          /* sessions of the open batch */
    struct ss_list full;             /* those whose tail is a segment */
    uint64_t full_bytes;             /* of these tails */
    uint32_t long_tails;             /* of these, SS_TAIL_LONG_BYTES or more */
    struct ss_list born;             /* those that LMDB does not know yet */
    uint32_t born_count;
    uint32_t born_aside_count;       /* of these, those that no flush takes */
    struct ss_list dead;             /* deleted sessions that LMDB still knows, or soon would */
    uint32_t dead_count;
    uint32_t dead_aside_count;       /* of these, those that no flush takes out */
    bool trash_left;                 /* what some have left is to be taken out */
    struct ss_commands commands;
    struct ss_arena arena;           /* staged checkpoints */
    struct ss_bytes batch;           /* staged records, as they go to the log */
    uint64_t batch_base;             /* log position of its first byte, if there is room for it */
    uint32_t batch_records;
    uint32_t batch_events;
    struct ss_staged_checkpoint *checkpoints;
    struct ss_staged_checkpoint **checkpoints_end;
    struct ss_past *pasts;           /* for the next flush */
    uint32_t pasts_count;
    struct ss_cuts cuts;             /* of retention, for the next flush */
    struct ss_bytes scratch;         /* a type being built */
    struct ss_type_value *types;     /* by type id - 1 */
    uint32_t types_count;
    bool types_unsealed;             /* some were written by a program that gave no checksum */
    struct ss_arena types_arena;
    int refusal;                     /* why publishes are refused; 0: they are not */
    bool failed;                     /* a sync failed: no commit until reopened */
    bool grow_failed;                /* said once */
    struct ss_log_known log_before;  /* as the last process left it */
    uint64_t space_checked_ns;
    atomic_uint damage_lines;        /* written to the log about damage met by requests */
    uint64_t damage;                 /* of all damaged places that recovery found; 0: none */
    uint64_t damage_known;           /* the same when the incarnation was last raised for it */
    bool end_lost;                   /* recovery dropped the end of the log: no start sees it
                                        again */
    uint64_t sessions;
    struct ss_error_ring errors;
    struct ss_store_stats stats;
};

/* ---- store.c ---- */

/* True for the first lines about damage that requests have met: strangers cause them, and a check
 * names everything. Any thread. */
bool ss__store_may_report(struct ss_store *store);

/* ---- space.c ---- */

/* Grows a map without a limit of its own that gets full. No transaction may be open. */
void ss__space_make_room(struct ss_store *store);

/* Looks at disk and map again if the last look is old enough. */
void ss__space_check(struct ss_store *store);

/* Refuses publishes from now on until a look finds room. */
void ss__space_refuse(struct ss_store *store);

/* Our code for what mdb_txn_begin or mdb_txn_commit answered; latches the store when what is on
 * the disk can no longer be known. @disk_full: it was when that was answered. SS_E_STOREFULL,
 * SS_E_STOREIO, SS_E_NOMEM. */
int ss__space_judge(struct ss_store *store, int code, bool disk_full);

/* No more commits until restart. */
void ss__space_latch(struct ss_store *store, const char *why);

/* After a latch, while no flush is under way: reads go on although LMDB may have given up. */
void ss__space_keep_reading(struct ss_store *store);

/* ---- sessions.c ---- */

/* Gives the session the epoch with this counter, also if the open batch is undone. */
void ss__session_set_epoch(struct ss_store *store, struct ss_store_session *session,
                           uint32_t epoch_counter);

/* Computes the epochs of all handles anew. */
void ss__sessions_new_epochs(struct ss_store *store);

/* Lists the session as one that LMDB does not know. */
void ss__session_born(struct ss_store *store, struct ss_store_session *session, uint64_t position);

/* Lists the session if its tail is a whole segment. */
void ss__session_judge_tail(struct ss_store *store, struct ss_store_session *session);

struct ss_store_session *ss__session_by_sid(struct ss_store *store, uint64_t sid);

/* A handle without reference for a row read from disk; NULL when out of memory. */
struct ss_store_session *ss__session_add(struct ss_store *store, uint64_t sid,
                                         const struct ss_row_value *row);

/* Frees the handle if nothing needs it. */
void ss__session_release(struct ss_store *store, struct ss_store_session *session);

/* Saves the committed values and lists the session as changed. */
void ss__session_change(struct ss_store *store, struct ss_store_session *session);

/* Sees to it that the next push succeeds. SS_E_NOMEM. */
int ss__session_make_room(struct ss_store_session *session);

/* Appends a log position to the tail. SS_E_NOMEM. */
int ss__session_push(struct ss_store_session *session, uint64_t position, uint32_t bytes);

/* Row as it goes to disk, but for the timelines. */
struct ss_row_value ss__session_row_value(const struct ss_session_values *values,
                                          uint32_t epoch_counter, struct ss_str id);

/* Frees all handles. */
void ss__sessions_free(struct ss_store *store);

/* ---- timeline_use.c ---- */

/* Gives the session the timelines of a checkpoint, which count again; takes the list. */
void ss__timelines_replace(struct ss_store_session *session, struct ss_timeline_list *list,
                           const struct ss_timeline_checkpoint *written, uint32_t count);

/* ---- commit.c ---- */

/* Stages the record that tells of a new session. SS_E_NOMEM. */
int ss__stage_birth(struct ss_store *store, struct ss_store_session *session);

/* Stages the record of a result; *ret_position: where it will be. SS_E_NOMEM. */
int ss__stage_result(struct ss_store *store, const struct ss_command_value *value,
                     uint64_t *ret_position);

/* Stages the record that tells of the end of a session. SS_E_NOMEM. */
int ss__stage_end(struct ss_store *store, struct ss_store_session *session, uint64_t now_us);

/* ---- delete.c ---- */

/* Lists the session as one that is to be taken out of LMDB. */
void ss__session_dead(struct ss_store *store, struct ss_store_session *session);

/* ---- flush.c ---- */

/* Takes back the checkpoints that are staged; their sessions are not changed. */
void ss__checkpoints_forget(struct ss_store *store);

/* Takes out log files that nothing needs, after saying so in LMDB. Errors: those of a flush. */
int ss__store_forget_log(struct ss_store *store);

/* ---- cut.c ---- */

/* Ends the cut of the backup under way, if there is one: waits for nobody, see cut.h. */
void ss__cut_stop(struct ss_store *store, const char *why);

/* The same if the data file or the log has grown too much, or the disk is nearly full. */
void ss__cut_judge(struct ss_store *store);

/* ---- recover.c ---- */

int ss__recover(struct ss_store *store, struct ss_store_report *report,
                struct ss_failure *failure);

/* ---- error_ring.c ---- */

/* Reads the records that are in LMDB; damaged ones are passed over. SS_E_STOREIO, SS_E_NOMEM. */
int ss__errors_load(struct ss_store *store);
void ss__errors_free(struct ss_store *store);

/* ---- types.c ---- */

int ss__types_load(struct ss_store *store);

#endif
