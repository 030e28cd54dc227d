#include "store/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/page.h"

#define LINES_MAX 100u
#define MAIN_DBI 1    /* LMDB's own: name -> tree */

struct level {
    uint8_t *bytes;
    size_t index;                    /* child or row it stands at */
    uint64_t number;
    struct ss_page_bounds bounds;    /* in the pages above */
};

struct guard {
    const struct ss_env *env;
    const char *database;
    int fd;
    struct ss_page_rules rules;
    struct ss_page_tree tree;
    uint16_t leaf;                   /* index of the last level */
    uint64_t behind;                 /* the page that is damaged: see ss__guard_next */
    struct level levels[SS_PAGE_DEPTH_MAX];
};

static void log_page(const struct guard *guard, const char *text, uint64_t page,
                     const char *reason)
{
    static atomic_uint lines;
    const char *dir = "";
    char quoted[SS_FAILURE_TEXT_BYTES + 2];
    if (atomic_fetch_add(&lines, 1) < LINES_MAX) {
        (void)mdb_env_get_path(guard->env->env, &dir);    /* leaves it */
        ss__log(SS_LOG_ERROR, text, "file=\"%s/data.mdb\" page=%" PRIu64 " database=%s reason=%s",
                dir, page, guard->database,
                ss__log_quote(quoted, sizeof quoted, ss_str(reason)));
    }
}

static int report(const struct guard *guard, uint64_t page, const char *reason)
{
    log_page(guard, "the structure of a store is damaged: what lies there is not read; run "
             "`ssctl store check`", page, reason);
    return SS_E_CORRUPT;
}

/* What is there may be sound. */
static int report_disk(const struct guard *guard, uint64_t page, int code)
{
    log_page(guard, "a page of a store cannot be read: the disk gives an error; look at it",
             page, strerror(code));
    return SS_E_STOREIO;
}

/* From the beginning of a page. */
static int read_bytes(const struct guard *guard, uint64_t number, size_t len, uint8_t *out)
{
    size_t done = 0;
    while (done < len) {
        off_t at = (off_t)(number * guard->rules.page_bytes + done);
        int code = SS_FAULT("guard.read");    /* an errno */
        ssize_t got = code != 0 ? -1 : pread(guard->fd, out + done, len - done, at);
        code = code != 0 ? code : errno;
        if (got < 0 && code == EINTR) {
            continue;
        }
        if (got < 0) {
            return report_disk(guard, number, code);
        }
        if (got == 0) {
            return report(guard, number, "the file ends before it");
        }
        done += (size_t)got;
    }
    return 0;
}

/* The number at the beginning of a separator, which may be shorter. */
static uint64_t number_of(struct ss_str key)
{
    uint8_t bytes[8] = { 0 };
    memcpy(bytes, key.data, key.len < sizeof bytes ? key.len : sizeof bytes);
    return ss__get_be64(bytes);
}

static int enter(struct guard *guard, uint16_t at, uint64_t number,
                 const struct ss_page_bounds *bounds)
{
    struct ss_failure failure = { 0 };
    struct level *level = &guard->levels[at];
    int err = read_bytes(guard, number, guard->rules.page_bytes, level->bytes);
    if (err == 0 && ss__page_check(&guard->rules, bounds, level->bytes, number, at == guard->leaf,
                                   &failure) != 0) {
        err = report(guard, number, failure.text);
    }
    if (err != 0) {
        guard->behind = bounds->upper.len == 0 ? UINT64_MAX : number_of(bounds->upper);
        return err;
    }
    level->number = number;
    level->bounds = *bounds;
    level->index = 0;
    return 0;
}

static struct ss_str key_at(const struct guard *guard, uint16_t at, size_t index)
{
    struct ss_page_node node;
    ss__page_node(guard->levels[at].bytes, at == guard->leaf, index, &node);
    return node.key;
}

/* Into the child that level @at stands at. */
static int enter_child(struct guard *guard, uint16_t at)
{
    const struct level *level = &guard->levels[at];
    struct ss_page_bounds bounds = level->bounds;
    struct ss_page_node node;
    ss__page_node(level->bytes, false, level->index, &node);
    if (level->index > 0) {
        bounds.lower = node.key;
    }
    if (level->index + 1 < ss__page_count(level->bytes)) {
        bounds.upper = key_at(guard, at, level->index + 1);
    }
    return enter(guard, (uint16_t)(at + 1), node.child, &bounds);
}

/* From there down to level @to: its first row, or its last. */
static int descend(struct guard *guard, uint16_t at, uint16_t to, bool last)
{
    int err = 0;
    for (; at < to && err == 0; at++) {
        err = enter_child(guard, at);
        if (err == 0 && last) {
            guard->levels[at + 1].index = ss__page_count(guard->levels[at + 1].bytes) - 1;
        }
    }
    return err;
}

/* The first index of a page whose key is not below @key; of a branch at least 1. */
static size_t lower_bound(const struct guard *guard, uint16_t at, struct ss_str key)
{
    size_t low = at == guard->leaf ? 0 : 1;
    size_t high = ss__page_count(guard->levels[at].bytes);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ss__page_compare(false, key_at(guard, at, middle), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* To the leaf that @key belongs to; its index is of the first key that is not below. */
static int seek(struct guard *guard, struct ss_str key)
{
    const struct ss_page_bounds all = { 0 };
    int err = enter(guard, 0, guard->tree.root, &all);
    for (uint16_t at = 0; at < guard->leaf && err == 0; at++) {
        size_t index = lower_bound(guard, at, key);
        bool exact = index < ss__page_count(guard->levels[at].bytes) &&
                     ss__page_compare(false, key_at(guard, at, index), key) == 0;
        guard->levels[at].index = exact ? index : index - 1;
        err = enter_child(guard, at);
    }
    if (err == 0) {
        guard->levels[guard->leaf].index = lower_bound(guard, guard->leaf, key);
    }
    return err;
}

/* To the page of level @to before or behind. 1, 0 at the end of the tree, or an error. */
static int move_at(struct guard *guard, uint16_t to, bool back)
{
    for (uint16_t at = to; at-- > 0;) {
        struct level *level = &guard->levels[at];
        if (back ? level->index > 0 : level->index + 1 < ss__page_count(level->bytes)) {
            level->index = back ? level->index - 1 : level->index + 1;
            int err = descend(guard, at, to, back);
            return err != 0 ? err : 1;
        }
    }
    return 0;
}

/* To the leaf before or behind. */
static int move(struct guard *guard, bool back)
{
    return move_at(guard, guard->leaf, back);
}

/* As @txn sees it. SS_E_NOTFOUND: it is empty. */
static int find_tree(struct guard *guard, MDB_txn *txn, enum ss_db db)
{
    MDB_envinfo info;
    MDB_val value;
    guard->database = ss__env_database_name(db);
    MDB_val key = ss__val_of(guard->database, strlen(guard->database));
    int code = mdb_env_get_fd(guard->env->env, &guard->fd);
    code = code != 0 ? code : mdb_env_info(guard->env->env, &info);
    code = code != 0 ? code : mdb_get(txn, MAIN_DBI, &key, &value);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    if (value.mv_size != SS_PAGE_TREE_BYTES) {
        return report(guard, 0, "there is no such database");
    }
    ss__page_tree(value.mv_data, &guard->tree);
    guard->rules = (struct ss_page_rules){ .page_bytes = (uint32_t)guard->env->page_bytes,
                                           .pages = info.me_last_pgno + 1 };
    if (guard->tree.root == SS_PAGE_NONE) {
        return SS_E_NOTFOUND;
    }
    if (guard->tree.depth == 0 || guard->tree.depth > SS_PAGE_DEPTH_MAX ||
        guard->tree.root >= guard->rules.pages) {
        return report(guard, guard->tree.root, "the record of the database cannot be");
    }
    guard->leaf = (uint16_t)(guard->tree.depth - 1);
    return 0;
}

static bool has_prefix(struct ss_str key, struct ss_str from, size_t prefix_bytes)
{
    return key.len >= prefix_bytes && memcmp(key.data, from.data, prefix_bytes) == 0;
}

/* Of a value in overflow pages: their head, and that the file has them. LMDB frees as many as the
 * head says. It may say more than the value needs when a key was written twice in one transaction,
 * which nobody here does. */
static int judge_overflow(const struct guard *guard, const struct ss_page_node *node)
{
    struct ss_failure failure = { 0 };
    uint8_t head[SS_PAGE_HEAD_BYTES];
    struct stat info;
    uint64_t pages;
    int err = read_bytes(guard, node->child, sizeof head, head);
    if (err != 0) {
        return err;
    }
    if (ss__page_overflow(&guard->rules, head, node->child, node->data_bytes, &pages, &failure) !=
        0) {
        return report(guard, node->child, failure.text);
    }
    uint64_t bytes = (uint64_t)node->data_bytes + SS_PAGE_HEAD_BYTES;
    if ((pages - 1) * guard->rules.page_bytes >= bytes) {
        return report(guard, node->child, "it has more pages than its value needs");
    }
    if (fstat(guard->fd, &info) != 0) {
        return report_disk(guard, node->child, errno);
    }
    if ((uint64_t)info.st_size < (node->child + pages) * guard->rules.page_bytes) {
        return report(guard, node->child, "the file ends before the end of this value");
    }
    return 0;
}

/* The same for each value of a leaf from row @index on whose key has the first bytes of @from. */
static int judge_values(const struct guard *guard, size_t index, struct ss_str from,
                        size_t prefix_bytes)
{
    const struct level *leaf = &guard->levels[guard->leaf];
    int err = 0;
    for (size_t i = index; i < ss__page_count(leaf->bytes) && err == 0; i++) {
        struct ss_page_node node;
        ss__page_node(leaf->bytes, true, i, &node);
        if (!has_prefix(node.key, from, prefix_bytes)) {
            return 0;
        }
        err = node.overflow ? judge_overflow(guard, &node) : 0;
    }
    return err;
}

/* The leaf before, of which the last row may be read. */
static int judge_before(struct guard *guard, struct ss_str from, size_t prefix_bytes)
{
    int err = move(guard, true);
    if (err == 1) {
        err = judge_values(guard, guard->levels[guard->leaf].index, from, prefix_bytes);
    }
    return err != 0 ? err : seek(guard, from);
}

static int walk(struct guard *guard, struct ss_str from, size_t prefix_bytes, uint64_t rows,
                bool point)
{
    struct level *leaf = &guard->levels[guard->leaf];
    int err = seek(guard, from);
    if (err != 0) {
        return err;
    }
    bool there = leaf->index < ss__page_count(leaf->bytes) &&
                 ss__page_compare(false, key_at(guard, guard->leaf, leaf->index), from) == 0;
    if (there && point) {
        return judge_values(guard, leaf->index, from, from.len);
    }
    if (leaf->index == 0 && !there) {
        err = judge_before(guard, from, prefix_bytes);
    } else if (!there) {
        leaf->index--;    /* the row before may be read, too */
        err = judge_values(guard, leaf->index, from, prefix_bytes);
        leaf->index++;
    }
    uint64_t seen = 0;
    while (err == 0) {
        err = judge_values(guard, leaf->index, from, point ? from.len : prefix_bytes);
        if (err != 0) {
            return err;
        }
        size_t count = ss__page_count(leaf->bytes);
        struct ss_str last = key_at(guard, guard->leaf, count - 1);
        seen += count - leaf->index;    /* others may stand before the first */
        if (ss__page_compare(false, last, from) >= 0 &&
            (point || seen > rows || !has_prefix(last, from, prefix_bytes))) {
            return 0;
        }
        err = move(guard, false);
        if (err <= 0) {
            return err;    /* 0: the end */
        }
        err = 0;
    }
    return err;
}

/* The pages beside the one with @key, at each level, and the first leaf below them: LMDB reads the
 * first key there when it joins branches that have lost their children. 1: it stands on the leaf
 * beside, 0: there is none, or an error. */
static int judge_beside(struct guard *guard, struct ss_str key, bool back)
{
    int err = 0;
    for (uint16_t at = 1; at <= guard->leaf && err >= 0; at++) {
        err = seek(guard, key);
        err = err != 0 ? err : move_at(guard, at, back);
        if (err > 0 && at < guard->leaf) {
            guard->levels[at].index = 0;
            err = descend(guard, at, guard->leaf, false);
        }
    }
    return err;
}

/* LMDB joins a page on which little is left with the one beside it, or takes rows from there; so it
 * does with the branches above. Where there is little beside, too, it goes on to the next one. */
static int judge_way(struct guard *guard, struct ss_str from, bool back)
{
    const struct level *leaf = &guard->levels[guard->leaf];
    char bytes[SS_PAGE_KEY_BYTES_MAX];
    struct ss_str key = from;
    int err;
    do {
        err = judge_beside(guard, key, back);
        if (err > 0) {
            struct ss_str first = key_at(guard, guard->leaf, 0);
            memcpy(bytes, first.data, first.len);
            key = ss_str_of(bytes, first.len);
        }
    } while (err > 0 && ss__page_is_sparse(guard->rules.page_bytes, leaf->bytes));
    return err < 0 ? err : 0;
}

static int walk_and_beside(struct guard *guard, struct ss_str from, size_t prefix_bytes,
                           uint64_t rows)
{
    char last[SS_PAGE_KEY_BYTES_MAX];
    int err = walk(guard, from, prefix_bytes, rows, false);
    if (err != 0) {
        return err;
    }
    size_t count = ss__page_count(guard->levels[guard->leaf].bytes);
    struct ss_str key = key_at(guard, guard->leaf, count - 1);
    memcpy(last, key.data, key.len);
    err = judge_way(guard, ss_str_of(last, key.len), false);
    return err != 0 ? err : judge_way(guard, from, true);
}

/* Its value, too. */
static int next(struct guard *guard, struct ss_str from)
{
    struct level *leaf = &guard->levels[guard->leaf];
    int err = seek(guard, from);
    if (err == 0 && leaf->index >= ss__page_count(leaf->bytes)) {
        err = move(guard, false);
        if (err <= 0) {
            return err;    /* 0: the end */
        }
    } else if (err != 0) {
        return err;
    }
    struct ss_page_node node;
    ss__page_node(leaf->bytes, true, leaf->index, &node);
    err = node.overflow ? judge_overflow(guard, &node) : 0;
    guard->behind = err != 0 ? number_of(node.key) + 1 : 0;
    return err;
}

/* 1: @guard is ready, and its pages are freed by the caller; 0: there is nothing to read. */
static int begin(struct guard *guard, MDB_txn *txn, enum ss_db db, struct ss_str from,
                 uint8_t **ret_pages)
{
    if (guard->env->dbi[db] == 0 || from.len > SS_PAGE_KEY_BYTES_MAX) {
        return 0;
    }
    int err = find_tree(guard, txn, db);
    if (err != 0) {
        return err == SS_E_NOTFOUND ? 0 : err;
    }
    uint8_t *bytes = malloc((size_t)guard->tree.depth * guard->rules.page_bytes);
    if (bytes == NULL) {
        return SS_E_NOMEM;
    }
    for (uint16_t i = 0; i < guard->tree.depth; i++) {
        guard->levels[i].bytes = bytes + (size_t)i * guard->rules.page_bytes;
    }
    *ret_pages = bytes;
    return 1;
}

static int judge(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                 size_t prefix_bytes, uint64_t rows, bool point)
{
    struct guard guard = { .env = env };
    uint8_t *pages = NULL;
    int err = begin(&guard, txn, db, from, &pages);
    if (err == 1) {
        err = walk(&guard, from, prefix_bytes, rows, point);
        free(pages);
    }
    return err;
}

int ss__guard_next(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                   uint64_t *ret_next)
{
    struct guard guard = { .env = env };
    uint8_t *pages = NULL;
    int err = begin(&guard, txn, db, from, &pages);
    if (err == 1) {
        err = next(&guard, from);
        free(pages);
    }
    *ret_next = guard.behind;
    return err;
}

int ss__guard_end(const struct ss_env *env, MDB_txn *txn, enum ss_db db, uint64_t *ret_first)
{
    const struct ss_page_bounds all = { 0 };
    struct guard guard = { .env = env };
    uint8_t *pages = NULL;
    uint64_t first = 0;
    int err = begin(&guard, txn, db, ss_str(""), &pages);
    if (err == 1) {
        err = enter(&guard, 0, guard.tree.root, &all);
        if (err == 0 && guard.leaf > 0) {
            guard.levels[0].index = ss__page_count(guard.levels[0].bytes) - 1;
            err = descend(&guard, 0, guard.leaf, true);
            first = err == 0 ? number_of(key_at(&guard, guard.leaf, 0)) : 0;
        }
        free(pages);
    }
    *ret_first = first;
    return err;
}

int ss__guard_key(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str key)
{
    return judge(env, txn, db, key, 0, 1, true);
}

int ss__guard_walk(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                   size_t prefix_bytes, uint64_t rows)
{
    return judge(env, txn, db, from, prefix_bytes, rows, false);
}

int ss__guard_remove(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                     size_t prefix_bytes, uint64_t rows)
{
    struct guard guard = { .env = env };
    uint8_t *pages = NULL;
    int err = begin(&guard, txn, db, from, &pages);
    if (err == 1) {
        err = walk_and_beside(&guard, from, prefix_bytes, rows);
        free(pages);
    }
    return err;
}
