#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/pages_walk.h"

#define INTEGER_KEYS 0x0008u
#define MADE_WITHOUT_DIRECTORY 0x4000u

struct level {
    uint64_t number;
    size_t next;                     /* child to go to */
    struct ss_page_bounds bounds;    /* in the memory of the levels above */
    uint8_t *bytes;
};

static struct ss_page_bounds one_key(struct ss_str key)
{
    return (struct ss_page_bounds){ key, key };
}

/* How many pages the value has: as its head says, if that may be. */
static bool read_overflow(struct ss_pages_tree *tree, uint64_t page,
                          const struct ss_page_node *node, uint64_t *ret_pages)
{
    uint8_t head[SS_PAGE_HEAD_BYTES];
    struct ss_failure failure = { 0 };
    struct ss_page_bounds key = one_key(node->key);
    if (tree->outline) {
        *ret_pages = (node->data_bytes + sizeof head + tree->rules.page_bytes - 1) /
                     tree->rules.page_bytes;
        return true;
    }
    if (!ss__pages_read(tree, node->child, sizeof head, page, &key, head)) {
        return false;
    }
    if (ss__page_overflow(&tree->rules, head, node->child, node->data_bytes, ret_pages,
                          &failure) != 0) {
        ss__pages_found(tree, node->child, &key, "%s", failure.text);
        return false;
    }
    return true;
}

static void check_overflow(struct ss_pages_tree *tree, uint64_t page,
                           const struct ss_page_node *node)
{
    struct ss_page_bounds key = one_key(node->key);
    uint64_t pages = 0;
    if (!read_overflow(tree, page, node, &pages)) {
        return;
    }
    uint64_t end = (node->child + pages) * tree->rules.page_bytes;
    if (end > tree->pages->file_bytes) {
        ss__pages_found(tree, node->child, &key, "the file ends before the end of this value");
        return;
    }
    for (uint64_t i = 0; i < pages; i++) {
        if (!ss__pages_meet(tree, node->child + i, page, &key)) {
            return;
        }
    }
    tree->overflow_pages += pages;
}

static int add_database(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_node *node)
{
    struct ss_pages *pages = tree->pages;
    struct ss_page_bounds key = one_key(node->key);
    if (pages->databases_count == SS_PAGES_DATABASES_MAX ||
        memchr(node->key.data, 0, node->key.len) != NULL) {
        ss__pages_found(tree, page, &key, "a database of no store of this program");
        return 0;
    }
    struct ss_pages_database *database = &pages->databases[pages->databases_count++];
    memcpy(database->name, node->key.data, node->key.len);
    database->name[node->key.len] = '\0';
    database->page = page;
    ss__page_tree(node->data, &database->tree);
    return 0;
}

static int visit_leaf(struct ss_pages_tree *tree, const struct level *level)
{
    size_t count = ss__page_count(level->bytes);
    int err = 0;
    tree->leaf_pages++;
    tree->entries += count;
    for (size_t i = 0; i < count && err == 0; i++) {
        struct ss_page_node node;
        ss__page_node(level->bytes, true, i, &node);
        if (node.overflow) {
            check_overflow(tree, level->number, &node);
        }
        if (tree->rules.trees) {
            err = add_database(tree, level->number, &node);
        } else if (tree->rules.transactions) {
            err = ss__pages_free_row(tree, level->number, &node);
        } else if (tree->pages->options->row != NULL && !tree->outline) {
            tree->pages->options->row(tree->database->name, &node, tree->pages->options->ctx);
        }
    }
    return err;
}

/* Reads and judges the page of @level. False: it is damaged, and what is below it not known. */
static bool enter(struct ss_pages_tree *tree, struct level *level, bool leaf, uint64_t asked_by)
{
    struct ss_failure failure = { 0 };
    if (!ss__pages_meet(tree, level->number, asked_by, &level->bounds) ||
        (leaf && tree->outline && !tree->leaves) ||
        !ss__pages_read(tree, level->number, tree->rules.page_bytes, asked_by, &level->bounds,
                        level->bytes)) {
        return false;
    }
    level->next = 0;
    if (ss__page_check(&tree->rules, &level->bounds, level->bytes, level->number, leaf,
                       &failure) != 0) {
        ss__pages_found(tree, level->number, &level->bounds, "%s", failure.text);
        return false;
    }
    return true;
}

/* The bounds and the number of the next child of @parent. */
static void descend(struct level *parent, struct level *child)
{
    struct ss_page_node node;
    struct ss_page_node behind;
    ss__page_node(parent->bytes, false, parent->next, &node);
    child->number = node.child;
    child->bounds = parent->bounds;
    if (parent->next > 0) {
        child->bounds.lower = node.key;
    }
    parent->next++;
    if (parent->next < ss__page_count(parent->bytes)) {
        ss__page_node(parent->bytes, false, parent->next, &behind);
        child->bounds.upper = behind.key;
    }
}

static int walk(struct ss_pages_tree *tree, struct level *levels)
{
    uint16_t depth = tree->database->tree.depth;
    uint16_t at = 0;
    int err = 0;
    levels[0].number = tree->database->tree.root;
    if (!enter(tree, &levels[0], depth == 1, tree->database->page)) {
        return 0;
    }
    if (depth == 1) {
        return visit_leaf(tree, &levels[0]);
    }
    tree->branch_pages++;
    for (;;) {
        struct level *level = &levels[at];
        if (level->next == ss__page_count(level->bytes)) {
            if (at == 0) {
                return 0;
            }
            at--;
            continue;
        }
        struct level *child = &levels[at + 1];
        descend(level, child);
        bool leaf = at + 2 == depth;
        if (!enter(tree, child, leaf, level->number)) {
            continue;
        }
        if (!leaf) {
            tree->branch_pages++;
            at++;
            continue;
        }
        err = visit_leaf(tree, child);
        if (err != 0) {
            return err;
        }
    }
}

static void compare_counts(struct ss_pages_tree *tree)
{
    const struct ss_page_tree *told = &tree->database->tree;
    const struct {
        const char *what;
        uint64_t told;
        uint64_t found;
    } counts[] = {
        { "rows", told->entries, tree->entries },
        { "branch pages", told->branch_pages, tree->branch_pages },
        { "leaf pages", told->leaf_pages, tree->leaf_pages },
        { "overflow pages", told->overflow_pages, tree->overflow_pages },
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i].told != counts[i].found) {
            ss__pages_found(tree, tree->database->page, &(struct ss_page_bounds){ 0 },
                            "%" PRIu64 " %s are recorded, there are %" PRIu64, counts[i].told,
                            counts[i].what, counts[i].found);
        }
    }
}

/* The record of a tree, before its root is looked at. */
static bool check_record(struct ss_pages_tree *tree)
{
    const struct ss_page_tree *told = &tree->database->tree;
    const struct ss_page_bounds all = { 0 };
    /* That of the free pages also has those of the environment that was made: ours is a file of its
     * own until it is whole (create.h). */
    uint16_t flags = tree->rules.transactions ? INTEGER_KEYS : 0;
    uint16_t passed = tree->rules.transactions ? MADE_WITHOUT_DIRECTORY : 0;
    if ((told->flags & ~passed) != flags) {
        ss__pages_found(tree, tree->database->page, &all, "its record has flags 0x%x", told->flags);
        return false;
    }
    if ((told->root == SS_PAGE_NONE) != (told->depth == 0) || told->depth > SS_PAGE_DEPTH_MAX) {
        ss__pages_found(tree, tree->database->page, &all, "its record has a depth of %u",
                        told->depth);
        return false;
    }
    return true;
}

int ss__pages_tree(struct ss_pages_tree *tree)
{
    tree->findings_before = tree->pages->summary->findings;
    if (!check_record(tree)) {
        return 0;
    }
    uint16_t depth = tree->database->tree.depth;
    int err = 0;
    if (depth > 0) {
        struct level levels[SS_PAGE_DEPTH_MAX] = { 0 };
        uint8_t *bytes = calloc(depth, tree->rules.page_bytes);
        if (bytes == NULL) {
            return SS_E_NOMEM;
        }
        for (uint16_t i = 0; i < depth; i++) {
            levels[i].bytes = bytes + (size_t)i * tree->rules.page_bytes;
        }
        err = walk(tree, levels);
        free(bytes);
    }
    if (err == 0 && !tree->outline && tree->pages->summary->findings == tree->findings_before) {
        compare_counts(tree);
    }
    return err;
}
