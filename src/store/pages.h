/* pages.h - every page of an LMDB data file, walked and judged without LMDB.
 *
 * LMDB has no checksums for its pages and believes what it reads: where a bit of a page has flipped
 * it may read outside of the file, end the process, or find less than there is. This walk believes
 * nothing. It reads with pread into memory of its own, goes to no page outside of the file or
 * twice, and compares with what is recorded elsewhere: numbers, sizes, order and bounds of keys,
 * counts.
 *
 * What it calls sound is safe for LMDB to read. Values are not looked at: that is what their
 * checksums are for (check.h).
 *
 * Nobody may write to the file meanwhile. Any thread. */
#ifndef SS_STORE_PAGES_H
#define SS_STORE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "store/page.h"

struct ss_pages_finding {
    uint64_t page;
    const char *database;            /* "" for none, "free pages", "databases" or a name */
    struct ss_page_bounds keys;      /* what is wrong concerns keys in there; no data: no bound */
    const char *text;
};

/* What a finding points to lives during the call. */
typedef void ss_pages_finding_fn(const struct ss_pages_finding *finding, void *ctx);

/* A row on a leaf page that is sound; @node as in page.h. */
typedef void ss_pages_row_fn(const char *database, const struct ss_page_node *node, void *ctx);

/* @done of @total bytes have been looked at; often enough for a person, and not more. */
typedef void ss_pages_progress_fn(uint64_t done, uint64_t total, void *ctx);

struct ss_pages_options {
    ss_pages_finding_fn *report;        /* each may be NULL */
    ss_pages_row_fn *row;
    ss_pages_progress_fn *progress;
    void *ctx;
    /* Only what a start reads whole: of the databases those that stay small, and of the others as
     * much as it takes to know which pages are theirs (see SS_PAGES_OUTLINE_MAX). */
    bool start;
};

/* A list of free pages that names one in use has it overwritten. Which pages are in use a start
 * learns from branches, and from leaves where values have pages of their own; it reads at most so
 * many of them, and passes over databases that would take more. Damage met there is left to whoever
 * reads it. */
#define SS_PAGES_OUTLINE_MAX 16384u


struct ss_pages_summary {
    uint64_t findings;
    uint64_t file_bytes;
    uint64_t pages;          /* in use or free, as the file counts them */
    uint64_t pages_used;
    uint64_t pages_free;     /* known to be free; what is neither only costs room */
    uint64_t pages_read;
    uint64_t unreadable;     /* findings that the disk is to blame for: it gave an error */
};

/* 0: looked at everything that can be reached, @ret_summary->findings says whether it is sound.
 * Errors: SS_E_NOTFOUND (no such file), SS_E_IO (it cannot be opened), SS_E_NOMEM. A place that
 * cannot be read is a finding. Blocks: on the disk. */
int ss__pages_check(const char *path, const struct ss_pages_options *options,
                    struct ss_pages_summary *ret_summary, struct ss_failure *failure);

#endif
