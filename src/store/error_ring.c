#include "store/error_ring.h"

#include "core/kill_point.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/error_value.h"
#include "store/flush.h"

static struct ss_buf **slot_of(struct ss_error_ring *ring, uint64_t number)
{
    return &ring->slots[number % SS_ERROR_RECORDS_MAX];
}

static uint64_t first_kept(uint64_t next)
{
    return next > SS_ERROR_RECORDS_MAX ? next - SS_ERROR_RECORDS_MAX : 1;
}

int ss__store_note_error(struct ss_store *store, const struct ss_error_record *record)
{
    struct ss_error_ring *ring = &store->errors;
    struct ss_error_record noted = *record;
    noted.number = ring->next;
    noted.time_us = ss__clock_wall_us(store->options.clock);
    struct ss_buf *value = ss__error_value_new(&noted);
    if (value == NULL) {
        return SS_E_NOMEM;
    }
    ss__buf_unref(*slot_of(ring, noted.number));
    *slot_of(ring, noted.number) = value;
    ring->next++;
    return 0;
}

static bool same(const struct ss_error_record *a, const struct ss_error_record *b)
{
    return a->kind == b->kind && a->code == b->code && a->ordinal == b->ordinal &&
           ss_str_equal(a->session_id, b->session_id) && ss_str_equal(a->event, b->event) &&
           ss_str_equal(a->projection, b->projection) && ss_str_equal(a->text, b->text);
}

int ss__store_note_error_once(struct ss_store *store, const struct ss_error_record *record,
                              uint64_t within_us)
{
    uint64_t now_us = ss__clock_wall_us(store->options.clock);
    for (uint64_t number = store->errors.next; number-- > ss__store_errors_first(store);) {
        struct ss_error_record known;
        if (!ss__store_error_at(store, number, &known)) {
            continue;
        }
        if (now_us > known.time_us && now_us - known.time_us > within_us) {
            break;    /* those before it are older */
        }
        if (same(&known, record)) {
            return 0;
        }
    }
    int err = ss__store_note_error(store, record);
    return err != 0 ? err : 1;
}

uint64_t ss__store_errors_first(const struct ss_store *store)
{
    return first_kept(store->errors.next);
}

uint64_t ss__store_errors_next(const struct ss_store *store)
{
    return store->errors.next;
}

bool ss__store_error_at(const struct ss_store *store, uint64_t number,
                        struct ss_error_record *ret_record)
{
    const struct ss_error_ring *ring = &store->errors;
    if (number < first_kept(ring->next) || number >= ring->next) {
        return false;
    }
    const struct ss_buf *value = ring->slots[number % SS_ERROR_RECORDS_MAX];
    if (value == NULL ||
        ss__error_value_decode(number, ss_str_of(value->data, value->len), ret_record) != 0) {
        return false;
    }
    ret_record->shard = store->options.shard_index;
    return true;
}

uint64_t ss__store_errors_stored(const struct ss_store *store)
{
    return store->errors.stored;
}

bool ss__store_errors_wait(const struct ss_store *store)
{
    return store->errors.stored < store->errors.next;
}

/* ---- at open and close ---- */

static int take_value(struct ss_store *store, MDB_val key, MDB_val value)
{
    struct ss_error_ring *ring = &store->errors;
    struct ss_error_record record;
    uint64_t number = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (number == 0 || number >= UINT64_MAX / 2) {
        return 0;    /* no key of ours; the check names it */
    }
    ring->next = number + 1;
    ss__buf_unref(*slot_of(ring, number));
    *slot_of(ring, number) = NULL;
    if (ss__error_value_decode(number, ss__str_of_val(value), &record) != 0) {
        ss__log(SS_LOG_WARN, "an error record is damaged", "shard=%u number=%llu",
                store->options.shard_index, (unsigned long long)number);
        return 0;
    }
    *slot_of(ring, number) = ss__buf_copy(value.mv_data, value.mv_size);
    return *slot_of(ring, number) == NULL ? SS_E_NOMEM : 0;
}

int ss__errors_load(struct ss_store *store)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    store->errors.next = store->errors.stored = 1;
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0
              ? err
              : ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_ERROR], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        err = take_value(store, key, value);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    ss__env_reader_stale(&store->env);
    store->errors.stored = store->errors.next;
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

void ss__errors_free(struct ss_store *store)
{
    for (size_t i = 0; i < SS_ERROR_RECORDS_MAX; i++) {
        ss__buf_unref(store->errors.slots[i]);
        store->errors.slots[i] = NULL;
    }
}

/* ---- with a flush ---- */

int ss__flush_add_errors(struct ss_store *store, struct ss_flush *flush)
{
    struct ss_error_ring *ring = &store->errors;
    if (!ss__store_errors_wait(store)) {
        return 0;
    }
    uint64_t first = first_kept(ring->next);
    first = first > ring->stored ? first : ring->stored;
    struct ss_flush_errors *errors = &flush->errors;
    errors->values = ss__arena_calloc(&flush->arena,
                                      (ring->next - first) * sizeof *errors->values);
    if (errors->values == NULL) {
        return SS_E_NOMEM;
    }
    errors->first = first;
    errors->next = ring->next;
    for (uint64_t number = first; number < ring->next; number++) {
        struct ss_buf *value = *slot_of(ring, number);
        errors->values[number - first] = value == NULL ? NULL : ss__buf_ref(value);
    }
    return 0;
}

static int put_error(const struct ss_env *env, MDB_txn *txn, uint64_t number,
                     const struct ss_buf *buf)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, number);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(buf->data, buf->len);
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_ERROR], &key, &value, 0));
}

static int remove_old(const struct ss_env *env, MDB_txn *txn, uint64_t first)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_open(txn, env->dbi[SS_DB_ERROR], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && (key.mv_size != 8 || ss__get_be64(key.mv_data) < first)) {
        code = mdb_cursor_del(cursor, 0);
        code = code != 0 ? code : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__flush_put_errors(const struct ss_flush *flush, MDB_txn *txn)
{
    const struct ss_flush_errors *errors = &flush->errors;
    int err = errors->values == NULL ? 0 : remove_old(flush->env, txn, first_kept(errors->next));
    for (uint64_t number = errors->first; number < errors->next && err == 0; number++) {
        const struct ss_buf *value = errors->values[number - errors->first];
        err = value == NULL ? 0 : put_error(flush->env, txn, number, value);
        SS_KILL_POINT(ERROR_ROWS);
    }
    return err;
}

void ss__flush_drop_errors(struct ss_flush *flush)
{
    struct ss_flush_errors *errors = &flush->errors;
    for (uint64_t number = errors->first; number < errors->next; number++) {
        ss__buf_unref(errors->values[number - errors->first]);
    }
    *errors = (struct ss_flush_errors){ 0 };
}
