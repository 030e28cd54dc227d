/* page.h - one page of an LMDB data file, judged and taken apart without LMDB.
 *
 * The format is that of LMDB 0.9 (data version 1): pages of one size, numbers in the byte order
 * and size of the machine. Of a page:
 *
 *      0  u64  its own number                  16  branch, leaf: u16 offset of each node
 *      8  u16  not used here                       overflow: data
 *     10  u16  flags: what it is                   meta: what ss__page_meta reads
 *     12  u16  end of the offsets, u16 start of the nodes; overflow: u32 pages it has
 *
 * Node: u16 and u16, low and high half of the size of its data; u16 flags; u16 size of the key;
 * key, data. In a branch the first three are the number of the child, and the first key counts for
 * nothing. Nodes are packed at the end of the page, each at an even offset.
 *
 * Only what this program's stores have: no sorted duplicates.
 *
 * Pure functions; what they are given comes from the disk, and no field is believed before it has
 * been compared with the room there is. */
#ifndef SS_STORE_PAGE_H
#define SS_STORE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/failure.h"

#define SS_PAGE_HEAD_BYTES 16u
#define SS_LMDB_PAGE_BYTES_MIN 512u
#define SS_LMDB_PAGE_BYTES_MAX 32768u
#define SS_PAGE_KEY_BYTES_MAX 511u
#define SS_PAGE_META_BYTES 152u      /* of a meta page with its head */
#define SS_PAGE_NONE UINT64_MAX      /* root of an empty tree */
#define SS_PAGE_FIRST 2u             /* behind the two meta pages */
#define SS_PAGE_DEPTH_MAX 32u        /* LMDB goes no deeper */
#define SS_PAGE_TREE_BYTES 48u

/* One tree of pages as its owner records it. */
struct ss_page_tree {
    uint32_t pad;                    /* of the free list: bytes of a page */
    uint16_t flags;
    uint16_t depth;                  /* levels, 0 when empty */
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;                   /* or SS_PAGE_NONE */
};

struct ss_page_meta {
    uint32_t page_bytes;
    struct ss_page_tree free;        /* transaction -> pages that it freed */
    struct ss_page_tree main;        /* name -> tree */
    uint64_t last_page;
    uint64_t transaction;
};

/* Reads a meta page from @bytes[@len]. SS_E_CORRUPT with @failure. */
int ss__page_meta(const uint8_t *bytes, size_t len, uint64_t number, struct ss_page_meta *ret_meta,
                  struct ss_failure *failure);

/* @bytes has SS_PAGE_TREE_BYTES. */
void ss__page_tree(const uint8_t *bytes, struct ss_page_tree *ret_tree);

/* What pages of a tree have in common. */
struct ss_page_rules {
    uint32_t page_bytes;
    uint64_t pages;                  /* numbers from here on are outside */
    bool transactions;               /* keys are u64 of the machine: the free list */
    bool trees;                      /* values are trees: the main one */
};

/* Keys on a page and below it are from @lower on and before @upper; without data: no bound. */
struct ss_page_bounds {
    struct ss_str lower;
    struct ss_str upper;
};

struct ss_page_node {
    struct ss_str key;               /* not of the first of a branch */
    uint64_t child;                  /* of a branch, or first of the overflow pages */
    bool overflow;
    bool tree;                       /* the data is one */
    uint32_t data_bytes;
    const uint8_t *data;             /* NULL: in overflow pages */
};

/* Judges all of a page of @rules->page_bytes that is to be a leaf, or a branch. SS_E_CORRUPT with
 * @failure. */
int ss__page_check(const struct ss_page_rules *rules, const struct ss_page_bounds *bounds,
                   const uint8_t *bytes, uint64_t number, bool leaf, struct ss_failure *failure);

/* Of a page that was judged to be sound. */
size_t ss__page_count(const uint8_t *bytes);
void ss__page_node(const uint8_t *bytes, bool leaf, size_t index, struct ss_page_node *ret_node);

/* Whether it is a leaf that LMDB joins with one beside it when it removes a row there: less than a
 * quarter is in use. */
bool ss__page_is_sparse(uint32_t page_bytes, const uint8_t *bytes);

/* Below 0, 0 or above, as keys are ordered. */
int ss__page_compare(bool transactions, struct ss_str a, struct ss_str b);

/* How many pages the head @bytes[SS_PAGE_HEAD_BYTES] of overflow pages says there are; @data_bytes
 * have to fit in. SS_E_CORRUPT with @failure. */
int ss__page_overflow(const struct ss_page_rules *rules, const uint8_t *bytes, uint64_t number,
                      uint32_t data_bytes, uint64_t *ret_pages, struct ss_failure *failure);

#endif
