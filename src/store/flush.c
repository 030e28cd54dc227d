/* The transaction that moves what the log holds into LMDB: new sessions, full tails, checkpoints.
 * Nothing waits for it and nothing is lost with it: what it has not moved stays in the log. */
#include <errno.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/store_state.h"

#define SID_BLOCK 1024u
#define FLUSH_BYTES (512u << 10)
#define FLUSH_BYTES_MAX (1u << 20)    /* longer ones would delay the next batch */
#define FLUSH_BORN 2048u
#define RETRY_NS UINT64_C(100000000)

int ss__store_stage_checkpoint(struct ss_store *store, struct ss_store_session *session,
                               const struct ss_entity_row *rows, size_t count, uint64_t ordinal,
                               uint32_t timeline_version)
{
    if (session->closed || session->now.row.quarantined) {
        return session->closed ? SS_E_CLOSED : SS_E_CORRUPT;
    }
    SS_REQUIRE(ordinal <= session->now.row.ordinal && store->batch.len == 0);
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
    return 0;
}

/* ---- writing ---- */

static int put_next_sid(struct ss_store *store, MDB_txn *txn, uint64_t next_sid)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    MDB_val key = ss__val_of(META_SID, sizeof META_SID - 1);
    MDB_val value = ss__val_of(bytes, ss__meta_sid_encode(bytes, next_sid));
    return ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_META], &key, &value, 0));
}

static int put_catalog(struct ss_store *store, MDB_txn *txn,
                       const struct ss_store_session *session)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint8_t value_bytes[SS_CATALOG_VALUE_BYTES];
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, session->id));
    ss__catalog_encode(value_bytes, ss__str_of_val(key), session->now.row.sid);
    MDB_val value = ss__val_of(value_bytes, sizeof value_bytes);
    int code = mdb_put(txn, store->env.dbi[SS_DB_CATALOG], &key, &value, MDB_NOOVERWRITE);
    /* The row was lost, the log brings it back: that must not hold up the others. If the entry is
     * another session's, a check names both. */
    return code == MDB_KEYEXIST ? 0 : ss__err_from_lmdb(code);
}

static int put_born(struct ss_store *store, MDB_txn *txn)
{
    int err = 0;
    for (struct ss_list *link = store->born.next; link != &store->born && err == 0;
         link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, born_link);
        ss__session_change(store, session);
        session->row_due = true;
        ss__log_file_at(&store->log, session->born)->leaving++;
        err = put_catalog(store, txn, session);
    }
    return err;
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
    size_t bytes = 0;
    for (struct ss_list *link = store->full.next;
         link != &store->full && err == 0 && bytes < FLUSH_BYTES_MAX; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, full_link);
        bytes += session->now.tail_bytes;
        err = ss__flush_tail(store, txn, session);
        err = err == SS_E_CORRUPT ? 0 : err;    /* set aside; the others go on */
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

/* From which file on the log is needed, and how far it reaches. */
static int put_log(struct ss_store *store, MDB_txn *txn)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    struct ss_meta_log log = { ss__log_needed(&store->log), store->log.next_batch };
    MDB_val key = ss__val_of(META_LOG, sizeof META_LOG - 1);
    MDB_val value = ss__val_of(bytes, ss__meta_log_encode(bytes, &log));
    return ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_META], &key, &value, 0));
}

static int write_all(struct ss_store *store, MDB_txn *txn, unsigned forced, unsigned *ret_flushed)
{
    int err = SS_FAULT("store.flush.write");
    err = err != 0 ? err : put_born(store, txn);
    err = err != 0 ? err : put_checkpoints(store, txn);
    err = err != 0 ? err : flush_full_tails(store, txn);
    err = err != 0 ? err : ss__flush_stragglers(store, txn, forced, ret_flushed);
    err = err != 0 ? err : put_rows(store, txn);
    if (store->next_sid > store->stored_next_sid) {
        err = err != 0 ? err : put_next_sid(store, txn, store->next_sid + SID_BLOCK);
    }
    return err != 0 ? err : put_log(store, txn);
}

/* Ends @txn. */
static int end_txn(struct ss_store *store, MDB_txn *txn)
{
    int code = SS_FAULT("store.flush.disk");    /* an errno */
    if (code != 0) {
        mdb_txn_abort(txn);
    } else {
        code = mdb_txn_commit(txn);
    }
    return ss__space_judge(store, code);
}

static int try_flush(struct ss_store *store, unsigned forced, unsigned *ret_flushed)
{
    MDB_txn *txn;
    int code = SS_FAULT("store.flush.begin");    /* a code of LMDB */
    code = code != 0 ? code : mdb_txn_begin(store->env.env, NULL, 0, &txn);
    if (code == MDB_PANIC) {
        ss__space_latch(store, "the write of a meta page failed");
        return SS_E_STOREIO;
    }
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    int err = write_all(store, txn, forced, ret_flushed);
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    return end_txn(store, txn);
}

/* ---- success and failure in memory ---- */

void ss__checkpoints_forget(struct ss_store *store)
{
    ss__arena_reset(&store->arena);
    store->checkpoints = NULL;
    store->checkpoints_end = &store->checkpoints;
}

static void drop_flushed_tail(struct ss_store *store, struct ss_store_session *session)
{
    struct ss_session_values *now = &session->now;
    if (now->tail_flushed == 0) {
        return;
    }
    now->tail_count -= now->tail_flushed;
    memmove(session->tail, session->tail + now->tail_flushed,
            now->tail_count * sizeof *session->tail);
    now->tail_bytes -= now->tail_flushed_bytes;
    store->unflushed_bytes -= now->tail_flushed_bytes;
    store->stats.segments_written += now->segments_flushed;
    now->segments_flushed = 0;
    now->tail_flushed = 0;
    now->tail_flushed_bytes = 0;
}

static void settle_born(struct ss_store *store)
{
    while (!ss__list_empty(&store->born)) {
        struct ss_store_session *session =
            ss__container_of(store->born.next, struct ss_store_session, born_link);
        ss__list_remove(&session->born_link);
        session->born = 0;
    }
    store->born_count = 0;
}

static void settle(struct ss_store *store, unsigned stragglers)
{
    settle_born(store);
    for (struct ss_store_session *session; (session = ss__take_changed(store)) != NULL;) {
        drop_flushed_tail(store, session);
        ss__session_judge_tail(store, session);
        ss__session_release(store, session);
    }
    for (size_t i = 0; i < store->log.count; i++) {
        store->log.files[i]->live -= store->log.files[i]->leaving;
        store->log.files[i]->leaving = 0;
    }
    store->stored_next_sid = store->next_sid > store->stored_next_sid ? store->next_sid + SID_BLOCK
                                                                      : store->stored_next_sid;
    store->stats.stragglers_flushed += stragglers;
    store->stats.records_trimmed += ss__log_trim(&store->log);
    store->stats.flushes++;
    ss__checkpoints_forget(store);
}

/* Takes back what a failed transaction did in memory, but not what was staged for it. */
static void undo_try(struct ss_store *store)
{
    for (struct ss_list *link = store->changed.next; link != &store->changed; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        struct ss_session_values *now = &session->now;
        struct ss_session_row row = now->row;
        bool entities_void = now->entities_void;
        *now = session->saved;
        now->row = row;
        now->entities_void = entities_void;
    }
    for (size_t i = 0; i < store->log.count; i++) {
        store->log.files[i]->leaving = 0;
    }
    store->walker = store->walker_saved;
}

/* ---- flushing ---- */

static bool nothing_to_do(const struct ss_store *store, unsigned forced)
{
    return store->checkpoints == NULL && ss__list_empty(&store->full) &&
           ss__list_empty(&store->born) && (forced == 0 || store->unflushed_bytes == 0) &&
           !ss__log_over_window(store);
}

static int give_up(struct ss_store *store, int err)
{
    store->stats.flush_errors++;
    store->flush_retry_ns = ss__clock_monotonic_ns(store->options.clock) + RETRY_NS;
    if (err == SS_E_STOREFULL) {
        ss__space_refuse(store);
    }
    ss__sessions_undo(store);
    ss__checkpoints_forget(store);
    return err;
}

static int flush(struct ss_store *store, unsigned forced)
{
    /* Nothing in LMDB may be ahead of the log. */
    int err = ss__store_sync(store);
    if (err != 0) {
        return give_up(store, err);
    }
    ss__space_make_room(store);
    ss__env_reader_stale(&store->env);
    store->walker_saved = store->walker;
    unsigned flushed = 0;
    err = try_flush(store, forced, &flushed);
    if (err != 0) {
        undo_try(store);
    }
    if (err == SS_E_STOREIO && !store->failed) {
        flushed = 0;
        err = try_flush(store, forced, &flushed);
        if (err != 0) {
            undo_try(store);
        }
    }
    if (err != 0) {
        return give_up(store, err);
    }
    settle(store, flushed);
    ss__space_check(store);
    return (int)flushed;
}

int ss__store_flush(struct ss_store *store, unsigned tails_max)
{
    SS_REQUIRE(store->batch.len == 0);
    if (nothing_to_do(store, tails_max)) {
        return 0;
    }
    uint64_t begin_ns = ss__clock_monotonic_ns(store->options.clock);
    bool more = !ss__list_empty(&store->full) || !ss__list_empty(&store->born);
    struct ss_log_walker before = store->walker;
    int flushed = flush(store, tails_max);
    more = more || store->walker.serial != before.serial ||
           store->walker.offset != before.offset || store->walker.index != before.index;
    store->stats.last_flush_ns = ss__clock_monotonic_ns(store->options.clock) - begin_ns;
    return flushed == 0 && more ? 1 : flushed;
}

bool ss__store_flush_due(const struct ss_store *store)
{
    return store->full_bytes >= FLUSH_BYTES || store->born_count >= FLUSH_BORN ||
           ss__log_over_window(store);
}

bool ss__store_may_flush(const struct ss_store *store)
{
    return !store->failed &&
           (store->flush_retry_ns == 0 ||
            ss__clock_monotonic_ns(store->options.clock) >= store->flush_retry_ns);
}

int ss__store_forget_log(struct ss_store *store)
{
    MDB_txn *txn;
    ss__env_reader_stale(&store->env);
    int err = ss__err_from_lmdb(mdb_txn_begin(store->env.env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    err = put_log(store, txn);
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    err = ss__err_from_lmdb(mdb_txn_commit(txn));
    if (err == 0) {
        (void)ss__log_trim(&store->log);    /* records of the process before do not count here */
    }
    return err;
}
