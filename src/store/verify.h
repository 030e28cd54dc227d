/* verify.h - the checks of check.h for one shard, by the process that is about to open it. */
#ifndef SS_STORE_VERIFY_H
#define SS_STORE_VERIFY_H

#include "core/failure.h"
#include "store/store.h"

/* Does what @options->verify says to the stopped store in @options->dir, and logs each finding, at
 * most 100. In any case the pages of which a start reads every row are judged. Errors: SS_E_CORRUPT
 * (the structure of the data file is damaged: LMDB must not read it; @failure names the file, a
 * page and what to do), SS_E_IO, SS_E_STOREIO, SS_E_NOMEM. Damage of values is no error. Blocks: on
 * the disk, for as long as it takes to read the file. */
int ss__store_verify(const struct ss_store_options *options, struct ss_failure *failure);

#endif
