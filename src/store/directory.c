#include "store/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "store/bytes_order.h"
#include "store/copy.h"
#include "store/create.h"
#include "store/entries.h"
#include "store/manifest.h"

/* Identity file, little-endian: magic 8, format u32, shards u32, directory id u64, routing key,
 * checksum u64 of all before. */
#define MAGIC "sessstrm"
#define IDENTITY_BYTES (8 + 4 + 4 + 8 + SS_HASH_KEY_BYTES + 8)
#define PATH_BYTES SS_PATH_BYTES
#define SHARD_NAME "shard-%04u"
#define RESTORE "put the directory back from a backup and run `ssctl store restored`"

/* Asked once for every path that comes from outside: behind it there is room for each name. */
static int judge_path(const char *path, struct ss_failure *failure)
{
    return strlen(path) <= PATH_BYTES - SS_DIRECTORY_NAMES_BYTES
               ? 0
               : ss__fail(failure, SS_E_TOOBIG, "the path of the data directory is too long");
}

static void make_path(const char *directory, const char *name, char out[PATH_BYTES])
{
    int len = snprintf(out, PATH_BYTES, "%s/%s", directory, name);
    SS_INSIST(len > 0 && len < (int)PATH_BYTES);
}

static int take_lock(struct ss_directory *directory, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    make_path(directory->path, "LOCK", path);
    directory->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (directory->lock_fd < 0) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be opened: %s", path, strerror(errno));
    }
    if (flock(directory->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        char owner[24] = "";
        ssize_t len = pread(directory->lock_fd, owner, sizeof owner - 1, 0);
        owner[len > 0 ? strcspn(owner, "\n") : 0] = '\0';
        return ss__fail(failure, SS_E_LOCKED, "the data directory \"%s\" is in use by process %s; "
                        "stop it, or give this one a directory of its own with --data",
                        directory->path, owner[0] != '\0' ? owner : "(unknown)");
    }
    char pid[24];
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(directory->lock_fd, 0) != 0 ||
        pwrite(directory->lock_fd, pid, (size_t)len, 0) != len) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be written: %s", path, strerror(errno));
    }
    SS_KILL_POINT(DIRECTORY_LOCKED);
    return 0;
}

static void encode(const struct ss_directory *directory, uint8_t out[IDENTITY_BYTES])
{
    memcpy(out, MAGIC, 8);
    ss__put_le32(out + 8, directory->format);
    ss__put_le32(out + 12, directory->shard_count);
    ss__put_le64(out + 16, directory->directory_id);
    memcpy(out + 24, directory->routing_key.bytes, SS_HASH_KEY_BYTES);
    ss__put_le64(out + IDENTITY_BYTES - 8, ss__checksum(out, IDENTITY_BYTES - 8));
}

/* Through a second file and a rename: a crash leaves none or all of it. Its name is durable only
 * after a sync. */
static int name_identity(const struct ss_directory *directory, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    char temporary[PATH_BYTES];
    uint8_t bytes[IDENTITY_BYTES];
    make_path(directory->path, "sessionstream", path);
    make_path(directory->path, "sessionstream.new", temporary);
    encode(directory, bytes);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool good = fd >= 0 && write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes &&
                SS_FAULT("directory.identity") == 0 && fsync(fd) == 0;
    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    SS_KILL_POINT(IDENTITY_WRITTEN);
    if (!good || rename(temporary, path) != 0) {
        int err = ss__fail(failure, SS_E_IO, "\"%s\" cannot be written: %s", path,
                           strerror(errno));
        (void)unlink(temporary);    /* or it would be in the way of the next attempt */
        return err;
    }
    SS_KILL_POINT(IDENTITY_NAMED);
    return 0;
}

static int write_identity(const struct ss_directory *directory, struct ss_failure *failure)
{
    int err = name_identity(directory, failure);
    return err != 0 ? err : ss__create_sync(directory->path, failure);
}

/* Its maker may have been killed before. After a sync that failed a later one need not bring the
 * name to the disk unless it is given anew. */
static int secure_identity(const struct ss_directory *directory, struct ss_failure *failure)
{
    int err = ss__create_sync(directory->path, failure);
    if (err != 0) {
        (void)name_identity(directory, NULL);    /* if that fails, its file has come and gone */
    }
    return err;
}

static int decode(struct ss_directory *directory, const uint8_t *in, size_t len,
                  struct ss_failure *failure)
{
    if (len < 12 || memcmp(in, MAGIC, 8) != 0) {
        return ss__fail(failure, SS_E_CORRUPT, "\"%s/sessionstream\" is not the identity file of a "
                        "data directory; " RESTORE, directory->path);
    }
    directory->format = ss__get_le32(in + 8);
    /* Of another format it would have another size, or be sound. */
    bool damaged = len == IDENTITY_BYTES && ss__get_le64(in + IDENTITY_BYTES - 8) !=
                                                ss__checksum(in, IDENTITY_BYTES - 8);
    if (directory->format > SS_STORE_FORMAT && !damaged) {
        return ss__fail(failure, SS_E_VERSION, "the data directory \"%s\" has format %u, this "
                        "program reads up to %u; use a newer version of it", directory->path,
                        directory->format, SS_STORE_FORMAT);
    }
    if (directory->format != 0 && directory->format < SS_STORE_FORMAT && !damaged) {
        return ss__fail(failure, SS_E_VERSION, "the data directory \"%s\" has format %u, this "
                        "program reads %u; use the version that made it, and to change to this "
                        "one export the sessions there and import them into a new directory",
                        directory->path, directory->format, SS_STORE_FORMAT);
    }
    if (len != IDENTITY_BYTES || directory->format == 0 || damaged) {
        return ss__fail(failure, SS_E_CORRUPT, "\"%s/sessionstream\" is damaged; " RESTORE,
                        directory->path);
    }
    directory->shard_count = ss__get_le32(in + 12);
    if (directory->shard_count == 0 || directory->shard_count > SS_SHARDS_MAX) {
        return ss__fail(failure, SS_E_SHARDS, "the data directory \"%s\" has %u shards, this "
                        "program takes 1 to %u; use the program that made it", directory->path,
                        directory->shard_count, SS_SHARDS_MAX);
    }
    directory->directory_id = ss__get_le64(in + 16);
    memcpy(directory->routing_key.bytes, in + 24, SS_HASH_KEY_BYTES);
    return 0;
}

/* Whether there is a @name in it. SS_E_IO: that cannot be told. */
static int has_file(const struct ss_directory *directory, const char *name, bool *ret_has,
                    struct ss_failure *failure)
{
    char path[PATH_BYTES];
    struct stat info;
    make_path(directory->path, name, path);
    *ret_has = stat(path, &info) == 0;
    return *ret_has || errno == ENOENT ? 0
                                       : ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s",
                                                  path, strerror(errno));
}

/* Directories without identity that are not for use. */
static int judge_unfinished(const struct ss_directory *directory, struct ss_failure *failure)
{
    bool is_backup = false;
    bool is_unfinished = false;
    int err = has_file(directory, SS_MANIFEST_NAME, &is_backup, failure);
    err = err != 0 ? err : has_file(directory, SS_UNFINISHED_NAME, &is_unfinished, failure);
    if (err == 0 && is_backup) {
        return ss__fail(failure, SS_E_INVAL, "\"%s\" is a backup: make a data directory of it with "
                        "`ssctl restore`", directory->path);
    }
    if (err == 0 && is_unfinished) {
        return ss__fail(failure, SS_E_INVAL, "\"%s\" was not filled to its end: run `ssctl "
                        "restore` or `ssctl reshard` again, or remove it", directory->path);
    }
    return err;
}

static int read_identity(struct ss_directory *directory, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    uint8_t bytes[IDENTITY_BYTES + 1];
    make_path(directory->path, "sessionstream", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        int err = reason == ENOENT ? judge_unfinished(directory, failure) : 0;
        return err != 0 ? err
                        : ss__fail(failure, reason == ENOENT ? SS_E_NOTFOUND : SS_E_IO,
                                   "\"%s\" cannot be read: %s", path, strerror(reason));
    }
    ssize_t len = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    if (len < 0) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
    }
    return decode(directory, bytes, (size_t)len, failure);
}

/* The shards come first: with the identity file the directory is complete, and from then on a
 * shard that is not there is missing. */
static int create_shards(const struct ss_directory *directory, struct ss_failure *failure)
{
    int err = 0;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        char path[PATH_BYTES];
        struct ss_meta_shard identity = { i, directory->shard_count, directory->directory_id };
        SS_INSIST(ss__directory_shard_path(directory, i, path, sizeof path) == 0);
        err = ss__create_shard(path, &identity, failure);
        if (err == SS_E_EXISTS) {
            return ss__fail(failure, SS_E_CORRUPT, "\"%s/sessionstream\" is missing but there are "
                            "shards that have been in use; " RESTORE, directory->path);
        }
    }
    return err != 0 ? err : ss__create_sync(directory->path, failure);
}

/* Which shards are there before they are made. */
static int find_shards(const struct ss_directory *directory, bool there[SS_SHARDS_MAX],
                       struct ss_failure *failure)
{
    int err = 0;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        char name[SS_DIRECTORY_NAMES_BYTES];
        (void)snprintf(name, sizeof name, SHARD_NAME, i);    /* fits */
        err = has_file(directory, name, &there[i], failure);
    }
    return err;
}

/* Nothing has been mounted over the directory since it was locked. */
static bool is_locked_one(const struct ss_directory *directory)
{
    char path[PATH_BYTES];
    struct stat locked;
    struct stat named;
    make_path(directory->path, "LOCK", path);
    return fstat(directory->lock_fd, &locked) == 0 && stat(path, &named) == 0 &&
           locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* The identity goes first: without its shards the directory would be taken for one that has lost
 * them. */
void ss__directory_take_back(const struct ss_directory *directory, const bool *keep)
{
    char path[PATH_BYTES];
    if (!is_locked_one(directory)) {
        return;
    }
    make_path(directory->path, "sessionstream", path);
    if (unlink(path) == 0) {
        (void)ss__create_sync(directory->path, NULL);    /* if it comes back, a person removes it */
    } else if (errno != ENOENT) {
        return;
    }
    for (uint32_t i = 0; i < directory->shard_count; i++) {
        if (keep == NULL || !keep[i]) {
            SS_INSIST(ss__directory_shard_path(directory, i, path, sizeof path) == 0);
            (void)ss__remove_tree(path, NULL);    /* if it stays, it has never been in use */
        }
    }
}

static int create_all(struct ss_directory *directory, struct ss_failure *failure)
{
    bool there[SS_SHARDS_MAX] = { false };
    int err = find_shards(directory, there, failure);
    if (err != 0) {
        return err;
    }
    err = create_shards(directory, failure);
    SS_KILL_POINT(IDENTITY_BEFORE);
    err = err != 0 ? err : write_identity(directory, failure);
    if (err != 0) {
        ss__directory_take_back(directory, there);
    }
    return err;
}

static int create_identity(struct ss_directory *directory, uint32_t shard_count,
                           struct ss_failure *failure)
{
    if (shard_count == 0 || shard_count > SS_SHARDS_MAX) {
        return ss__fail(failure, SS_E_SHARDS, "a data directory cannot have %u shards; give "
                        "--shards a number from 1 to %u", shard_count, SS_SHARDS_MAX);
    }
    directory->created = true;
    directory->format = SS_STORE_FORMAT;
    directory->shard_count = shard_count;
    if (ss__random_bytes(&directory->directory_id, sizeof directory->directory_id) != 0 ||
        ss__random_bytes(directory->routing_key.bytes, SS_HASH_KEY_BYTES) != 0) {
        return ss__fail(failure, SS_E_IO, "the kernel gives no random bytes");
    }
    int err = ss__create_sync_parents(directory->path, failure);
    return err != 0 ? err : create_all(directory, failure);
}

static int begin(const char *path, struct ss_directory **ret_directory, struct ss_failure *failure)
{
    struct ss_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL || (directory->path = strdup(path)) == NULL) {
        free(directory);
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    directory->lock_fd = -1;
    *ret_directory = directory;
    return 0;
}

int ss__directory_open(const char *path, uint32_t shard_count, bool shard_count_explicit,
                       struct ss_directory **ret_directory, struct ss_failure *failure)
{
    struct ss_directory *directory = NULL;
    struct ss_failure missing = { 0 };
    int err = judge_path(path, failure);
    err = err != 0 ? err : ss__create_directories(path, failure);
    err = err != 0 ? err : begin(path, &directory, failure);
    if (err != 0) {
        return err;
    }
    err = take_lock(directory, failure);
    if (err == 0) {
        err = read_identity(directory, &missing);
        if (err == SS_E_NOTFOUND) {
            err = create_identity(directory, shard_count, failure);
        } else if (err != 0) {
            (void)ss__fail(failure, err, "%s", missing.text);
        } else {
            err = secure_identity(directory, failure);
        }
    }
    if (err == 0 && shard_count_explicit && directory->shard_count != shard_count) {
        err = ss__fail(failure, SS_E_SHARDS, "the data directory \"%s\" has %u shards, not %u; "
                       "leave --shards out, or say --shards %u, or change the directory with "
                       "`ssctl reshard`", path, directory->shard_count, shard_count,
                       directory->shard_count);
    }
    if (err != 0) {
        ss__directory_close(directory);
        return err;
    }
    *ret_directory = directory;
    return 0;
}

int ss__directory_open_existing(const char *path, struct ss_directory **ret_directory,
                                struct ss_failure *failure)
{
    struct ss_directory *directory = NULL;
    struct stat info;
    int err = judge_path(path, failure);
    if (err != 0) {
        return err;
    }
    bool there = stat(path, &info) == 0;
    if (!there && errno != ENOENT && errno != ENOTDIR) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
    }
    if (!there || !S_ISDIR(info.st_mode)) {
        return ss__fail(failure, SS_E_NOTFOUND, "there is no data directory \"%s\"", path);
    }
    err = begin(path, &directory, failure);
    if (err != 0) {
        return err;
    }
    err = take_lock(directory, failure);
    err = err != 0 ? err : read_identity(directory, failure);
    if (err != 0) {
        ss__directory_close(directory);
        return err;
    }
    *ret_directory = directory;
    return 0;
}

/* ---- directories that a tool fills ---- */

static bool is_of_filling(const char *name)
{
    return strcmp(name, SS_UNFINISHED_NAME) == 0 || strcmp(name, "LOCK") == 0 ||
           (strncmp(name, "shard-", 6) == 0 && strlen(name) < SS_DIRECTORY_NAMES_BYTES) ||
           strcmp(name, "sessionstream.new") == 0;
}

static int empty_of(const struct ss_directory *directory, const char *name, bool marked,
                    struct ss_failure *failure)
{
    char path[PATH_BYTES];
    if (strcmp(name, "LOCK") == 0 || strcmp(name, SS_UNFINISHED_NAME) == 0 ||
        strcmp(name, "lost+found") == 0) {
        return 0;
    }
    if (!marked || !is_of_filling(name)) {
        return ss__fail(failure, SS_E_EXISTS, "\"%s\" is not empty: there is \"%.60s\" in it",
                        directory->path, name);
    }
    if (strncmp(name, "shard-", 6) != 0) {
        return 0;
    }
    make_path(directory->path, name, path);
    return ss__remove_tree(path, failure);
}

/* Empties it when it bears the mark; else there must be nothing but the lock, and what file systems
 * put into their roots. */
static int empty_unfinished(const struct ss_directory *directory, struct ss_failure *failure)
{
    bool marked = false;
    int err = has_file(directory, SS_UNFINISHED_NAME, &marked, failure);
    if (err != 0) {
        return err;
    }
    DIR *dir = opendir(directory->path);
    if (dir == NULL) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s", directory->path,
                        strerror(errno));
    }
    const char *name;
    int code = ss__entries_next(dir, &name);
    while (code == 0 && name != NULL && err == 0) {
        err = empty_of(directory, name, marked, failure);
        code = ss__entries_next(dir, &name);
    }
    (void)closedir(dir);    /* only read */
    return err != 0 || code == 0 ? err
                                 : ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s",
                                            directory->path, strerror(code));
}

static int put_mark(const struct ss_directory *directory, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    make_path(directory->path, SS_UNFINISHED_NAME, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return ss__fail(failure, SS_E_IO, "\"%s\" cannot be made: %s", path, strerror(errno));
    }
    (void)close(fd);    /* empty */
    return ss__create_sync(directory->path, failure);
}

int ss__directory_begin(const char *path, const struct ss_directory *identity,
                        struct ss_directory **ret_directory, struct ss_failure *failure)
{
    struct ss_directory *directory = NULL;
    char identity_path[PATH_BYTES];
    struct stat info;
    int err = judge_path(path, failure);
    if (err != 0) {
        return err;
    }
    make_path(path, "sessionstream", identity_path);
    if (stat(identity_path, &info) == 0) {
        return ss__fail(failure, SS_E_EXISTS, "\"%s\" is a data directory already", path);
    }
    err = ss__create_directories(path, failure);
    err = err != 0 ? err : begin(path, &directory, failure);
    if (err != 0) {
        return err;
    }
    directory->format = SS_STORE_FORMAT;
    directory->shard_count = identity->shard_count;
    directory->directory_id = identity->directory_id;
    directory->routing_key = identity->routing_key;
    directory->created = true;
    err = take_lock(directory, failure);
    err = err != 0 ? err : empty_unfinished(directory, failure);
    err = err != 0 ? err : put_mark(directory, failure);
    if (err != 0) {
        ss__directory_close(directory);
        return err;
    }
    *ret_directory = directory;
    return 0;
}

int ss__directory_finish(struct ss_directory *directory, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    int err = ss__create_sync(directory->path, failure);
    err = err != 0 ? err : write_identity(directory, failure);
    if (err == 0) {
        make_path(directory->path, SS_UNFINISHED_NAME, path);
        (void)unlink(path);    /* nobody looks at it where there is an identity */
    }
    return err;
}

void ss__directory_close(struct ss_directory *directory)
{
    if (directory == NULL) {
        return;
    }
    if (directory->lock_fd >= 0) {
        (void)close(directory->lock_fd);    /* gives the lock back */
    }
    free(directory->path);
    free(directory);
}

int ss__directory_shard_path(const struct ss_directory *directory, uint32_t shard, char *out,
                             size_t out_bytes)
{
    int len = snprintf(out, out_bytes, "%s/" SHARD_NAME, directory->path, shard);
    return len < 0 || (size_t)len >= out_bytes ? SS_E_TOOBIG : 0;
}
