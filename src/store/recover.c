/* After a crash: which events are in the log and in no segment yet. */
#include "core/hash.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/store_state.h"

static int handle_of(struct ss_store *store, MDB_txn *txn, uint64_t sid,
                     struct ss_store_session **ret_session)
{
    struct ss_store_session *session = ss__session_by_sid(store, sid);
    if (session == NULL) {
        uint8_t key_bytes[8];
        struct ss_row_value row;
        ss__put_be64(key_bytes, sid);
        MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
        MDB_val value;
        int err = ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_SESSION], &key, &value));
        err = err != 0 ? err : ss__row_decode(sid, ss__str_of_val(value), &row);
        if (err != 0) {
            return err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
        }
        session = ss__session_add(store, sid, &row);
        if (session == NULL) {
            return SS_E_NOMEM;
        }
    }
    *ret_session = session;
    return 0;
}

static void report_damage(struct ss_store *store, uint64_t sequence, uint64_t sid,
                          const char *reason)
{
    ss__log(SS_LOG_ERROR, "damaged record in the log", "shard=%u log_sequence=%llu sid=%llu "
            "reason=\"%s\"", store->options.shard_index, (unsigned long long)sequence,
            (unsigned long long)sid, reason);
    store->suspect_end = sequence + 1;
    store->damage ^= ss__checksum(&sequence, sizeof sequence);
}

/* Counts a record; an unflushed one joins its session's tail. A damaged one may be of any session,
 * whatever it says: only the one whose next event it claims to be is set aside. */
static int take_record(struct ss_store *store, MDB_txn *txn, uint64_t sequence,
                       struct ss_str value, struct ss_store_report *report)
{
    uint64_t sid = 0;
    struct ss_record record;
    int damaged = ss__log_record_decode(value, sequence, &sid, &record);
    struct ss_store_session *session = NULL;
    int err = sid == 0 ? SS_E_CORRUPT : handle_of(store, txn, sid, &session);
    store->log.records++;
    store->log.bytes += value.len;
    if (err == SS_E_CORRUPT || (err == 0 && damaged != 0)) {
        report->damaged_records++;
        report_damage(store, sequence, sid, session == NULL ? "no such session" : "checksum");
        if (session != NULL && record.ordinal == session->now.row.ordinal + 1) {
            session->now.row.quarantined = true;
        }
        return 0;
    }
    if (err != 0 || record.ordinal <= session->now.flushed_ordinal) {
        return err;
    }
    if (record.ordinal != session->now.row.ordinal + 1) {
        report->damaged_records++;
        report_damage(store, sequence, sid, "ordinals have a gap");
        session->now.row.quarantined = true;
        return 0;
    }
    report->recovered_records++;
    store->log.unflushed_bytes += value.len;
    session->now.row.ordinal = record.ordinal;
    session->now.row.updated_us = record.time_us;
    session->now.row.running = (record.flags & SS_RECORD_RUNNING) != 0;
    return ss__session_push(session, sequence, (uint32_t)value.len);
}

static int scan_log(struct ss_store *store, MDB_txn *txn, struct ss_store_report *report)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_LOG], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    bool first = true;
    while (code == 0 && err == 0) {
        uint64_t sequence = key.mv_size == 8 ? ss__get_be64(key.mv_data) : UINT64_MAX;
        if (sequence == UINT64_MAX) {
            err = SS_E_CORRUPT;    /* nothing could be appended behind such a key */
            break;
        }
        store->log.head = first ? sequence : store->log.head;
        store->log.next = sequence + 1;
        first = false;
        err = take_record(store, txn, sequence, ss__str_of_val(value), report);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static int mark_running(struct ss_store *store, MDB_txn *txn, struct ss_store_report *report)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_RUNNING], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        struct ss_store_session *session;
        uint64_t sid = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
        err = sid != 0 ? handle_of(store, txn, sid, &session) : SS_E_CORRUPT;
        if (err == SS_E_CORRUPT) {
            report->damaged_records++;
            ss__log(SS_LOG_ERROR, "a running session cannot be read; run `ssctl store check`",
                    "shard=%u sid=%llu", store->options.shard_index, (unsigned long long)sid);
            err = 0;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (err != 0 || (code != 0 && code != MDB_NOTFOUND)) {
        return err != 0 ? err : ss__err_from_lmdb(code);
    }
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        session->now.row.was_running = session->now.row.running;
        session->now.row.running = false;
    }
    return 0;
}

/* Entities on disk may show unflushed events, but none that do not exist. */
static void judge_timelines(struct ss_store *store, struct ss_store_report *report)
{
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        struct ss_session_row *row = &session->now.row;
        if (!row->quarantined && row->timeline_ordinal > row->ordinal) {
            row->quarantined = true;
            report->damaged_records++;
            ss__log(SS_LOG_ERROR, "damaged session row: its timeline is ahead of its events",
                    "shard=%u sid=%llu", store->options.shard_index,
                    (unsigned long long)row->sid);
        }
    }
}

/* Handles that were only needed to look at flushed records go again. */
static void drop_unneeded(struct ss_store *store)
{
    size_t count = 0;
    struct ss_store_session **list =
        ss__arena_alloc(&store->arena, (store->by_sid.count + 1) * sizeof *list);
    size_t at = 0;
    for (struct ss_store_session *session;
         list != NULL && (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        if (!session->now.row.was_running) {
            list[count++] = session;
        }
    }
    for (size_t i = 0; i < count; i++) {
        ss__session_release(store, list[i]);
    }
    ss__arena_reset(&store->arena);
}

int ss__recover(struct ss_store *store, struct ss_store_report *report,
                struct ss_failure *failure)
{
    uint64_t begin_ns = ss__clock_monotonic_ns(store->options.clock);
    MDB_txn *txn;
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0 ? err : scan_log(store, txn, report);
    err = err != 0 ? err : mark_running(store, txn, report);
    ss__env_reader_stale(&store->env);
    if (err != 0) {
        return ss__fail(failure, err, "the log of shard %u in \"%s\" cannot be read: %s; run "
                        "`ssctl store check`", store->options.shard_index, store->dir,
                        ss_error_text(err));
    }
    if (store->log.next == 0) {
        store->log.next = store->log.head = 1;
    }
    judge_timelines(store, report);
    drop_unneeded(store);
    store->log_saved = store->log;
    report->recovery_us = (ss__clock_monotonic_ns(store->options.clock) - begin_ns) / 1000;
    return 0;
}

int ss__store_each_was_running(struct ss_store *store,
                               void (*visit)(struct ss_str session_id, void *context),
                               void *context)
{
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        if (session->now.row.was_running) {
            visit(session->id, context);
        }
    }
    return 0;
}
