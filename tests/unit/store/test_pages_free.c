/* The list of free pages: its rows, and that no page of it is in use. */
#include "pages_fill.h"

#include "core/fault.h"

/* The first row of the free list: its value. */
static uint8_t *free_row(struct data *data)
{
    struct ss_page_node node;
    ss_check(data->meta.free.depth == 1);
    ss__page_node(data_page(data, data->meta.free.root), true, 0, &node);
    ss_check(node.data != NULL && node.data_bytes >= 16);
    return data->bytes + (node.data - data->bytes);
}

SS_TEST(pages_free, free_list)
{
    struct data data;
    fill(&data);
    put64(free_row(&data), 1u << 20);
    found(&data, "(free pages): a list of 1048576 free pages");
    fill(&data);
    put64(free_row(&data) + 8, data.meta.main.root);
    found(&data, "(free pages): ");
    fill(&data);
    put64(free_row(&data) + 8, 1u << 30);
    found(&data, "outside of the store");
    fill(&data);
    put64(free_row(&data) + 16, 1u << 30);
    found(&data, "(free pages): the list of free pages is not in order");
    fill(&data);
    put64(node_of(data_page(&data, data.meta.free.root), 0) + 8, 1u << 20);
    found(&data, "(free pages): ");
    fill(&data);
    put64(node_of(data_page(&data, data.meta.free.root), 0) + 8, 0);
    found(&data, "transaction 0 has not been yet");
}

/* The only row of the free list names one page, @number, and nothing else is wrong. */
static void free_one(struct data *data, uint64_t number)
{
    data->start = true;
    put64(free_row(data), 1);
    put64(free_row(data) + 8, number);
}

/* As a start looks at it: what the page is used for is not known, but that it is. */
SS_TEST(pages_free, free_page_that_is_in_use_is_found_at_a_start)
{
    for (unsigned i = 0; i < 4; i++) {
        struct data data;
        uint8_t *branch;
        uint8_t *record;
        struct ss_page_node big;
        fill(&data);
        uint64_t leaf = (uint64_t)(leaf_of(&data, 3, &branch) - data.bytes);
        uint8_t *last = big_node(&data);
        memcpy(&big.child, last + 8 + 16, sizeof big.child);    /* behind its key */
        const uint64_t pages[] = { tree_of(&data, "segment", &record).root,
                                   leaf / data.meta.page_bytes, big.child, big.child + 2 };
        char want[100];
        (void)snprintf(want, sizeof want,
                       "(free pages): points to page %llu, which is in use elsewhere",
                       (unsigned long long)pages[i]);
        free_one(&data, pages[i]);
        found(&data, want);
    }
}

static void nothing_found(struct data *data)
{
    data_store(data);
    data_check(data);
    ss_check_msg(data->summary.findings == 0, "%s", data->findings);
    data_end(data);
}

/* Of databases that a start does not read whole damage is left to whoever reads it. */
SS_TEST(pages_free, outline_of_a_start_blames_no_other_page)
{
    struct data data;
    uint8_t *branch;
    fill(&data);
    data.start = true;
    nothing_found(&data);
    fill(&data);
    data.start = true;
    memset(leaf_of(&data, 3, &branch), 0xdd, data.meta.page_bytes);
    nothing_found(&data);
    fill(&data);
    data.start = true;
    (void)leaf_of(&data, 3, &branch);
    memset(branch + 16, 0xdd, data.meta.page_bytes - 16);
    nothing_found(&data);
}

SS_TEST(pages_free, outline_that_would_cost_much_is_left_out)
{
    struct data data;
    uint8_t *record;
    fill(&data);
    free_one(&data, tree_of(&data, "segment", &record).root);
    put64(record + 8, SS_PAGES_OUTLINE_MAX + 1);    /* branches */
    nothing_found(&data);
    fill(&data);
    free_one(&data, tree_of(&data, "segment", &record).root);
    put64(record + 16, SS_PAGES_OUTLINE_MAX + 1);    /* leaves, and there are overflow pages */
    nothing_found(&data);
}

/* A reader keeps what became free from being used again: the list grows branches, and the newest row
 * of it has pages of its own. */
static void free_often(struct data *data)
{
    data_make(data);
    MDB_env *env = data_env(data);
    MDB_txn *txn;
    MDB_txn *reader;
    MDB_dbi dbi;
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    for (uint64_t sid = 1; sid <= 4000; sid++) {
        data_put(txn, "segment", sid, 1, 1500);
    }
    data_ok(mdb_txn_commit(txn));
    data_ok(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader));
    for (uint64_t i = 0; i < 300; i++) {
        data_ok(mdb_txn_begin(env, NULL, 0, &txn));
        data_put(txn, "segment", 1 + i, 1, 1400);
        data_ok(mdb_txn_commit(txn));
    }
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    data_ok(mdb_dbi_open(txn, "segment", 0, &dbi));
    data_ok(mdb_drop(txn, dbi, 0));
    data_ok(mdb_txn_commit(txn));
    mdb_txn_abort(reader);
    mdb_env_close(env);
    data_load(data);
    ss_check(data->meta.free.depth > 1);
}

/* So many pages became free in one transaction that their list has pages of its own. Returns the node
 * of that list. */
static struct ss_page_node free_many(struct data *data, uint8_t **ret_node)
{
    data_make(data);
    MDB_env *env = data_env(data);
    MDB_txn *txn;
    MDB_dbi dbi;
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    for (uint64_t sid = 1; sid <= 4000; sid++) {
        data_put(txn, "segment", sid, 1, 1500);
    }
    data_ok(mdb_txn_commit(txn));
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    data_ok(mdb_dbi_open(txn, "segment", 0, &dbi));
    data_ok(mdb_drop(txn, dbi, 0));
    data_ok(mdb_txn_commit(txn));
    mdb_env_close(env);
    data_load(data);
    struct ss_page_node node;
    uint8_t *page = data_page(data, data->meta.free.root);
    ss__page_node(page, true, ss__page_count(page) - 1, &node);
    ss_check(node.overflow);
    *ret_node = node_of(page, ss__page_count(page) - 1);
    return node;
}

SS_TEST(pages_free, list_of_free_pages_in_overflow_pages)
{
    struct data data;
    uint8_t *place;
    struct ss_page_node node = free_many(&data, &place);
    data_check(&data);
    ss_check_msg(data.summary.findings == 0, "%s", data.findings);
    ss_check(data.summary.pages_free > 1000);
    put64(data_page(&data, node.child) + 16 + 8 * 700, 1u << 20);
    found(&data, "(free pages): the list of free pages is not in order");
    (void)free_many(&data, &place);    /* its pages are said to be behind the end of the file */
    uint64_t pages = data.len / data.meta.page_bytes;
    put64(data_page(&data, data.newest) + 136, pages + 1);
    put64(place + 8 + 8, pages + 1);    /* behind its key */
    found(&data, "and the file ends before");
}

SS_TEST(pages_free, without_memory_for_a_list_of_free_pages_there_is_no_verdict)
{
    struct data data;
    uint8_t *place;
    struct ss_failure failure = { 0 };
    const struct ss_pages_options options = { .report = data_on_finding, .ctx = &data };
    (void)free_many(&data, &place);
    ss__fault_arm("pages.free", 1, 1, 1);
    ss_check(ss__pages_check(data.path, &options, &data.summary, &failure) == SS_E_NOMEM);
    ss__fault_reset();
    ss_check(failure.text[0] != '\0');
    data_end(&data);
}

/* Also where its list is some levels down. */
SS_TEST(pages_free, without_memory_below_a_branch_there_is_no_verdict)
{
    struct data data;
    struct ss_failure failure = { 0 };
    const struct ss_pages_options options = { .report = data_on_finding, .ctx = &data };
    free_often(&data);
    data_check(&data);
    ss_check_msg(data.summary.findings == 0, "%s", data.findings);
    ss__fault_arm("pages.free", 1, 1, 1);
    ss_check(ss__pages_check(data.path, &options, &data.summary, &failure) == SS_E_NOMEM);
    ss__fault_reset();
    data_end(&data);
}
