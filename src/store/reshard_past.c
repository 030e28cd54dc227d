/* Entities as of earlier events go along: the base of what retention has removed always, for
 * nothing else has what those events came to; caches, which know types by numbers, where they
 * can. */
#include <string.h>

#include "core/fault.h"
#include "store/bytes_order.h"
#include "store/past.h"
#include "store/reshard_state.h"
#include "store/retention.h"

bool ss__reshard_is_leftover(const struct ss_segment *segment, const struct ss_row_value *row)
{
    return segment->first + segment->count <= row->first_retained;
}

int ss__reshard_find_base(const struct ss_env *env, MDB_txn *txn, uint64_t sid,
                          const struct ss_row_value *row, enum ss_reshard_base *ret_base)
{
    if (row->first_retained <= 1) {
        *ret_base = SS_RESHARD_NO_BASE;
        return 0;
    }
    int err = ss__past_sound(env, txn, sid, row->first_retained - 1);
    if (err == 0) {
        *ret_base = SS_RESHARD_BASE_IS_PAST;
        return 0;
    }
    if ((err == SS_E_NOTFOUND || err == SS_E_CORRUPT) && ss__retained_in_entities(row)) {
        *ret_base = SS_RESHARD_BASE_IS_NOW;
        return 0;
    }
    return err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
}

/* ---- the base ---- */

struct copying {
    const struct ss_reshard_source *source;
    struct ss_past *past;
};

static int copy_entity(const struct ss_entity_row *row, void *ctx)
{
    struct copying *copying = ctx;
    struct ss_entity_row copy = *row;
    int err = ss__reshard_type(copying->source, row->type_id, &copy.type_id);
    err = err != 0 ? err
                   : ss__reshard_type(copying->source, row->projection, &copy.projection);
    copy.last_ordinal -= SS_FAULT("reshard.base") != 0;    /* the comparison finds it */
    return err != 0 ? err : ss__past_add(copying->past, &copy);
}

/* The new one is of no code: that is named by numbers, too. */
static int move_base(const struct ss_reshard_source *source, struct ss_reshard_target *target,
                     uint64_t from_sid, uint64_t to_sid, uint64_t base)
{
    struct copying copying = {
        source, ss__past_begin(NULL, to_sid, base, 0, 0, SS_BASE_COPY_BYTES_MAX)
    };
    if (copying.past == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__past_read(&source->env, source->txn, from_sid, base, copy_entity, &copying);
    err = err != 0 ? err : ss__past_end(copying.past);
    err = err != 0 ? err : ss__reshard_begin(target);
    err = err != 0 ? err : ss__past_put(&target->env, target->txn, copying.past, base);
    target->waiting += copying.past->bytes.len;
    ss__past_free(copying.past);
    return err;
}

/* ---- caches ---- */

static int move_cache(struct ss_reshard *reshard, struct ss_reshard_target *target,
                      uint64_t to_sid, struct ss_str key, struct ss_str value)
{
    struct ss_past_key place;
    uint8_t to_key[SS_PAST_KEY_BYTES];
    if (ss__past_key_decode(key, &place) != 0 || value.len < SS_CHECKSUM_BYTES ||
        !ss__value_is_sealed(value, ss__key_seed(key))) {
        return 0;
    }
    place.sid = to_sid;
    ss__past_key(to_key, &place);
    uint8_t *copy = ss__reshard_row(reshard, value.len);
    if (copy == NULL) {
        return SS_E_NOMEM;
    }
    memcpy(copy, value.data, value.len);
    ss__value_seal(copy, value.len, ss__key_seed(ss_str_of(to_key, sizeof to_key)));
    return ss__reshard_put(target, SS_DB_CHECKPOINT, to_key, sizeof to_key,
                           ss_str_of(copy, value.len));
}

static int move_caches(struct ss_reshard *reshard, struct ss_reshard_target *target,
                       uint64_t from_sid, uint64_t to_sid, uint64_t after)
{
    const struct ss_reshard_source *source = &reshard->source;
    uint8_t from[SS_PAST_KEY_BYTES];
    MDB_cursor *cursor;
    MDB_val value;
    int err = ss__err_from_lmdb(
        mdb_cursor_open(source->txn, source->env.dbi[SS_DB_CHECKPOINT], &cursor));
    if (err != 0) {
        return err;
    }
    ss__past_key(from, &(struct ss_past_key){ from_sid, after + 1, 0 });
    MDB_val key = ss__val_of(from, sizeof from);
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && err == 0 && key.mv_size >= 8 && memcmp(key.mv_data, from, 8) == 0) {
        err = move_cache(reshard, target, to_sid, ss__str_of_val(key), ss__str_of_val(value));
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 || code == 0 || code == MDB_NOTFOUND ? err : ss__err_from_lmdb(code);
}

int ss__reshard_move_pasts(struct ss_reshard *reshard, struct ss_reshard_target *target,
                           uint64_t from_sid, uint64_t to_sid, const struct ss_row_value *row)
{
    const struct ss_reshard_source *source = &reshard->source;
    enum ss_reshard_base base = SS_RESHARD_NO_BASE;
    int err = ss__reshard_find_base(&source->env, source->txn, from_sid, row, &base);
    if (err == SS_E_CORRUPT) {
        return ss__fail(reshard->failure, err, "session \"%.*s\" has lost what its removed events "
                        "came to: events before %llu are gone, and the entities as of then cannot "
                        "be read; the old directory is as it was",
                        (int)(row->id.len < 100 ? row->id.len : 100), row->id.data,
                        (unsigned long long)row->first_retained);
    }
    if (err == 0 && base == SS_RESHARD_BASE_IS_PAST) {
        err = move_base(source, target, from_sid, to_sid, row->first_retained - 1);
    }
    return err != 0 || !source->same
               ? err
               : move_caches(reshard, target, from_sid, to_sid, row->first_retained - 1);
}
