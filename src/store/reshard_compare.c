/* Whether a session is what it was: everything of it that means something, with the names of types
 * instead of their numbers, as one sum on either side. */
#include <string.h>

#include "core/hash.h"
#include "store/bytes_order.h"
#include "store/outcome.h"
#include "store/past.h"
#include "store/record.h"
#include "store/reshard_state.h"
#include "store/timelines.h"

struct side {
    const struct ss_env *env;
    MDB_txn *txn;
    const struct ss_type_table *types;
    uint64_t sid;
    bool is_copy;         /* it has no leftovers */
    uint64_t sum;
    uint64_t rows;
    struct ss_row_value row;    /* borrows the transaction */
};

static void mix(uint64_t *sum, const void *data, size_t len)
{
    *sum = ss__checksum_seeded(*sum ^ len, data, len);
}

static void mix_text(uint64_t *sum, struct ss_str text)
{
    mix(sum, text.data, text.len);
}

static void mix_number(uint64_t *sum, uint64_t number)
{
    mix(sum, &number, sizeof number);
}

static int mix_type(const struct side *side, uint64_t *sum, uint32_t number)
{
    if (number == 0 || number > side->types->count) {
        return SS_E_CORRUPT;
    }
    const struct ss_type_value *type = &side->types->types[number - 1];
    mix_number(sum, type->space);
    mix_number(sum, type->fingerprint);
    mix_text(sum, type->name);
    mix_text(sum, type->full_name);
    return 0;
}

/* ---- the row ---- */

/* Projections may stand in another order. */
static int sum_timelines(struct side *side, struct ss_str entries)
{
    struct ss_timeline_row row;
    struct ss_failed_set failed;
    size_t at = 0;
    int err = 0;
    while (err == 0 && ss__timelines_next(entries, &at, &row, &failed) == 1) {
        uint64_t sum = 1;
        err = mix_type(side, &sum, row.projection);
        mix_number(&sum, row.version);
        mix_number(&sum, row.ordinal);
        mix_number(&sum, row.halted);
        mix_number(&sum, row.failed == NULL ? 0 : row.failed->total);
        for (uint32_t i = 0; row.failed != NULL && i < row.failed->named; i++) {
            mix_number(&sum, row.failed->ordinals[i]);
        }
        side->sum += sum;
        side->rows++;
    }
    return err;
}

static int sum_row(struct side *side)
{
    struct ss_row_value *row = &side->row;
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, side->sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(side->txn, side->env->dbi[SS_DB_SESSION], &key, &value));
    err = err != 0 ? err : ss__row_decode(side->sid, ss__str_of_val(value), row);
    if (err != 0) {
        return err;
    }
    mix_text(&side->sum, row->id);
    mix_number(&side->sum, row->ordinal);
    mix_number(&side->sum, row->first_retained);
    mix_number(&side->sum, row->created_us);
    mix_number(&side->sum, row->updated_us);
    mix_number(&side->sum, row->epoch_counter);
    mix_number(&side->sum, row->running);
    uint64_t sid;
    bool marked = mdb_get(side->txn, side->env->dbi[SS_DB_RUNNING], &key, &value) == 0 &&
                  ss__running_decode(ss__str_of_val(key), ss__str_of_val(value), &sid) == 0;
    mix_number(&side->sum, marked);
    return sum_timelines(side, row->timelines);
}

/* ---- events ---- */

static int sum_outcome(const struct side *side, uint64_t *sum, struct ss_str item)
{
    int err = 0;
    for (size_t at = 0; at + 5 <= item.len && err == 0; at += 5) {
        const uint8_t *in = (const uint8_t *)item.data + at;
        err = mix_type(side, sum, ss__get_le32(in));
        mix_number(sum, in[4]);
    }
    return err;
}

static int sum_header(const struct side *side, uint64_t *sum, struct ss_str header)
{
    size_t at = 0;
    uint8_t tag;
    struct ss_str item;
    int found;
    while ((found = ss__header_next(header, &at, &tag, &item)) == 1) {
        mix_number(sum, tag);
        if (tag != SS_HEADER_OUTCOME) {
            mix_text(sum, item);
        } else if (sum_outcome(side, sum, item) != 0) {
            return SS_E_CORRUPT;
        }
    }
    return found;
}

static int sum_segment(struct ss_str key, struct ss_str value, void *ctx)
{
    struct side *side = ctx;
    struct ss_segment segment;
    size_t at = 0;
    int err = ss__segment_decode(key, value, &segment);
    if (err == 0 && !side->is_copy && ss__reshard_is_leftover(&segment, &side->row)) {
        return 0;
    }
    for (uint32_t i = 0; err == 0 && i < segment.count; i++) {
        struct ss_record record;
        uint64_t sum = segment.first + i;
        err = ss__segment_entry_next(segment.entries, &at, &record);
        if (err != 0) {
            break;
        }
        mix_number(&sum, record.time_us);
        mix_number(&sum, record.flags);
        mix_text(&sum, record.payload);
        err = mix_type(side, &sum, record.type_id);
        err = err != 0 ? err : sum_header(side, &sum, record.header);
        side->sum += sum;
        side->rows++;
    }
    return err;
}

/* ---- entities ---- */

static int sum_entity_row(struct side *side, uint64_t sum, const struct ss_entity_row *row)
{
    int err = mix_type(side, &sum, row->projection);
    err = err != 0 ? err : mix_type(side, &sum, row->type_id);
    if (err == 0) {
        mix_text(&sum, row->kind);
        mix_text(&sum, row->id);
        mix_number(&sum, row->created_ordinal);
        mix_number(&sum, row->last_ordinal);
        mix_number(&sum, row->time_us);
        mix_text(&sum, row->payload);
        side->sum += sum;
        side->rows++;
    }
    return err;
}

static int sum_entity(struct ss_str key, struct ss_str value, void *ctx)
{
    struct ss_entity_row row = { 0 };
    uint64_t sid;
    int err = ss__entity_key_decode(key, &sid, &row.projection, &row.kind, &row.id);
    err = err != 0 ? err : ss__entity_decode(key, value, &row);
    return err != 0 ? err : sum_entity_row(ctx, 2, &row);
}

static int sum_past_entity(const struct ss_entity_row *row, void *ctx)
{
    return sum_entity_row(ctx, 3, row);
}

/* What the removed events came to. */
static int sum_base(struct side *side)
{
    enum ss_reshard_base base = SS_RESHARD_NO_BASE;
    int err = ss__reshard_find_base(side->env, side->txn, side->sid, &side->row, &base);
    mix_number(&side->sum, base);
    return err != 0 || base != SS_RESHARD_BASE_IS_PAST
               ? err
               : ss__past_read(side->env, side->txn, side->sid, side->row.first_retained - 1,
                               sum_past_entity, side);
}

static int sum_session(struct side *side)
{
    int err = sum_row(side);
    err = err != 0 ? err : sum_base(side);
    uint8_t bytes[8];
    ss__put_be64(bytes, side->sid);
    struct ss_str prefix = ss_str_of(bytes, sizeof bytes);
    err = err != 0 ? err
                   : ss__env_each(side->env, side->txn, SS_DB_SEGMENT, prefix, prefix.len,
                                  sum_segment, side);
    return err != 0 ? err
                    : ss__env_each(side->env, side->txn, SS_DB_ENTITY, prefix, prefix.len,
                                   sum_entity, side);
}

static int find_target(const struct ss_env *env, MDB_txn *txn, struct ss_str id, uint64_t *ret_sid)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, id));
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_CATALOG], &key, &value));
    return err != 0 ? err
                    : ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), ret_sid);
}

static int compare_session(struct ss_reshard *reshard, MDB_txn *const *txns, uint64_t sid)
{
    const struct ss_reshard_source *source = &reshard->source;
    struct side before = { .env = &source->env, .txn = source->txn, .types = &source->types,
                           .sid = sid };
    int err = sum_session(&before);
    struct ss_str id = before.row.id;
    uint32_t shard = ss__reshard_target(reshard, id);
    struct side after = { .env = &reshard->targets[shard].env, .txn = txns[shard],
                          .types = &reshard->types, .is_copy = true };
    err = err != 0 ? err : find_target(after.env, after.txn, id, &after.sid);
    err = err != 0 ? err : sum_session(&after);
    if (err == SS_E_NOMEM || err == SS_E_STOREIO) {
        return err;
    }
    if (err != 0 || before.sum != after.sum || before.rows != after.rows) {
        return ss__fail(reshard->failure, SS_E_CORRUPT, "session \"%.*s\" is not the same in the "
                        "copy; the old directory is as it was",
                        (int)(id.len < 100 ? id.len : 100), (const char *)id.data);
    }
    return 0;
}

static int compare_all(struct ss_reshard *reshard, MDB_txn *const *txns)
{
    const struct ss_reshard_source *source = &reshard->source;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err =
        ss__err_from_lmdb(mdb_cursor_open(source->txn, source->env.dbi[SS_DB_SESSION], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        err = compare_session(reshard, txns,
                              key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0);
        err = err != 0 ? err : ss__reshard_step(reshard, "compared", 0);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 || code == MDB_NOTFOUND ? err : ss__err_from_lmdb(code);
}

int ss__reshard_compare(struct ss_reshard *reshard)
{
    MDB_txn *txns[SS_SHARDS_MAX];
    uint32_t open = 0;
    int err = 0;
    while (open < reshard->to->shard_count && err == 0) {
        err = ss__env_read_begin(&reshard->targets[open].env, &txns[open]);
        open += err == 0;
    }
    err = err != 0 ? err : compare_all(reshard, txns);
    while (open > 0) {
        open--;
        ss__env_read_end(&reshard->targets[open].env, txns[open]);
    }
    return err;
}
