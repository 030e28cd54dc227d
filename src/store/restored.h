/* restored.h - telling a stopped data directory that it is an older copy of itself.
 *
 * Events after the copy are gone and their ordinals will be given again, so every epoch has to
 * change, or clients would take the new events for those they have seen. Used by
 * `ssctl store restored`.
 */
#ifndef SS_STORE_RESTORED_H
#define SS_STORE_RESTORED_H

#include <stdint.h>

#include "core/failure.h"

typedef void ss_restored_fn(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation,
                            void *ctx);

/* Verifies that all shards are there, then raises the incarnation of each and calls @visit. The
 * step is drawn by lot, so that restoring one copy twice gives two sets of epochs. On an error some
 * shards may be raised already, which does no harm; run it again. Takes the lock of the directory.
 * Errors: those of ss__directory_open_existing, SS_E_CORRUPT (a shard is missing or damaged),
 * SS_E_SHARDS (a shard of another directory), SS_E_STOREIO, SS_E_STOREFULL, SS_E_IO, SS_E_NOMEM.
 * Blocks: on the disk. */
int ss__store_restored(const char *data_dir, ss_restored_fn *visit, void *ctx,
                       struct ss_failure *failure);

/* The same for a directory that is open. */
struct ss_directory;
int ss__restored_raise(const struct ss_directory *directory, ss_restored_fn *visit, void *ctx,
                       struct ss_failure *failure);

#endif
