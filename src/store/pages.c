#include "store/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fault.h"
#include "store/pages_walk.h"

#define PROGRESS_PAGES 4096u
#define AHEAD_BYTES (UINT64_C(1) << 20)
/* Pages at the end that were handed out and freed in one transaction are never written. */
#define UNWRITTEN_PAGES_MAX (UINT64_C(1) << 20)

void ss__pages_found(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_bounds *keys,
                     const char *format, ...)
{
    const struct ss_pages_options *options = tree->pages->options;
    char text[SS_FAILURE_TEXT_BYTES];
    va_list args;
    if (tree->outline) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);    /* cutting it is fine */
    va_end(args);
    tree->pages->summary->findings++;
    if (options->report != NULL) {
        struct ss_pages_finding finding = { page, tree->database->name, *keys, text };
        options->report(&finding, options->ctx);
    }
}

static ssize_t read_at(struct ss_pages *pages, uint8_t *out, size_t len, uint64_t at)
{
    size_t done = 0;
    while (done < len) {
        int code = SS_FAULT("pages.read");    /* an errno */
        ssize_t got = code != 0 ? -1
                                : pread(pages->fd, out + done, len - done, (off_t)(at + done));
        code = code != 0 ? code : errno;
        if (got < 0 && code == EINTR) {
            continue;
        }
        if (got < 0) {
            errno = code;
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

bool ss__pages_read(struct ss_pages_tree *tree, uint64_t number, size_t len, uint64_t asked_by,
                    const struct ss_page_bounds *keys, uint8_t *out)
{
    struct ss_pages *pages = tree->pages;
    uint64_t at = number * pages->rules.page_bytes;
    if (at > pages->file_bytes || len > pages->file_bytes - at) {
        ss__pages_found(tree, asked_by, keys,
                        "points to page %" PRIu64 ", and the file ends before", number);
        return false;
    }
    ssize_t got = read_at(pages, out, len, at);
    if (got < 0 || (size_t)got != len) {
        pages->summary->unreadable += got < 0 && !tree->outline;
        ss__pages_found(tree, number, keys, "cannot be read: %s",
                        got < 0 ? strerror(errno) : "the file ends before");
        return false;
    }
    pages->summary->pages_read++;
    return true;
}

static void tell_progress(struct ss_pages *pages, bool end)
{
    const struct ss_pages_options *options = pages->options;
    uint64_t met = pages->summary->pages_used + pages->summary->pages_free;
    if (options->progress != NULL && (end || met >= pages->progress_at)) {
        pages->progress_at = met + PROGRESS_PAGES;
        options->progress(end ? pages->file_bytes : met * pages->rules.page_bytes,
                          pages->file_bytes, options->ctx);
    }
}

bool ss__pages_meet(struct ss_pages_tree *tree, uint64_t number, uint64_t asked_by,
                    const struct ss_page_bounds *keys)
{
    struct ss_pages *pages = tree->pages;
    if (number < SS_PAGE_FIRST || number >= pages->rules.pages) {
        ss__pages_found(tree, asked_by, keys, "points to page %" PRIu64 ", outside of the store",
                        number);
        return false;
    }
    uint64_t bit = UINT64_C(1) << (number % 64);
    if ((pages->met[number / 64] & bit) != 0) {
        ss__pages_found(tree, asked_by, keys,
                        "points to page %" PRIu64 ", which is in use elsewhere", number);
        return false;
    }
    pages->met[number / 64] |= bit;
    pages->summary->pages_used++;
    tell_progress(pages, false);
    return true;
}

/* The walk jumps about in the file; a disk is faster from its beginning to its end. */
static void read_ahead(const struct ss_pages *pages)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (pages->file_bytes > memory / 4) {
        return;
    }
    for (uint64_t at = 0; at < pages->file_bytes; at += AHEAD_BYTES) {
        if (readahead(pages->fd, (off_t)at, AHEAD_BYTES) != 0) {
            return;    /* it is an offer; what cannot be read is found later */
        }
    }
}

static int walk_one(struct ss_pages *pages, const struct ss_pages_database *database,
                    bool transactions, bool trees, uint64_t newest)
{
    struct ss_pages_tree tree = { .pages = pages, .database = database, .rules = pages->rules,
                                  .newest = newest };
    tree.rules.transactions = transactions;
    tree.rules.trees = trees;
    return ss__pages_tree(&tree);
}

/* Databases of which a start reads every row. */
static bool is_read_at_start(const char *name)
{
    static const char *const names[] = { "meta", "types", "running", "trash", "command", "error" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_outlined(const struct ss_pages *pages, size_t index)
{
    return pages->options->start && !is_read_at_start(pages->databases[index].name);
}

/* Marks the pages of a database that is not looked at as a whole, if that costs little. */
static int walk_outline(struct ss_pages *pages, const struct ss_pages_database *database,
                        uint64_t *left)
{
    const struct ss_page_tree *told = &database->tree;
    bool leaves = told->overflow_pages > 0;
    uint64_t cost = leaves && told->leaf_pages > 0 ? told->leaf_pages : 0;
    if (told->branch_pages > *left || cost > *left - told->branch_pages) {
        return 0;
    }
    *left -= told->branch_pages + cost;
    struct ss_pages_tree tree = { .pages = pages, .database = database, .rules = pages->rules,
                                  .outline = true, .leaves = leaves };
    return ss__pages_tree(&tree);
}

/* The free list last: what it has in common with the rest is then said to be its fault. */
static int walk_all(struct ss_pages *pages, const struct ss_page_meta *meta, uint64_t meta_page)
{
    struct ss_pages_database main_tree = { "databases", meta->main, meta_page };
    struct ss_pages_database free_tree = { "free pages", meta->free, meta_page };
    uint64_t left = SS_PAGES_OUTLINE_MAX;
    int err = walk_one(pages, &main_tree, false, true, 0);
    for (size_t i = 0; i < pages->databases_count && err == 0; i++) {
        err = is_outlined(pages, i) ? 0 : walk_one(pages, &pages->databases[i], false, false, 0);
    }
    for (size_t i = 0; i < pages->databases_count && err == 0; i++) {
        err = is_outlined(pages, i) ? walk_outline(pages, &pages->databases[i], &left) : 0;
    }
    return err != 0 ? err : walk_one(pages, &free_tree, true, false, meta->transaction);
}

static void found_meta(struct ss_pages *pages, uint64_t page, const char *text)
{
    struct ss_pages_database none = { .name = "" };
    struct ss_pages_tree tree = { .pages = pages, .database = &none };
    ss__pages_found(&tree, page, &(struct ss_page_bounds){ 0 }, "%s", text);
}

static bool read_meta(struct ss_pages *pages, uint64_t number, uint32_t page_bytes,
                      struct ss_page_meta *ret_meta)
{
    uint8_t bytes[SS_PAGE_META_BYTES];
    struct ss_failure failure = { 0 };
    ssize_t got = read_at(pages, bytes, sizeof bytes, number * page_bytes);
    if (got < 0) {
        pages->summary->unreadable++;
        (void)ss__fail(&failure, SS_E_IO, "cannot be read: %s", strerror(errno));
    } else {
        (void)ss__page_meta(bytes, (size_t)got, number, ret_meta, &failure);
    }
    if (failure.code != 0) {
        found_meta(pages, number, failure.text);
    }
    return failure.code == 0;
}

/* Transactions write the two in turn, so their numbers are neighbours and each stands in its place.
 * In a file that has just been made both are 0. */
static bool check_metas(struct ss_pages *pages, const struct ss_page_meta metas[2])
{
    uint64_t even = metas[0].transaction;
    uint64_t odd = metas[1].transaction;
    if ((even != 0 || odd != 0) && (even % 2 != 0 || (even + 1 != odd && odd + 1 != even))) {
        char text[128];
        (void)snprintf(text, sizeof text, "the meta pages are of transactions %" PRIu64 " and %"
                       PRIu64 ": one of them is wrong", even, odd);
        found_meta(pages, 0, text);
        return false;
    }
    if (metas[0].page_bytes != metas[1].page_bytes) {
        found_meta(pages, 1, "the meta pages have pages of different sizes");
        return false;
    }
    return true;
}

static int check_file(struct ss_pages *pages)
{
    struct ss_page_meta metas[2];
    if (!read_meta(pages, 0, 0, &metas[0]) ||
        !read_meta(pages, 1, metas[0].page_bytes, &metas[1]) || !check_metas(pages, metas)) {
        return 0;
    }
    unsigned newest = metas[1].transaction > metas[0].transaction;
    const struct ss_page_meta *meta = &metas[newest];
    pages->rules = (struct ss_page_rules){ .page_bytes = meta->page_bytes,
                                           .pages = meta->last_page + 1 };
    uint64_t there = pages->file_bytes / meta->page_bytes;
    if (meta->last_page > there + UNWRITTEN_PAGES_MAX) {
        found_meta(pages, newest, "the file is far smaller than recorded");
        return 0;
    }
    if (!pages->options->start) {
        read_ahead(pages);
    }
    pages->met = calloc(meta->last_page / 64 + 1, sizeof *pages->met);
    pages->databases = calloc(SS_PAGES_DATABASES_MAX, sizeof *pages->databases);
    int err = SS_E_NOMEM;
    if (pages->met != NULL && pages->databases != NULL) {
        pages->summary->pages = meta->last_page + 1;
        err = walk_all(pages, meta, newest);
        tell_progress(pages, true);
        pages->summary->pages_used += SS_PAGE_FIRST - pages->summary->pages_free;
    }
    free(pages->met);
    free(pages->databases);
    return err;
}

int ss__pages_check(const char *path, const struct ss_pages_options *options,
                    struct ss_pages_summary *ret_summary, struct ss_failure *failure)
{
    struct stat info;
    struct ss_pages_summary summary = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ss__fail(failure, errno == ENOENT ? SS_E_NOTFOUND : SS_E_IO,
                        "\"%s\" cannot be opened: %s", path, strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd);
        return ss__fail(failure, SS_E_IO, "\"%s\" is no file", path);
    }
    summary.file_bytes = (uint64_t)info.st_size;
    struct ss_pages pages = { .fd = fd, .file_bytes = summary.file_bytes, .options = options,
                              .summary = &summary };
    int err = check_file(&pages);
    (void)close(fd);
    if (err != 0) {
        return ss__fail(failure, err, "out of memory");
    }
    *ret_summary = summary;
    return 0;
}
