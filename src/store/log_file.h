/* log_file.h - one file of the log: made with its blocks in place, written at the end, read through
 * a map. Owner thread, but for ss__log_file_fill.
 *
 * A sync of a file whose blocks are there writes data only; one that grows writes the file system's
 * journal too and takes twice as long. So files are made whole, filled with zeros beforehand where
 * there was time, and used again.
 *
 * Errors: SS_E_STOREFULL (disk, quota, file size limit), SS_E_STOREIO, SS_E_NOMEM. */
#ifndef SS_STORE_LOG_FILE_H
#define SS_STORE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/log_format.h"

struct ss_log_file {
    struct ss_log_head head;
    int fd;
    const uint8_t *map;     /* all of it, read only */
    uint64_t end;           /* of the batches: the next one goes here */
    uint64_t records;
    uint64_t live;          /* records that are nowhere else yet */
    uint64_t leaving;       /* of those, moved by the open transaction */
    bool damaged;           /* its first block */
    bool kept;              /* holds evidence or events of sessions set aside: it stays */
};

/* Name in the directory of a shard: log-00000001. */
#define SS_LOG_NAME_BYTES 32u
void ss__log_file_name(char out[SS_LOG_NAME_BYTES], uint64_t serial);

/* Makes the file @name with its blocks and nothing but zeros in it, in pieces that are synced one
 * by one so that others get their turn at the disk. Any thread. Blocks: on the disk. */
int ss__log_file_fill(int dir_fd, const char *name, uint64_t bytes);

/* Makes @head->serial's file: from the file @spare if that is not NULL, else anew, a small one with
 * its blocks in place. Its first block is durable, its name only when the directory has been
 * synced. Blocks: on the disk. */
int ss__log_file_create(int dir_fd, const char *spare, const struct ss_log_head *head,
                        struct ss_log_file **ret_file);

/* Opens what is there. A first block that cannot be read makes a file that is damaged, of the size
 * and serial that directory entry and name say. Also SS_E_VERSION. */
int ss__log_file_open(int dir_fd, uint64_t serial, bool read_only, struct ss_log_file **ret_file);

void ss__log_file_close(struct ss_log_file *file);

/* True if there are only zeros behind the first block. */
bool ss__log_file_is_blank(const struct ss_log_file *file);

/* Writes @len bytes, a multiple of a block, at the end; the end moves if all were written. */
int ss__log_file_append(struct ss_log_file *file, const uint8_t *data, size_t len);

/* Writes @block behind the last batch, if there is room; the end does not move. */
int ss__log_file_mark(struct ss_log_file *file, const uint8_t block[SS_LOG_BLOCK_BYTES]);

/* Writes the blocks before @end, but for the first, to their places again, so that the next sync
 * brings them to the disk whatever became of the one before. Blocks: on the disk. */
int ss__log_file_rewrite(struct ss_log_file *file, uint64_t end);

/* Makes what was written durable. */
int ss__log_file_sync(struct ss_log_file *file);

/* Before and after reading the whole file through its map: has it read ahead; takes its pages out
 * of this process's memory, not out of the page cache. */
void ss__log_file_read_begin(const struct ss_log_file *file);
void ss__log_file_read_end(const struct ss_log_file *file);

#endif
