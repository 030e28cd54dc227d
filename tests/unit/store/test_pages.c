#include <dlfcn.h>

#include "pages_fill.h"

static long memory_pages;    /* 0: as many as there are */

/* Called before that of the C library, by ThreadSanitizer before it is ready for what it watches. */
__attribute__((no_sanitize("thread"))) long sysconf(int name)
{
    static __typeof__(sysconf) *real;
    if (real == NULL) {
        real = (__typeof__(sysconf) *)dlsym(RTLD_NEXT, "sysconf");
    }
    return name == _SC_PHYS_PAGES && memory_pages != 0 ? memory_pages : real(name);
}

SS_TEST(pages, file_that_lmdb_wrote_is_sound)
{
    struct data data;
    fill(&data);
    data_check(&data);
    ss_check_msg(data.summary.findings == 0, "%s", data.findings);
    ss_check(data.rows == 3002);
    ss_check(data.summary.pages == data.meta.last_page + 1);
    ss_check(data.summary.pages_used + data.summary.pages_free == data.summary.pages);
    ss_check(data.summary.pages_free > 0 && data.summary.file_bytes == data.len);
    data_end(&data);
}

SS_TEST(pages, new_file_is_sound)
{
    struct data data;
    data_make(&data);
    mdb_env_close(data_env(&data));
    data_check(&data);
    ss_check_msg(data.summary.findings == 0, "%s", data.findings);
    data_end(&data);
}

/* Whatever LMDB does: small and large values, replaced and deleted ones, whole databases. */
SS_TEST(pages, random_transactions_stay_sound)
{
    struct data data;
    uint64_t seed = 12345;
    const char *const names[] = { "session", "segment", "entity", "catalog" };
    data_make(&data);
    MDB_env *env = data_env(&data);
    for (int round = 0; round < 150; round++) {
        MDB_txn *txn;
        data_ok(mdb_txn_begin(env, NULL, 0, &txn));
        bool deletes = round % 10 > 6;
        for (int i = 0; i < 120; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint64_t draw = seed >> 33;
            const char *name = names[draw % 4];
            uint64_t sid = draw / 4 % 400;
            size_t len = draw % 97 == 0 ? draw % 150000 : draw % 13 == 0 ? draw % 5000 : draw % 300;
            MDB_dbi dbi;
            if (deletes && mdb_dbi_open(txn, name, 0, &dbi) == 0) {
                uint8_t key[16];
                ss__put_be64(key, sid);
                ss__put_be64(key + 8, draw % 3);
                MDB_val from = { sizeof key, key };
                int code = mdb_del(txn, dbi, &from, NULL);
                ss_check(code == 0 || code == MDB_NOTFOUND);
            } else {
                data_put(txn, name, sid, draw % 3, len);
            }
        }
        if (round == 100) {
            MDB_dbi dbi;
            data_ok(mdb_dbi_open(txn, "entity", 0, &dbi));
            data_ok(mdb_drop(txn, dbi, 0));
        }
        if (round % 7 == 3) {
            mdb_txn_abort(txn);
        } else {
            data_ok(mdb_txn_commit(txn));
        }
        data_check(&data);
        ss_check_msg(data.summary.findings == 0, "round %d: %s", round, data.findings);
    }
    mdb_env_close(env);
    data_end(&data);
}

SS_TEST(pages, errors_are_told_from_findings)
{
    struct data data;
    struct ss_failure failure = { 0 };
    const struct ss_pages_options options = { .report = NULL };
    data_make(&data);
    ss_check(ss__pages_check(data.path, &options, &data.summary, &failure) == SS_E_NOTFOUND);
    ss_check(ss__pages_check(data.dir, &options, &data.summary, &failure) == SS_E_IO);
    data.bytes = calloc(1, 1);
    data.len = 0;
    found(&data, "page 0 (): the file ends before it");
}

SS_TEST(pages, meta_pages)
{
    static const struct {
        size_t at;
        uint8_t flip;
        const char *part;
    } cases[] = {
        { 0, 1, "page 0 (): it says it is page 1" },
        { 10, 0x20, "page 0 (): it is of kind 0x28" },
        { 17, 1, "page 0 (): it is no meta page" },
        { 20, 1, "page 0 (): it is no meta page" },
        { 40, 4, "page 0 (): pages of 4100 bytes cannot be" },
        { 41, 0x30, "page 1 (): it" },
        { 4096 + 41, 0x30, "different sizes" },
        { 4096 + 10, 4, "page 1 (): it is of kind 0xc" },
        { 144, 4, "one of them is wrong" },
        { 144 + 5, 4, "one of them is wrong" },
        { 4096 + 144, 1, "one of them is wrong" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct data data;
        fill(&data);
        data.bytes[cases[i].at] ^= cases[i].flip;
        found(&data, cases[i].part);
    }
}

SS_TEST(pages, last_page)
{
    struct data data;
    fill(&data);
    put64(data_page(&data, data.newest) + 136, 0);
    found(&data, "0 cannot be the last page");
    fill(&data);
    put64(data_page(&data, data.newest) + 136, UINT64_C(1) << 40);
    found(&data, "far smaller than recorded");
    fill(&data);
    put64(data_page(&data, data.newest) + 136, 10);
    found(&data, "outside of the store");
}

SS_TEST(pages, truncated_file)
{
    for (unsigned left = 0; left < 40; left++) {
        struct data data;
        fill(&data);
        data.len = left < 20 ? left * 600u : data.len * (left - 19) / 21;
        found(&data, left < 20 ? "page" : "the file ends before");
    }
}

SS_TEST(pages, records_of_trees)
{
    static const struct {
        size_t at;
        const char *part;
    } cases[] = {
        { 4, "(segment): its record has flags 0x1" },
        { 6, "(segment): " },
        { 8, "branch pages are recorded" },
        { 16, "leaf pages are recorded" },
        { 24, "overflow pages are recorded" },
        { 32, "rows are recorded, there are 3001" },
        { 40, "(segment): " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct data data;
        uint8_t *record;
        fill(&data);
        (void)tree_of(&data, "segment", &record);
        record[cases[i].at] ^= 1;
        found(&data, cases[i].part);
    }
    struct data data;
    uint8_t *record;
    fill(&data);
    (void)tree_of(&data, "segment", &record);
    put16(record + 6, 33);
    found(&data, "a depth of 33");
    fill(&data);
    (void)tree_of(&data, "segment", &record);
    put16(record + 6, 0);
    found(&data, "a depth of 0");
    fill(&data);
    (void)tree_of(&data, "segment", &record);
    put64(record + 40, UINT64_MAX - 1);
    found(&data, "outside of the store");
    fill(&data);
    memset(data_page(&data, data.newest) + 40 + 4, 0, 2);    /* of the free list */
    found(&data, "(free pages): its record has flags 0x0");
}

SS_TEST(pages, heads_of_pages)
{
    static const struct {
        size_t at;
        uint8_t flip;
        const char *part;
    } cases[] = {
        { 0, 1, "it says it is page" },
        { 10, 4, "it is of kind 0x6 where 0x2 belongs" },
        { 11, 0x80, "it is of kind 0x8002" },
        { 12, 1, "its extent" },
        { 13, 0x80, "its extent" },
        { 14, 1, "its extent" },
        { 15, 0x80, "its extent" },
        { 12, 2, "node" },
        { 14, 8, "node" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct data data;
        uint8_t *branch;
        fill(&data);
        leaf_of(&data, 3, &branch)[cases[i].at] ^= cases[i].flip;
        found(&data, cases[i].part);
    }
    struct data data;
    uint8_t *branch;
    fill(&data);
    put16(leaf_of(&data, 3, &branch) + 12, 16);
    found(&data, "too few nodes");
    fill(&data);
    (void)leaf_of(&data, 3, &branch);
    put16(branch + 12, 18);
    found(&data, "too few nodes");
}

/* A node by a half word, which belongs to the one behind. That one was looked at before, and lies in
 * another of the words in which places are marked than the beginning of the node. */
static void make_longer(uint8_t *leaf)
{
    const unsigned word_bytes = 64 * 2;
    size_t i = 1;
    while (get16(leaf + 16 + 2 * i) / word_bytes == get16(leaf + 16 + 2 * (i - 1)) / word_bytes) {
        i++;
        ss_check(i < ss__page_count(leaf));
    }
    uint8_t *node = node_of(leaf, i);
    ss_check(node + 8 + get16(node + 6) + get16(node) == node_of(leaf, i - 1));
    put16(node, get16(node) + 2u);
}

SS_TEST(pages, places_of_nodes)
{
    struct data data;
    uint8_t *branch;
    fill(&data);
    put16(leaf_of(&data, 3, &branch) + 16 + 4, 12);
    found(&data, "node 2 is outside of the nodes");
    fill(&data);
    leaf_of(&data, 3, &branch)[16 + 4] ^= 1;
    found(&data, "node 2 is outside of the nodes");
    fill(&data);
    put16(leaf_of(&data, 3, &branch) + 16 + 4, 4090);
    found(&data, "node 2 is outside of the nodes");
    fill(&data);
    put16(node_of(leaf_of(&data, 3, &branch), 2) + 2, 1);
    found(&data, "node 2 does not fit");
    fill(&data);
    put16(node_of(leaf_of(&data, 3, &branch), 2) + 6, 0xffff);
    found(&data, "node 2 does not fit");
    fill(&data);
    uint8_t *leaf = leaf_of(&data, 3, &branch);
    put16(leaf + 16 + 4, get16(leaf + 16 + 6));
    found(&data, "node 3 lies over another");
    fill(&data);
    make_longer(leaf_of(&data, 3, &branch));
    found(&data, "lies over another");
    fill(&data);
    uint8_t *node = node_of(leaf_of(&data, 3, &branch), 2);
    put16(node, get16(node) - 2u);
    found(&data, "do not fill");
}

SS_TEST(pages, nodes)
{
    struct data data;
    uint8_t *branch;
    uint8_t *record;
    fill(&data);
    put16(node_of(leaf_of(&data, 3, &branch), 2) + 4, 4);
    found(&data, "node 2 is of kind 0x4");
    fill(&data);
    put16(node_of(leaf_of(&data, 3, &branch), 2) + 4, 2);
    found(&data, "node 2 is of kind 0x2");
    fill(&data);
    (void)tree_of(&data, "session", &record);
    put16(record - strlen("session") - 4, 0);
    found(&data, "(databases): node");
    fill(&data);
    (void)tree_of(&data, "session", &record);
    put16(record - strlen("session") - 8, 49);
    found(&data, "is no database");
    fill(&data);
    put16(node_of(leaf_of(&data, 3, &branch), 2) + 6, 0);
    found(&data, "node");
    fill(&data);
    (void)leaf_of(&data, 3, &branch);
    put16(node_of(branch, 2) + 2, 0x7000);
    found(&data, "outside of the store");
    fill(&data);
    put64(big_node(&data) + 8 + 16, 1);
    found(&data, "points to page 1, outside of the store");
}

SS_TEST(pages, order_of_keys)
{
    struct data data;
    uint8_t *branch;
    fill(&data);
    node_of(leaf_of(&data, 3, &branch), 2)[8] = 1;
    found(&data, "the key of node 3 is not behind");
    fill(&data);
    uint8_t *leaf = leaf_of(&data, 3, &branch);
    memcpy(node_of(leaf, 3) + 8, node_of(leaf, 2) + 8, 16);
    found(&data, "the key of node 3 is not behind");
    fill(&data);
    leaf = leaf_of(&data, 3, &branch);
    node_of(leaf, ss__page_count(leaf) - 1)[8] = 1;
    found(&data, "behind those of the next page");
    fill(&data);
    memset(node_of(leaf_of(&data, 3, &branch), 0) + 8, 0, 8);
    found(&data, "the key of node 0 is not behind");
    fill(&data);
    (void)leaf_of(&data, 3, &branch);
    node_of(branch, 3)[8] = 1;
    found(&data, "the key of node 4 is not behind");
    fill(&data);    /* a separator that sends some keys to the wrong side */
    (void)leaf_of(&data, 3, &branch);
    node_of(branch, 3)[8 + 7] ^= 2;
    found(&data, "(segment): ");
}

SS_TEST(pages, page_is_reached_once)
{
    struct data data;
    uint8_t *branch;
    fill(&data);
    (void)leaf_of(&data, 3, &branch);
    memcpy(node_of(branch, 4), node_of(branch, 3), 4);
    found(&data, "which is in use elsewhere");
    fill(&data);    /* a branch that is its own child */
    (void)leaf_of(&data, 3, &branch);
    put16(node_of(branch, 4), (unsigned)((size_t)(branch - data.bytes) / data.meta.page_bytes));
    found(&data, "which is in use elsewhere");
    fill(&data);
    uint8_t *leaf = leaf_of(&data, 3, &branch);
    put64(big_node(&data) + 8 + 16, (uint64_t)(leaf - data.bytes) / data.meta.page_bytes);
    found(&data, "(segment): ");
}

SS_TEST(pages, page_over_another)
{
    struct data data;
    uint8_t *branch;
    fill(&data);
    memcpy(leaf_of(&data, 3, &branch), leaf_of(&data, 5, &branch), data.meta.page_bytes);
    found(&data, "it says it is page");
}

SS_TEST(pages, overflow_pages)
{
    struct data data;
    uint64_t number;
    for (int what = 0; what < 4; what++) {
        fill(&data);
        memcpy(&number, big_node(&data) + 8 + 16, sizeof number);
        uint8_t *page = data_page(&data, number);
        static const size_t places[] = { 0, 10, 12, 14 };
        page[places[what]] ^= what == 2 ? 3 : 1;
        static const char *const parts[] = { "it says it is", "of kind 0x5", "for 10000 bytes",
                                             "for 10000 bytes" };
        found(&data, parts[what]);
    }
    fill(&data);
    memcpy(&number, big_node(&data) + 8 + 16, sizeof number);
    data.len = (number + 2) * data.meta.page_bytes;
    found(&data, "the file ends before the end of this value");
    fill(&data);    /* it says that it goes on over pages of others */
    memcpy(&number, big_node(&data) + 8 + 16, sizeof number);
    put16(data_page(&data, number) + 12,
          (unsigned)(data.len / data.meta.page_bytes - number));
    found(&data, "which is in use elsewhere");
    fill(&data);    /* room for more than the value is not damage, but more than was recorded is */
    memcpy(&number, big_node(&data) + 8 + 16, sizeof number);
    data_page(&data, number)[12]++;
    found(&data, "(segment): ");
}

SS_TEST(pages, file_larger_than_memory_bears_is_read_without_haste)
{
    struct data data;
    fill(&data);
    memory_pages = 1;
    data_check(&data);
    memory_pages = 0;
    ss_check_msg(data.summary.findings == 0, "%s", data.findings);
    data_end(&data);
}
