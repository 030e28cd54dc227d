/* check.h - every invariant of a stopped store, verified. For `ssctl store check` and tests.
 *
 * Takes the lock of the directory, so no daemon may run on it. Reads only. */
#ifndef SS_STORE_CHECK_H
#define SS_STORE_CHECK_H

#include <stdint.h>

#include "core/failure.h"

/* @place: database and key; @text: what is wrong. Both live during the call. */
typedef void ss_check_fn(uint32_t shard, const char *place, const char *text, void *ctx);

/* @done of @total bytes of the shard's data file have been walked. */
typedef void ss_check_progress_fn(uint32_t shard, uint64_t done, uint64_t total, void *ctx);

struct ss_check_summary {
    uint32_t shards;
    uint64_t sessions;
    uint64_t events;         /* in segments and unflushed in the log */
    uint64_t entities;
    uint64_t segments;
    uint64_t commands;       /* results of keyed commands, in the table and in the log only */
    uint64_t log_records;
    uint64_t bytes;          /* of keys and values read */
    uint64_t findings;
    uint64_t pages;          /* of the data files, free ones included */
    uint64_t unreadable;     /* findings of pages that the disk did not give */
};

/* Each shard's data file is walked page by page first (pages.h); what is in it is read through LMDB
 * only if that found nothing, so that no damage can end the process.
 *
 * 0: looked at everything, @ret_summary->findings says whether it is sound. Errors: those of
 * ss__directory_open_existing, SS_E_STOREIO, SS_E_NOMEM. Blocks: on the disk. */
int ss__store_check(const char *data_dir, ss_check_fn *report, void *ctx,
                    struct ss_check_summary *ret_summary, struct ss_failure *failure);

/* The same for a directory that is open, and for a person who waits: @progress, if there is one, is
 * called with @ctx now and then. */
struct ss_directory;
int ss__store_check_open(const struct ss_directory *directory, ss_check_fn *report,
                         ss_check_progress_fn *progress, void *ctx,
                         struct ss_check_summary *ret_summary, struct ss_failure *failure);
int ss__store_check_shown(const char *data_dir, ss_check_fn *report,
                          ss_check_progress_fn *progress, void *ctx,
                          struct ss_check_summary *ret_summary, struct ss_failure *failure);

#endif
