/* One table of types for shards that each had their own. */
#include <stdlib.h>
#include <string.h>

#include "store/bytes_order.h"
#include "store/reshard_state.h"

void ss__type_table_init(struct ss_type_table *table)
{
    *table = (struct ss_type_table){ 0 };
    ss__arena_init(&table->arena, 4096);
}

void ss__type_table_deinit(struct ss_type_table *table)
{
    free(table->types);
    ss__arena_deinit(&table->arena);
    *table = (struct ss_type_table){ 0 };
}

static int add(struct ss_type_table *table, const struct ss_type_value *type)
{
    struct ss_type_value copy = *type;
    copy.name = ss__arena_str(&table->arena, type->name);
    copy.full_name = ss__arena_str(&table->arena, type->full_name);
    struct ss_type_value *types = realloc(table->types, (table->count + 1) * sizeof *types);
    table->types = types == NULL ? table->types : types;
    if (types == NULL || copy.name.data == NULL || copy.full_name.data == NULL) {
        return SS_E_NOMEM;
    }
    types[table->count++] = copy;
    return 0;
}

int ss__type_table_load(struct ss_type_table *table, const struct ss_env *env, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, env->dbi[SS_DB_TYPES], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && err == 0) {
        struct ss_type_value type;
        err = key.mv_size == 4 && ss__get_be32(key.mv_data) == table->count + 1
                  ? ss__type_decode(ss__str_of_val(value), &type)
                  : SS_E_CORRUPT;
        err = err != 0 ? err : add(table, &type);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static bool same_type(const struct ss_type_value *a, const struct ss_type_value *b)
{
    return a->space == b->space && a->fingerprint == b->fingerprint &&
           ss_str_equal(a->name, b->name) && ss_str_equal(a->full_name, b->full_name);
}

static uint32_t find(const struct ss_type_table *table, const struct ss_type_value *type)
{
    uint32_t number = table->count;
    while (number > 0 && !same_type(&table->types[number - 1], type)) {
        number--;
    }
    return number;
}

static uint32_t count_projections(const struct ss_type_table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        count += table->types[i].space == SS_TYPE_PROJECTION;
    }
    return count;
}

int ss__type_table_merge(struct ss_type_table *table, const struct ss_type_table *from,
                         uint32_t **ret_map)
{
    uint32_t *map = calloc(from->count + 1, sizeof *map);
    int err = map == NULL ? SS_E_NOMEM : 0;
    for (uint32_t i = 0; i < from->count && err == 0; i++) {
        map[i] = find(table, &from->types[i]);
        if (map[i] == 0) {
            err = add(table, &from->types[i]);
            map[i] = table->count;
        }
    }
    if (err == 0 && count_projections(table) > SS_STORE_PROJECTIONS_MAX) {
        err = SS_E_LIMIT;
    }
    if (err != 0) {
        free(map);
        return err;
    }
    *ret_map = map;
    return 0;
}

int ss__type_table_put(const struct ss_type_table *table, const struct ss_env *env, MDB_txn *txn)
{
    struct ss_bytes value;
    ss__bytes_init(&value, 0);
    int err = 0;
    for (uint32_t i = 0; i < table->count && err == 0; i++) {
        uint8_t key_bytes[4];
        ss__put_be32(key_bytes, i + 1);
        ss__bytes_clear(&value);
        ss__type_encode(&value, &table->types[i]);
        MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
        MDB_val row = ss__val_of(value.data, value.len);
        err = value.err != 0 ? value.err
                             : ss__err_from_lmdb(
                                   mdb_put(txn, env->dbi[SS_DB_TYPES], &key, &row, 0));
    }
    ss__bytes_deinit(&value);
    return err;
}
