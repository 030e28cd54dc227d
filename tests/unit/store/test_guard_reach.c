/* How far the guard looks: what LMDB reads, writes or frees is within it. */
#include "store/guard.h"

#include "pages_fixture.h"
#include "store_fixture.h"

#define LEAVES_MAX 400u
#define LONG_KEY_BYTES 500u    /* so that branches have few children */
#define TALL_SESSIONS 120u

struct tree {
    struct fixture f;
    struct data data;
    uint64_t leaves[LEAVES_MAX];    /* in the order of their keys */
    unsigned count;
    uint64_t root;
    unsigned depth;
};

static void open_env(struct tree *tree, struct ss_env *env)
{
    struct ss_failure failure = { 0 };
    int err = ss__env_open(tree->f.shard_dir, 64u << 20, false, env, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
}

static void put_long(struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t first, size_t key_len,
                     size_t len)
{
    static uint8_t value[8192];
    uint8_t key_bytes[LONG_KEY_BYTES] = { 0 };
    ss_check(len <= sizeof value && key_len <= sizeof key_bytes);
    ss__segment_key(key_bytes, sid, first);
    MDB_val key = ss__val_of(key_bytes, key_len);
    MDB_val row = ss__val_of(value, len);
    ss_check(mdb_put(txn, env->dbi[SS_DB_SEGMENT], &key, &row, 0) == 0);
}

static void put(struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t first, size_t len)
{
    put_long(env, txn, sid, first, 16, len);
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
    tree->root = found.root;
    tree->depth = found.depth;
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

/* ---- branches that lose their leaves ---- */

static void remove_rows(struct ss_env *env, MDB_txn *txn, const uint8_t prefix[8])
{
    MDB_cursor *cursor;
    MDB_val key = ss__val_of(prefix, 8);
    MDB_val value;
    ss_check(mdb_cursor_open(txn, env->dbi[SS_DB_SEGMENT], &cursor) == 0);
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && memcmp(key.mv_data, prefix, 8) == 0) {
        ss_check(mdb_cursor_del(cursor, 0) == 0);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
}

/* As deletions do, one session after the other, until one is told that a page is damaged. */
static int remove_sessions(struct ss_env *env, MDB_txn *txn, uint64_t first, uint64_t last)
{
    int err = 0;
    for (uint64_t sid = first; sid <= last && err == 0; sid++) {
        uint8_t prefix[8];
        ss__put_be64(prefix, sid);
        err = ss__guard_remove(env, txn, SS_DB_SEGMENT, ss_str_of(prefix, 8), 8, UINT64_MAX);
        if (err == 0) {
            remove_rows(env, txn, prefix);
        }
    }
    return err;
}

/* A large row on each leaf, but for two small ones on the last but one of the first branch. When
 * all before the second of them are removed that branch is left with one leaf. */
static void plant_leaves(struct tree *tree)
{
    struct ss_env env;
    MDB_txn *txn;
    open_env(tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (uint64_t sid = 2; sid < 160; sid += 2) {
        put_long(&env, txn, sid, 1, LONG_KEY_BYTES, 1200);
    }
    put_long(&env, txn, 12, 1, LONG_KEY_BYTES, 10);
    put_long(&env, txn, 13, 1, LONG_KEY_BYTES, 10);
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    look(tree);
    ss_check(number_of(tree, 5, 0) == 12 && number_of(tree, 6, 0) == 14);
    ss_check(number_of(tree, 7, 0) == 16);    /* the first of the next branch */
}

/* Whoever reads the first key there takes it for that of a branch. */
SS_TEST(guard_reach, first_leaf_of_the_branch_behind_is_judged)
{
    struct tree tree;
    struct ss_env env;
    MDB_txn *txn;
    begin(&tree);
    plant_leaves(&tree);
    memset((uint8_t *)(uintptr_t)key_of(&tree, 7, 0).data, 0, 8);
    data_store(&tree.data);
    open_env(&tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    ss_check(remove_sessions(&env, txn, 2, 12) == SS_E_CORRUPT);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    end(&tree);
}

/* ---- branches that lose their leaves to the one before ---- */

static uint64_t child_of(struct tree *tree, uint64_t page, size_t index)
{
    struct ss_page_node node;
    ss__page_node(data_page(&tree->data, page), false, index, &node);
    return node.child;
}

static size_t children_of(struct tree *tree, uint64_t page)
{
    return ss__page_count(data_page(&tree->data, page));
}

/* Takes a session out that has the leaf @index below @branch for itself. */
static void take_leaf(struct tree *tree, uint64_t branch, size_t index)
{
    struct ss_env env;
    MDB_txn *txn;
    struct ss_page_node node;
    uint8_t prefix[8];
    ss__page_node(data_page(&tree->data, child_of(tree, branch, index)), true, 0, &node);
    memcpy(prefix, node.key.data, sizeof prefix);
    open_env(tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    remove_rows(&env, txn, prefix);
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    look(tree);
}

/* Four levels; the last branch below the root has two branches, the first of them two leaves.
 * Returns it. */
static uint64_t plant_tall(struct tree *tree)
{
    struct ss_env env;
    MDB_txn *txn;
    open_env(tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (uint64_t sid = 1; sid <= TALL_SESSIONS; sid++) {
        put_long(&env, txn, sid, 1, LONG_KEY_BYTES, 1200);
    }
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    for (;;) {
        look(tree);
        ss_check(tree->depth == 4);
        uint64_t high = child_of(tree, tree->root, children_of(tree, tree->root) - 1);
        uint64_t first = child_of(tree, high, 0);
        size_t branches = children_of(tree, high);
        uint64_t last = child_of(tree, high, branches - 1);
        if (branches == 2 && children_of(tree, first) == 2) {
            return high;
        }
        if (branches > 2) {
            take_leaf(tree, last, children_of(tree, last) - 1);
        } else {
            take_leaf(tree, first, children_of(tree, first) - 1);
        }
    }
}

/* The second branch is joined with the first, and the one above is left with that alone: LMDB looks
 * below it for the key under which it takes it to the branch before. */
SS_TEST(guard_reach, first_leaf_of_the_branch_before_is_judged)
{
    struct tree tree;
    struct ss_env env;
    MDB_txn *txn;
    begin(&tree);
    uint64_t high = plant_tall(&tree);
    uint64_t damaged = child_of(&tree, child_of(&tree, high, 0), 0);
    uint64_t from = child_of(&tree, child_of(&tree, high, 1), 1);
    struct ss_page_node node;
    ss__page_node(data_page(&tree.data, from), true, 0, &node);
    uint64_t first = ss__get_be64((const uint8_t *)node.key.data);
    ss__page_node(data_page(&tree.data, damaged), true, 0, &node);
    memset((uint8_t *)(uintptr_t)node.key.data, 0, 8);
    data_store(&tree.data);
    open_env(&tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    ss_check(remove_sessions(&env, txn, first, TALL_SESSIONS) == SS_E_CORRUPT);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    end(&tree);
}

/* ---- leaves on which there is little ---- */

/* A large row on each leaf, that of session @sid between those of others; there is little on the
 * second. */
static void plant_little(struct tree *tree, uint64_t sid)
{
    struct ss_env env;
    MDB_txn *txn;
    open_env(tree, &env);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (uint64_t i = 10; i <= 80; i += 10) {
        put(&env, txn, i, 1, 1900);
    }
    put(&env, txn, 20, 1, 300);
    put(&env, txn, sid - 1, 1, 10);
    put(&env, txn, sid, 1, 1900);
    put(&env, txn, sid, 2, 100);
    put(&env, txn, sid + 1, 1, 10);
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    look(tree);
    for (unsigned i = 0; i < 3; i++) {
        ss_check(number_of(tree, i, 0) == 10 * (i + 1));
    }
}

static bool is_leaf(const struct tree *tree, uint64_t page)
{
    bool is = false;
    for (unsigned i = 0; i < tree->count; i++) {
        is |= tree->leaves[i] == page;
    }
    return is;
}

/* What is left of the rows goes to the leaf beside, and what is there then to the next one. */
SS_TEST(guard_reach, leaf_beside_one_on_which_there_is_little_is_judged)
{
    for (unsigned way = 0; way < 4; way++) {
        bool back = way % 2 != 0;
        bool damaged = way / 2 != 0;
        uint64_t sid = back ? 31 : 11;
        struct tree tree;
        struct ss_env env;
        MDB_txn *txn;
        begin(&tree);
        plant_little(&tree, sid);
        uint64_t page = tree.leaves[back ? 0 : 2];
        data_page(&tree.data, page)[0] ^= damaged ? 0x40 : 0;
        data_store(&tree.data);
        open_env(&tree, &env);
        ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
        ss_check(remove_sessions(&env, txn, sid, sid) == (damaged ? SS_E_CORRUPT : 0));
        if (damaged) {
            mdb_txn_abort(txn);
        } else {
            ss_check(mdb_txn_commit(txn) == 0);
        }
        ss__env_close(&env);
        if (!damaged) {
            look(&tree);
            ss_check(!is_leaf(&tree, page));    /* LMDB has been there */
        }
        end(&tree);
    }
}
