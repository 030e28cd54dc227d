/* reshard_state.h - the inside of resharding: for reshard*.c only. One thread. */
#ifndef SS_STORE_RESHARD_STATE_H
#define SS_STORE_RESHARD_STATE_H

#include "core/arena.h"
#include "core/bytes.h"
#include "store/directory.h"
#include "store/env.h"
#include "store/layout.h"
#include "store/reshard.h"

/* The types of a store: names of events, kinds and projections by number. */
struct ss_type_table {
    struct ss_type_value *types;    /* by number - 1 */
    uint32_t count;
    struct ss_arena arena;
};

void ss__type_table_init(struct ss_type_table *table);
void ss__type_table_deinit(struct ss_type_table *table);

/* Appends all of a store. SS_E_CORRUPT, SS_E_STOREIO, SS_E_NOMEM. */
int ss__type_table_load(struct ss_type_table *table, const struct ss_env *env, MDB_txn *txn);

/* Gives every type of @from a number in @table, adding what it lacks; @ret_map[i] is that of number
 * i + 1. SS_E_NOMEM, SS_E_LIMIT (too many projections in all). */
int ss__type_table_merge(struct ss_type_table *table, const struct ss_type_table *from,
                         uint32_t **ret_map);

/* Writes all of it into an empty store. */
int ss__type_table_put(const struct ss_type_table *table, const struct ss_env *env, MDB_txn *txn);

/* Where sessions are taken from. */
struct ss_reshard_source {
    struct ss_env env;
    MDB_txn *txn;
    struct ss_type_table types;
    uint32_t *map;                  /* from its numbers to those of all */
    bool same;                      /* each number is mapped to itself */
};

struct ss_reshard_target {
    struct ss_env env;
    MDB_txn *txn;                   /* NULL: none is open */
    uint64_t next_sid;
    uint64_t next_command;
    size_t waiting;                 /* bytes put since the last commit */
};

/* Rows that are put when all are known: results of commands, error records. */
struct ss_reshard_row {
    uint64_t time_us;
    uint64_t order;                 /* of those of one time */
    uint32_t target;
    struct ss_str session_id;
    struct ss_str value;            /* as it was, under @key */
    uint64_t key;
};

struct ss_reshard_rows {
    struct ss_reshard_row *rows;
    size_t count;
    size_t slots;
};

struct ss_reshard {
    const struct ss_reshard_options *options;
    struct ss_failure *failure;
    struct ss_directory *from;
    struct ss_directory *to;
    struct ss_type_table types;             /* of all */
    struct ss_reshard_target *targets;
    struct ss_reshard_source source;        /* the one at work */
    struct ss_reshard_rows commands;
    struct ss_reshard_rows errors;
    struct ss_arena arena;                  /* of the rows */
    struct ss_bytes scratch;
    uint64_t done;
    uint64_t total;
};

/* The shard of the new directory for a session. */
uint32_t ss__reshard_target(const struct ss_reshard *reshard, struct ss_str session_id);

/* The number of all for a number of the source. SS_E_CORRUPT: the source has no such type. */
int ss__reshard_type(const struct ss_reshard_source *source, uint32_t type, uint32_t *ret_type);

/* Sees to it that target->txn is open. SS_E_STOREIO, SS_E_NOMEM. */
int ss__reshard_begin(struct ss_reshard_target *target);

/* Puts a row, and commits when enough waits. SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM. */
int ss__reshard_put(struct ss_reshard_target *target, enum ss_db db, const void *key,
                    size_t key_len, struct ss_str value);
int ss__reshard_commit(struct ss_reshard_target *target);

/* Room for a row of @len bytes in the scratch, which is given up for it. NULL: no memory. */
uint8_t *ss__reshard_row(struct ss_reshard *reshard, size_t len);

/* reshard_move.c: all sessions of the source. SS_E_CORRUPT: one has lost events and what they came
 * to, too; said in the failure. */
int ss__reshard_move(struct ss_reshard *reshard);

/* reshard_past.c: entities of a session as of earlier events. The base of retention (retention.h)
 * goes along whatever becomes of the numbers of types; SS_E_CORRUPT: it is lost. Others are a cache
 * and go along where each number stays the same. */
int ss__reshard_move_pasts(struct ss_reshard *reshard, struct ss_reshard_target *target,
                           uint64_t from_sid, uint64_t to_sid, const struct ss_row_value *row);

/* Of a session as it is in a store. */
enum ss_reshard_base {
    SS_RESHARD_NO_BASE,       /* it has all of its events */
    SS_RESHARD_BASE_IS_PAST,
    SS_RESHARD_BASE_IS_NOW,   /* its entities */
};

/* SS_E_CORRUPT: it is lost. SS_E_STOREIO. */
int ss__reshard_find_base(const struct ss_env *env, MDB_txn *txn, uint64_t sid,
                          const struct ss_row_value *row, enum ss_reshard_base *ret_base);

/* Whether retention has removed it, and only its row is still to go. */
bool ss__reshard_is_leftover(const struct ss_segment *segment, const struct ss_row_value *row);

/* reshard_compare.c: every session of the source against what the targets have now. SS_E_CORRUPT:
 * one is not what it was; said in the failure. */
int ss__reshard_compare(struct ss_reshard *reshard);

/* reshard_rows.c: takes commands and errors of the source; puts those of all sources. */
int ss__reshard_collect(struct ss_reshard *reshard);
int ss__reshard_put_rows(struct ss_reshard *reshard);

/* Tells how far it is. What step returned. */
int ss__reshard_step(struct ss_reshard *reshard, const char *what, uint64_t more);

#endif
