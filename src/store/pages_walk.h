/* pages_walk.h - the walk of pages.h under way: for pages*.c only. */
#ifndef SS_STORE_PAGES_WALK_H
#define SS_STORE_PAGES_WALK_H

#include "store/pages.h"

#define SS_PAGES_DATABASES_MAX 32u    /* more than env.h allows */

struct ss_pages_database {
    char name[SS_PAGE_KEY_BYTES_MAX + 1];
    struct ss_page_tree tree;
    uint64_t page;                    /* that records it */
};

struct ss_pages {
    int fd;
    uint64_t file_bytes;
    struct ss_page_rules rules;
    uint64_t *met;                    /* a bit for each page */
    const struct ss_pages_options *options;
    struct ss_pages_summary *summary;
    uint64_t progress_at;             /* pages read when it was last told */
    struct ss_pages_database *databases;
    size_t databases_count;
};

/* The tree being walked. */
struct ss_pages_tree {
    struct ss_pages *pages;
    const struct ss_pages_database *database;
    struct ss_page_rules rules;
    uint64_t entries;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t findings_before;
    uint64_t newest;                  /* transaction of the file, for the free list */
    bool outline;                     /* only which pages it has; nothing is reported */
    bool leaves;                      /* of an outline: they have to be read */
};

void ss__pages_found(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_bounds *keys,
                     const char *format, ...) SS_PRINTF(4, 5);

/* Reads @len bytes of page @number and behind it. False: reported. */
bool ss__pages_read(struct ss_pages_tree *tree, uint64_t number, size_t len, uint64_t asked_by,
                    const struct ss_page_bounds *keys, uint8_t *out);

/* Marks a page as met. False: it is outside or was met before, which is reported at @asked_by. */
bool ss__pages_meet(struct ss_pages_tree *tree, uint64_t number, uint64_t asked_by,
                    const struct ss_page_bounds *keys);

/* Walks all of a tree and compares its counts. SS_E_NOMEM. */
int ss__pages_tree(struct ss_pages_tree *tree);

/* One row of the free list. SS_E_NOMEM. */
int ss__pages_free_row(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_node *node);

#endif
