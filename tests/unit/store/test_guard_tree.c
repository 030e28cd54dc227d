/* The guard alone, on a tree that has been made to say what cannot be. */
#include <dlfcn.h>
#include <errno.h>

#include "guard_fixture.h"

#include "store/guard.h"

#define MAIN_DBI 1    /* LMDB's own: name -> tree */

/* Called before those of the C library and LMDB. */
static bool file_ends;                    /* at whatever is read next */
static void (*change)(MDB_val *value);    /* what LMDB says of a database */
static int stat_error;                    /* what fstat fails with, */
static off_t stat_bytes;                  /* or the length that it says a file has */

int fstat(int fd, struct stat *ret_info)
{
    static __typeof__(fstat) *real;
    if (real == NULL) {
        real = (__typeof__(fstat) *)dlsym(RTLD_NEXT, "fstat");
    }
    if (stat_error != 0) {
        errno = stat_error;
        return -1;
    }
    int code = real(fd, ret_info);
    ret_info->st_size = stat_bytes != 0 ? stat_bytes : ret_info->st_size;
    return code;
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    static __typeof__(pread) *real;
    if (real == NULL) {
        real = (__typeof__(pread) *)dlsym(RTLD_NEXT, "pread");
    }
    return file_ends ? 0 : real(fd, data, len, offset);
}

int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret_value)
{
    static __typeof__(mdb_get) *real;
    if (real == NULL) {
        real = (__typeof__(mdb_get) *)dlsym(RTLD_NEXT, "mdb_get");
    }
    int code = real(txn, dbi, key, ret_value);
    if (code == 0 && dbi == MAIN_DBI && change != NULL) {
        change(ret_value);
    }
    return code;
}

static void no_root(MDB_val *value)
{
    static uint8_t record[SS_PAGE_TREE_BYTES];
    memcpy(record, value->mv_data, sizeof record);
    memset(record + SS_PAGE_TREE_BYTES - 8, 0x7f, 8);
    value->mv_data = record;
}

static void no_depth(MDB_val *value)
{
    static uint8_t record[SS_PAGE_TREE_BYTES];
    memcpy(record, value->mv_data, sizeof record);
    memset(record + 6, 0xff, 2);
    value->mv_data = record;
}

static void no_record(MDB_val *value)
{
    value->mv_size = 7;
}

/* What the page above a database says is judged like any other. */
SS_TEST(guard_tree, record_of_a_database_that_cannot_be_is_damage)
{
    static void (*const changes[])(MDB_val *) = { no_root, no_depth, no_record };
    struct fixture f;
    struct ss_env env;
    struct ss_env without;
    MDB_txn *txn;
    struct ss_str key = ss_str_of("\0\0\0\0\0\0\0\1", 8);
    fill(&f);
    ss_check(ss__env_open(f.shard_dir, 64u << 20, true, &env, NULL) == 0);
    ss_check(ss__env_read_begin(&env, &txn) == 0);
    ss_check(ss__guard_key(&env, txn, SS_DB_SESSION, key) == 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        change = changes[i];
        ss_check(ss__guard_key(&env, txn, SS_DB_SESSION, key) == SS_E_CORRUPT);
        change = NULL;
    }
    file_ends = true;
    ss_check(ss__guard_key(&env, txn, SS_DB_SESSION, key) == SS_E_CORRUPT);
    file_ends = false;
    memcpy(&without, &env, sizeof without);
    without.dbi[SS_DB_CHECKPOINT] = 0;    /* as in the store of an older program */
    ss_check(ss__guard_key(&without, txn, SS_DB_CHECKPOINT, key) == 0);
    ss__env_read_end(&env, txn);
    ss__env_close(&env);
    fixture_end(&f);
}

/* Its other pages would be read through the map: where the file has none is a signal. */
SS_TEST(guard_tree, value_whose_end_is_behind_that_of_the_file_is_damage)
{
    static uint8_t value[FIXTURE_PAYLOAD_MAX];
    struct fixture f;
    struct ss_env env;
    MDB_txn *txn;
    uint8_t key_bytes[SS_KEY_BYTES_MAX];
    size_t key_len;
    fixture_open(&f);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("big"),
                                 .created_ordinal = 1, .last_ordinal = 1,
                                 .type_id = f.entity_type,
                                 .payload = fixture_payload(ss_str("a"), 1, 9000) };
    fixture_publish(&f, "a", 1, 60, 1);
    fixture_checkpoint(&f, "a", &row, 1, 1);
    fixture_close(&f);
    (void)fixture_row(&f, SS_DB_ENTITY, 0, key_bytes, &key_len, value);
    struct ss_str key = ss_str_of(key_bytes, key_len);
    ss_check(ss__env_open(f.shard_dir, 64u << 20, true, &env, NULL) == 0);
    ss_check(ss__env_read_begin(&env, &txn) == 0);
    ss_check(ss__guard_key(&env, txn, SS_DB_ENTITY, key) == 0);
    stat_bytes = 3 * 4096;
    ss_check(ss__guard_key(&env, txn, SS_DB_ENTITY, key) == SS_E_CORRUPT);
    stat_bytes = 0;
    stat_error = EIO;    /* of what is there nothing is known */
    ss_check(ss__guard_key(&env, txn, SS_DB_ENTITY, key) == SS_E_STOREIO);
    stat_error = 0;
    ss__env_read_end(&env, txn);
    ss__env_close(&env);
    fixture_end(&f);
}

/* The first row of a leaf is gone, and what LMDB knows of the leaf is still its key: whoever looks for
 * it may be shown the last row of the leaf before, so that one is judged, too. */
SS_TEST(guard_tree, leaf_before_the_one_where_a_key_would_stand_is_judged)
{
    struct fixture f;
    struct data data;
    struct ss_env env;
    MDB_txn *txn;
    struct ss_page_node node;
    uint8_t key_bytes[SS_KEY_BYTES_MAX];
    fill(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "entity");
    ss__page_node(leaf_of(&data, &tree, 3), true, 0, &node);
    memcpy(key_bytes, node.key.data, node.key.len);
    struct ss_str key = ss_str_of(key_bytes, node.key.len);
    free(data.bytes);
    fixture_plant(&f, SS_DB_ENTITY, key, (struct ss_str){ NULL, 0 });
    for (unsigned damaged = 0; damaged < 2; damaged++) {
        load(&f, &data);
        tree = tree_of(&data, "entity");
        leaf_of(&data, &tree, 2)[10] ^= damaged != 0 ? 0x40 : 0;
        save(&data);
        ss_check(ss__env_open(f.shard_dir, 64u << 20, true, &env, NULL) == 0);
        ss_check(ss__env_read_begin(&env, &txn) == 0);
        ss_check(ss__guard_walk(&env, txn, SS_DB_ENTITY, key, 8, 1) ==
                 (damaged != 0 ? SS_E_CORRUPT : 0));
        ss__env_read_end(&env, txn);
        ss__env_close(&env);
    }
    fixture_end(&f);
}
