/* Staging and the one transaction that makes a batch durable. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/store_state.h"

#define SID_BLOCK 1024u
#define TRIM_IDLE 64u
#define TRIM_REST 4096u

/* ---- staging ---- */

int ss__store_stage_event(struct ss_store *store, struct ss_store_session *session,
                          const struct ss_record *record)
{
    if (session->closed || session->now.row.quarantined) {
        return session->closed ? SS_E_CLOSED : SS_E_CORRUPT;
    }
    SS_REQUIRE(record->ordinal == session->now.row.ordinal + 1);
    size_t len = ss__log_record_bytes(record);
    struct ss_staged_record *staged = ss__arena_alloc(&store->arena, sizeof *staged + len);
    if (staged == NULL) {
        return SS_E_NOMEM;
    }
    ss__session_change(store, session);
    int err = ss__session_push(session, store->log.next, (uint32_t)len);
    if (err != 0) {
        return err;
    }
    staged->next = NULL;
    staged->sequence = store->log.next++;
    staged->len = (uint32_t)len;
    ss__log_record_encode(staged->value, staged->sequence, session->now.row.sid, record);
    *store->records_end = staged;
    store->records_end = &staged->next;
    store->staged_bytes += len;
    store->staged_records++;
    store->log.records++;
    store->log.bytes += len;
    store->log.unflushed_bytes += len;
    session->now.row.ordinal = record->ordinal;
    session->now.row.updated_us = record->time_us;
    session->now.row.running = (record->flags & SS_RECORD_RUNNING) != 0;
    session->now.row.was_running = false;
    return 0;
}

int ss__store_stage_checkpoint(struct ss_store *store, struct ss_store_session *session,
                               const struct ss_entity_row *rows, size_t count, uint64_t ordinal,
                               uint32_t timeline_version)
{
    if (session->closed || session->now.row.quarantined) {
        return session->closed ? SS_E_CLOSED : SS_E_CORRUPT;
    }
    SS_REQUIRE(ordinal <= session->now.row.ordinal);
    struct ss_staged_checkpoint *staged = ss__arena_alloc(&store->arena, sizeof *staged);
    if (staged == NULL) {
        return SS_E_NOMEM;
    }
    *staged = (struct ss_staged_checkpoint){ NULL, session, rows, count,
                                             session->now.entities_void };
    *store->checkpoints_end = staged;
    store->checkpoints_end = &staged->next;
    ss__session_change(store, session);
    session->now.row.timeline_ordinal = ordinal;
    session->now.row.timeline_version = timeline_version;
    session->now.entities_void = false;
    session->row_due = true;
    store->staged_bytes += SS_ROW_BYTES_MAX;
    return 0;
}

size_t ss__store_staged_bytes(const struct ss_store *store)
{
    return store->staged_bytes;
}

static void forget_staged(struct ss_store *store)
{
    ss__arena_reset(&store->arena);
    store->records = NULL;
    store->records_end = &store->records;
    store->checkpoints = NULL;
    store->checkpoints_end = &store->checkpoints;
    store->staged_bytes = 0;
    store->staged_records = 0;
}

/* ---- writing ---- */

static int put_created(struct ss_store *store, MDB_txn *txn)
{
    int code = 0;
    for (struct ss_list *link = store->changed.next; link != &store->changed && code == 0;
         link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        if (!session->created) {
            continue;
        }
        uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
        uint8_t value_bytes[SS_CATALOG_VALUE_BYTES];
        MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, session->id));
        ss__catalog_encode(value_bytes, ss__str_of_val(key), session->now.row.sid);
        MDB_val value = ss__val_of(value_bytes, sizeof value_bytes);
        code = mdb_put(txn, store->env.dbi[SS_DB_CATALOG], &key, &value, MDB_NOOVERWRITE);
    }
    if (code == 0 && store->log.next_sid > store->log.stored_next_sid) {
        uint8_t bytes[SS_META_BYTES_MAX];
        uint64_t next = store->log.next_sid + SID_BLOCK;
        MDB_val key = ss__val_of(META_SID, sizeof META_SID - 1);
        MDB_val value = ss__val_of(bytes, ss__meta_sid_encode(bytes, next));
        code = mdb_put(txn, store->env.dbi[SS_DB_META], &key, &value, 0);
        store->log.stored_next_sid = next;
    }
    return ss__err_from_lmdb(code);
}

static int put_records(struct ss_store *store, MDB_txn *txn)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->env.dbi[SS_DB_LOG], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    for (const struct ss_staged_record *at = store->records; at != NULL && code == 0;
         at = at->next) {
        uint8_t key_bytes[8];
        ss__put_be64(key_bytes, at->sequence);
        MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
        MDB_val value = ss__val_of(at->value, at->len);
        code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND);
    }
    mdb_cursor_close(cursor);
    return ss__err_from_lmdb(code);
}

static int put_entity(struct ss_store *store, MDB_txn *txn, uint64_t sid,
                      const struct ss_entity_row *row)
{
    uint8_t key_bytes[SS_KEY_BYTES_MAX];
    int len = ss__entity_key(key_bytes, sid, row->kind, row->id);
    if (len < 0) {
        return len;
    }
    MDB_val key = ss__val_of(key_bytes, (size_t)len);
    if (row->tombstone) {
        int code = mdb_del(txn, store->env.dbi[SS_DB_ENTITY], &key, NULL);
        return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
    }
    MDB_val value = { SS_ENTITY_FIXED_BYTES + row->payload.len, NULL };
    int code = mdb_put(txn, store->env.dbi[SS_DB_ENTITY], &key, &value, MDB_RESERVE);
    if (code == 0) {
        ss__entity_encode(value.mv_data, ss__str_of_val(key), row);
    }
    return ss__err_from_lmdb(code);
}

static int remove_entities(struct ss_store *store, MDB_txn *txn, uint64_t sid)
{
    uint8_t prefix[8];
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->env.dbi[SS_DB_ENTITY], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    ss__put_be64(prefix, sid);
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

static int put_checkpoints(struct ss_store *store, MDB_txn *txn)
{
    int err = 0;
    for (const struct ss_staged_checkpoint *at = store->checkpoints; at != NULL && err == 0;
         at = at->next) {
        if (at->anew) {
            err = remove_entities(store, txn, at->session->now.row.sid);
        }
        for (size_t i = 0; i < at->count && err == 0; i++) {
            err = put_entity(store, txn, at->session->now.row.sid, &at->rows[i]);
        }
    }
    return err;
}

static int flush_full_tails(struct ss_store *store, MDB_txn *txn)
{
    int err = 0;
    for (struct ss_list *link = store->changed.next; link != &store->changed && err == 0;
         link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        const struct ss_session_values *now = &session->now;
        if (!now->row.quarantined && now->tail_count > now->tail_flushed &&
            (now->tail_count >= SS_SEGMENT_RECORDS_MAX ||
             now->tail_bytes >= SS_SEGMENT_BYTES_MAX)) {
            err = ss__flush_tail(store, txn, session);
            err = err == SS_E_CORRUPT ? 0 : err;    /* set aside; the others go on */
        }
    }
    return err;
}

static int put_row(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session)
{
    uint8_t key_bytes[8];
    uint8_t value_bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value row = ss__session_row_value(session);
    ss__put_be64(key_bytes, session->now.row.sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(value_bytes,
                               ss__row_encode(value_bytes, session->now.row.sid, &row));
    int code = mdb_put(txn, store->env.dbi[SS_DB_SESSION], &key, &value, 0);
    if (code == 0 && row.running != session->now.index_running) {
        uint8_t version = SS_VALUE_VERSION;
        MDB_val mark = ss__val_of(&version, 1);
        code = row.running ? mdb_put(txn, store->env.dbi[SS_DB_RUNNING], &key, &mark, 0)
                           : mdb_del(txn, store->env.dbi[SS_DB_RUNNING], &key, NULL);
        code = code == MDB_NOTFOUND ? 0 : code;
        session->now.index_running = row.running;
    }
    return ss__err_from_lmdb(code);
}

static int put_rows(struct ss_store *store, MDB_txn *txn)
{
    int err = 0;
    for (struct ss_list *link = store->changed.next; link != &store->changed && err == 0;
         link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        if (session->row_due) {
            err = put_row(store, txn, session);
        }
    }
    return err;
}

/* How far a transaction goes: without its second half when space is short. */
struct extent {
    bool flush;
    unsigned forced;
    uint64_t trim_max;
};

static int write_all(struct ss_store *store, MDB_txn *txn, const struct extent *extent,
                     unsigned *ret_flushed)
{
    int err = SS_FAULT("store.commit.write");
    err = err != 0 ? err : SS_FAULT("store.mapfull");
    if (store->run_due) {
        err = err != 0 ? err : ss__store_put_run(store, txn, false);
    }
    err = err != 0 ? err : put_created(store, txn);
    err = err != 0 ? err : put_records(store, txn);
    err = err != 0 ? err : put_checkpoints(store, txn);
    if (extent->flush) {
        err = err != 0 ? err : flush_full_tails(store, txn);
        err = err != 0 ? err
                       : ss__flush_head(store, txn, extent->forced, extent->trim_max, ret_flushed);
    }
    return err != 0 ? err : put_rows(store, txn);
}

/* ---- success and failure in memory ---- */

static void drop_flushed_tail(struct ss_store_session *session)
{
    struct ss_session_values *now = &session->now;
    if (now->tail_flushed == 0) {
        return;
    }
    now->tail_count -= now->tail_flushed;
    memmove(session->tail, session->tail + now->tail_flushed,
            now->tail_count * sizeof *session->tail);
    now->tail_bytes -= now->tail_flushed_bytes;
    now->tail_flushed = 0;
    now->tail_flushed_bytes = 0;
}

static struct ss_store_session *take_changed(struct ss_store *store)
{
    if (ss__list_empty(&store->changed)) {
        return NULL;
    }
    struct ss_store_session *session =
        ss__container_of(store->changed.next, struct ss_store_session, link);
    ss__list_remove(&session->link);
    session->changed = false;
    session->row_due = false;
    return session;
}

static void settle(struct ss_store *store)
{
    for (struct ss_store_session *session; (session = take_changed(store)) != NULL;) {
        store->sessions += session->created;
        session->created = false;
        drop_flushed_tail(session);
        ss__session_release(store, session);
    }
    store->run_due = false;
    store->stats.events += store->staged_records;
    store->log_saved = store->log;
    forget_staged(store);
}

/* Takes back what a failed transaction did in memory, but not what was staged. */
static void undo_flush(struct ss_store *store)
{
    for (struct ss_list *link = store->changed.next; link != &store->changed; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        struct ss_session_values *now = &session->now;
        now->flushed_ordinal = session->saved.flushed_ordinal;
        now->flushed_us = session->saved.flushed_us;
        now->flushed_running = session->saved.flushed_running;
        now->index_running = session->saved.index_running;
        now->tip = session->saved.tip;
        now->tail_flushed = 0;
        now->tail_flushed_bytes = 0;
    }
    struct ss_log_values *log = &store->log;
    const struct ss_log_values *saved = &store->log_saved;
    log->head = saved->head;
    log->records = saved->records + store->staged_records;
    log->stored_next_sid = saved->stored_next_sid;
    log->segments_written = saved->segments_written;
    log->stragglers = saved->stragglers;
    log->trimmed = saved->trimmed;
    log->bytes = saved->bytes;
    log->unflushed_bytes = saved->unflushed_bytes;
    for (const struct ss_staged_record *at = store->records; at != NULL; at = at->next) {
        log->bytes += at->len;
        log->unflushed_bytes += at->len;
    }
}

void ss__store_abort(struct ss_store *store)
{
    for (struct ss_store_session *session; (session = take_changed(store)) != NULL;) {
        bool quarantined = session->now.row.quarantined;
        session->now = session->saved;
        session->now.row.quarantined = quarantined;
        if (session->created) {
            session->closed = true;
            session->now.tail_count = 0;
            (void)ss__map_remove(&store->by_sid, session->sid_hash, session);
            (void)ss__map_remove(&store->by_id, session->id_hash, session);
        }
        ss__session_release(store, session);
    }
    uint64_t next_sid = store->log.next_sid;
    store->log = store->log_saved;
    store->log.next_sid = next_sid;    /* what bore a number once may have been shown */
    forget_staged(store);
}

/* ---- committing ---- */

/* Ends @txn. */
static int commit_txn(struct ss_store *store, MDB_txn *txn)
{
    int code = SS_FAULT("store.commit.disk");    /* an errno */
    if (SS_FAULT("store.commit.sync") != 0) {
        code = EIO;
    }
    if (code != 0) {
        mdb_txn_abort(txn);
    } else {
        code = mdb_txn_commit(txn);
    }
    return ss__space_judge(store, code);
}

static int try_commit(struct ss_store *store, const struct extent *extent, unsigned *ret_flushed)
{
    MDB_txn *txn;
    int code = SS_FAULT("store.commit.begin");    /* a code of LMDB */
    code = code != 0 ? code : mdb_txn_begin(store->env.env, NULL, 0, &txn);
    if (code == MDB_PANIC) {
        ss__space_latch(store, "the write of a meta page failed");
        return SS_E_STOREIO;
    }
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    int err = write_all(store, txn, extent, ret_flushed);
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    return commit_txn(store, txn);
}

static int commit(struct ss_store *store, struct extent extent, unsigned *ret_flushed)
{
    if (store->failed) {
        ss__store_abort(store);
        return SS_E_STOREIO;
    }
    ss__space_make_room(store);
    uint64_t begin_ns = ss__clock_monotonic_ns(store->options.clock);
    ss__env_reader_stale(&store->env);
    int err = SS_FAULT("store.commit.before");
    err = err != 0 ? err : try_commit(store, &extent, ret_flushed);
    if (err != 0 && !store->failed) {
        undo_flush(store);
        /* A full map may still hold the events alone; another error gets a second chance. */
        extent.flush = extent.flush && err != SS_E_STOREFULL;
        *ret_flushed = 0;
        err = try_commit(store, &extent, ret_flushed);
    }
    if (err == 0 && SS_FAULT("store.commit.after") != 0) {
        store->failed = true;    /* as if the answer of the disk had been lost */
        err = SS_E_STOREIO;
    }
    store->stats.last_commit_ns = ss__clock_monotonic_ns(store->options.clock) - begin_ns;
    if (err != 0) {
        store->stats.commit_errors++;
        if (err == SS_E_STOREFULL) {
            ss__space_refuse(store);
        }
        ss__store_abort(store);
        return err;
    }
    store->stats.commits++;
    settle(store);
    ss__space_check(store);
    return 0;
}

int ss__store_commit(struct ss_store *store)
{
    struct extent extent = { true, 0, store->staged_records == 0
                                          ? TRIM_IDLE
                                          : 2 * (uint64_t)store->staged_records };
    unsigned flushed = 0;
    return commit(store, extent, &flushed);
}

int ss__store_flush(struct ss_store *store, unsigned tails_max)
{
    SS_REQUIRE(store->staged_bytes == 0);
    if (store->log.records == 0 || store->failed) {
        return 0;
    }
    unsigned flushed = 0;
    uint64_t trimmed = store->log.trimmed;
    struct extent extent = { true, tails_max, TRIM_REST };
    int err = commit(store, extent, &flushed);
    if (err != 0) {
        return err;
    }
    return flushed > 0 ? (int)flushed : store->log.trimmed > trimmed ? 1 : 0;
}

int ss__store_sync(struct ss_store *store)
{
    int code = SS_FAULT("store.sync");
    if (!store->failed && (code != 0 || mdb_env_sync(store->env.env, 1) != 0)) {
        ss__space_latch(store, "a sync failed");
    }
    return store->failed ? SS_E_STOREIO : 0;
}

int ss__store_writable(struct ss_store *store)
{
    if (store->failed) {
        return SS_E_STOREIO;
    }
    if (store->refusal != 0) {
        ss__space_check(store);
    }
    return store->refusal;
}
