/* env.h - the LMDB environment of one shard: databases, errors, map size, the cached reader.
 *
 * The only place that translates LMDB's codes and sets LMDB's knobs. */
#ifndef SS_STORE_ENV_H
#define SS_STORE_ENV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include <sessionstream/types.h>

#include "core/failure.h"

enum ss_db {
    SS_DB_META,
    SS_DB_CATALOG,
    SS_DB_SESSION,
    SS_DB_SEGMENT,
    SS_DB_ENTITY,
    SS_DB_TYPES,
    SS_DB_RUNNING,
    SS_DB_TRASH,
    SS_DB_COMMAND,
    SS_DB_ERROR,
    SS_DB_CHECKPOINT,
    SS_DB_COUNT,
};

/* Room for the databases to come: producers. */
#define SS_DB_MAX 16

struct ss_env {
    MDB_env *env;
    MDB_dbi dbi[SS_DB_COUNT];    /* 0: read-only, and the store of an older program has none */
    uint64_t map_bytes;
    uint64_t page_bytes;
    int mapped;                  /* slot of core/mapped.h, or -1 */
    /* Owner's reader, renewed once per batch. */
    MDB_txn *reader;
    bool reader_live;
    /* Readers of other threads, and the gate that keeps them out while the map moves. */
    atomic_uint readers;
    atomic_bool gate_closed;
};

const char *ss__env_database_name(enum ss_db db);

/* LMDB or errno code to ours; SS_E_STOREFULL for a full map, disk, quota or file size limit. */
int ss__err_from_lmdb(int code);

/* Opens DIR with all databases. @map_bytes 0: by free disk, at most 64 GiB or
 * 1 GiB above what the data file has. @read_only: for tools. */
int ss__env_open(const char *dir, uint64_t map_bytes, bool read_only, struct ss_env *ret_env,
                 struct ss_failure *failure);

/* Makes the data file of an environment that is in no directory yet, with all databases; nobody
 * else may know of it. */
int ss__env_create(const char *file, struct ss_env *ret_env, struct ss_failure *failure);
void ss__env_close(struct ss_env *env);

/* The owner's read transaction, as of the last commit before the first call since
 * ss__env_reader_stale. Errors: SS_E_STOREIO, SS_E_NOMEM. */
int ss__env_reader(struct ss_env *env, MDB_txn **ret_txn);
void ss__env_reader_stale(struct ss_env *env);

/* A read transaction of any thread; waits while the map is moved. */
int ss__env_read_begin(struct ss_env *env, MDB_txn **ret_txn);
void ss__env_read_end(struct ss_env *env, MDB_txn *txn);

/* Bytes of the map ever used: pages that became free later count too. */
uint64_t ss__env_used(const struct ss_env *env);

/* Bytes of those in pages that are free now; counts no further than @enough. 0 if it cannot be
 * told. Owner. Walks LMDB's list of free pages: not for every commit. */
uint64_t ss__env_free_bytes(const struct ss_env *env, uint64_t enough);

/* Whether a write that LMDB reported as EIO can have been short of space (disk, quota, file size
 * limit of the process): tries to allocate 16 MiB beside the data file. Blocks: on the disk. */
bool ss__env_disk_full(const struct ss_env *env);

typedef int ss_env_visit_fn(struct ss_str key, struct ss_str value, void *ctx);

/* Shows the rows of @db, from the key @from on, whose keys begin with its first @prefix_bytes,
 * until @visit returns an error, which is the answer then. Else SS_E_STOREIO, SS_E_CORRUPT,
 * SS_E_NOMEM. */
int ss__env_each(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                 size_t prefix_bytes, ss_env_visit_fn *visit, void *ctx);

/* Doubles the map (in steps of at most 16 GiB) after waiting for readers of other threads, which
 * are short. No transaction of the owner may be open. */
int ss__env_grow(struct ss_env *env);

/* Whether LMDB has given it up, because a meta page could not be written: no transaction begins. */
bool ss__env_is_dead(const struct ss_env *env);

/* Opens it again, to be read only. Waits for readers of other threads; no transaction of the owner
 * may be open. Errors: as of ss__env_open; it stays as it was. */
int ss__env_revive(struct ss_env *env);

/* Free bytes of the file system under the environment; UINT64_MAX if it cannot be told. */
uint64_t ss__env_free_disk(const struct ss_env *env);

static inline struct ss_str ss__str_of_val(MDB_val val)
{
    return ss_str_of(val.mv_data, val.mv_size);
}

static inline MDB_val ss__val_of(const void *data, size_t len)
{
    MDB_val val = { len, (void *)(uintptr_t)data };
    return val;
}

#endif
