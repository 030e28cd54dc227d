/* reshard.h - another number of shards for a data directory that nobody uses. For `ssctl reshard`
 * and tests.
 *
 * A new directory is filled beside the old one, which is only read. Of each shard a working copy is
 * made and opened as the daemon would open it, so that everything in its log is moved into LMDB;
 * then its sessions go to the shards of the new directory. That has an id, a routing key and
 * session numbers of its own, so every epoch is another one. What was moved is read again and
 * compared, session by session; at the end all of it is checked. The new directory cannot be used
 * before that, also not after a crash. */
#ifndef SS_STORE_RESHARD_H
#define SS_STORE_RESHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "store/check.h"

#define SS_RESHARD_ENDING ".resharded"
#define SS_RESHARD_KEPT ".before-reshard"
#define SS_RESHARD_PATH_BYTES 4096u

struct ss_reshard_options {
    const char *dir;
    const char *to;       /* absent or empty; NULL: DIR.resharded, which then takes DIR's place */
    uint32_t shards;
    ss_check_fn *report;  /* of findings */
    /* Now and then; not 0 ends it with that error. @done and @total: bytes of working copies, moved
     * and in all. NULL: nobody wants to know. */
    int (*step)(const char *what, uint64_t done, uint64_t total, void *ctx);
    void *ctx;
};

struct ss_reshard_result {
    uint32_t shards_before;
    uint64_t sessions;
    uint64_t events;
    uint64_t entities;
    char path[SS_RESHARD_PATH_BYTES];    /* where the new directory is */
    char kept[SS_RESHARD_PATH_BYTES];    /* where the old one is now */
};

/* Errors: those of ss__directory_open_existing, ss__directory_begin and ss__store_open, SS_E_INVAL
 * (it has that number of shards), SS_E_EXISTS (a place is taken), SS_E_CORRUPT (the check of the
 * old directory or of the new one has findings, or a session is not what it was), SS_E_STOREFULL,
 * SS_E_STOREIO, SS_E_IO, SS_E_NOMEM, and what step returned. After an error the old directory is in
 * its place, and another attempt begins anew. Blocks: on the disk. */
int ss__reshard(const struct ss_reshard_options *options, struct ss_reshard_result *ret_result,
                struct ss_failure *failure);

#endif
