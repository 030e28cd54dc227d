/* backup.h - backups of an engine: one at a time, on a thread of its own. */
#ifndef SS_ENGINE_BACKUP_H
#define SS_ENGINE_BACKUP_H

#include "message/backup.h"
#include "message/router.h"
#include "store/directory.h"

struct ss_backups;

/* All is borrowed but @dir; @min_free_bytes: of the disk that backups go to. Errors: SS_E_NOMEM. */
int ss__backups_new(const char *dir, const struct ss_router *router,
                    const struct ss_directory *directory, uint64_t min_free_bytes,
                    struct ss_backups **ret_backups);

/* For gateways. */
const struct ss_backup_control *ss__backups_control(struct ss_backups *backups);

/* Cancels the one that runs, waits for its end, and takes no more. While the shards run. NULL is
 * fine. */
void ss__backups_stop(struct ss_backups *backups);

/* After stop. NULL is fine. */
void ss__backups_free(struct ss_backups *backups);

#endif
