/* The transaction of a flush. Runs on any thread. */
#include <errno.h>
#include <string.h>

#include "core/fault.h"
#include "core/kill_point.h"
#include "store/bytes_order.h"
#include "store/flush.h"
#include "store/guard.h"
#include "store/past.h"
#include "store/retention_flush.h"
#include "store/trash.h"

/* Looked at one by one. */
#define TOMBSTONES_FEW 4u

/* A page that the disk does not give is waited for, but not for ever: then it is as damaged. */
static int judged(const struct ss_flush *flush, int err)
{
    return err == SS_E_STOREIO && flush->impatient ? SS_E_CORRUPT : err;
}

static int put_next_sid(const struct ss_env *env, MDB_txn *txn, uint64_t next_sid)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    MDB_val key = ss__val_of(META_SID, sizeof META_SID - 1);
    MDB_val value = ss__val_of(bytes, ss__meta_sid_encode(bytes, next_sid));
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_META], &key, &value, 0));
}

int ss__flush_put_log(const struct ss_env *env, MDB_txn *txn, const struct ss_meta_log *log)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    MDB_val key = ss__val_of(META_LOG, sizeof META_LOG - 1);
    MDB_val value = ss__val_of(bytes, ss__meta_log_encode(bytes, log));
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_META], &key, &value, 0));
}

static int put_catalog(const struct ss_flush *flush, MDB_txn *txn,
                       const struct ss_flush_item *item)
{
    const struct ss_env *env = flush->env;
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint8_t value_bytes[SS_CATALOG_VALUE_BYTES];
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, item->session->id));
    ss__catalog_encode(value_bytes, ss__str_of_val(key), item->values.row.sid);
    MDB_val value = ss__val_of(value_bytes, sizeof value_bytes);
    /* On a damaged page it would make those vanish that are not there; it waits in the log. */
    int err = judged(flush, ss__guard_key(env, txn, SS_DB_CATALOG, ss__str_of_val(key)));
    if (err != 0) {
        return err;
    }
    MDB_val there = value;
    uint64_t sid = 0;
    int code = mdb_put(txn, env->dbi[SS_DB_CATALOG], &key, &there, MDB_NOOVERWRITE);
    if (code != MDB_KEYEXIST) {
        return ss__err_from_lmdb(code);
    }
    /* The row was lost, the log brings it back: that must not hold up the others. An older session
     * of this name is deleted and could not be taken out. If the entry is a later one's, a check
     * names both. */
    bool older = ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(there), &sid) == 0 &&
                 sid < item->values.row.sid;
    return older ? ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_CATALOG], &key, &value, 0)) : 0;
}

static int put_entity(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint32_t projection,
                      const struct ss_entity_row *row)
{
    uint8_t key_bytes[SS_KEY_BYTES_MAX];
    int len = ss__entity_key(key_bytes, sid, projection, row->kind, row->id);
    if (len < 0) {
        return len;
    }
    MDB_val key = ss__val_of(key_bytes, (size_t)len);
    if (row->tombstone) {
        int code = mdb_del(txn, env->dbi[SS_DB_ENTITY], &key, NULL);
        return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
    }
    MDB_val value = { SS_ENTITY_FIXED_BYTES + row->payload.len, NULL };
    int code = mdb_put(txn, env->dbi[SS_DB_ENTITY], &key, &value, MDB_RESERVE);
    if (code == 0) {
        ss__entity_encode(value.mv_data, ss__str_of_val(key), row);
    }
    return ss__err_from_lmdb(code);
}

static int remove_entities(const struct ss_env *env, MDB_txn *txn, uint64_t sid,
                           uint32_t projection)
{
    uint8_t prefix[SS_ENTITY_PREFIX_BYTES];
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, env->dbi[SS_DB_ENTITY], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    ss__entity_prefix(prefix, sid, projection);
    MDB_val key = ss__val_of(prefix, sizeof prefix);
    MDB_val value;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && key.mv_size >= sizeof prefix &&
           memcmp(key.mv_data, prefix, sizeof prefix) == 0) {
        code = mdb_cursor_del(cursor, 0);
        code = code != 0 ? code : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* Each of a few, or all entities at once. */
static int guard_tombstones(const struct ss_env *env, MDB_txn *txn, uint64_t sid,
                            const struct ss_timeline_checkpoint *checkpoint)
{
    uint8_t key[SS_KEY_BYTES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < checkpoint->entities_count; i++) {
        count += checkpoint->entities[i].tombstone;
    }
    if (count > TOMBSTONES_FEW) {
        ss__entity_prefix(key, sid, checkpoint->row.projection);
        return ss__guard_remove(env, txn, SS_DB_ENTITY, ss_str_of(key, SS_ENTITY_PREFIX_BYTES),
                                SS_ENTITY_PREFIX_BYTES, UINT64_MAX);
    }
    int err = 0;
    for (size_t i = 0; i < checkpoint->entities_count && count > 0 && err == 0; i++) {
        const struct ss_entity_row *row = &checkpoint->entities[i];
        int len = row->tombstone ? ss__entity_key(key, sid, checkpoint->row.projection, row->kind,
                                                  row->id)
                                 : 0;
        err = len < 0  ? len
              : len > 0 ? ss__guard_remove(env, txn, SS_DB_ENTITY, ss_str_of(key, (size_t)len),
                                           (size_t)len, 1)
                        : 0;
    }
    return err;
}

/* Where the first row of a session goes: mostly behind all others, and that is judged once in a
 * flush. One that an earlier process had to leave in the log has a lower number, and so has one
 * whose entities come later than it. */
static int guard_new(const struct ss_flush *flush, MDB_txn *txn, enum ss_db db,
                     struct ss_flush_end *end, uint64_t sid, struct ss_str key)
{
    if (!end->judged) {
        end->judged = true;
        end->err = ss__guard_end(flush->env, txn, db, &end->first);
    }
    return end->err != 0 || sid > end->first ? end->err : ss__guard_key(flush->env, txn, db, key);
}

/* All entities that are about to be removed, and where the first of a session are written. With
 * others there the place of each has been read before. */
static int guard_checkpoint(struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item,
                            uint32_t index)
{
    uint8_t prefix[SS_ENTITY_PREFIX_BYTES];
    ss__entity_prefix(prefix, item->values.row.sid, item->checkpoints[index].row.projection);
    struct ss_str from = ss_str_of(prefix, sizeof prefix);
    if ((item->anew & (1u << index)) != 0) {
        return ss__guard_remove(flush->env, txn, SS_DB_ENTITY, from, from.len, UINT64_MAX);
    }
    uint64_t sid = item->values.row.sid;
    return (item->first & (1u << index)) != 0
               ? guard_new(flush, txn, SS_DB_ENTITY, &flush->entities_end, sid, from)
               : guard_tombstones(flush->env, txn, sid, &item->checkpoints[index]);
}

static int put_checkpoint(const struct ss_env *env, MDB_txn *txn, uint64_t sid, bool anew,
                          const struct ss_timeline_checkpoint *checkpoint)
{
    uint32_t projection = checkpoint->row.projection;
    int err = 0;
    if (anew) {
        err = remove_entities(env, txn, sid, projection);
        SS_KILL_POINT(CHECKPOINT_ANEW);
    }
    for (size_t i = 0; i < checkpoint->entities_count && err == 0; i++) {
        err = put_entity(env, txn, sid, projection, &checkpoint->entities[i]);
        SS_KILL_POINT(CHECKPOINT_ENTITY);
    }
    return err;
}

static int put_row(const struct ss_env *env, MDB_txn *txn, struct ss_flush_item *item)
{
    uint8_t key_bytes[8];
    uint8_t value_bytes[SS_ROW_BYTES_MAX];
    struct ss_session_values *values = &item->values;
    uint64_t sid = values->row.sid;
    struct ss_row_value row = ss__session_row_value(values, item->epoch_counter,
                                                    item->session->id);
    uint8_t timelines[SS_TIMELINES_BYTES_MAX];
    row.timelines = ss_str_of(timelines, ss__timelines_encode(timelines, item->timelines));
    ss__put_be64(key_bytes, sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(value_bytes, ss__row_encode(value_bytes, sid, &row));
    int code = mdb_put(txn, env->dbi[SS_DB_SESSION], &key, &value, 0);
    if (code == 0 && row.running != values->index_running) {
        uint8_t mark_bytes[SS_RUNNING_BYTES];
        ss__running_encode(mark_bytes, sid);
        MDB_val mark = ss__val_of(mark_bytes, sizeof mark_bytes);
        code = row.running ? mdb_put(txn, env->dbi[SS_DB_RUNNING], &key, &mark, 0)
                           : mdb_del(txn, env->dbi[SS_DB_RUNNING], &key, NULL);
        code = code == MDB_NOTFOUND ? 0 : code;
        values->index_running = row.running;
    }
    return ss__err_from_lmdb(code);
}

static int delete_key(MDB_txn *txn, MDB_dbi dbi, MDB_val *key)
{
    int code = mdb_del(txn, dbi, key, NULL);
    return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* Its id may have been taken by another session since. */
static int remove_catalog(const struct ss_flush *flush, MDB_txn *txn,
                          const struct ss_flush_item *item)
{
    const struct ss_env *env = flush->env;
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint64_t sid = 0;
    MDB_val value;
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, item->session->id));
    int err = judged(flush, ss__guard_key(env, txn, SS_DB_CATALOG, ss__str_of_val(key)));
    err = err != 0 ? err : ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_CATALOG], &key, &value));
    if (err != 0) {
        return err == SS_E_NOTFOUND || err == SS_E_CORRUPT ? 0 : err;    /* a check names it */
    }
    (void)ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), &sid);    /* 0: damaged */
    return sid == item->values.row.sid ? delete_key(txn, env->dbi[SS_DB_CATALOG], &key) : 0;
}

static int remove_session(const struct ss_flush *flush, MDB_txn *txn,
                          const struct ss_flush_item *item)
{
    const struct ss_env *env = flush->env;
    uint8_t key_bytes[8];
    uint64_t sid = item->values.row.sid;
    ss__put_be64(key_bytes, sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    int err = remove_catalog(flush, txn, item);
    SS_KILL_POINT(FLUSH_REMOVED);
    /* A new one has no row, and nobody has judged the page where it would stand. */
    err = err != 0 || item->born ? err : delete_key(txn, env->dbi[SS_DB_SESSION], &key);
    err = err != 0 ? err : delete_key(txn, env->dbi[SS_DB_RUNNING], &key);
    return err != 0 ? err : ss__trash_put(env, txn, sid, item->deleted_at >> 32);
}

/* Where the newest segment lies, or the next one will. Nobody need have read what is there. */
static int guard_segment(struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    const struct ss_session_values *values = &item->values;
    uint8_t key[16];
    if (item->tail_count == 0) {
        return 0;
    }
    ss__segment_key(key, values->row.sid,
                    values->tip.count > 0 ? values->tip.first : values->flushed_ordinal + 1);
    struct ss_str place = ss_str_of(key, sizeof key);
    return item->born ? guard_new(flush, txn, SS_DB_SEGMENT, &flush->segments_end,
                                  values->row.sid, place)
                      : ss__guard_key(flush->env, txn, SS_DB_SEGMENT, place);
}

/* Where the row of a new session goes. */
static int guard_row(struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint8_t key[8];
    uint64_t sid = item->values.row.sid;
    ss__put_be64(key, sid);
    return item->born ? guard_new(flush, txn, SS_DB_SESSION, &flush->rows_end, sid,
                                  ss_str_of(key, sizeof key))
                      : 0;
}

/* What is copied before a checkpoint is written: see ss__cut_item. While pages are waited for, one
 * that cannot be read fails the flush there. */
static int guard_base(const struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint8_t prefix[8];
    bool cut = item->cut != 0 || item->values.row.first_retained > 1;
    if (!flush->impatient || !item->checkpoint || !cut) {
        return 0;
    }
    ss__put_be64(prefix, item->values.row.sid);
    struct ss_str from = ss_str_of(prefix, sizeof prefix);
    int err = ss__guard_key(flush->env, txn, SS_DB_SESSION, from);
    err = err != 0 ? err : ss__past_guard_remove(flush->env, txn, item->values.row.sid);
    err = err != 0 ? err
                   : ss__guard_walk(flush->env, txn, SS_DB_ENTITY, from, from.len, UINT64_MAX);
    return err == SS_E_STOREIO ? SS_E_CORRUPT : 0;    /* of damage the copy knows what to do */
}

/* Of a deleted session that LMDB knows. What lies on a damaged page of the catalog stays there. */
static int guard_dead(const struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint8_t bytes[8];
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    struct ss_str key = ss_str_of(key_bytes, ss__catalog_key(key_bytes, item->session->id));
    ss__put_be64(bytes, item->values.row.sid);
    int err = judged(flush, ss__guard_remove(flush->env, txn, SS_DB_SESSION,
                                             ss_str_of(bytes, sizeof bytes), sizeof bytes, 1));
    if (err != 0) {
        return err;
    }
    err = ss__guard_key(flush->env, txn, SS_DB_CATALOG, key);
    return err == SS_E_CORRUPT
               ? 0
               : judged(flush, err != 0 ? err
                                        : ss__guard_remove(flush->env, txn, SS_DB_CATALOG, key,
                                                           key.len, 1));
}

/* The others are not held up. It waits in the log, where a start finds it. */
static int leave(struct ss_flush_item *item, const char *place)
{
    item->damaged = place;
    item->damaged_number = item->values.row.sid;
    item->left = true;
    item->cut = 0;
    return 0;
}

/* Before anything of the item is written. Entities or pasts that should go and cannot would be
 * shown by a page that is sound again; a past that cannot be kept is only made again. */
static int guard_item(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    uint64_t sid = item->values.row.sid;
    int err = 0;
    for (uint32_t i = 0; i < item->checkpoints_count && err == 0; i++) {
        err = judged(flush, guard_checkpoint(flush, txn, item, i));
    }
    err = err != 0 ? err : guard_base(flush, txn, item);
    if (err != 0) {
        return err == SS_E_CORRUPT ? leave(item, "entity") : err;
    }
    err = judged(flush, guard_segment(flush, txn, item));
    if (err != 0) {
        return err == SS_E_CORRUPT ? leave(item, "segments") : err;
    }
    err = judged(flush, guard_row(flush, txn, item));
    if (err != 0) {
        return err == SS_E_CORRUPT ? leave(item, "session") : err;
    }
    err = item->anew != 0 || item->past != NULL ? ss__past_guard_remove(flush->env, txn, sid) : 0;
    err = judged(flush, err);
    if (err == SS_E_CORRUPT) {
        item->past = NULL;
        return item->anew != 0 ? leave(item, "checkpoint") : 0;
    }
    return err;
}

static int move_item(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    int err = 0;
    if (item->dead) {
        err = item->born ? 0 : guard_dead(flush, txn, item);
        return err == SS_E_CORRUPT ? leave(item, "session")
               : err != 0          ? err
                                   : remove_session(flush, txn, item);
    }
    err = guard_item(flush, txn, item);
    if (err != 0 || item->left) {
        return err;
    }
    err = item->born ? put_catalog(flush, txn, item) : 0;
    if (err == SS_E_CORRUPT) {
        return leave(item, "catalog");
    }
    err = err != 0 ? err : ss__cut_item(flush, txn, item);
    uint64_t base = item->values.row.first_retained - 1;
    if (item->anew != 0) {
        err = err != 0 ? err : ss__past_remove_but(flush->env, txn, item->values.row.sid, base);
    }
    for (uint32_t i = 0; i < item->checkpoints_count && err == 0; i++) {
        err = put_checkpoint(flush->env, txn, item->values.row.sid,
                             (item->anew & (1u << i)) != 0, &item->checkpoints[i]);
    }
    if (item->past != NULL) {
        err = err != 0 ? err : ss__past_put(flush->env, txn, item->past, base);
    }
    err = err != 0 ? err : ss__flush_segments(flush, txn, item);
    bool changed = item->born || item->checkpoint || item->flushed > 0 ||
                   item->cut != 0;
    return err != 0 || !changed ? err : put_row(flush->env, txn, item);
}

static int move_all(struct ss_flush *flush, MDB_txn *txn)
{
    int err = SS_FAULT("store.flush.write");
    for (struct ss_flush_item *item = flush->first; item != NULL && err == 0; item = item->next) {
        err = move_item(flush, txn, item);
        SS_KILL_POINT(FLUSH_ITEM);
    }
    err = err != 0 ? err
                   : ss__trash_sweep(flush->env, txn, flush->oldest_serial,
                                     &flush->trash_removed, &flush->trash_left);
    err = err != 0 ? err : ss__cuts_sweep(flush, txn);
    err = err != 0 ? err : ss__command_flush_run(flush->env, txn, &flush->commands);
    err = err != 0 ? err : ss__flush_put_errors(flush, txn);
    if (flush->next_sid != 0) {
        err = err != 0 ? err : put_next_sid(flush->env, txn, flush->next_sid);
    }
    return err != 0 ? err : ss__flush_put_log(flush->env, txn, &flush->log);
}

static void run(struct ss_flush *flush)
{
    MDB_txn *txn;
    flush->code = SS_FAULT("store.flush.begin");    /* a code of LMDB */
    flush->code = flush->code != 0 ? flush->code : mdb_txn_begin(flush->env->env, NULL, 0, &txn);
    if (flush->code != 0) {
        return;
    }
    SS_KILL_POINT(FLUSH_BEGUN);
    flush->err = move_all(flush, txn);
    SS_KILL_POINT(FLUSH_MOVED);
    if (flush->err != 0) {
        mdb_txn_abort(txn);
        return;
    }
    flush->code = SS_FAULT("store.flush.disk");    /* an errno */
    if (flush->code != 0) {
        mdb_txn_abort(txn);
    } else {
        flush->code = mdb_txn_commit(txn);
        SS_KILL_POINT(FLUSH_COMMITTED);
    }
}

void ss__store_flush_run(struct ss_flush *flush)
{
    run(flush);
    /* When it is settled somebody may have made room. */
    flush->disk_full = flush->code == EIO && ss__env_disk_full(flush->env);
}
