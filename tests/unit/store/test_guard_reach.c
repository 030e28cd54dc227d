/* How far the guard looks: what LMDB reads, writes or frees is within it. */
#include "store/guard.h"

#include "pages_fixture.h"
#include "store_fixture.h"

#define LEAVES_MAX 400u

struct tree {
    struct fixture f;
    struct data data;
    uint64_t leaves[LEAVES_MAX];    /* in the order of their keys */
    unsigned count;
};

static void open_env(struct tree *tree, struct ss_env *env)
{
    struct ss_failure failure = { 0 };
    int err = ss__env_open(tree->f.shard_dir, 64u << 20, false, env, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
}

static void put(struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t first, size_t len)
{
    static uint8_t value[8192];
    uint8_t key_bytes[16];
    ss_check(len <= sizeof value);
    ss__segment_key(key_bytes, sid, first);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val row = ss__val_of(value, len);
    ss_check(mdb_put(txn, env->dbi[SS_DB_SEGMENT], &key, &row, 0) == 0);
}

static void note_leaves(struct tree *tree, uint64_t page, unsigned levels)
{
    uint8_t *bytes = data_page(&tree->data, page);
    if (levels == 1) {
        ss_check(tree->count < LEAVES_MAX);
        tree->leaves[tree->count++] = page;
        return;
    }
    for (size_t i = 0; i < ss__page_count(bytes); i++) {
        struct ss_page_node node;
        ss__page_node(bytes, false, i, &node);
        note_leaves(tree, node.child, levels - 1);
    }
}

/* Reads the file, and which leaves there are. */
static void look(struct tree *tree)
{
    struct ss_page_tree found = { 0 };
    (void)snprintf(tree->data.path, sizeof tree->data.path, "%s/data.mdb", tree->f.shard_dir);
    data_load(&tree->data);
    uint8_t *page = data_page(&tree->data, tree->data.meta.main.root);
    for (size_t i = 0; i < ss__page_count(page); i++) {
        struct ss_page_node node;
        ss__page_node(page, true, i, &node);
        if (ss_str_equal(node.key, ss_str("segment"))) {
            ss__page_tree(node.data, &found);
        }
    }
    tree->count = 0;
    note_leaves(tree, found.root, found.depth);
}

static void begin(struct tree *tree)
{
    *tree = (struct tree){ .count = 0 };
    fixture_open(&tree->f);
    fixture_close(&tree->f);
}

static void end(struct tree *tree)
{
    free(tree->data.bytes);
    fixture_end(&tree->f);
}

static struct ss_str key_of(struct tree *tree, unsigned leaf, size_t index)
{
    struct ss_page_node node;
    ss__page_node(data_page(&tree->data, tree->leaves[leaf]), true, index, &node);
    return node.key;
}

static uint64_t number_of(struct tree *tree, unsigned leaf, size_t index)
{
    return ss__get_be64((const uint8_t *)key_of(tree, leaf, index).data);
}

/* ---- how far the rows go that are counted ---- */

/* Others stand before them on their first page. */
SS_TEST(guard_reach, all_rows_that_may_be_removed_are_judged_wherever_the_first_stands)
{
    struct tree tree;
    struct ss_env env;
    MDB_txn *txn;
    uint8_t prefix[8];
    begin(&tree);
    open_env(&tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (unsigned i = 0; i < 60; i++) {
        put(&env, txn, 6, i, 1);
    }
    for (unsigned i = 0; i < 400; i++) {
        put(&env, txn, 7, i, 1500);
    }
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    look(&tree);
    unsigned rows = 0;
    unsigned leaf = 0;
    for (; leaf < tree.count && rows < 256; leaf++) {
        uint8_t *page = data_page(&tree.data, tree.leaves[leaf]);
        for (size_t i = 0; i < ss__page_count(page); i++) {
            rows += number_of(&tree, leaf, i) == 7;
        }
    }
    ss_check(number_of(&tree, 0, 0) == 6 && rows < 256 + 10);
    ss__put_be64(prefix, 7);
    data_page(&tree.data, tree.leaves[leaf - 1])[0] ^= 0x40;    /* has the last of them */
    data_store(&tree.data);
    open_env(&tree, &env);
    ss_check(ss__env_read_begin(&env, &txn) == 0);
    ss_check(ss__guard_remove(&env, txn, SS_DB_SEGMENT, ss_str_of(prefix, 8), 8, 256) ==
             SS_E_CORRUPT);
    ss__env_read_end(&env, txn);
    ss__env_close(&env);
    end(&tree);
}

/* ---- values in pages of their own ---- */

/* LMDB would free as many pages as the first of them says. */
SS_TEST(guard_reach, value_that_says_it_has_more_pages_than_it_needs_is_damage)
{
    struct tree tree;
    struct ss_env env;
    MDB_txn *txn;
    uint8_t key[16];
    begin(&tree);
    open_env(&tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (unsigned i = 0; i < 4; i++) {
        put(&env, txn, 7, i, 6000);
    }
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    for (unsigned more = 0; more < 2; more++) {
        struct ss_page_node node;
        look(&tree);
        ss__page_node(data_page(&tree.data, tree.leaves[0]), true, 0, &node);
        ss_check(node.overflow && data_page(&tree.data, node.child)[12] == 2);
        data_page(&tree.data, node.child)[12] += (uint8_t)more;
        data_store(&tree.data);
        memcpy(key, node.key.data, sizeof key);
        open_env(&tree, &env);
        ss_check(ss__env_read_begin(&env, &txn) == 0);
        ss_check(ss__guard_key(&env, txn, SS_DB_SEGMENT, ss_str_of(key, sizeof key)) ==
                 (more != 0 ? SS_E_CORRUPT : 0));
        ss__env_read_end(&env, txn);
        ss__env_close(&env);
    }
    end(&tree);
}
