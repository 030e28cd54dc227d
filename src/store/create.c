#include "store/create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "store/env.h"

int ss__create_sync(const char *path, struct ss_failure *failure)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && SS_FAULT("create.sync") == 0 && fsync(fd) == 0;
    int reason = errno;
    if (fd >= 0) {
        (void)close(fd);    /* nothing was written through it */
    }
    return good ? 0
                : ss__fail(failure, SS_E_IO, "the entries of \"%s\" cannot be made durable: %s",
                           path, strerror(reason));
}

/* @path has no slash at its end. */
static int sync_parent(const char *path, struct ss_failure *failure)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, slash == NULL ? "." : path, len);
    parent[len] = '\0';
    return ss__create_sync(parent, failure);
}

int ss__create_directories(const char *path, struct ss_failure *failure)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part) {
        return ss__fail(failure, SS_E_TOOBIG, "the path of the data directory is too long");
    }
    for (size_t i = 1; i <= len; i++) {
        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0750) == 0) {
            SS_KILL_POINT(DIRECTORY_MADE);
            int err = sync_parent(part, failure);
            if (err != 0) {
                (void)rmdir(part);    /* so that the next attempt makes and syncs it */
                return err;
            }
        } else if (errno != EEXIST) {
            return ss__fail(failure, SS_E_IO, "\"%s\" cannot be created: %s", part,
                            strerror(errno));
        }
    }
    return 0;
}

/* An errno. A directory that may not be read, or is on a file system that is not written to, was
 * not made by us. */
static int sync_if_ours(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES ? 0 : errno;
    }
    int code = SS_FAULT("create.parents");    /* an errno */
    code = code == 0 && fsync(fd) != 0 ? errno : code;
    (void)close(fd);    /* nothing was written through it */
    return code == EROFS || code == EINVAL ? 0 : code;
}

int ss__create_sync_parents(const char *path, struct ss_failure *failure)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part) {
        return ss__fail(failure, SS_E_TOOBIG, "the path of the data directory is too long");
    }
    memcpy(part, path, len + 1);
    int code = part[0] == '/' ? sync_if_ours("/") : sync_if_ours(".");
    for (size_t i = 1; i < len && code == 0; i++) {
        if (part[i] == '/') {
            part[i] = '\0';
            code = sync_if_ours(part);
            part[i] = '/';
        }
    }
    return code == 0 ? 0
                     : ss__fail(failure, SS_E_IO, "the entries of the directories above \"%s\" "
                                "cannot be made durable: %s", path, strerror(code));
}

/* In one transaction; SS_E_EXISTS if a run of a shard has been recorded. */
static int write_identity(struct ss_env *env, const struct ss_meta_shard *identity)
{
    MDB_txn *txn;
    int err = ss__err_from_lmdb(mdb_txn_begin(env->env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    uint8_t bytes[SS_META_BYTES_MAX];
    MDB_val run = ss__val_of(META_RUN, strlen(META_RUN));
    MDB_val key = ss__val_of(META_SHARD, strlen(META_SHARD));
    MDB_val value;
    int code = mdb_get(txn, env->dbi[SS_DB_META], &run, &value);
    err = code == 0 ? SS_E_EXISTS : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
    if (err == 0) {
        value = ss__val_of(bytes, ss__meta_shard_encode(bytes, identity));
        err = ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_META], &key, &value, 0));
    }
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    SS_KILL_POINT(SHARD_BEGUN);
    return ss__err_from_lmdb(mdb_txn_commit(txn));
}

static int write_failed(const char *dir, int err, struct ss_failure *failure)
{
    return err == 0 || err == SS_E_EXISTS
               ? err
               : ss__fail(failure, err, "the store in \"%s\" cannot be written: %s", dir,
                          ss_error_text(err));
}

/* LMDB cannot open what a power failure leaves of a data file that was being made: it gets its name
 * when it is whole. */
static int make_store(const char *dir, const struct ss_meta_shard *identity,
                      struct ss_failure *failure)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    int temporary_len = snprintf(temporary, sizeof temporary, "%s/data.new", dir);
    /* look_for_data has found room for them. */
    SS_INSIST(len > 0 && (size_t)len < sizeof path && temporary_len == len);
    if (unlink(temporary) != 0 && errno != ENOENT) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be removed: %s", temporary,
                        strerror(errno));
    }
    struct ss_env env;
    int err = ss__env_create(temporary, &env, failure);
    if (err != 0) {
        return err;
    }
    err = write_failed(dir, write_identity(&env, identity), failure);
    ss__env_close(&env);
    SS_KILL_POINT(SHARD_FILLED);
    if (err == 0 && rename(temporary, path) != 0) {
        err = ss__fail(failure, SS_E_IO, "\"%s\" cannot be created: %s", path, strerror(errno));
    }
    return err;
}

static int change_store(const char *dir, const struct ss_meta_shard *identity,
                        struct ss_failure *failure)
{
    struct ss_env env;
    int err = ss__env_open(dir, 1, false, &env, failure);
    if (err != 0) {
        return err;
    }
    err = write_failed(dir, write_identity(&env, identity), failure);
    ss__env_close(&env);
    return err;
}

/* 0: @dir has a data file; SS_E_NOTFOUND: it has none, or an empty one; SS_E_IO: that cannot be
 * told, and nothing must be put in its place. */
static int look_for_data(const char *dir, struct ss_failure *failure)
{
    char path[PATH_MAX];
    struct stat info;
    if (strlen(dir) > sizeof path - SS_SHARD_NAMES_BYTES) {
        return ss__fail(failure, SS_E_TOOBIG, "the path of the data directory is too long");
    }
    (void)snprintf(path, sizeof path, "%s/data.mdb", dir);    /* fits */
    if (stat(path, &info) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? SS_E_NOTFOUND
                   : ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s", path,
                              strerror(errno));
    }
    return info.st_size > 0 ? 0 : SS_E_NOTFOUND;
}

int ss__create_shard(const char *dir, const struct ss_meta_shard *identity,
                     struct ss_failure *failure)
{
    if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be created: %s", dir, strerror(errno));
    }
    SS_KILL_POINT(SHARD_MADE);
    int err = look_for_data(dir, failure);
    if (err == 0) {
        err = change_store(dir, identity, failure);
    } else if (err == SS_E_NOTFOUND) {
        err = make_store(dir, identity, failure);
    }
    SS_KILL_POINT(SHARD_WRITTEN);
    return err != 0 ? err : ss__create_sync(dir, failure);
}

int ss__create_verify(const char *dir, uint32_t shard, struct ss_failure *failure)
{
    int err = look_for_data(dir, failure);
    return err != SS_E_NOTFOUND
               ? err
               : ss__fail(failure, SS_E_CORRUPT, "shard %04u of the data directory is missing or "
                          "empty; mount it, or put the directory back from a backup and run "
                          "`ssctl store restored`: \"%s\"", shard, dir);
}
