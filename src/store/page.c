#include "store/page.h"

#include <inttypes.h>
#include <string.h>

#define BRANCH 0x01u
#define LEAF 0x02u
#define OVERFLOW 0x04u
#define META 0x08u

#define MAGIC 0xbeefc0deu
#define DATA_VERSION 1u

#define NODE_HEAD_BYTES 8u
#define NODE_OVERFLOW 0x01u
#define NODE_TREE 0x02u

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

void ss__page_tree(const uint8_t *bytes, struct ss_page_tree *ret_tree)
{
    *ret_tree = (struct ss_page_tree){
        .pad = get32(bytes),
        .flags = get16(bytes + 4),
        .depth = get16(bytes + 6),
        .branch_pages = get64(bytes + 8),
        .leaf_pages = get64(bytes + 16),
        .overflow_pages = get64(bytes + 24),
        .entries = get64(bytes + 32),
        .root = get64(bytes + 40),
    };
}

static int check_head(const uint8_t *bytes, uint64_t number, uint16_t wanted,
                      struct ss_failure *failure)
{
    if (get64(bytes) != number) {
        return ss__fail(failure, SS_E_CORRUPT, "it says it is page %" PRIu64, get64(bytes));
    }
    if (get16(bytes + 10) != wanted) {
        return ss__fail(failure, SS_E_CORRUPT, "it is of kind 0x%x where 0x%x belongs",
                        get16(bytes + 10), wanted);
    }
    return 0;
}

int ss__page_meta(const uint8_t *bytes, size_t len, uint64_t number, struct ss_page_meta *ret_meta,
                  struct ss_failure *failure)
{
    if (len < SS_PAGE_META_BYTES) {
        return ss__fail(failure, SS_E_CORRUPT, "the file ends before it");
    }
    int err = check_head(bytes, number, META, failure);
    if (err != 0) {
        return err;
    }
    if (get32(bytes + 16) != MAGIC || get32(bytes + 20) != DATA_VERSION) {
        return ss__fail(failure, SS_E_CORRUPT, "it is no meta page of LMDB's data version %u",
                        DATA_VERSION);
    }
    struct ss_page_meta meta = { .last_page = get64(bytes + 136),
                                 .transaction = get64(bytes + 144) };
    ss__page_tree(bytes + 40, &meta.free);
    ss__page_tree(bytes + 88, &meta.main);
    meta.page_bytes = meta.free.pad;
    if (meta.page_bytes < SS_LMDB_PAGE_BYTES_MIN || meta.page_bytes > SS_LMDB_PAGE_BYTES_MAX ||
        (meta.page_bytes & (meta.page_bytes - 1)) != 0) {
        return ss__fail(failure, SS_E_CORRUPT, "pages of %u bytes cannot be", meta.page_bytes);
    }
    if (meta.last_page == 0 || meta.last_page > UINT64_MAX / SS_LMDB_PAGE_BYTES_MAX / 2) {
        return ss__fail(failure, SS_E_CORRUPT, "%" PRIu64 " cannot be the last page",
                        meta.last_page);
    }
    *ret_meta = meta;
    return 0;
}

size_t ss__page_count(const uint8_t *bytes)
{
    return (get16(bytes + 12) - SS_PAGE_HEAD_BYTES) / 2u;
}

bool ss__page_is_sparse(uint32_t page_bytes, const uint8_t *bytes)
{
    size_t lower = get16(bytes + 12);
    size_t upper = get16(bytes + 14);
    size_t room = page_bytes - SS_PAGE_HEAD_BYTES;
    return 4 * (room - (upper - lower)) < room;
}

static size_t even(size_t bytes)
{
    return (bytes + 1u) & ~(size_t)1;
}

static const uint8_t *node_at(const uint8_t *bytes, size_t index)
{
    return bytes + get16(bytes + SS_PAGE_HEAD_BYTES + 2 * index);
}

static uint32_t node_data_bytes(const uint8_t *node)
{
    return get16(node) | (uint32_t)get16(node + 2) << 16;
}

/* On the page, its head and a byte that makes it even included. */
static size_t node_bytes(const uint8_t *node, bool leaf)
{
    size_t data = !leaf                               ? 0
                  : (get16(node + 4) & NODE_OVERFLOW) ? sizeof(uint64_t)
                                                      : node_data_bytes(node);
    return even(NODE_HEAD_BYTES + (size_t)get16(node + 6) + data);
}

void ss__page_node(const uint8_t *bytes, bool leaf, size_t index, struct ss_page_node *ret_node)
{
    const uint8_t *node = node_at(bytes, index);
    uint16_t flags = get16(node + 4);
    uint16_t key_bytes = get16(node + 6);
    const uint8_t *data = node + NODE_HEAD_BYTES + key_bytes;
    *ret_node = (struct ss_page_node){ .key = ss_str_of(node + NODE_HEAD_BYTES, key_bytes) };
    if (!leaf) {
        ret_node->child = node_data_bytes(node) | (uint64_t)flags << 32;
        return;
    }
    ret_node->overflow = (flags & NODE_OVERFLOW) != 0;
    ret_node->tree = (flags & NODE_TREE) != 0;
    ret_node->data_bytes = node_data_bytes(node);
    if (ret_node->overflow) {
        ret_node->child = get64(data);
    } else {
        ret_node->data = data;
    }
}

int ss__page_compare(bool transactions, struct ss_str a, struct ss_str b)
{
    if (transactions) {
        uint64_t first = get64((const uint8_t *)a.data);
        uint64_t second = get64((const uint8_t *)b.data);
        return (first > second) - (first < second);
    }
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Marks the half words of a node, those of one word of @taken at a time; false if one is taken. */
static bool take(uint64_t *taken, size_t from, size_t bytes)
{
    size_t end = (from + bytes) / 2;
    for (size_t at = from / 2; at < end; at = (at / 64 + 1) * 64) {
        size_t left = end - at;
        uint64_t bits = (left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX) << (at % 64);
        if ((taken[at / 64] & bits) != 0) {
            return false;
        }
        taken[at / 64] |= bits;
    }
    return true;
}

/* Every node is on the page, and no two share a byte. */
static int check_places(const struct ss_page_rules *rules, const uint8_t *bytes, bool leaf,
                        struct ss_failure *failure)
{
    uint64_t taken[SS_LMDB_PAGE_BYTES_MAX / 2 / 64] = { 0 };
    size_t upper = get16(bytes + 14);
    size_t count = ss__page_count(bytes);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = get16(bytes + SS_PAGE_HEAD_BYTES + 2 * i);
        if (at < upper || at % 2 != 0 || at > rules->page_bytes - NODE_HEAD_BYTES) {
            return ss__fail(failure, SS_E_CORRUPT, "node %zu is outside of the nodes", i);
        }
        size_t size = node_bytes(bytes + at, leaf);
        if (size > rules->page_bytes - at) {
            return ss__fail(failure, SS_E_CORRUPT, "node %zu does not fit on the page", i);
        }
        if (!take(taken, at, size)) {
            return ss__fail(failure, SS_E_CORRUPT, "node %zu lies over another", i);
        }
        used += size;
    }
    return used == rules->page_bytes - upper
               ? 0
               : ss__fail(failure, SS_E_CORRUPT, "the nodes do not fill their part of the page");
}

static int check_data(const struct ss_page_rules *rules, const uint8_t *node, bool leaf, size_t i,
                      struct ss_failure *failure)
{
    uint16_t flags = get16(node + 4);
    uint64_t page = SS_PAGE_FIRST;
    if (!leaf) {
        page = node_data_bytes(node) | (uint64_t)flags << 32;
    } else if (rules->trees ? flags != NODE_TREE : flags != 0 && flags != NODE_OVERFLOW) {
        return ss__fail(failure, SS_E_CORRUPT, "node %zu is of kind 0x%x", i, flags);
    } else if (flags == NODE_OVERFLOW) {
        page = get64(node + NODE_HEAD_BYTES + get16(node + 6));
    } else if (flags == NODE_TREE && node_data_bytes(node) != SS_PAGE_TREE_BYTES) {
        return ss__fail(failure, SS_E_CORRUPT, "node %zu is no database", i);
    }
    if (page < SS_PAGE_FIRST || page >= rules->pages) {
        return ss__fail(failure, SS_E_CORRUPT, "node %zu points to page %" PRIu64
                        ", outside of the store", i, page);
    }
    return 0;
}

static int check_keys(const struct ss_page_rules *rules, const struct ss_page_bounds *bounds,
                      const uint8_t *bytes, bool leaf, struct ss_failure *failure)
{
    struct ss_str before = bounds->lower;
    bool strict = false;    /* the lower bound itself may be there */
    size_t count = ss__page_count(bytes);
    for (size_t i = leaf ? 0 : 1; i < count; i++) {
        const uint8_t *node = node_at(bytes, i);
        struct ss_str key = ss_str_of(node + NODE_HEAD_BYTES, get16(node + 6));
        if (rules->transactions ? key.len != sizeof(uint64_t)
                                : key.len == 0 || key.len > SS_PAGE_KEY_BYTES_MAX) {
            return ss__fail(failure, SS_E_CORRUPT, "node %zu has a key of %zu bytes", i, key.len);
        }
        int order = before.data == NULL ? 1 : ss__page_compare(rules->transactions, key, before);
        if (order < 0 || (order == 0 && (strict || !leaf))) {
            return ss__fail(failure, SS_E_CORRUPT, "the key of node %zu is not behind the one "
                            "before", i);
        }
        before = key;
        strict = true;
    }
    if (bounds->upper.data != NULL && before.data != NULL && strict &&
        ss__page_compare(rules->transactions, before, bounds->upper) >= 0) {
        return ss__fail(failure, SS_E_CORRUPT, "its keys go on behind those of the next page");
    }
    return 0;
}

int ss__page_check(const struct ss_page_rules *rules, const struct ss_page_bounds *bounds,
                   const uint8_t *bytes, uint64_t number, bool leaf, struct ss_failure *failure)
{
    int err = check_head(bytes, number, leaf ? LEAF : BRANCH, failure);
    if (err != 0) {
        return err;
    }
    size_t lower = get16(bytes + 12);
    size_t upper = get16(bytes + 14);
    if (lower < SS_PAGE_HEAD_BYTES || lower % 2 != 0 || lower > upper || upper % 2 != 0 ||
        upper > rules->page_bytes) {
        return ss__fail(failure, SS_E_CORRUPT, "its extent (%zu, %zu) cannot be", lower, upper);
    }
    /* LMDB lets the free list have a branch with one child. */
    if (ss__page_count(bytes) < (leaf || rules->transactions ? 1u : 2u)) {
        return ss__fail(failure, SS_E_CORRUPT, "it has too few nodes");
    }
    err = check_places(rules, bytes, leaf, failure);
    for (size_t i = 0; i < ss__page_count(bytes) && err == 0; i++) {
        err = check_data(rules, node_at(bytes, i), leaf, i, failure);
    }
    return err != 0 ? err : check_keys(rules, bounds, bytes, leaf, failure);
}

int ss__page_overflow(const struct ss_page_rules *rules, const uint8_t *bytes, uint64_t number,
                      uint32_t data_bytes, uint64_t *ret_pages, struct ss_failure *failure)
{
    int err = check_head(bytes, number, OVERFLOW, failure);
    if (err != 0) {
        return err;
    }
    uint64_t pages = get32(bytes + 12);
    uint64_t wanted = SS_PAGE_HEAD_BYTES + (uint64_t)data_bytes;
    if (pages == 0 || pages > rules->pages - number || pages * rules->page_bytes < wanted) {
        return ss__fail(failure, SS_E_CORRUPT, "%" PRIu64 " pages for %u bytes cannot be", pages,
                        data_bytes);
    }
    *ret_pages = pages;
    return 0;
}
