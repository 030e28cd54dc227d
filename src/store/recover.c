/* What the last process left: which events are in the log and in no segment yet. */
#include "core/hash.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/command.h"
#include "store/log_walk.h"
#include "store/record.h"
#include "store/store_state.h"
#include "store/trash.h"

struct recovery {
    struct ss_store *store;
    MDB_txn *txn;
    struct ss_store_report *report;
    struct ss_trash trash;
    uint64_t lost_births;    /* at most so many new sessions were in what cannot be read */
};

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
        int err = ss__guard_key(&store->env, txn, SS_DB_SESSION, ss__str_of_val(key));
        err = err != 0
                  ? err
                  : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_SESSION], &key, &value));
        err = err != 0 ? err : ss__row_decode(sid, ss__str_of_val(value), &row);
        if (err != 0) {
            return err;
        }
        session = ss__session_add(store, sid, &row);
        if (session == NULL) {
            return SS_E_NOMEM;
        }
    }
    *ret_session = session;
    return 0;
}

/* What cannot be read stays where it is, so that a check finds it. */
static void log_damage(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                       uint64_t sid, const char *reason)
{
    ss__log(SS_LOG_ERROR, "damage in the log", "shard=%u file=log-%08llx place=%llu sid=%llu "
            "reason=\"%s\"", recovery->store->options.shard_index,
            (unsigned long long)file->head.serial, (unsigned long long)(position & UINT32_MAX),
            (unsigned long long)sid, reason);
    recovery->report->damaged_records++;
    file->kept = true;
}

/* Counted in the order of the log, so that a place that is named twice does not cancel out. */
static void report_damage(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                          uint64_t sid, const char *reason)
{
    struct ss_store *store = recovery->store;
    log_damage(recovery, file, position, sid, reason);
    store->damage = ss__checksum_seeded(store->damage, &position, sizeof position);
}

/* Kept for whoever asks later; the log has it in any case. @session may be NULL. */
static void note_damage(struct recovery *recovery, const struct ss_store_session *session,
                        const struct ss_log_record *record, enum ss_error_kind kind,
                        const char *text)
{
    struct ss_error_record noted = {
        .kind = kind,
        .code = SS_E_CORRUPT,
        .session_id = session == NULL ? ss_str(NULL) : session->id,
        .ordinal = session == NULL ? 0 : record->event.ordinal,
        .text = ss_str(text),
    };
    (void)ss__store_note_error_once(recovery->store, &noted, UINT64_MAX);
}

/* A record of a session that was deleted and taken out. */
static bool is_trash(const struct recovery *recovery, uint64_t sid)
{
    return ss__trash_has(&recovery->trash, sid);
}

/* From here on the session is taken for deleted. */
static void end_life(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                     struct ss_store_session *session)
{
    if (!session->deleted) {
        session->deleted = true;
        session->deleted_at = position;
        ss__store_forget_commands(recovery->store, session->id);
        ss__session_dead(recovery->store, session);
        file->live++;
    }
}

static int find_by_id(const struct recovery *recovery, struct ss_str id,
                      struct ss_store_session **ret_session)
{
    struct ss_store *store = recovery->store;
    struct ss_store_session *session = ss__map_get(&store->by_id, ss__map_hash(id), id);
    if (session != NULL) {
        *ret_session = session;
        return 0;
    }
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint64_t sid;
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, id));
    MDB_val value;
    int err = ss__guard_key(&store->env, recovery->txn, SS_DB_CATALOG, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(recovery->txn, store->env.dbi[SS_DB_CATALOG], &key,
                                               &value));
    err = err != 0 ? err : ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), &sid);
    return err != 0 ? err : handle_of(store, recovery->txn, sid, ret_session);
}

/* A session takes an id only when the one that had it is deleted: the record of that is damaged. */
static int end_former(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                      const struct ss_log_record *birth)
{
    struct ss_store_session *former;
    int err = find_by_id(recovery, birth->id, &former);
    if (err != 0) {
        return err == SS_E_NOTFOUND || err == SS_E_CORRUPT ? 0 : err;
    }
    if (former->now.row.sid < birth->sid) {
        end_life(recovery, file, position, former);
    }
    return 0;
}

static int take_birth(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                      const struct ss_log_record *record)
{
    struct ss_store *store = recovery->store;
    struct ss_store_session *session;
    int err = handle_of(store, recovery->txn, record->sid, &session);
    if (err != SS_E_NOTFOUND) {
        return err == SS_E_CORRUPT ? 0 : err;    /* a damaged row is met when it is asked for */
    }
    if (ss__trash_has(&recovery->trash, record->sid)) {
        return 0;
    }
    err = end_former(recovery, file, position, record);
    if (err != 0) {
        return err;
    }
    struct ss_row_value row = { .first_retained = 1, .created_us = record->created_us,
                                .updated_us = record->created_us, .id = record->id };
    session = ss__session_add(store, record->sid, &row);
    if (session == NULL) {
        return SS_E_NOMEM;
    }
    ss__session_born(store, session, position);
    file->live++;
    return 0;
}

static int take_delete(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                       const struct ss_log_record *record)
{
    struct ss_store_session *session;
    int err = handle_of(recovery->store, recovery->txn, record->sid, &session);
    if (err != 0) {
        return err == SS_E_NOTFOUND || err == SS_E_CORRUPT ? 0 : err;    /* it is done */
    }
    end_life(recovery, file, position, session);
    return 0;
}

/* An unflushed event joins its session's tail. */
static int take_event(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                      const struct ss_log_record *record, struct ss_store_session *session)
{
    const struct ss_record *event = &record->event;
    struct ss_session_row *row = &session->now.row;
    if (event->ordinal <= session->now.flushed_ordinal) {
        return 0;
    }
    if (row->quarantined || event->ordinal != row->ordinal + 1) {
        if (!row->quarantined) {
            report_damage(recovery, file, position, record->sid, "ordinals have a gap");
            note_damage(recovery, session, record, SS_ERROR_KIND_ORDINAL,
                        "the ordinals of stored events have a gap");
        }
        row->quarantined = true;
        file->kept = true;
        return 0;
    }
    recovery->report->recovered_records++;
    recovery->store->unflushed_bytes += record->len;
    row->ordinal = event->ordinal;
    row->updated_us = event->time_us;
    row->running = (event->flags & SS_RECORD_RUNNING) != 0;
    file->live++;
    return ss__session_push(session, position, record->len);
}

/* A damaged record may be of any session, whatever it says: only the one whose next event it claims
 * to be is set aside. */
static int take_damaged(struct recovery *recovery, struct ss_log_file *file, uint64_t position,
                        const struct ss_log_record *record, struct ss_store_session *session)
{
    report_damage(recovery, file, position, record->sid,
                  session == NULL ? "no such session" : "checksum");
    note_damage(recovery, session, record, SS_ERROR_KIND_DECODE,
                "a stored event is damaged in the log");
    if (session != NULL && record->event.ordinal == session->now.row.ordinal + 1) {
        session->now.row.quarantined = true;
    }
    return 0;
}

/* No number that the log still knows may be given to another session. */
static void note_sid(struct recovery *recovery, const struct ss_log_record *record, bool damaged)
{
    uint64_t *next_sid = &recovery->store->next_sid;
    if (damaged) {
        recovery->lost_births++;
    } else if (record->sid >= *next_sid && record->sid < UINT64_MAX / 2) {
        *next_sid = record->sid + 1;
    }
}

static int on_record(void *ctx, struct ss_log_file *file, uint64_t position,
                     const struct ss_log_record *record, bool damaged)
{
    struct recovery *recovery = ctx;
    SS_KILL_POINT(RECOVER_RECORD);
    note_sid(recovery, record, damaged);
    if (!damaged && record->kind == SS_LOG_SESSION) {
        return take_birth(recovery, file, position, record);
    }
    if (!damaged && record->kind == SS_LOG_DELETE) {
        return take_delete(recovery, file, position, record);
    }
    if (!damaged && record->kind == SS_LOG_COMMAND) {
        return ss__commands_take(recovery->store, file, position, &record->command);
    }
    struct ss_store_session *session = NULL;
    int err = record->sid == 0
                  ? SS_E_NOTFOUND
                  : handle_of(recovery->store, recovery->txn, record->sid, &session);
    if (!damaged && err == SS_E_NOTFOUND && is_trash(recovery, record->sid)) {
        return 0;
    }
    if (damaged || err == SS_E_NOTFOUND || err == SS_E_CORRUPT) {
        return take_damaged(recovery, file, position, record, session);
    }
    return err != 0 ? err : take_event(recovery, file, position, record, session);
}

static int on_gap(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes,
                  const char *what)
{
    struct recovery *recovery = ctx;
    recovery->lost_births += bytes / SS_LOG_SESSION_FIXED_BYTES;
    report_damage(recovery, file, position, 0, what);
    note_damage(recovery, NULL, NULL, SS_ERROR_KIND_DECODE, "a part of the log is damaged");
    return 0;
}

/* Nobody was told of it, unless it is damage that looks like this: clients begin anew. */
static void on_torn(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes)
{
    struct recovery *recovery = ctx;
    struct ss_store *store = recovery->store;
    ss__log(SS_LOG_WARN, "the last batch of the log was cut off while it was written",
            "shard=%u file=log-%08llx place=%llu bytes=%llu", store->options.shard_index,
            (unsigned long long)file->head.serial, (unsigned long long)(position & UINT32_MAX),
            (unsigned long long)bytes);
    store->end_lost = true;
}

static const struct ss_log_visitor visitor = { on_record, on_gap, on_torn };

static int scan_log(struct recovery *recovery)
{
    struct ss_store *store = recovery->store;
    const struct ss_log_known *before = &store->log_before;
    int err = ss__log_walk(&store->log, before, &visitor, recovery);
    if (err != 0) {
        return err;
    }
    store->next_sid += recovery->lost_births;
    if (store->log.next_batch < before->next_batch) {
        struct ss_log_file *last = ss__log_current(&store->log);
        if (last != NULL) {
            log_damage(recovery, last, ss__log_position(last->head.serial, last->end), 0,
                       "batches at the end are missing");
        }
        store->end_lost = true;
        store->log.next_batch = before->next_batch;
    }
    return 0;
}

/* The row of a session that the index of running ones lacks. */
static int find_running(struct ss_store *store, MDB_txn *txn, MDB_val key, MDB_val value)
{
    struct ss_row_value row;
    struct ss_store_session *session;
    uint64_t sid = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (ss__row_decode(sid, ss__str_of_val(value), &row) != 0 || !row.running) {
        return 0;    /* damage is told to whoever asks for the session */
    }
    return handle_of(store, txn, sid, &session);
}

/* A row of the index. SS_E_CORRUPT: it is damaged, or its session is. */
static int take_running(struct ss_store *store, MDB_txn *txn, MDB_val key, MDB_val value)
{
    uint64_t sid = 0;
    struct ss_store_session *session;
    int err = ss__running_decode(ss__str_of_val(key), ss__str_of_val(value), &sid);
    err = err != 0 ? err : handle_of(store, txn, sid, &session);
    if (err != SS_E_CORRUPT && err != SS_E_NOTFOUND) {
        return err;
    }
    ss__log(SS_LOG_ERROR, "a running session cannot be read; run `ssctl store check`",
            "shard=%u sid=%llu", store->options.shard_index, (unsigned long long)sid);
    return SS_E_CORRUPT;
}

typedef int visit_fn(struct ss_store *store, MDB_txn *txn, MDB_val key, MDB_val value);

/* @ret_damaged: how often @visit said SS_E_CORRUPT. */
static int each_row(struct ss_store *store, MDB_txn *txn, enum ss_db db, visit_fn *visit,
                    uint64_t *ret_damaged)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__guard_walk(&store->env, txn, db, ss_str(""), 0, UINT64_MAX);
    err = err != 0 ? err : ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[db], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        err = visit(store, txn, key, value);
        *ret_damaged += err == SS_E_CORRUPT;
        err = err == SS_E_CORRUPT ? 0 : err;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 || code == 0 || code == MDB_NOTFOUND ? err : ss__err_from_lmdb(code);
}

static int mark_running(struct ss_store *store, MDB_txn *txn, struct ss_store_report *report)
{
    uint64_t damaged = 0;
    uint64_t unused = 0;
    int err = each_row(store, txn, SS_DB_RUNNING, take_running, &damaged);
    report->damaged_records += damaged;
    if (err == 0 && damaged > 0) {
        err = each_row(store, txn, SS_DB_SESSION, find_running, &unused);
        err = err == SS_E_CORRUPT ? 0 : err;    /* the log names the page */
    }
    if (err != 0) {
        return err;
    }
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        session->now.row.was_running = session->now.row.running && !session->deleted;
        session->now.row.running = false;
    }
    return 0;
}

static uint64_t newest_shown(const struct ss_store_session *session)
{
    uint64_t newest = 0;
    const struct ss_timeline_list *list = session->timelines;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        newest = list->rows[i].ordinal > newest ? list->rows[i].ordinal : newest;
    }
    return newest;
}

/* Entities on disk may show unflushed events, but none that do not exist. */
static void judge_timelines(struct ss_store *store, struct ss_store_report *report)
{
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        struct ss_session_row *row = &session->now.row;
        if (!row->quarantined && newest_shown(session) > row->ordinal) {
            row->quarantined = true;
            report->damaged_records++;
            ss__log(SS_LOG_ERROR, "damaged session row: its timeline is ahead of its events",
                    "shard=%u sid=%llu", store->options.shard_index,
                    (unsigned long long)row->sid);
        }
    }
}

/* Handles that were only needed to look at flushed records go again. */
static void settle_handles(struct ss_store *store)
{
    size_t count = 0;
    struct ss_store_session **list =
        ss__arena_alloc(&store->arena, (store->by_sid.count + 1) * sizeof *list);
    size_t at = 0;
    for (struct ss_store_session *session;
         list != NULL && (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        ss__session_judge_tail(store, session);
        list[count++] = session;
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
    struct recovery recovery = { .store = store, .report = report };
    int err = ss__env_reader(&store->env, &recovery.txn);
    err = err != 0 ? err : ss__trash_load(&store->env, recovery.txn, &recovery.trash);
    store->trash_left = recovery.trash.left;
    if (recovery.trash.damaged) {
        ss__log(SS_LOG_ERROR, "the list of deleted sessions is damaged; run `ssctl store check`",
                "shard=%u", store->options.shard_index);
    }
    store->log_before.oldest_serial = recovery.trash.oldest_serial;
    err = err != 0 ? err : scan_log(&recovery);
    err = err != 0 ? err : mark_running(store, recovery.txn, report);
    ss__trash_deinit(&recovery.trash);
    ss__env_reader_stale(&store->env);
    if (err != 0) {
        return ss__fail(failure, err, "the log of shard %u in \"%s\" cannot be read: %s; run "
                        "`ssctl store check`", store->options.shard_index, store->dir,
                        err == SS_E_CORRUPT ? "a file of it is missing" : ss_error_text(err));
    }
    SS_KILL_POINT(RECOVER_AFTER);
    judge_timelines(store, report);
    ss__commands_bound(store);
    settle_handles(store);
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
