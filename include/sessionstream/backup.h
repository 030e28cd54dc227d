/* backup.h - copies of the data directory while the engine runs. */
#ifndef SS_BACKUP_H
#define SS_BACKUP_H

#include <stdint.h>

#include <sessionstream/engine.h>
#include <sessionstream/export.h>
#include <sessionstream/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ss_backup_state {
    SS_BACKUP_NONE,       /* none has been asked for */
    SS_BACKUP_RUNNING,
    SS_BACKUP_DONE,
    SS_BACKUP_FAILED,     /* nothing is left of it */
};

struct ss_backup_status {
    enum ss_backup_state state;
    char name[SS_BACKUP_NAME_BYTES_MAX + 1];
    uint32_t shard;          /* being copied, from 0 */
    uint32_t shards;
    uint64_t shard_copied;   /* bytes of that shard */
    uint64_t shard_bytes;
    uint64_t copied;         /* bytes in all */
    uint64_t begun_us;       /* wall clock: what was acknowledged before is in the backup */
    uint64_t took_us;        /* so far */
    int err;                 /* why it failed */
    char text[256];          /* the same for a person */
};

/* Begins a backup backup_dir/@name, one at a time. Each shard is copied as of one moment at or after
 * this call, one shard after the other, at most @rate bytes a second (0: as fast as it goes), on a
 * thread of its own. The directory has the name when it is complete and durable. ssctl restore makes
 * a data directory of it. Any thread; blocks not. Errors: SS_E_NOTFOUND (there is no backup_dir),
 * SS_E_INVAL (the name), SS_E_BUSY (one is running), SS_E_STOPPING, SS_E_NOMEM. */
SS_API int ss_engine_backup(struct ss_engine *engine, const char *name, uint64_t rate);

/* How the newest one is. Any thread; blocks not. SS_E_NOTFOUND: there is no backup_dir. */
SS_API int ss_engine_backup_status(struct ss_engine *engine, struct ss_backup_status *ret_status);

/* Has the one that runs fail with SS_E_CANCELED, soon. Any thread; blocks not. SS_E_NOTFOUND: none
 * is running. */
SS_API int ss_engine_backup_cancel(struct ss_engine *engine);

#ifdef __cplusplus
}
#endif
#endif
