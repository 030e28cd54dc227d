/* backup.h - backups of an engine: one at a time, on a thread of its own. */
#ifndef SS_ENGINE_BACKUP_H
#define SS_ENGINE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "message/backup.h"
#include "message/router.h"
#include "message/stats.h"
#include "store/directory.h"

struct ss_backups;

/* All is borrowed but @dir; @min_free_bytes: of the disk that backups go to. Errors: SS_E_NOMEM. */
int ss__backups_new(const char *dir, const struct ss_router *router,
                    const struct ss_directory *directory, uint64_t min_free_bytes,
                    struct ss_backups **ret_backups);

/* For gateways; they end before the backups are freed. */
const struct ss_backup_stats *ss__backups_stats(const struct ss_backups *backups);
const struct ss_backup_control *ss__backups_control(struct ss_backups *backups);

/* Cancels the one that runs and takes no more. While the shards run. NULL is fine. */
void ss__backups_cancel(struct ss_backups *backups);

/* Waits until the canceled one has ended, at most until @until_ns of the monotonic clock: it is in
 * a write, and its disk may hang. Whether it has. NULL is fine. */
bool ss__backups_await(struct ss_backups *backups, uint64_t until_ns);

/* Leaves one that has not ended to itself: it touches neither router nor shards any more, and what
 * it has written so far stays as a partial backup until its disk answers or the process ends. After
 * the shards have ended. NULL is fine. */
void ss__backups_leave(struct ss_backups *backups);

/* After await or leave. NULL is fine. */
void ss__backups_free(struct ss_backups *backups);

#endif
