#include "store/trash.h"

#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/kill_point.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/layout.h"

#define LEFT 0u
#define DONE 1u
#define OLDEST 2u
#define LEFT_KEY_BYTES 9u
#define DONE_KEY_BYTES 17u
#define SERIAL_BYTES 8u
#define VALUE_BYTES_MAX (1 + SERIAL_BYTES + SS_CHECKSUM_BYTES)

/* Whether a value is the one of its key: @bytes and, unless an older program wrote it, a version
 * before and a checksum behind. */
static bool is_whole(MDB_val key, MDB_val value, size_t bytes)
{
    const uint8_t *in = value.mv_data;
    return value.mv_size == bytes + (bytes == 0) ||
           (value.mv_size == 1 + bytes + SS_CHECKSUM_BYTES && in[0] == SS_SEALED_VERSION &&
            ss__value_is_sealed(ss__str_of_val(value), ss__key_seed(ss__str_of_val(key))));
}

static bool is_left(MDB_val key, MDB_val value)
{
    return key.mv_size == LEFT_KEY_BYTES && *(const uint8_t *)key.mv_data == LEFT &&
           is_whole(key, value, SERIAL_BYTES);
}

static bool is_done(MDB_val key, MDB_val value)
{
    return key.mv_size == DONE_KEY_BYTES && *(const uint8_t *)key.mv_data == DONE &&
           is_whole(key, value, 0);
}

static bool is_oldest(MDB_val key, MDB_val value)
{
    return key.mv_size == 1 && *(const uint8_t *)key.mv_data == OLDEST &&
           is_whole(key, value, SERIAL_BYTES);
}

/* The serial in a whole value. */
static uint64_t serial_of(MDB_val value)
{
    const uint8_t *in = value.mv_data;
    return ss__get_be64(value.mv_size == SERIAL_BYTES ? in : in + 1);
}

/* A row with the @len bytes at @bytes[1] in it, whose other bytes are written here. */
static int put_whole(const struct ss_env *env, MDB_txn *txn, MDB_val key,
                     uint8_t bytes[VALUE_BYTES_MAX], size_t len)
{
    MDB_val value = ss__val_of(bytes, 1 + len + SS_CHECKSUM_BYTES);
    bytes[0] = SS_SEALED_VERSION;
    ss__value_seal(bytes, value.mv_size, ss__key_seed(ss__str_of_val(key)));
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_TRASH], &key, &value, 0));
}

static int compare_sids(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static int load(MDB_cursor *cursor, size_t slots, struct ss_trash *trash)
{
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (; code == 0; code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        const uint8_t *bytes = key.mv_data;
        bool left = is_left(key, value);
        if (is_oldest(key, value)) {
            trash->oldest_serial = serial_of(value);
        } else if (!left && !is_done(key, value)) {
            trash->damaged = true;
        } else if (trash->count < slots) {
            trash->sids[trash->count++] = ss__get_be64(bytes + (left ? 1 : 9));
            trash->left |= left;
        }
    }
    qsort(trash->sids, trash->count, sizeof *trash->sids, compare_sids);
    return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__trash_load(const struct ss_env *env, MDB_txn *txn, struct ss_trash *ret_trash)
{
    struct ss_trash trash = { 0 };
    MDB_stat stat;
    MDB_cursor *cursor;
    if (env->dbi[SS_DB_TRASH] == 0) {    /* opened for reading, and older than the trash */
        *ret_trash = trash;
        return 0;
    }
    int err = ss__err_from_lmdb(mdb_stat(txn, env->dbi[SS_DB_TRASH], &stat));
    if (err != 0) {
        return err;
    }
    trash.sids = malloc((stat.ms_entries + 1) * sizeof *trash.sids);
    if (trash.sids == NULL) {
        return SS_E_NOMEM;
    }
    err = ss__err_from_lmdb(mdb_cursor_open(txn, env->dbi[SS_DB_TRASH], &cursor));
    if (err == 0) {
        err = load(cursor, stat.ms_entries, &trash);
        mdb_cursor_close(cursor);
    }
    if (err != 0) {
        free(trash.sids);
        return err;
    }
    *ret_trash = trash;
    return 0;
}

void ss__trash_deinit(struct ss_trash *trash)
{
    free(trash->sids);
    *trash = (struct ss_trash){ 0 };
}

bool ss__trash_has(const struct ss_trash *trash, uint64_t sid)
{
    return trash->count > 0 && bsearch(&sid, trash->sids, trash->count, sizeof sid,
                                       compare_sids) != NULL;
}

int ss__trash_put(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t serial)
{
    uint8_t key_bytes[LEFT_KEY_BYTES] = { LEFT };
    uint8_t value_bytes[VALUE_BYTES_MAX];
    ss__put_be64(key_bytes + 1, sid);
    ss__put_be64(value_bytes + 1, serial);
    return put_whole(env, txn, ss__val_of(key_bytes, sizeof key_bytes), value_bytes, SERIAL_BYTES);
}

/* Removes keys of @db that begin with the session's number. What is damaged stays for the check.
 * SS_E_BUSY: a page cannot be read now. */
static int remove_keys(const struct ss_env *env, MDB_txn *txn, enum ss_db db,
                       const uint8_t prefix[8], unsigned *removed)
{
    MDB_cursor *cursor;
    int err = ss__guard_remove(env, txn, db, ss_str_of(prefix, 8), 8, SS_TRASH_KEYS_MAX);
    if (err != 0) {
        return err == SS_E_CORRUPT ? 0 : err == SS_E_STOREIO ? SS_E_BUSY : err;
    }
    int code = mdb_cursor_open(txn, env->dbi[db], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    MDB_val key = ss__val_of(prefix, 8);
    MDB_val value;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && *removed < SS_TRASH_KEYS_MAX && key.mv_size >= 8 &&
           memcmp(key.mv_data, prefix, 8) == 0) {
        code = mdb_cursor_del(cursor, 0);
        *removed += code == 0;
        code = code != 0 ? code : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static int put_done(const struct ss_env *env, MDB_txn *txn, const uint8_t serial[8],
                    const uint8_t sid[8])
{
    uint8_t value_bytes[VALUE_BYTES_MAX];
    uint8_t key_bytes[DONE_KEY_BYTES] = { DONE };
    memcpy(key_bytes + 1, serial, 8);
    memcpy(key_bytes + 9, sid, 8);
    return put_whole(env, txn, ss__val_of(key_bytes, sizeof key_bytes), value_bytes, 0);
}

/* The first session from number @from on with something left: 1, and 0 if there is none. One that
 * cannot be read now is passed over: nobody waits for the room, a later sweep tries again. */
static int sweep_one(const struct ss_env *env, MDB_txn *txn, MDB_cursor *cursor, uint64_t *from_sid,
                     unsigned *removed)
{
    uint8_t sid[8];
    uint8_t serial[8];
    uint8_t from[LEFT_KEY_BYTES] = { LEFT };
    ss__put_be64(from + 1, *from_sid);
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    const uint8_t *there = key.mv_data;
    if (code != 0 || key.mv_size != LEFT_KEY_BYTES || there[0] != LEFT) {
        return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
    }
    memcpy(sid, there + 1, sizeof sid);
    if (!is_left(key, value)) {
        *from_sid = ss__get_be64(sid) + 1;    /* stays for the check */
        return *from_sid != 0;
    }
    ss__put_be64(serial, serial_of(value));
    int err = remove_keys(env, txn, SS_DB_SEGMENT, sid, removed);
    err = err != 0 ? err : remove_keys(env, txn, SS_DB_ENTITY, sid, removed);
    err = err != 0 ? err : remove_keys(env, txn, SS_DB_CHECKPOINT, sid, removed);
    SS_KILL_POINT(TRASH_SWEPT);
    if (err == SS_E_BUSY) {
        *from_sid = ss__get_be64(sid) + 1;
        return *from_sid != 0;
    }
    if (err != 0 || *removed >= SS_TRASH_KEYS_MAX) {
        return err != 0 ? err : 1;
    }
    (*removed)++;
    err = ss__err_from_lmdb(mdb_cursor_del(cursor, 0));
    err = err != 0 ? err : put_done(env, txn, serial, sid);
    return err != 0 ? err : 1;
}

/* Nothing of them is in a file that is read again. */
static int forget_done(MDB_cursor *cursor, uint64_t oldest_serial, unsigned *ret_forgotten)
{
    unsigned forgotten = 0;
    uint8_t from[1] = { DONE };
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && forgotten < SS_TRASH_KEYS_MAX && is_done(key, value) &&
           ss__get_be64((const uint8_t *)key.mv_data + 1) < oldest_serial) {
        code = mdb_cursor_del(cursor, 0);
        forgotten += code == 0;
        code = code != 0 ? code : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    *ret_forgotten = forgotten;
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static int put_oldest(const struct ss_env *env, MDB_txn *txn, uint64_t oldest_serial)
{
    uint8_t key_bytes[1] = { OLDEST };
    uint8_t value_bytes[VALUE_BYTES_MAX];
    ss__put_be64(value_bytes + 1, oldest_serial);
    return put_whole(env, txn, ss__val_of(key_bytes, sizeof key_bytes), value_bytes, SERIAL_BYTES);
}

int ss__trash_sweep(const struct ss_env *env, MDB_txn *txn, uint64_t oldest_serial,
                    unsigned *ret_removed, bool *ret_left)
{
    MDB_cursor *cursor;
    unsigned removed = 0;
    unsigned forgotten = 0;
    int err = SS_FAULT("store.trash");
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_cursor_open(txn, env->dbi[SS_DB_TRASH], &cursor));
    if (err != 0) {
        return err;
    }
    int more = 1;
    uint64_t from_sid = 0;
    while (more == 1 && removed < SS_TRASH_KEYS_MAX) {
        more = sweep_one(env, txn, cursor, &from_sid, &removed);
    }
    err = more < 0 ? more : forget_done(cursor, oldest_serial, &forgotten);
    mdb_cursor_close(cursor);
    if (forgotten > 0) {
        SS_KILL_POINT(TRASH_FORGOTTEN);
        err = err != 0 ? err : put_oldest(env, txn, oldest_serial);
    }
    if (err == 0) {
        *ret_removed = removed;
        *ret_left = more == 1;
    }
    return err;
}
