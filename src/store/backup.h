/* backup.h - a backup being written: a directory with the files of each shard as of its cut, and
 * the manifest. It has another name until it is complete and durable. One thread; every function
 * blocks on the disk. */
#ifndef SS_STORE_BACKUP_H
#define SS_STORE_BACKUP_H

#include <stdint.h>

#include "core/failure.h"
#include "store/copy.h"
#include "store/cut.h"
#include "store/directory.h"
#include "store/manifest.h"

/* Behind the name while it is written. */
#define SS_BACKUP_PARTIAL ".partial"

struct ss_backup {
    char path[4096];        /* of the finished one */
    char partial[4096];
    int dir_fd;             /* of the partial one, and locked */
    int parent_fd;
    struct ss_manifest manifest;
    struct ss_copier copier;
};

/* 0 if @name can be a backup's: 1 to SS_BACKUP_NAME_BYTES_MAX of letters, digits, '-', '_', '.',
 * beginning with a letter or digit, and not ending as a partial one does. SS_E_INVAL. */
int ss__backup_check_name(struct ss_str name, struct ss_failure *failure);

/* Begins the backup @name of @directory in @parent, which must exist. What an earlier one of the
 * same name has left unfinished is removed. @copier: what the caller sets of one. Errors:
 * SS_E_EXISTS (there is such a backup), SS_E_BUSY (somebody writes it), SS_E_IO, SS_E_STOREFULL,
 * SS_E_STOREIO, SS_E_NOMEM. */
int ss__backup_begin(struct ss_backup *backup, const char *parent, const char *name,
                     const struct ss_directory *directory, const struct ss_copier *copier,
                     struct ss_failure *failure);

/* Bytes that copying the cut takes. */
uint64_t ss__backup_bytes(const struct ss_cut *cut);

/* Copies one shard. Errors: those of ss__copy; the step of the copier should look at
 * ss__cut_stopped. */
int ss__backup_shard(struct ss_backup *backup, uint32_t shard, const struct ss_cut *cut,
                     struct ss_failure *failure);

/* Makes it complete: after 0 it is there, durable, under its name. The step of the copier is asked
 * once more before it gets that. */
int ss__backup_finish(struct ss_backup *backup, struct ss_failure *failure);

/* Removes what was written unless it was finished, and frees. */
void ss__backup_end(struct ss_backup *backup);

#endif
