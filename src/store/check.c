#include "store/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/bytes_order.h"
#include "store/check_state.h"
#include "store/create.h"
#include "store/directory.h"
#include "store/error_value.h"

void ss__check_found(struct ss_check *check, const char *db, uint64_t number, const char *format,
                     ...)
{
    char place[64];
    char text[SS_FAILURE_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);    /* cutting it is fine */
    va_end(args);
    (void)snprintf(place, sizeof place, "%s %llu", db, (unsigned long long)number);
    check->summary->findings++;
    check->report(check->shard, place, text, check->ctx);
}

int ss__check_each(struct ss_check *check, enum ss_db db, ss_check_row_fn *visit)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    if (check->env.dbi[db] == 0) {
        return 0;    /* there is none yet */
    }
    int err = ss__err_from_lmdb(mdb_cursor_open(check->txn, check->env.dbi[db], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        check->summary->bytes += key.mv_size + value.mv_size;
        err = visit(check, key, value);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* SS_E_NOTFOUND, or what ends the check: LMDB cannot read what the walk through the pages could. */
static int get(struct ss_check *check, enum ss_db db, const void *key_bytes, size_t len,
               struct ss_str *ret_value)
{
    MDB_val key = ss__val_of(key_bytes, len);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(check->txn, check->env.dbi[db], &key, &value));
    if (err == 0) {
        *ret_value = ss__str_of_val(value);
    }
    return err == SS_E_CORRUPT ? SS_E_STOREIO : err;
}

int ss__check_row(struct ss_check *check, uint64_t sid, struct ss_row_value *ret_row)
{
    uint8_t bytes[8];
    struct ss_str value;
    ss__put_be64(bytes, sid);
    int err = get(check, SS_DB_SESSION, bytes, sizeof bytes, &value);
    return err != 0 ? err : ss__row_decode(sid, value, ret_row);
}

/* Length 0: there is none. */
static int get_meta(struct ss_check *check, const char *name, struct ss_str *ret_value)
{
    int err = get(check, SS_DB_META, name, strlen(name), ret_value);
    if (err == SS_E_NOTFOUND) {
        *ret_value = ss_str("");
        return 0;
    }
    return err;
}

static int check_meta_log(struct ss_check *check)
{
    struct ss_str run_value;
    struct ss_str log_value;
    struct ss_meta_run run = { .clean = true };
    struct ss_meta_log log = { 0, 0 };
    int err = get_meta(check, META_RUN, &run_value);
    err = err != 0 ? err : get_meta(check, META_LOG, &log_value);
    if (err != 0) {
        return err;
    }
    if (run_value.len > 0 && ss__meta_run_decode(run_value, &run) != 0) {
        ss__check_found(check, "meta", 0, "how the last run ended is damaged");
    }
    if (log_value.len > 0 && ss__meta_log_decode(log_value, &log) != 0) {
        ss__check_found(check, "meta", 0, "the extent of the log is damaged");
    }
    check->log_before = (struct ss_log_known){
        .synced = run.clean || run.durability == SS_DURABILITY_FSYNC,
        .needed_serial = log.needed_serial,
        .next_batch = log.next_batch,
    };
    return 0;
}

static int check_meta(struct ss_check *check)
{
    struct ss_str value;
    struct ss_meta_shard shard;
    int err = get_meta(check, META_SHARD, &value);
    if (err != 0) {
        return err;
    }
    if (ss__meta_shard_decode(value, &shard) != 0) {
        ss__check_found(check, "meta", 0, "the identity of the shard is missing or damaged");
    } else if (shard.index != check->shard || shard.count != check->shard_count ||
               shard.directory_id != check->directory_id) {
        ss__check_found(check, "meta", 0, "holds shard %u of %u of another directory",
                        shard.index, shard.count);
    }
    struct ss_str next;
    err = check_meta_log(check);
    err = err != 0 ? err : get_meta(check, META_COMMAND, &value);
    err = err != 0 ? err : get_meta(check, META_SID, &next);
    if (err != 0) {
        return err;
    }
    if (value.len > 0 && ss__meta_sid_decode(value, &check->commands_through) != 0) {
        ss__check_found(check, "meta", 0, "the extent of the command results is damaged");
    }
    check->next_sid = 1;
    if (next.len > 0 && ss__meta_sid_decode(next, &check->next_sid) != 0) {
        ss__check_found(check, "meta", 0, "the next session number is damaged");
    }
    return 0;
}

static int visit_type(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_type_value type;
    uint32_t id = key.mv_size == 4 ? ss__get_be32(key.mv_data) : 0;
    if (id != check->types + 1 || ss__type_decode(ss__str_of_val(value), &type) != 0) {
        ss__check_found(check, "types", id, "type %u is missing or damaged", check->types + 1);
    }
    check->types++;
    return 0;
}

static int visit_catalog(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_str id;
    uint64_t sid = 0;
    struct ss_row_value row;
    if (ss__catalog_key_decode(ss__str_of_val(key), &id) != 0 ||
        ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), &sid) != 0) {
        ss__check_found(check, "catalog", sid, "entry is damaged");
        return 0;
    }
    check->summary->sessions++;
    if (sid >= check->next_sid) {
        ss__check_found(check, "catalog", sid, "session number was never handed out");
    }
    if (ss__check_row(check, sid, &row) != 0) {
        ss__check_found(check, "catalog", sid, "session row is missing or damaged");
    } else if (!ss_str_equal(row.id, id)) {
        ss__check_found(check, "catalog", sid, "session row belongs to another session id");
    }
    return 0;
}

static int visit_session(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_row_value row;
    uint64_t sid = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (ss__row_decode(sid, ss__str_of_val(value), &row) != 0) {
        ss__check_found(check, "session", sid, "row is damaged");
        return 0;
    }
    uint8_t bytes[SS_CATALOG_KEY_BYTES_MAX];
    struct ss_str entry;
    uint64_t listed = 0;
    struct ss_str name = ss_str_of(bytes, ss__catalog_key(bytes, row.id));
    int err = get(check, SS_DB_CATALOG, name.data, name.len, &entry);
    if (err != 0 && err != SS_E_NOTFOUND) {
        return err;
    }
    if (err != 0 || ss__catalog_decode(name, entry, &listed) != 0 || listed != sid) {
        ss__check_found(check, "session", sid, "the catalog does not list it");
    }
    struct ss_str mark;
    err = get(check, SS_DB_RUNNING, key.mv_data, key.mv_size, &mark);
    if (err != 0 && err != SS_E_NOTFOUND) {
        return err;
    }
    if ((err == 0) != row.running) {
        ss__check_found(check, "running", sid, "index and row disagree");
    }
    return ss__check_segments(check, sid, &row);
}

static int visit_running(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_row_value row;
    uint64_t sid = 0;
    if (ss__running_decode(ss__str_of_val(key), ss__str_of_val(value), &sid) != 0) {
        ss__check_found(check, "running", sid, "a row is damaged");
    } else if (ss__check_row(check, sid, &row) != 0) {
        ss__check_found(check, "running", sid, "names a session that does not exist");
    }
    return 0;
}

static int visit_error(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_error_record record;
    uint64_t number = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (number == 0 || ss__error_value_decode(number, ss__str_of_val(value), &record) != 0) {
        ss__check_found(check, "error", number, "error record is damaged");
    }
    return 0;
}

static int check_databases(struct ss_check *check)
{
    static const struct {
        enum ss_db db;
        ss_check_row_fn *visit;
    } steps[] = {
        { SS_DB_TYPES, visit_type },        { SS_DB_CATALOG, visit_catalog },
        { SS_DB_SESSION, visit_session },   { SS_DB_RUNNING, visit_running },
        { SS_DB_SEGMENT, ss__check_segment }, { SS_DB_ENTITY, ss__check_entity },
        { SS_DB_COMMAND, ss__check_command },
        { SS_DB_ERROR, visit_error },
        { SS_DB_CHECKPOINT, ss__check_past },
    };
    int err = check_meta(check);
    err = err != 0 ? err : ss__trash_load(&check->env, check->txn, &check->trash);
    check->log_before.oldest_serial = check->trash.oldest_serial;
    if (check->trash.damaged) {
        ss__check_found(check, "trash", 0, "a row is malformed");
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps && err == 0; i++) {
        err = ss__check_each(check, steps[i].db, steps[i].visit);
    }
    return err;
}

static int check_contents(struct ss_check *check, const char *dir, struct ss_failure *failure)
{
    int err = ss__env_open(dir, 0, true, &check->env, failure);
    if (err != 0) {
        return err;
    }
    err = ss__env_read_begin(&check->env, &check->txn);
    if (err == 0) {
        err = check_databases(check);
        err = err != 0 ? err : ss__check_log(check, dir, check->directory_id, failure);
        ss__trash_deinit(&check->trash);
        ss__env_read_end(&check->env, check->txn);
    }
    ss__env_close(&check->env);
    return err;
}

int ss__check_shard(struct ss_check *check, const char *dir, bool records, bool *ret_sound,
                    struct ss_failure *failure)
{
    bool sound = false;
    int err = ss__create_verify(dir, check->shard, failure);
    err = err != 0 ? err : ss__check_pages(check, dir, &sound, failure);
    if (err == 0 && sound && records) {
        err = check_contents(check, dir, failure);
    }
    if (err != 0 && (failure == NULL || failure->code == 0)) {
        return ss__fail(failure, err, "shard %u cannot be read: %s", check->shard,
                        ss_error_text(err));
    }
    *ret_sound = sound;
    return err;
}

int ss__store_check_open(const struct ss_directory *directory, ss_check_fn *report,
                         ss_check_progress_fn *progress, void *ctx,
                         struct ss_check_summary *ret_summary, struct ss_failure *failure)
{
    struct ss_check_summary summary = { 0 };
    int err = 0;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        char path[4096];
        struct ss_check check = { .shard = i,
                                  .shard_count = directory->shard_count,
                                  .directory_id = directory->directory_id,
                                  .summary = &summary,
                                  .report = report,
                                  .progress = progress,
                                  .ctx = ctx };
        err = ss__directory_shard_path(directory, i, path, sizeof path);
        bool sound;
        err = err != 0 ? err : ss__check_shard(&check, path, true, &sound, failure);
        summary.shards++;
    }
    if (err == 0) {
        *ret_summary = summary;
    }
    return err;
}

int ss__store_check_shown(const char *data_dir, ss_check_fn *report,
                          ss_check_progress_fn *progress, void *ctx,
                          struct ss_check_summary *ret_summary, struct ss_failure *failure)
{
    struct ss_directory *directory;
    int err = ss__directory_open_existing(data_dir, &directory, failure);
    if (err != 0) {
        return err;
    }
    err = ss__store_check_open(directory, report, progress, ctx, ret_summary, failure);
    ss__directory_close(directory);
    return err;
}

int ss__store_check(const char *data_dir, ss_check_fn *report, void *ctx,
                    struct ss_check_summary *ret_summary, struct ss_failure *failure)
{
    return ss__store_check_shown(data_dir, report, NULL, ctx, ret_summary, failure);
}
