/* log_walk.h - reading the log from its first record to its last, as recovery and the check do.
 *
 * Batches are written one after the other, and in fsync mode the next one only when the one before
 * is durable. So a batch that cannot be read before one that can is damage; one that cannot be read
 * behind all others was being written when the machine stopped, and nobody was told of it. Without
 * syncs a power failure may lose any batch: then the first that cannot be read is the end. */
#ifndef SS_STORE_LOG_WALK_H
#define SS_STORE_LOG_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/log.h"

struct ss_log_visitor {
    /* A record. @damaged: it failed its checksum or shape; its fields are what it says. */
    int (*record)(void *ctx, struct ss_log_file *file, uint64_t position,
                  const struct ss_log_record *record, bool damaged);
    /* Bytes that hold no readable batch: batches are missing. @what: for a person. */
    int (*gap)(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes,
               const char *what);
    /* A batch that was cut off while it was written, at the end of all. */
    void (*torn)(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes);
};

/* What is known of the log beforehand. */
struct ss_log_known {
    bool synced;               /* every batch was synced before the next was written */
    uint64_t needed_serial;    /* from this file on none may be missing; 0: unknown */
    uint64_t next_batch;       /* all before were whole once */
    uint64_t oldest_serial;    /* files before this one have come back, and are not read */
};

/* Before a walk, when the last process did not end in order: writes the batches of the newest file
 * to their places again and syncs it. When a sync fails the kernel may keep in memory what the disk
 * never got, and count it as written: a walk would find it, and no later sync would bring it to the
 * disk. Older files have none of that, since a file is begun when all before it is durable.
 * Blocks: reads and writes that file. SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM. */
int ss__log_secure(struct ss_log *log);

/* Walks all files, sets their end and count of records, and the log's next batch. Errors: what a
 * visitor returned, SS_E_CORRUPT (a file is missing). */
int ss__log_walk(struct ss_log *log, const struct ss_log_known *known,
                 const struct ss_log_visitor *visitor, void *ctx);

#endif
