/* Moving events from the log into segments. Runs on any thread. */
#include <string.h>

#include "core/fault.h"
#include "store/bytes_order.h"
#include "store/flush.h"
#include "store/record.h"

static int damaged(struct ss_flush_item *item, const char *place, uint64_t number)
{
    item->damaged = place;
    item->damaged_number = number;
    return SS_E_CORRUPT;
}

/* Starts the scratch with the newest segment if it has room, else with an empty one. */
static int begin_segment(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item,
                         struct ss_segment_tip *ret_tip)
{
    const struct ss_session_values *values = &item->values;
    const struct ss_segment_tip *tip = &values->tip;
    struct ss_bytes *out = &flush->scratch;
    ss__bytes_clear(out);
    (void)ss__bytes_extend(out, SS_SEGMENT_HEAD_BYTES);    /* sealed at the end; errors stick */
    bool grows = tip->count > 0 && tip->count < SS_SEGMENT_RECORDS_MAX &&
                 tip->bytes < SS_SEGMENT_BYTES_MAX;
    if (!grows) {
        *ret_tip = (struct ss_segment_tip){ .first = values->flushed_ordinal + 1 };
        return 0;
    }
    uint8_t key_bytes[16];
    ss__segment_key(key_bytes, values->row.sid, tip->first);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, flush->env->dbi[SS_DB_SEGMENT], &key, &value));
    struct ss_segment segment;
    if (err == 0) {
        err = ss__segment_decode(ss_str_of(key_bytes, sizeof key_bytes), ss__str_of_val(value),
                                 &segment);
    }
    if (err == SS_E_NOTFOUND || err == SS_E_CORRUPT ||
        (err == 0 && (segment.count != tip->count || segment.entries.len != tip->bytes))) {
        return damaged(item, "segment", tip->first);
    }
    if (err != 0) {
        return err;
    }
    ss__bytes_str(out, segment.entries);
    *ret_tip = *tip;
    return 0;
}

static int put_segment(struct ss_flush *flush, MDB_txn *txn, uint64_t sid,
                       const struct ss_segment_tip *tip)
{
    struct ss_bytes *out = &flush->scratch;
    if (out->err != 0) {
        return out->err;
    }
    ss__segment_seal(out->data, out->len, sid, tip->first, tip->count);
    uint8_t key_bytes[16];
    ss__segment_key(key_bytes, sid, tip->first);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(out->data, out->len);
    return ss__err_from_lmdb(mdb_put(txn, flush->env->dbi[SS_DB_SEGMENT], &key, &value, 0));
}

static int read_log(const struct ss_flush *flush, struct ss_flush_item *item, uint32_t index,
                    struct ss_log_record *ret_record)
{
    int err = ss__log_record_decode(item->tail[index], flush->seed, ret_record);
    bool good = err == 0 && ret_record->kind == SS_LOG_EVENT &&
                ret_record->sid == item->values.row.sid;
    return good ? 0 : damaged(item, "log", index);
}

/* Fills one segment from the tail and writes it. */
static int move_segment(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    struct ss_session_values *values = &item->values;
    struct ss_segment_tip tip;
    int err = begin_segment(flush, txn, item, &tip);
    uint32_t done = item->flushed;
    uint32_t bytes = 0;
    struct ss_log_record record = { 0 };
    while (err == 0 && done < item->tail_count && tip.count < SS_SEGMENT_RECORDS_MAX &&
           tip.bytes < SS_SEGMENT_BYTES_MAX) {
        err = read_log(flush, item, done, &record);
        if (err == 0) {
            ss__segment_entry_append(&flush->scratch, &record.event);
            tip.count++;
            tip.bytes = (uint32_t)(flush->scratch.len - SS_SEGMENT_HEAD_BYTES);
            bytes += record.len;
            done++;
        }
    }
    if (err == 0) {
        err = put_segment(flush, txn, values->row.sid, &tip);
    }
    if (err != 0) {
        return err;
    }
    values->tip = tip;
    values->flushed_ordinal += done - item->flushed;
    values->flushed_us = record.event.time_us;
    values->flushed_running = (record.event.flags & SS_RECORD_RUNNING) != 0;
    item->flushed = done;
    item->flushed_bytes += bytes;
    item->segments++;
    return 0;
}

int ss__flush_segments(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    int err = item->tail_count > 0 ? SS_FAULT("store.segment") : 0;
    while (err == 0 && item->flushed < item->tail_count) {
        err = move_segment(flush, txn, item);
    }
    return err == SS_E_CORRUPT ? 0 : err;    /* set aside; the others go on */
}
