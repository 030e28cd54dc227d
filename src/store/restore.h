/* restore.h - making a data directory of a backup. For `ssctl restore` and tests.
 *
 * The directory gets its identity last: until then, also after a crash, nobody takes it for one. */
#ifndef SS_STORE_RESTORE_H
#define SS_STORE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "store/check.h"
#include "store/copy.h"
#include "store/restored.h"

struct ss_restore_options {
    const char *backup;
    const char *dir;              /* absent, or empty */
    bool with_findings;           /* finish although the check finds something */
    struct ss_copier copier;      /* what the caller sets of one */
    /* Called once, before anything is copied; NULL: nobody wants to know. */
    void (*begun)(uint64_t bytes, uint32_t shards, uint64_t begun_us, void *ctx);
    ss_check_fn *report;
    ss_restored_fn *raised;
    void *ctx;                    /* of all of these */
};

/* Verifies sizes and checksums of the backup, copies it, gives every session another epoch, and
 * checks the result. Errors: those of ss__manifest_read and ss__directory_begin, SS_E_INVAL (the
 * name is that of a partial one), SS_E_CORRUPT (a file is missing or not what the manifest says, or
 * the check has findings), SS_E_TOOBIG (the path of a file), SS_E_STOREFULL, SS_E_STOREIO, SS_E_IO,
 * SS_E_NOMEM. After an error the directory is as it was, but for its creation. Blocks: on the
 * disk. */
int ss__restore(const struct ss_restore_options *options, struct ss_check_summary *ret_summary,
                struct ss_failure *failure);

#endif
