/* Moving events from the log into segments, and trimming the log. */
#include <string.h>

#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/store_state.h"

#define STRAGGLERS_MAX 32u
#define STRAGGLER_BYTES_MAX (256u << 10)

/* @place: database and @number in it where the damage was found. */
static void quarantine(struct ss_store *store, struct ss_store_session *session,
                       const char *place, uint64_t number)
{
    if (!session->now.row.quarantined) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        session->now.row.quarantined = true;
        session->saved.row.quarantined = true;    /* damage is not undone with a transaction */
        ss__log(SS_LOG_ERROR, "a stored event is damaged, its session is set aside",
                "shard=%u place=%s number=%llu session=%s", store->options.shard_index, place,
                (unsigned long long)number, ss__log_quote(id, sizeof id, session->id));
    }
}

static int read_log(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session,
                    uint64_t sequence, struct ss_record *ret_record)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, sequence);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_LOG], &key, &value));
    uint64_t sid = 0;
    if (err == 0) {
        err = ss__log_record_decode(ss__str_of_val(value), sequence, &sid, ret_record);
    }
    if (err == SS_E_NOTFOUND || err == SS_E_CORRUPT || (err == 0 && sid != session->now.row.sid)) {
        quarantine(store, session, "log", sequence);
        return SS_E_CORRUPT;
    }
    return err;
}

/* Starts the scratch with the newest segment if it has room, else with an empty one. */
static int begin_segment(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session,
                         struct ss_segment_tip *ret_tip)
{
    const struct ss_session_values *now = &session->now;
    struct ss_bytes *out = &store->scratch;
    ss__bytes_clear(out);
    (void)ss__bytes_extend(out, SS_SEGMENT_HEAD_BYTES);    /* sealed at the end; errors stick */
    bool grows = now->tip.count > 0 && now->tip.count < SS_SEGMENT_RECORDS_MAX &&
                 now->tip.bytes < SS_SEGMENT_BYTES_MAX;
    if (!grows) {
        *ret_tip = (struct ss_segment_tip){ .first = now->flushed_ordinal + 1 };
        return 0;
    }
    uint8_t key_bytes[16];
    ss__segment_key(key_bytes, now->row.sid, now->tip.first);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_SEGMENT], &key, &value));
    struct ss_segment segment;
    if (err == 0) {
        err = ss__segment_decode(ss_str_of(key_bytes, sizeof key_bytes), ss__str_of_val(value),
                                 &segment);
    }
    if (err == SS_E_NOTFOUND || err == SS_E_CORRUPT ||
        (err == 0 && (segment.count != now->tip.count ||
                      segment.entries.len != now->tip.bytes))) {
        quarantine(store, session, "segment", now->tip.first);
        return SS_E_CORRUPT;
    }
    if (err != 0) {
        return err;
    }
    ss__bytes_str(out, segment.entries);
    *ret_tip = now->tip;
    return 0;
}

static int put_segment(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session,
                       const struct ss_segment_tip *tip)
{
    struct ss_bytes *out = &store->scratch;
    if (out->err != 0) {
        return out->err;
    }
    ss__segment_seal(out->data, out->len, session->now.row.sid, tip->first, tip->count);
    uint8_t key_bytes[16];
    ss__segment_key(key_bytes, session->now.row.sid, tip->first);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(out->data, out->len);
    store->log.segments_written++;
    return ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_SEGMENT], &key, &value, 0));
}

/* Fills one segment from the tail and writes it. */
static int flush_segment(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session)
{
    struct ss_session_values *now = &session->now;
    struct ss_segment_tip tip;
    int err = begin_segment(store, txn, session, &tip);
    uint32_t done = now->tail_flushed;
    uint32_t bytes = 0;
    struct ss_record record = { 0 };
    while (err == 0 && done < now->tail_count && tip.count < SS_SEGMENT_RECORDS_MAX &&
           tip.bytes < SS_SEGMENT_BYTES_MAX) {
        err = read_log(store, txn, session, session->tail[done], &record);
        if (err == 0) {
            ss__segment_entry_append(&store->scratch, &record);
            tip.count++;
            tip.bytes = (uint32_t)(store->scratch.len - SS_SEGMENT_HEAD_BYTES);
            bytes += (uint32_t)ss__log_record_bytes(&record);
            done++;
        }
    }
    if (err == 0) {
        err = put_segment(store, txn, session, &tip);
    }
    if (err != 0) {
        return err;
    }
    now->tip = tip;
    now->flushed_ordinal += done - now->tail_flushed;
    now->flushed_us = record.time_us;
    now->flushed_running = (record.flags & SS_RECORD_RUNNING) != 0;
    now->tail_flushed = done;
    now->tail_flushed_bytes += bytes;
    store->log.unflushed_bytes -= bytes;
    return 0;
}

int ss__flush_tail(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session)
{
    int err = SS_FAULT("store.flush");
    if (err != 0) {
        return err;
    }
    ss__session_change(store, session);
    if (session->now.row.quarantined) {
        return SS_E_CORRUPT;
    }
    while (err == 0 && session->now.tail_flushed < session->now.tail_count) {
        err = flush_segment(store, txn, session);
    }
    if (session->now.tail_flushed > 0) {
        session->row_due = true;    /* also of a tail that turned out damaged further on */
    }
    return err;
}

/* The window is wide while most of it is unflushed: then there is nothing cheap to give up. */
static uint64_t window_bytes(const struct ss_store *store)
{
    return store->log.unflushed_bytes * 2 > store->log.bytes ? store->options.log_window_bytes_max
                                                             : store->options.log_window_bytes;
}

static bool is_unflushed(struct ss_store *store, uint64_t sid, uint64_t ordinal,
                         struct ss_store_session **ret_session)
{
    struct ss_store_session *session = ss__session_by_sid(store, sid);
    *ret_session = session;
    return session != NULL && session->now.tail_count > session->now.tail_flushed &&
           ordinal > session->now.flushed_ordinal;
}

struct head_walk {
    struct ss_store *store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    unsigned forced;
    unsigned flushed;
    uint64_t flushed_bytes;
    uint64_t trim_left;
};

/* Whether the event is in a segment; @session NULL: its row says it. */
static bool in_segment(struct head_walk *walk, const struct ss_store_session *session,
                       uint64_t sid, uint64_t ordinal)
{
    if (session != NULL) {
        return ordinal <= session->now.flushed_ordinal;
    }
    uint8_t key_bytes[8];
    struct ss_row_value row;
    ss__put_be64(key_bytes, sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    return mdb_get(walk->txn, walk->store->env.dbi[SS_DB_SESSION], &key, &value) == 0 &&
           ss__row_decode(sid, ss__str_of_val(value), &row) == 0 && ordinal <= row.ordinal;
}

/* A damaged record, or one of no session, is the only trace of an event: it is never trimmed, so
 * that a check finds it. What flushed the records of a session in use has read them. */
static bool is_evidence(struct head_walk *walk, const struct ss_store_session *session,
                        uint64_t sequence, struct ss_str value)
{
    bool suspect = sequence < walk->store->suspect_end;
    if (session != NULL && !suspect) {
        return false;
    }
    uint64_t sid;
    struct ss_record record;
    bool damaged = ss__log_record_decode(value, sequence, &sid, &record) != 0;
    if (damaged && !suspect) {    /* else recovery has named it */
        ss__log(SS_LOG_ERROR, "a damaged record stays in the log; run `ssctl store check`",
                "shard=%u log_sequence=%llu sid=%llu", walk->store->options.shard_index,
                (unsigned long long)sequence, (unsigned long long)sid);
    }
    return damaged || (suspect && !in_segment(walk, session, sid, record.ordinal));
}

/* Flushes the session of the record at the head if the rules say so. 1: flushed or flushed before,
 * 0: it stays, the walk ends; 2: damaged, step over it. */
static int settle_record(struct head_walk *walk, uint64_t sequence, struct ss_str value)
{
    struct ss_store *store = walk->store;
    struct ss_store_session *session = NULL;
    uint64_t sid;
    uint64_t ordinal;
    if (ss__log_record_peek(value, &sid, &ordinal) != 0 ||
        !is_unflushed(store, sid, ordinal, &session)) {
        return (session != NULL && session->now.row.quarantined) ||
               is_evidence(walk, session, sequence, value)
                   ? 2
                   : 1;
    }
    if (session->now.row.quarantined) {
        return 2;
    }
    bool out_of_window = store->log.bytes > window_bytes(store);
    bool forced = walk->forced > 0;
    if (!forced && (!out_of_window || walk->flushed >= STRAGGLERS_MAX ||
                    walk->flushed_bytes >= STRAGGLER_BYTES_MAX)) {
        return 0;
    }
    walk->flushed_bytes += session->now.tail_bytes;
    int err = ss__flush_tail(store, walk->txn, session);
    if (err == SS_E_CORRUPT) {
        return 2;
    }
    if (err != 0) {
        return err;
    }
    walk->flushed++;
    walk->forced -= forced ? 1 : 0;
    store->log.stragglers++;
    return 1;
}

static int walk_head(struct head_walk *walk)
{
    struct ss_store *store = walk->store;
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, store->log.head);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int code = mdb_cursor_get(walk->cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && (walk->trim_left > 0 || walk->forced > 0)) {
        if (key.mv_size != 8) {
            return SS_E_CORRUPT;
        }
        uint64_t sequence = ss__get_be64(key.mv_data);
        size_t bytes = value.mv_size;
        int settled = settle_record(walk, sequence, ss__str_of_val(value));
        if (settled <= 0) {
            return settled;
        }
        if (settled == 1) {
            if (walk->trim_left == 0) {
                return 0;
            }
            code = mdb_cursor_del(walk->cursor, 0);
            if (code != 0) {
                break;
            }
            walk->trim_left--;
            store->log.records--;
            store->log.bytes -= bytes;
            store->log.trimmed++;
        }
        store->log.head = sequence + 1;
        code = mdb_cursor_get(walk->cursor, &key, &value, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__flush_head(struct ss_store *store, MDB_txn *txn, unsigned forced, uint64_t trim_max,
                   unsigned *ret_flushed)
{
    int err = SS_FAULT("store.trim");
    if (err != 0) {
        return err;
    }
    struct head_walk walk = { .store = store, .txn = txn, .forced = forced,
                              .trim_left = trim_max };
    err = ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_LOG], &walk.cursor));
    if (err != 0) {
        return err;
    }
    err = walk_head(&walk);
    mdb_cursor_close(walk.cursor);
    *ret_flushed = walk.flushed;
    return err;
}
