/* Sessions of one shard go to the shards of another directory: numbers of sessions and types
 * change, and with them keys and checksums; nothing else does. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/reshard_state.h"
#include "store/timelines.h"

/* Whoever adds a database says here what becomes of it. */
_Static_assert(SS_DB_COUNT == 11, "resharding has to know every database");

#define OUTCOME_BYTES 5u

struct moving {
    struct ss_reshard *reshard;
    struct ss_reshard_target *target;
    uint64_t from_sid;
    uint64_t to_sid;
    const struct ss_row_value *row;
};

/* ---- segments ---- */

/* Changes the numbers of projections that an event's header says failed. */
static int map_outcomes(const struct ss_reshard_source *source, struct ss_str header,
                        uint8_t *header_copy)
{
    size_t at = 0;
    uint8_t tag;
    struct ss_str item;
    int found;
    while ((found = ss__header_next(header, &at, &tag, &item)) == 1) {
        if (tag != SS_HEADER_OUTCOME) {
            continue;
        }
        uint8_t *out = header_copy + ((const char *)item.data - (const char *)header.data);
        for (size_t i = 0; i + OUTCOME_BYTES <= item.len; i += OUTCOME_BYTES) {
            uint32_t projection;
            int err = ss__reshard_type(source, ss__get_le32(out + i), &projection);
            if (err != 0) {
                return err;
            }
            ss__put_le32(out + i, projection);
        }
    }
    return found;
}

static int map_entries(const struct ss_reshard_source *source, const struct ss_segment *segment,
                       uint8_t *copy)
{
    size_t at = 0;
    int err = 0;
    for (uint32_t i = 0; i < segment->count && err == 0; i++) {
        struct ss_record record;
        uint32_t type = 0;
        uint8_t *entry = copy + at;
        err = ss__segment_entry_next(segment->entries, &at, &record);
        err = err != 0 ? err : ss__reshard_type(source, record.type_id, &type);
        if (err == 0) {
            ss__put_le32(entry + 2, type);
            err = map_outcomes(source, record.header, entry + SS_SEGMENT_ENTRY_FIXED_BYTES);
        }
    }
    return err;
}

static int move_segment(struct ss_str key, struct ss_str value, void *ctx)
{
    const struct moving *moving = ctx;
    const struct ss_reshard_source *source = &moving->reshard->source;
    struct ss_segment segment;
    uint8_t to_key[16];
    int err = ss__segment_decode(key, value, &segment);
    if (err != 0 || ss__reshard_is_leftover(&segment, moving->row)) {
        return err;
    }
    uint8_t *copy = ss__reshard_row(moving->reshard, value.len);
    if (copy == NULL) {
        return SS_E_NOMEM;
    }
    memcpy(copy, value.data, value.len);
    err = source->same ? 0 : map_entries(source, &segment, copy + SS_SEGMENT_HEAD_BYTES);
    if (err != 0) {
        return err;
    }
    copy[value.len - 1] ^= SS_FAULT("reshard.segment") != 0;    /* the comparison finds it */
    ss__segment_seal(copy, value.len, moving->to_sid, segment.first, segment.count);
    ss__segment_key(to_key, moving->to_sid, segment.first);
    return ss__reshard_put(moving->target, SS_DB_SEGMENT, to_key, sizeof to_key,
                           ss_str_of(copy, value.len));
}

/* ---- entities ---- */

static int move_entity(struct ss_str key, struct ss_str value, void *ctx)
{
    const struct moving *moving = ctx;
    const struct ss_reshard_source *source = &moving->reshard->source;
    struct ss_entity_row row = { 0 };
    uint8_t to_key[SS_KEY_BYTES_MAX];
    uint64_t sid;
    uint32_t projection;
    int err = ss__entity_key_decode(key, &sid, &projection, &row.kind, &row.id);
    err = err != 0 ? err : ss__entity_decode(key, value, &row);
    err = err != 0 ? err : ss__reshard_type(source, row.type_id, &row.type_id);
    err = err != 0 ? err : ss__reshard_type(source, projection, &projection);
    if (err != 0) {
        return err;
    }
    int len = ss__entity_key(to_key, moving->to_sid, projection, row.kind, row.id);
    SS_INSIST(len > 0);    /* of parts of a key that has been judged */
    size_t row_bytes = SS_ENTITY_FIXED_BYTES + row.payload.len;
    uint8_t *out = ss__reshard_row(moving->reshard, row_bytes);
    if (out == NULL) {
        return SS_E_NOMEM;
    }
    row.last_ordinal -= SS_FAULT("reshard.entity") != 0;
    ss__entity_encode(out, ss_str_of(to_key, (size_t)len), &row);
    return ss__reshard_put(moving->target, SS_DB_ENTITY, to_key, (size_t)len,
                           ss_str_of(out, row_bytes));
}

/* ---- the session itself ---- */

static int by_projection(const void *a, const void *b)
{
    uint32_t first = ((const struct ss_timeline_row *)a)->projection;
    uint32_t second = ((const struct ss_timeline_row *)b)->projection;
    return (first > second) - (first < second);
}

static int map_timelines(const struct ss_reshard_source *source, struct ss_row_value *row,
                         uint8_t out[SS_TIMELINES_BYTES_MAX])
{
    struct ss_timeline_list *list;
    int err = ss__timelines_decode(row->timelines, &list);
    if (err != 0 || list == NULL) {
        return err;
    }
    for (uint32_t i = 0; i < list->count && err == 0; i++) {
        err = ss__reshard_type(source, list->rows[i].projection, &list->rows[i].projection);
    }
    if (err == 0) {
        qsort(list->rows, list->count, sizeof *list->rows, by_projection);
        row->timelines = ss_str_of(out, ss__timelines_encode(out, list));
    }
    free(list);
    return err;
}

static int put_row(const struct moving *moving, const struct ss_row_value *source_row)
{
    struct ss_row_value row = *source_row;
    uint8_t timelines[SS_TIMELINES_BYTES_MAX];
    uint8_t value[SS_ROW_BYTES_MAX];
    uint8_t key[8];
    uint8_t mark[SS_RUNNING_BYTES];
    int err = map_timelines(&moving->reshard->source, &row, timelines);
    if (err != 0) {
        return err;
    }
    ss__put_be64(key, moving->to_sid);
    err = ss__reshard_put(moving->target, SS_DB_SESSION, key, sizeof key,
                          ss_str_of(value, ss__row_encode(value, moving->to_sid, &row)));
    if (err != 0 || !row.running) {
        return err;
    }
    ss__running_encode(mark, moving->to_sid);
    return ss__reshard_put(moving->target, SS_DB_RUNNING, key, sizeof key,
                           ss_str_of(mark, sizeof mark));
}

static int put_catalog(const struct moving *moving, struct ss_str id)
{
    uint8_t key[SS_CATALOG_KEY_BYTES_MAX];
    uint8_t value[SS_CATALOG_VALUE_BYTES];
    size_t len = ss__catalog_key(key, id);
    ss__catalog_encode(value, ss_str_of(key, len), moving->to_sid);
    return ss__reshard_put(moving->target, SS_DB_CATALOG, key, len,
                           ss_str_of(value, sizeof value));
}

static int move_session(struct ss_reshard *reshard, uint64_t sid, const struct ss_row_value *row)
{
    struct ss_reshard_target *target = &reshard->targets[ss__reshard_target(reshard, row->id)];
    struct moving moving = { reshard, target, sid, target->next_sid++, row };
    const struct ss_reshard_source *source = &reshard->source;
    uint8_t bytes[8];
    ss__put_be64(bytes, sid);
    struct ss_str prefix = ss_str_of(bytes, sizeof bytes);
    int err = put_catalog(&moving, row->id);
    err = err != 0 ? err : put_row(&moving, row);
    err = err != 0 ? err
                   : ss__env_each(&source->env, source->txn, SS_DB_SEGMENT, prefix, prefix.len,
                                  move_segment, &moving);
    err = err != 0 ? err
                   : ss__env_each(&source->env, source->txn, SS_DB_ENTITY, prefix, prefix.len,
                                  move_entity, &moving);
    return err != 0 ? err : ss__reshard_move_pasts(reshard, target, sid, moving.to_sid, row);
}

int ss__reshard_move(struct ss_reshard *reshard)
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
        struct ss_row_value row;
        uint64_t sid = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
        err = ss__row_decode(sid, ss__str_of_val(value), &row);
        err = err != 0 ? err : move_session(reshard, sid, &row);
        err = err != 0 ? err : ss__reshard_step(reshard, "moved", 0);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 || code == MDB_NOTFOUND ? err : ss__err_from_lmdb(code);
}
