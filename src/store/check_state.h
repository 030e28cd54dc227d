/* check_state.h - the check of one shard: for check*.c only. */
#ifndef SS_STORE_CHECK_STATE_H
#define SS_STORE_CHECK_STATE_H

#include "core/map.h"
#include "store/check.h"
#include "store/env.h"
#include "store/layout.h"
#include "store/log_walk.h"
#include "store/trash.h"

struct ss_check {
    struct ss_env env;
    MDB_txn *txn;
    uint32_t shard;
    uint32_t types;              /* ids 1 to this are known */
    uint64_t next_sid;
    uint64_t commands_through;   /* log position: LMDB has had results up to here */
    struct ss_log_known log_before;
    struct ss_trash trash;
    struct ss_map tails;         /* sessions met in the log, by sid */
    bool start;                  /* only the pages that a start reads whole */
    uint32_t shard_count;
    uint64_t directory_id;
    struct ss_check_summary *summary;
    ss_check_fn *report;
    ss_check_progress_fn *progress;    /* NULL: nobody asks */
    void *ctx;
};

typedef int ss_check_row_fn(struct ss_check *check, MDB_val key, MDB_val value);

/* Reports one finding at @db and @sid (or another number of the key). */
void ss__check_found(struct ss_check *check, const char *db, uint64_t number, const char *format,
                     ...) SS_PRINTF(4, 5);

/* Calls @visit for each row of a database. SS_E_STOREIO, or what @visit returned. */
int ss__check_each(struct ss_check *check, enum ss_db db, ss_check_row_fn *visit);

/* The row of a session, or SS_E_NOTFOUND / SS_E_CORRUPT (it is damaged) / SS_E_STOREIO,
 * SS_E_NOMEM. */
int ss__check_row(struct ss_check *check, uint64_t sid, struct ss_row_value *ret_row);

/* Segments of one session against its row. */
int ss__check_segments(struct ss_check *check, uint64_t sid, const struct ss_row_value *row);

/* One row of segment and entity. */
int ss__check_segment(struct ss_check *check, MDB_val key, MDB_val value);
int ss__check_entity(struct ss_check *check, MDB_val key, MDB_val value);

/* One row of command. */
int ss__check_command(struct ss_check *check, MDB_val key, MDB_val value);

/* One row of checkpoint. */
int ss__check_past(struct ss_check *check, MDB_val key, MDB_val value);

/* The structure of the data file in @dir, without LMDB. With findings LMDB must not read it. */
int ss__check_pages(struct ss_check *check, const char *dir, bool *ret_sound,
                    struct ss_failure *failure);

/* All of one shard: its pages and, if these are sound and @records, what is in them and the log.
 * @ret_sound: whether the pages are. */
int ss__check_shard(struct ss_check *check, const char *dir, bool records, bool *ret_sound,
                    struct ss_failure *failure);

/* All files of the log. */
int ss__check_log(struct ss_check *check, const char *dir, uint64_t directory_id,
                  struct ss_failure *failure);

#endif
