/* log.h - the write-ahead log of one shard: the only thing a commit writes and waits for. Owner
 * thread, but for ss__log_fill.
 *
 * The log is a row of files (log_file.h). Records are moved into LMDB in transactions of their own,
 * many batches at a time; a file whose records are all there becomes a spare for the next one or
 * goes away.
 *
 * Life: open -> [read, walk] -> roll -> append, sync ... -> close. A process begins with a file of
 * its own, so that what a torn end holds never comes back.
 *
 * Errors: SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM. */
#ifndef SS_STORE_LOG_H
#define SS_STORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/failure.h"
#include "store/log_file.h"
#include "store/record.h"

#define SS_LOG_SPARES_MAX 2

struct ss_log_spare {
    uint64_t number;    /* in its name */
    uint64_t bytes;
    bool renamed;       /* it was a file of the log, and may be again after a power failure */
};

struct ss_log {
    int dir_fd;
    uint32_t shard_index;
    uint64_t directory_id;
    uint64_t seed;                  /* of checksums */
    uint64_t file_bytes_max;
    uint64_t last_bytes;            /* size of the newest file this process made; 0: none */
    struct ss_log_file **files;     /* by serial; the last is written to */
    size_t count;
    size_t slots;
    uint64_t next_batch;
    struct ss_log_spare spares[SS_LOG_SPARES_MAX];
    unsigned spares_count;
    uint64_t next_spare;
    bool filling;                   /* a spare is being made */
    uint64_t fill_failed;           /* during the life of this file: not tried again */
    bool pinned;                    /* somebody copies the files: they all stay as they are */
    bool unsynced;
    bool sync_failed;               /* the last one: what the disk has is unknown */
    bool names_failed;              /* a sync of names, for good: the same */
    bool rolling;                   /* the next file may be there already: this one is done */
};

/* Opens the files of the directory @dir; none is fine. @file_bytes_max: see ss__log_roll.
 * Also SS_E_CORRUPT (a file of another shard), SS_E_VERSION. */
int ss__log_open(struct ss_log *log, const char *dir, uint32_t shard_index, uint64_t directory_id,
                 uint64_t file_bytes_max, bool read_only, struct ss_failure *failure);
void ss__log_close(struct ss_log *log);

/* The file written to; NULL before the first ss__log_roll in a new directory. */
static inline struct ss_log_file *ss__log_current(const struct ss_log *log)
{
    return log->count == 0 ? NULL : log->files[log->count - 1];
}

/* The file of a position; NULL: it is gone. */
struct ss_log_file *ss__log_file_at(const struct ss_log *log, uint64_t position);

/* Begins a new file with room for a batch of @bytes: a spare, or a new one of 4 MiB at first, later
 * of four times the last one's size, at most file_bytes_max. Blocks: on the disk. */
int ss__log_roll(struct ss_log *log, uint64_t bytes);

/* After a walk: true if no batch was found in the newest file. */
bool ss__log_empty(const struct ss_log *log);

/* After a walk: true if nothing was ever written to the newest file, so that nothing torn is in it
 * that could come back, and this process may go on with it. Its name is durable only after the
 * directory has been synced. Blocks: reads the file if it has no batches. */
bool ss__log_unused(const struct ss_log *log);

/* Makes an empty file anew, under its name: after an end that was not in order nobody knows
 * whether a sync of that name had failed, which a later one does not mend. Blocks: on the disk. */
int ss__log_renew(struct ss_log *log);

/* Makes the names that spares had before gone for good. Blocks: on the disk. */
int ss__log_sync_names(struct ss_log *log);

/* Room in the file written to. */
uint64_t ss__log_room(const struct ss_log *log);

/* Writes one batch, head included and padded to whole blocks, to the file written to. */
int ss__log_append(struct ss_log *log, const uint8_t *batch, size_t len, uint32_t records);

/* Makes all that was appended durable. */
int ss__log_sync(struct ss_log *log);

/* The record at a position; it borrows the map of its file. SS_E_CORRUPT. */
int ss__log_read(const struct ss_log *log, uint64_t position, struct ss_log_record *ret_record);

/* The bytes from a record to the end of its file, which last as long as the file. */
struct ss_str ss__log_bytes_from(const struct ss_log *log, uint64_t position);

/* The record there, not verified; empty if its length cannot be. */
struct ss_str ss__log_record_at(const struct ss_log *log, uint64_t position);

/* Takes out files before the one with serial @from that no record needs, past those that are kept.
 * @from: what LMDB says is needed, so that a file of which it says so is never missed. Returns the
 * records that were in them. */
uint64_t ss__log_trim(struct ss_log *log, uint64_t from);

/* Serial of the first file that is needed once the records that are leaving have left. */
uint64_t ss__log_needed(const struct ss_log *log);

/* Bytes of batches in all files. */
uint64_t ss__log_bytes(const struct ss_log *log);

/* ---- spares ---- */

/* Removes those that another process has left: one whose sync had failed may hold on the disk what
 * it does not show, or have its old name there. */
void ss__log_drop_spares(struct ss_log *log);

/* What ss__log_fill has to make. */
struct ss_log_fill {
    int dir_fd;    /* of its own */
    uint64_t number;
    uint64_t bytes;
};

/* True, and a request, when the next file should be made now. */
bool ss__log_wants_spare(struct ss_log *log, struct ss_log_fill *ret_fill);

/* Any thread. Blocks: on the disk. */
int ss__log_fill(const struct ss_log_fill *fill);

/* Takes what ss__log_fill answered. */
void ss__log_filled(struct ss_log *log, const struct ss_log_fill *fill, int err);

#endif
