/* Numbers of events, entity kinds and projections, kept for ever. */
#include <stdlib.h>

#include "store/bytes_order.h"
#include "store/store_state.h"

static int add_type(struct ss_store *store, const struct ss_type_value *type)
{
    struct ss_type_value copy = *type;
    copy.name = ss__arena_str(&store->types_arena, type->name);
    copy.full_name = ss__arena_str(&store->types_arena, type->full_name);
    struct ss_type_value *types =
        realloc(store->types, (store->types_count + 1) * sizeof *types);
    if (types == NULL || copy.name.data == NULL || copy.full_name.data == NULL) {
        store->types = types == NULL ? store->types : types;
        return SS_E_NOMEM;
    }
    store->types = types;
    types[store->types_count++] = copy;
    return 0;
}

int ss__types_load(struct ss_store *store)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_TYPES], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        struct ss_type_value type;
        err = key.mv_size == 4 && ss__get_be32(key.mv_data) == store->types_count + 1
                  ? ss__type_decode(ss__str_of_val(value), &type)
                  : SS_E_CORRUPT;
        err = err != 0 ? err : add_type(store, &type);
        store->types_unsealed |= err == 0 && *(const uint8_t *)value.mv_data == SS_VALUE_VERSION;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    ss__env_reader_stale(&store->env);
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* Those of an older program have no checksum yet. */
static int seal_types(struct ss_store *store, MDB_txn *txn)
{
    int err = 0;
    for (uint32_t i = 0; i < store->types_count && err == 0; i++) {
        uint8_t key_bytes[4];
        ss__put_be32(key_bytes, i + 1);
        ss__bytes_clear(&store->scratch);
        ss__type_encode(&store->scratch, &store->types[i]);
        MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
        MDB_val value = ss__val_of(store->scratch.data, store->scratch.len);
        err = store->scratch.err != 0
                  ? store->scratch.err
                  : ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_TYPES], &key, &value, 0));
    }
    return err;
}

static uint32_t find_type(const struct ss_store *store, const struct ss_type_entry *entry)
{
    for (uint32_t i = 0; i < store->types_count; i++) {
        const struct ss_type_value *type = &store->types[i];
        if (type->space == (uint8_t)entry->space && ss_str_equal(type->name, entry->name) &&
            ss_str_equal(type->full_name, entry->full_name) &&
            type->fingerprint == entry->fingerprint) {
            return i + 1;
        }
    }
    return 0;
}

static int put_type(struct ss_store *store, MDB_txn *txn, const struct ss_type_entry *entry)
{
    struct ss_type_value type = { (uint8_t)entry->space, entry->fingerprint, entry->name,
                                  entry->full_name };
    int err = add_type(store, &type);
    if (err != 0) {
        return err;
    }
    uint8_t key_bytes[4];
    ss__put_be32(key_bytes, store->types_count);
    ss__bytes_clear(&store->scratch);
    ss__type_encode(&store->scratch, &type);
    if (store->scratch.err != 0) {
        return store->scratch.err;
    }
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(store->scratch.data, store->scratch.len);
    return ss__err_from_lmdb(mdb_put(txn, store->env.dbi[SS_DB_TYPES], &key, &value, 0));
}

static bool has_room(const struct ss_store *store, const struct ss_type_entry *entry)
{
    uint32_t projections = 0;
    for (uint32_t i = 0; i < store->types_count; i++) {
        projections += store->types[i].space == SS_TYPE_PROJECTION;
    }
    return entry->space != SS_TYPE_PROJECTION || projections < SS_STORE_PROJECTIONS_MAX;
}

int ss__store_intern_types(struct ss_store *store, struct ss_type_entry *entries, size_t count)
{
    MDB_txn *txn;
    uint32_t before = store->types_count;
    ss__env_reader_stale(&store->env);
    int err = ss__err_from_lmdb(mdb_txn_begin(store->env.env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < count && err == 0; i++) {
        if (find_type(store, &entries[i]) == 0) {
            err = has_room(store, &entries[i]) ? put_type(store, txn, &entries[i]) : SS_E_LIMIT;
        }
    }
    if (err == 0 && store->types_unsealed) {
        err = seal_types(store, txn);
    }
    if (err != 0 || (store->types_count == before && !store->types_unsealed)) {
        mdb_txn_abort(txn);
    } else {
        err = ss__err_from_lmdb(mdb_txn_commit(txn));
        store->types_unsealed = err != 0 && store->types_unsealed;
    }
    if (err != 0) {
        store->types_count = before;
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].ret_type_id = find_type(store, &entries[i]);
    }
    return 0;
}

int ss__store_type_name(const struct ss_store *store, uint32_t type_id, struct ss_str *ret_name,
                        struct ss_str *ret_full_name)
{
    if (type_id == 0 || type_id > store->types_count) {
        return SS_E_NOTFOUND;
    }
    *ret_name = store->types[type_id - 1].name;
    *ret_full_name = store->types[type_id - 1].full_name;
    return 0;
}

int ss__store_type(const struct ss_store *store, uint32_t type_id,
                   struct ss_type_entry *ret_entry)
{
    if (type_id == 0 || type_id > store->types_count) {
        return SS_E_NOTFOUND;
    }
    const struct ss_type_value *type = &store->types[type_id - 1];
    *ret_entry = (struct ss_type_entry){ .space = (enum ss_type_space)type->space,
                                         .name = type->name,
                                         .full_name = type->full_name,
                                         .fingerprint = type->fingerprint,
                                         .ret_type_id = type_id };
    return 0;
}
