#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/env.h"

int ss__backup_check_name(struct ss_str name, struct ss_failure *failure)
{
    const char *text = name.data;
    size_t ending = sizeof SS_BACKUP_PARTIAL - 1;
    bool good = name.len > 0 && name.len <= SS_BACKUP_NAME_BYTES_MAX;
    for (size_t i = 0; good && i < name.len; i++) {
        char at = text[i];
        bool word = (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') ||
                    (at >= '0' && at <= '9');
        good = word || (i > 0 && (at == '-' || at == '_' || at == '.'));
    }
    if (good && name.len >= ending &&
        memcmp(text + name.len - ending, SS_BACKUP_PARTIAL, ending) == 0) {
        good = false;
    }
    return good ? 0
                : ss__fail(failure, SS_E_INVAL, "the name of a backup has 1 to %d letters, digits, "
                           "'-', '_' and '.', begins with a letter or digit, and does not end in "
                           SS_BACKUP_PARTIAL, SS_BACKUP_NAME_BYTES_MAX);
}

static int fail_path(struct ss_failure *failure, const char *path, const char *what)
{
    return ss__fail(failure, errno == ENOSPC || errno == EDQUOT ? SS_E_STOREFULL : SS_E_IO,
                    "\"%s\" cannot be %s: %s", path, what, strerror(errno));
}

/* Whoever holds the lock of the directory writes it; others are left over. */
static int open_partial(struct ss_backup *backup, struct ss_failure *failure)
{
    if (mkdir(backup->partial, 0750) != 0) {
        return errno == EEXIST ? SS_E_EXISTS : fail_path(failure, backup->partial, "made");
    }
    backup->dir_fd = open(backup->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (backup->dir_fd < 0 || flock(backup->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        return fail_path(failure, backup->partial, "opened");
    }
    return 0;
}

static int remove_left_over(const struct ss_backup *backup, struct ss_failure *failure)
{
    int fd = open(backup->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return fail_path(failure, backup->partial, "opened");
    }
    int err = flock(fd, LOCK_EX | LOCK_NB) != 0
                  ? ss__fail(failure, SS_E_BUSY, "\"%s\" is being written", backup->partial)
                  : ss__remove_tree(backup->partial, failure);
    (void)close(fd);    /* of a directory */
    return err;
}

static int open_all(struct ss_backup *backup, const char *parent, struct ss_failure *failure)
{
    struct stat info;
    backup->parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (backup->parent_fd < 0) {
        return fail_path(failure, parent, "opened");
    }
    if (lstat(backup->path, &info) == 0) {
        return ss__fail(failure, SS_E_EXISTS, "there is a \"%s\" already; choose another name",
                        backup->path);
    }
    int err = open_partial(backup, failure);
    if (err == SS_E_EXISTS) {
        err = remove_left_over(backup, failure);
        err = err != 0 ? err : open_partial(backup, failure);
    }
    return err;
}

int ss__backup_begin(struct ss_backup *backup, const char *parent, const char *name,
                     const struct ss_directory *directory, const struct ss_copier *copier,
                     struct ss_failure *failure)
{
    *backup = (struct ss_backup){ .dir_fd = -1, .parent_fd = -1, .copier = *copier };
    int len = snprintf(backup->path, sizeof backup->path, "%s/%s", parent, name);
    int partial_len = snprintf(backup->partial, sizeof backup->partial, "%s/%s" SS_BACKUP_PARTIAL,
                               parent, name);
    if (len < 0 || partial_len < 0 || (size_t)partial_len >= sizeof backup->partial) {
        return ss__fail(failure, SS_E_TOOBIG, "the path of the backup is too long");
    }
    backup->manifest = (struct ss_manifest){
        .format = directory->format,
        .directory_id = directory->directory_id,
        .routing_key = directory->routing_key,
        .shards = directory->shard_count,
        .begun_us = ss__clock_wall_us(&ss__system_clock),
    };
    int err = ss__backup_check_name(ss_str(name), failure);
    if (err == 0 && ss__copier_init(&backup->copier) != 0) {
        err = ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    err = err != 0 ? err : open_all(backup, parent, failure);
    if (err != 0) {
        ss__backup_end(backup);
        return err;
    }
    SS_KILL_POINT(BACKUP_BEGUN);
    return err;
}

uint64_t ss__backup_bytes(const struct ss_cut *cut)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < cut->files_count; i++) {
        bytes += cut->files[i].used;
    }
    return bytes;
}

static int copy_file(struct ss_backup *backup, uint32_t shard, const struct ss_cut *cut,
                     size_t index, struct ss_failure *failure)
{
    const struct ss_cut_file *from = &cut->files[index];
    struct ss_manifest_file file = { .used = from->used, .bytes = from->bytes };
    (void)snprintf(file.path, sizeof file.path, "shard-%04u/%s", shard, from->name);
    int fd = openat(backup->dir_fd, file.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        return fail_path(failure, file.path, "made");
    }
    /* Commits write over the first pages of the data file while the rest is copied. */
    backup->copier.head = index == 0 ? cut->head : NULL;
    backup->copier.head_bytes = cut->head_bytes;
    int err = ss__copy(&backup->copier, from->fd, fd, from->used, from->used, &file.checksum,
                       failure);
    (void)close(fd);    /* synced already */
    if (err == 0 && ss__manifest_add(&backup->manifest, &file) != 0) {
        err = ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    return err;
}

static int sync_shard(const struct ss_backup *backup, const char *name, struct ss_failure *failure)
{
    int fd = openat(backup->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && SS_FAULT("backup.sync") == 0 && fsync(fd) == 0;
    int err = good ? 0 : fail_path(failure, name, "made durable");
    if (fd >= 0) {
        (void)close(fd);    /* of a directory */
    }
    return err;
}

/* The first is the data file. */
static void kill_after_file(size_t index)
{
    if (index == 0) {
        SS_KILL_POINT(BACKUP_DATA);
    } else {
        SS_KILL_POINT(BACKUP_LOG);
    }
}

int ss__backup_shard(struct ss_backup *backup, uint32_t shard, const struct ss_cut *cut,
                     struct ss_failure *failure)
{
    char name[32];
    (void)snprintf(name, sizeof name, "shard-%04u", shard);
    if (mkdirat(backup->dir_fd, name, 0750) != 0) {
        return fail_path(failure, name, "made");
    }
    int err = 0;
    for (size_t i = 0; i < cut->files_count && err == 0; i++) {
        err = copy_file(backup, shard, cut, i, failure);
        kill_after_file(i);
    }
    err = err != 0 ? err : sync_shard(backup, name, failure);
    SS_KILL_POINT(BACKUP_SHARD);
    /* Behind its end pages and files are used again: the copy may be torn. */
    return err == 0 && ss__cut_stopped(cut)
               ? ss__fail(failure, SS_E_LIMIT, "the store had to give up the copy of shard %u",
                          shard)
               : err;
}

int ss__backup_finish(struct ss_backup *backup, struct ss_failure *failure)
{
    SS_KILL_POINT(BACKUP_UNLISTED);
    backup->manifest.ended_us = ss__clock_wall_us(&ss__system_clock);
    int err = ss__manifest_write(backup->dir_fd, &backup->manifest, failure);
    if (err != 0) {
        return err;
    }
    if (fsync(backup->dir_fd) != 0) {
        return fail_path(failure, backup->path, "made durable");
    }
    err = backup->copier.step == NULL ? 0 : backup->copier.step(0, backup->copier.ctx);
    if (err != 0) {
        return err;
    }
    SS_KILL_POINT(BACKUP_COMPLETE);
    if (rename(backup->partial, backup->path) != 0) {
        return fail_path(failure, backup->path, "made durable");
    }
    SS_KILL_POINT(BACKUP_NAMED);
    bool durable = SS_FAULT("backup.name") == 0 && fsync(backup->parent_fd) == 0;
    err = durable ? 0 : fail_path(failure, backup->path, "made durable");
    if (durable || rename(backup->path, backup->partial) != 0) {
        backup->partial[0] = '\0';    /* it is there, and nothing is to be removed */
    }
    return err;
}

void ss__backup_end(struct ss_backup *backup)
{
    struct ss_failure failure = { 0 };
    if (backup->dir_fd >= 0) {
        if (backup->partial[0] != '\0' && ss__remove_tree(backup->partial, &failure) != 0) {
            ss__log(SS_LOG_WARN, "what a backup has left cannot be removed", "reason=\"%s\"",
                    failure.text);
        }
        (void)close(backup->dir_fd);    /* of a directory */
    }
    if (backup->parent_fd >= 0) {
        (void)close(backup->parent_fd);    /* of a directory */
    }
    ss__copier_deinit(&backup->copier);
    ss__manifest_deinit(&backup->manifest);
    backup->dir_fd = backup->parent_fd = -1;
}
