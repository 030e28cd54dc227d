/* Moving events from the log into segments. */
#include <string.h>

#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/store_state.h"

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

static int read_log(struct ss_store *store, struct ss_store_session *session, uint64_t position,
                    struct ss_log_record *ret_record)
{
    int err = ss__log_read(&store->log, position, ret_record);
    if (err != 0 || ret_record->kind != SS_LOG_EVENT ||
        ret_record->sid != session->now.row.sid) {
        quarantine(store, session, "log", position);
        return SS_E_CORRUPT;
    }
    return 0;
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
    struct ss_log_record record = { 0 };
    while (err == 0 && done < now->tail_count && tip.count < SS_SEGMENT_RECORDS_MAX &&
           tip.bytes < SS_SEGMENT_BYTES_MAX) {
        err = read_log(store, session, session->tail[done], &record);
        if (err == 0) {
            ss__segment_entry_append(&store->scratch, &record.event);
            tip.count++;
            tip.bytes = (uint32_t)(store->scratch.len - SS_SEGMENT_HEAD_BYTES);
            bytes += record.len;
            done++;
        }
    }
    if (err == 0) {
        err = put_segment(store, txn, session, &tip);
    }
    if (err != 0) {
        return err;
    }
    for (uint32_t i = now->tail_flushed; i < done; i++) {
        ss__log_file_at(&store->log, session->tail[i])->leaving++;
    }
    now->tip = tip;
    now->flushed_ordinal += done - now->tail_flushed;
    now->flushed_us = record.event.time_us;
    now->flushed_running = (record.event.flags & SS_RECORD_RUNNING) != 0;
    now->tail_flushed = done;
    now->tail_flushed_bytes += bytes;
    now->segments_flushed++;
    return 0;
}

int ss__flush_tail(struct ss_store *store, MDB_txn *txn, struct ss_store_session *session)
{
    int err = SS_FAULT("store.segment");
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
