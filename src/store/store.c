#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/create.h"
#include "store/cut.h"
#include "store/guard.h"
#include "store/past.h"
#include "store/store_state.h"
#include "store/verify.h"

#define ARENA_CHUNK_BYTES (256u << 10)
#define DAMAGE_LINES_MAX 100u
#define DAMAGED                                                                              \
    "; run `ssctl store check`, put the directory back from a backup and run `ssctl store "   \
    "restored`"
#define LOG_FILE_BYTES_MIN (UINT64_C(1) << 20)

void ss__store_options_init(struct ss_store_options *options)
{
    *options = (struct ss_store_options){
        .shard_count = 1,
        .durability = SS_DURABILITY_FSYNC,
        .log_window_bytes = UINT64_C(512) << 20,
        .log_window_bytes_max = UINT64_C(2) << 30,
        .log_file_bytes = UINT64_C(64) << 20,
        .sessions_held_max = SS_SESSIONS_HELD_MAX,
        .min_free_bytes = UINT64_C(256) << 20,
        .backup_growth_bytes = SS_BACKUP_GROWTH_BYTES_MAX,
        .command_ttl_ms = 86400000,
        .clock = &ss__system_clock,
    };
}

bool ss__store_may_report(struct ss_store *store)
{
    return atomic_load(&store->damage_lines) < DAMAGE_LINES_MAX &&
           atomic_fetch_add(&store->damage_lines, 1) < DAMAGE_LINES_MAX;
}

static bool sid_matches(const void *value, struct ss_str key)
{
    const struct ss_store_session *session = value;
    return ss_str_equal(key, ss_str_of(&session->now.row.sid, sizeof session->now.row.sid));
}

static bool id_matches(const void *value, struct ss_str key)
{
    const struct ss_store_session *session = value;
    return !session->deleted && ss_str_equal(session->id, key);
}

static int get_meta(struct ss_store *store, MDB_txn *txn, const char *name, struct ss_str *ret)
{
    MDB_val key = ss__val_of(name, strlen(name));
    MDB_val value;
    int err = SS_FAULT("store.meta");
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_META], &key, &value));
    if (err == 0) {
        *ret = ss__str_of_val(value);
    }
    return err;
}

static int put_meta(struct ss_store *store, MDB_txn *txn, const char *name, const uint8_t *bytes,
                    size_t len)
{
    MDB_val key = ss__val_of(name, strlen(name));
    MDB_val value = ss__val_of(bytes, len);
    return ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_META], &key, &value, 0));
}

/* Before the log is opened, whose files would be of another shard too. */
static int check_identity(struct ss_store *store, struct ss_failure *failure)
{
    MDB_txn *txn;
    struct ss_str value;
    struct ss_meta_shard shard;
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0 ? err : get_meta(store, txn, META_SHARD, &value);
    if (err == SS_E_NOTFOUND) {
        return ss__fail(failure, SS_E_CORRUPT, "shard %04u of the data directory is missing, its "
                        "place holds another store; mount it, or put the directory back from a "
                        "backup and run `ssctl store restored`: \"%s\"",
                        store->options.shard_index, store->dir);
    }
    err = err != 0 ? err : ss__meta_shard_decode(value, &shard);
    ss__env_reader_stale(&store->env);
    if (err != 0) {
        return ss__fail(failure, err, "\"%s\" is not a store of this program: %s", store->dir,
                        ss_error_text(err));
    }
    if (shard.index != store->options.shard_index || shard.count != store->options.shard_count ||
        shard.directory_id != store->options.directory_id) {
        return ss__fail(failure, SS_E_SHARDS, "\"%s\" holds shard %u of %u of another data "
                        "directory; put back the directory it belongs to", store->dir,
                        shard.index, shard.count);
    }
    return 0;
}

static int put_run(struct ss_store *store, MDB_txn *txn, bool clean)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    struct ss_meta_run run = { clean, store->log_durability, store->incarnation,
                               store->damage_known };
    return put_meta(store, txn, META_RUN, bytes, ss__meta_run_encode(bytes, &run));
}

/* The same in a transaction of its own. */
static int note_run(struct ss_store *store, bool clean)
{
    MDB_txn *txn;
    int err = ss__err_from_lmdb(mdb_txn_begin(store->env.env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    err = put_run(store, txn, clean);
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    return ss__err_from_lmdb(mdb_txn_commit(txn));
}

/* A store that has not been flushed yet has neither. */
static int read_numbers(struct ss_store *store, MDB_txn *txn)
{
    struct ss_str value;
    uint64_t next_sid = 1;
    struct ss_meta_log log = { 0, 0 };
    int err = get_meta(store, txn, META_SID, &value);
    err = err == SS_E_NOTFOUND ? 0 : err != 0 ? err : ss__meta_sid_decode(value, &next_sid);
    if (err == 0) {
        err = get_meta(store, txn, META_LOG, &value);
        err = err == SS_E_NOTFOUND ? 0 : err != 0 ? err : ss__meta_log_decode(value, &log);
    }
    store->next_sid = store->stored_next_sid = next_sid;
    store->log_before.needed_serial = log.needed_serial;
    store->log_before.next_batch = log.next_batch;
    return err;
}

/* An unclean end in a mode that may have lost acknowledged events changes every epoch. */
static int begin_run(struct ss_store *store, MDB_txn *txn, struct ss_store_report *report)
{
    struct ss_str value;
    struct ss_meta_run run = { .clean = true, .incarnation = 1 };
    int err = get_meta(store, txn, META_RUN, &value);
    if (err == 0) {
        err = ss__meta_run_decode(value, &run);
    } else if (err == SS_E_NOTFOUND) {
        err = 0;
        report->created = true;
    }
    if (err != 0) {
        return err;
    }
    report->clean = run.clean;
    store->log_before.synced = run.clean || run.durability == SS_DURABILITY_FSYNC;
    if (!run.clean && run.durability != SS_DURABILITY_FSYNC) {
        run.incarnation++;
    }
    store->log_durability = run.clean ? (uint8_t)store->options.durability : run.durability;
    store->incarnation = report->incarnation = run.incarnation;
    store->damage_known = run.damage;
    err = put_run(store, txn, false);
    return err != 0 ? err : read_numbers(store, txn);
}

static int open_meta(struct ss_store *store, struct ss_store_report *report,
                     struct ss_failure *failure)
{
    MDB_txn *txn;
    int err = ss__err_from_lmdb(mdb_txn_begin(store->env.env, NULL, 0, &txn));
    if (err == 0) {
        err = begin_run(store, txn, report);
        if (err == 0) {
            SS_KILL_POINT(RUN_BEFORE);
            err = ss__err_from_lmdb(mdb_txn_commit(txn));
            SS_KILL_POINT(RUN_AFTER);
        } else {
            mdb_txn_abort(txn);
        }
    }
    if (err != 0 && (failure == NULL || failure->code == 0)) {
        return ss__fail(failure, err, "the store in \"%s\" cannot be written: %s%s", store->dir,
                        ss_error_text(err), err == SS_E_CORRUPT ? DAMAGED : "");
    }
    return err;
}

/* A session number given twice would write over a session. */
static int check_numbers(struct ss_store *store, struct ss_failure *failure)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    static const uint8_t behind[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0 ? err
                   : ss__guard_key(&store->env, txn, SS_DB_SESSION,
                                   ss_str_of(behind, sizeof behind));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_SESSION],
                                                       &cursor));
    if (err != 0) {
        return err;
    }
    err = ss__err_from_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_LAST));
    bool wrong = err == 0 && (key.mv_size != 8 || ss__get_be64(key.mv_data) >= store->next_sid);
    mdb_cursor_close(cursor);
    ss__env_reader_stale(&store->env);
    if (wrong) {
        return ss__fail(failure, SS_E_CORRUPT, "the next session number of the store in \"%s\" is "
                        "damaged; run `ssctl store check`, put the directory back from a backup "
                        "and run `ssctl store restored`", store->dir);
    }
    return err == SS_E_NOTFOUND ? 0 : err;
}

static int count_sessions(struct ss_store *store)
{
    MDB_txn *txn;
    MDB_stat stat;
    int err = ss__env_reader(&store->env, &txn);
    if (err == 0) {
        err = ss__err_from_lmdb(mdb_stat(txn, store->env.dbi[SS_DB_CATALOG], &stat));
    }
    if (err == 0) {
        store->sessions = stat.ms_entries + store->born_count - store->dead_count;
    }
    ss__env_reader_stale(&store->env);
    return err;
}

/* A damaged record may have been the newest event of any session, whose ordinal is given again: as
 * damage that was not there before comes, every epoch changes before anything is shown. */
static int judge_damage(struct ss_store *store, struct ss_store_report *report)
{
    if (store->damage == store->damage_known && !store->end_lost) {
        return 0;
    }
    if (store->damage != 0 || store->end_lost) {
        report->incarnation = ++store->incarnation;
        ss__sessions_new_epochs(store);
        ss__log(SS_LOG_WARN, "acknowledged events may be lost: every epoch changes",
                "shard=%u incarnation=%llu", store->options.shard_index,
                (unsigned long long)store->incarnation);
    }
    store->damage_known = store->damage;
    return note_run(store, false);
}

/* The next start judges the end of the log by the mode it was written in, so a new mode counts from
 * the new file on. One that the process before has made and not used does as well, or whoever is
 * started again and again would fill the disk. */
static int begin_log(struct ss_store *store, bool clean)
{
    int err = 0;
    if (!clean) {
        ss__log_drop_spares(&store->log);
    }
    if (!clean && ss__log_empty(&store->log)) {
        err = ss__log_renew(&store->log);
    } else if (!ss__log_unused(&store->log)) {
        err = ss__log_roll(&store->log, 0);
    }
    SS_KILL_POINT(BEGIN_LOG_AFTER);
    if (err == 0 && store->log_durability != (uint8_t)store->options.durability) {
        store->log_durability = (uint8_t)store->options.durability;
        err = note_run(store, false);
    }
    return err;
}

bool ss__store_wants_spare(struct ss_store *store, struct ss_log_fill *ret_fill)
{
    return !store->failed && store->refusal == 0 && ss__log_wants_spare(&store->log, ret_fill);
}

void ss__store_spare_filled(struct ss_store *store, const struct ss_log_fill *fill, int err)
{
    if (err != 0) {
        ss__log(SS_LOG_WARN, "a log file could not be prepared: the next one is made when it is "
                "needed", "shard=%u error=%s", store->options.shard_index, ss_error_name(err));
    }
    ss__log_filled(&store->log, fill, err);
}

static int find_or_create(struct ss_store *store, struct ss_failure *failure)
{
    const struct ss_store_options *options = &store->options;
    struct ss_meta_shard identity = { options->shard_index, options->shard_count,
                                      options->directory_id };
    int err = ss__create_verify(store->dir, options->shard_index,
                                options->must_exist ? failure : NULL);
    if (err == 0) {
        return ss__create_sync(store->dir, failure);
    }
    if (options->must_exist) {
        return err;
    }
    err = ss__create_directories(store->dir, failure);
    return err != 0 ? err : ss__create_shard(store->dir, &identity, failure);
}

/* The window is kept file by file. */
static uint64_t file_bytes(const struct ss_store_options *options)
{
    uint64_t part = options->log_window_bytes / 4;
    part = part < LOG_FILE_BYTES_MIN ? LOG_FILE_BYTES_MIN : part;
    return part < options->log_file_bytes ? part : options->log_file_bytes;
}

int ss__store_open(const struct ss_store_options *options, struct ss_store **ret_store,
                   struct ss_store_report *ret_report, struct ss_failure *failure)
{
    struct ss_store_report report = { 0 };
    struct ss_store *store = calloc(1, sizeof *store);
    if (store == NULL || (store->dir = strdup(options->dir)) == NULL) {
        free(store);
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    store->options = *options;
    store->options.dir = store->dir;
    ss__map_init(&store->by_sid, sid_matches);
    ss__map_init(&store->by_id, id_matches);
    store->log.dir_fd = -1;
    ss__list_init(&store->changed);
    ss__list_init(&store->full);
    ss__list_init(&store->born);
    ss__list_init(&store->dead);
    ss__commands_init(&store->commands);
    ss__bytes_init(&store->batch, 0);
    ss__arena_init(&store->arena, ARENA_CHUNK_BYTES);
    ss__arena_init(&store->types_arena, 4096);
    ss__bytes_init(&store->scratch, 0);
    store->checkpoints_end = &store->checkpoints;
    int err = find_or_create(store, failure);
    err = err != 0 ? err : ss__store_verify(options, failure);
    err = err != 0 ? err
                   : ss__env_open(store->dir, options->map_bytes, false, &store->env, failure);
    err = err != 0 ? err : check_identity(store, failure);
    err = err != 0 ? err
                   : ss__log_open(&store->log, store->dir, options->shard_index,
                                  options->directory_id, file_bytes(options), false, failure);
    err = err != 0 ? err : open_meta(store, &report, failure);
    err = err != 0 || report.clean ? err : ss__log_secure(&store->log);
    err = err != 0 ? err : check_numbers(store, failure);
    err = err != 0 ? err : ss__types_load(store);
    err = err != 0 ? err : ss__commands_load(store);
    err = err != 0 ? err : ss__errors_load(store);
    err = err != 0 ? err : ss__recover(store, &report, failure);
    err = err != 0 ? err : judge_damage(store, &report);
    err = err != 0 ? err : count_sessions(store);
    err = err != 0 ? err : begin_log(store, report.clean);
    err = err != 0 ? err : ss__store_forget_log(store);
    if (err != 0) {
        if (failure != NULL && failure->code == 0) {
            (void)ss__fail(failure, err, "the store in \"%s\" cannot be opened: %s%s", store->dir,
                           ss_error_text(err), err == SS_E_CORRUPT ? DAMAGED : "");
        }
        store->failed = true;    /* no clean mark */
        ss__store_close(store);
        return err;
    }
    report.sessions = store->sessions;
    *ret_report = report;
    *ret_store = store;
    return 0;
}

static void end_run(struct ss_store *store)
{
    /* The mark must not reach the disk before what it vouches for. */
    SS_KILL_POINT(CLOSE_BEFORE);
    int err = ss__store_sync(store);
    err = err != 0 ? err : ss__log_sync_names(&store->log);
    SS_KILL_POINT(CLOSE_SYNCED);
    err = err != 0 ? err : note_run(store, true);
    SS_KILL_POINT(CLOSE_AFTER);
    if (err != 0) {
        ss__log(SS_LOG_WARN, "the store could not be marked as closed in order",
                "shard=%u error=%s", store->options.shard_index, ss_error_name(err));
    }
}

void ss__store_close(struct ss_store *store)
{
    if (store == NULL) {
        return;
    }
    SS_REQUIRE(store->batch.len == 0 && !store->flushing);
    if (store->cut != NULL) {
        ss__store_uncut(store);    /* whoever has it reads it no more */
    }
    if (store->env.env != NULL) {
        ss__env_reader_stale(&store->env);
        if (!store->failed && SS_FAULT("store.close") == 0) {
            end_run(store);
        }
    }
    ss__env_close(&store->env);
    ss__pasts_forget(store, store->pasts);
    ss__cuts_free(store);
    ss__log_close(&store->log);
    ss__sessions_free(store);
    ss__commands_free(&store->commands);
    ss__errors_free(store);
    ss__arena_deinit(&store->arena);
    ss__arena_deinit(&store->types_arena);
    ss__bytes_deinit(&store->scratch);
    ss__bytes_deinit(&store->batch);
    free(store->types);
    free(store->dir);
    free(store);
}

void ss__store_stats(const struct ss_store *store, struct ss_store_stats *ret_stats)
{
    *ret_stats = store->stats;
    for (size_t i = 0; i < store->log.count; i++) {
        ret_stats->log_records += store->log.files[i]->records;
    }
    ret_stats->log_bytes = ss__log_bytes(&store->log);
    ret_stats->unflushed_bytes = store->unflushed_bytes;
    ret_stats->tails = store->by_sid.count;
    ret_stats->map_bytes = store->env.map_bytes;
    ret_stats->used_bytes = ss__env_used(&store->env);
}
