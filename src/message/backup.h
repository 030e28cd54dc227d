/* backup.h - what gateways may ask of the engine's backups. Any thread; blocks not. */
#ifndef SS_MESSAGE_BACKUP_H
#define SS_MESSAGE_BACKUP_H

#include <sessionstream/backup.h>

#include "core/failure.h"

struct ss_backup_control {
    int (*start)(void *ctx, struct ss_str name, uint64_t rate, struct ss_failure *failure);
    void (*status)(void *ctx, struct ss_backup_status *ret_status);
    int (*cancel)(void *ctx);
    void *ctx;
};

#endif
