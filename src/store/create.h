/* create.h - making the directories and the empty store of a shard, down to the last directory
 * entry: a crash after the first acknowledged event must find them again.
 *
 * All functions block on the disk. */
#ifndef SS_STORE_CREATE_H
#define SS_STORE_CREATE_H

#include "core/failure.h"
#include "store/layout.h"

/* The names of the files of a shard are shorter than this; of a directory that leaves no room for
 * them SS_E_TOOBIG is said here, before anything else is done with it. */
#define SS_SHARD_NAMES_BYTES 32u

/* Makes @path and its missing parents; syncs the parent of each one it made. SS_E_IO, SS_E_TOOBIG.
 */
int ss__create_directories(const char *path, struct ss_failure *failure);

/* Makes the entries of all directories above @path durable, whoever made them: a process may have
 * been killed before it came to that. Those that may not be read were made by others and are passed
 * over. SS_E_IO, SS_E_TOOBIG. */
int ss__create_sync_parents(const char *path, struct ss_failure *failure);

/* Makes the entries of @path durable. SS_E_IO. */
int ss__create_sync(const char *path, struct ss_failure *failure);

/* Makes an empty store in @dir that bears @identity; its data file has its name only when it is
 * whole. One that was made before and never opened is given the new identity. The entry of @dir in
 * its parent is the caller's to sync. SS_E_EXISTS: a store that has been in use, left as it is;
 * else the errors of ss__env_open and SS_E_IO. */
int ss__create_shard(const char *dir, const struct ss_meta_shard *identity,
                     struct ss_failure *failure);

/* 0 if @dir has a data file that is not empty, else SS_E_CORRUPT: LMDB would make a new one.
 * SS_E_IO, SS_E_TOOBIG. */
int ss__create_verify(const char *dir, uint32_t shard, struct ss_failure *failure);

#endif
