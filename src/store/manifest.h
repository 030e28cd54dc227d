/* manifest.h - what a backup consists of: one text file, written last. Plain data and text; reading
 * and writing files block on the disk.
 *
 *     sessionstream backup 1
 *     format 4
 *     directory 00112233aabbccdd
 *     routing <384 hexadecimal digits>
 *     shards 2
 *     begun 1700000000000000
 *     ended 1700000001000000
 *     file shard-0000/data.mdb 1048576 1048576 0123456789abcdef
 *     file shard-0000/log-00000001 8192 4194304 0123456789abcdef
 *     sum 0123456789abcdef
 *
 * A file: its path, its bytes in the backup, its bytes in the store (behind those of the backup
 * nothing is needed), the checksum of its bytes. The last line has the checksum of all before. */
#ifndef SS_STORE_MANIFEST_H
#define SS_STORE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/failure.h"
#include "core/hash.h"

#define SS_MANIFEST_NAME "backup.manifest"
#define SS_MANIFEST_PATH_BYTES 48u
#define SS_MANIFEST_BYTES_MAX (64u << 20)

struct ss_manifest_file {
    char path[SS_MANIFEST_PATH_BYTES];
    uint64_t used;
    uint64_t bytes;
    uint64_t checksum;
};

struct ss_manifest {
    uint32_t format;             /* of the store */
    uint64_t directory_id;
    struct ss_hash_key routing_key;
    uint32_t shards;
    uint64_t begun_us;           /* wall clock: what was acknowledged before is in it */
    uint64_t ended_us;
    struct ss_manifest_file *files;
    size_t files_count;
    size_t files_slots;
};

void ss__manifest_deinit(struct ss_manifest *manifest);

/* SS_E_NOMEM. */
int ss__manifest_add(struct ss_manifest *manifest, const struct ss_manifest_file *file);

void ss__manifest_encode(struct ss_bytes *out, const struct ss_manifest *manifest);

/* Errors: SS_E_CORRUPT, SS_E_VERSION (of a newer program, or a store of another format),
 * SS_E_NOMEM. What it says is consistent: each shard has a data file, no file
 * is there twice, no path leads elsewhere. */
int ss__manifest_decode(struct ss_str text, struct ss_manifest *ret_manifest,
                        struct ss_failure *failure);

/* Of the backup in @dir: SS_E_NOTFOUND (no backup, or one that was not finished), SS_E_IO, and as
 * above. */
int ss__manifest_read(const char *dir, struct ss_manifest *ret_manifest,
                      struct ss_failure *failure);

/* Makes the file in the directory @dir_fd, durable but for the directory. SS_E_STOREFULL,
 * SS_E_STOREIO, SS_E_NOMEM. */
int ss__manifest_write(int dir_fd, const struct ss_manifest *manifest, struct ss_failure *failure);

#endif
