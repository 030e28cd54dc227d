/* pages_fill.h - a data file with something of everything, and where its parts lie. */
#ifndef SS_TESTS_PAGES_FILL_H
#define SS_TESTS_PAGES_FILL_H

#include "pages_fixture.h"

#define BIG 10000u    /* bytes of a value in overflow pages */

static inline uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void put16(uint8_t *at, unsigned value)
{
    uint16_t narrow = (uint16_t)value;
    memcpy(at, &narrow, sizeof narrow);
}

static inline void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* Two databases, one of them with branches and overflow pages, and pages that became free. */
static inline void fill(struct data *data)
{
    data_make(data);
    MDB_env *env = data_env(data);
    MDB_txn *txn;
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    for (uint64_t sid = 1; sid <= 3000; sid++) {
        data_put(txn, "segment", sid, 1, 100);
    }
    data_put(txn, "segment", 5000, 1, BIG);
    data_put(txn, "session", 1, 1, 50);
    data_ok(mdb_txn_commit(txn));
    for (uint64_t i = 0; i < 3; i++) {
        data_ok(mdb_txn_begin(env, NULL, 0, &txn));
        data_put(txn, "segment", 10 + i * 500, 1, 100 + i);
        data_ok(mdb_txn_commit(txn));
    }
    mdb_env_close(env);
    data_load(data);
}

static inline struct ss_page_tree tree_of(struct data *data, const char *name, uint8_t **ret_record)
{
    uint8_t *page = data_page(data, data->meta.main.root);
    for (size_t i = 0; i < ss__page_count(page); i++) {
        struct ss_page_node node;
        struct ss_page_tree tree;
        ss__page_node(page, true, i, &node);
        if (ss_str_equal(node.key, ss_str(name))) {
            ss__page_tree(node.data, &tree);
            *ret_record = data->bytes + (node.data - data->bytes);
            return tree;
        }
    }
    ss_check(false);
    return (struct ss_page_tree){ 0 };
}

/* The leaf of "segment" that is child @index of its first branch, and that branch. */
static inline uint8_t *leaf_of(struct data *data, size_t index, uint8_t **ret_branch)
{
    uint8_t *record;
    struct ss_page_node node;
    struct ss_page_tree tree = tree_of(data, "segment", &record);
    ss_check(tree.depth >= 2);
    uint8_t *page = data_page(data, tree.root);
    for (unsigned level = 1; level < tree.depth; level++) {
        *ret_branch = page;
        ss__page_node(page, false, level + 1u == tree.depth ? index : 0, &node);
        page = data_page(data, node.child);
    }
    return page;
}

static inline uint8_t *node_of(uint8_t *page, size_t index)
{
    return page + get16(page + 16 + 2 * index);
}

/* The leaf node with the value in overflow pages. */
static inline uint8_t *big_node(struct data *data)
{
    uint8_t *branch;
    uint8_t *record;
    struct ss_page_tree tree = tree_of(data, "segment", &record);
    uint8_t *page = data_page(data, tree.root);
    for (unsigned level = 1; level < tree.depth; level++) {
        struct ss_page_node node;
        branch = page;
        ss__page_node(branch, false, ss__page_count(branch) - 1, &node);
        page = data_page(data, node.child);
    }
    return node_of(page, ss__page_count(page) - 1);
}

static inline void found(struct data *data, const char *part)
{
    data_store(data);
    data_check(data);
    ss_check_msg(data->summary.findings > 0, "nothing found, wanted: %s", part);
    ss_check_msg(strstr(data->findings, part) != NULL, "found \"%s\", wanted: %s", data->findings,
                 part);
    data_end(data);
}

#endif
