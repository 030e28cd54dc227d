/* directory.h - the data directory: lock, format, identity, shard count, routing secret.
 *
 *     DATA/LOCK            held with flock by the daemon and by every tool
 *     DATA/sessionstream   format version, directory id, shard count, routing key; written once,
 *                          after the shards were made: where it stands, each of them must be
 *     DATA/shard-0000/     one LMDB environment per shard
 */
#ifndef SS_STORE_DIRECTORY_H
#define SS_STORE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "core/hash.h"

/* 2: checksums in session, catalog and entity, shards are made with the directory. 3: the log has
 * files of its own. */
#define SS_STORE_FORMAT 4

/* Of a path, with the NUL: as the kernel takes. */
#define SS_PATH_BYTES 4096u

/* What a data directory has below its own path is shorter than this. */
#define SS_DIRECTORY_NAMES_BYTES 64u

/* Marks a directory that a tool fills. */
#define SS_UNFINISHED_NAME "UNFINISHED"

struct ss_directory {
    char *path;
    int lock_fd;
    uint32_t format;
    uint32_t shard_count;
    uint64_t directory_id;
    struct ss_hash_key routing_key;
    bool created;
};

/* Opens or creates @path and takes its lock. A new directory gets @shard_count shards; an existing
 * one keeps its own, and a @shard_count that differs is refused unless @shard_count_explicit is
 * false. Errors, each with a text that says what to do: SS_E_LOCKED (a second process), SS_E_INVAL
 * (a backup, or a directory that was never filled to its end),
 * SS_E_SHARDS (another number than asked for, or none of 1 to SS_SHARDS_MAX), SS_E_VERSION (newer
 * or older format), SS_E_CORRUPT (identity file damaged, or missing beside shards in use),
 * SS_E_TOOBIG (@path leaves no room for the names in it), SS_E_IO, SS_E_NOMEM and, for a new
 * directory, the errors of ss__store_open. Blocks: on the disk. */
int ss__directory_open(const char *path, uint32_t shard_count, bool shard_count_explicit,
                       struct ss_directory **ret_directory, struct ss_failure *failure);

/* Begins a directory that a tool fills: @path, which is absent or empty (or was begun like this and
 * never finished, then it is emptied), gets a lock and a mark that keeps everybody else from using
 * it. @identity: id, routing key and count of shards; no shard is made. Without finish, close
 * leaves it marked. SS_E_EXISTS: there is something in it. */
int ss__directory_begin(const char *path, const struct ss_directory *identity,
                        struct ss_directory **ret_directory, struct ss_failure *failure);

/* It is filled, all shards are durable: from now on it is a data directory. */
int ss__directory_finish(struct ss_directory *directory, struct ss_failure *failure);

/* Removes the identity and the shards, but for those of @keep (NULL: none stays), of a directory
 * that could not be completed: names whose sync failed are made anew by the next attempt. */
void ss__directory_take_back(const struct ss_directory *directory, const bool *keep);

/* For tools: never creates. SS_E_NOTFOUND besides the above. */
int ss__directory_open_existing(const char *path, struct ss_directory **ret_directory,
                                struct ss_failure *failure);

void ss__directory_close(struct ss_directory *directory);

/* Writes "PATH/shard-0007" to @out, where SS_PATH_BYTES are enough; SS_E_TOOBIG if it does not fit.
 */
int ss__directory_shard_path(const struct ss_directory *directory, uint32_t shard, char *out,
                             size_t out_bytes);

#endif
