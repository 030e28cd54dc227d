#include "store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/create.h"
#include "store/directory.h"
#include "store/manifest.h"

#define PATH_BYTES 4096

static int join(char out[PATH_BYTES], const char *dir, const char *name,
                struct ss_failure *failure)
{
    int len = snprintf(out, PATH_BYTES, "%s/%s", dir, name);
    return len < 0 || len >= PATH_BYTES ? ss__fail(failure, SS_E_TOOBIG, "a path is too long") : 0;
}

/* Also one that has everything: nobody knows whether all of it is durable, and the next backup of
 * that name removes it. */
static int has_its_name(const char *backup, struct ss_failure *failure)
{
    size_t ending = sizeof SS_BACKUP_PARTIAL - 1;
    size_t len = strlen(backup);
    while (len > 0 && backup[len - 1] == '/') {
        len--;
    }
    return len < ending || memcmp(backup + len - ending, SS_BACKUP_PARTIAL, ending) != 0
               ? 0
               : ss__fail(failure, SS_E_INVAL, "\"%s\" is not a finished backup: one that is has a "
                          "name without " SS_BACKUP_PARTIAL, backup);
}

/* Before anything is made: what is missing shows at once. */
static int check_sizes(const char *backup, const struct ss_manifest *manifest,
                       uint64_t *ret_bytes, struct ss_failure *failure)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < manifest->files_count; i++) {
        const struct ss_manifest_file *file = &manifest->files[i];
        char path[PATH_BYTES];
        struct stat info;
        int err = join(path, backup, file->path, failure);
        if (err != 0) {
            return err;
        }
        bool there = stat(path, &info) == 0;
        if (!there && errno != ENOENT) {
            return ss__fail(failure, SS_E_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
        }
        if (!there || (uint64_t)info.st_size != file->used) {
            return ss__fail(failure, SS_E_CORRUPT, "the backup is not whole: \"%s\" is missing or "
                            "has another size than the manifest says", path);
        }
        bytes += file->used;
    }
    *ret_bytes = bytes;
    return 0;
}

static int copy_file(struct ss_copier *copier, const char *from, const char *to,
                     const struct ss_manifest_file *file, struct ss_failure *failure)
{
    uint64_t sum = 0;
    int from_fd = open(from, O_RDONLY | O_CLOEXEC);
    int to_fd = from_fd < 0 ? -1 : open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int err = 0;
    if (to_fd < 0) {
        err = ss__fail(failure, SS_E_IO, "\"%s\" cannot be opened: %s", from_fd < 0 ? from : to,
                       strerror(errno));
    }
    err = err != 0 ? err
                   : ss__copy(copier, from_fd, to_fd, file->used, file->bytes, &sum, failure);
    if (err == 0 && sum != file->checksum) {
        err = ss__fail(failure, SS_E_CORRUPT, "the backup is damaged: \"%s\" is not what was "
                       "written; use another backup", from);
    }
    if (from_fd >= 0) {
        (void)close(from_fd);    /* only read */
    }
    if (to_fd >= 0) {
        (void)close(to_fd);    /* synced already */
    }
    return err;
}

static int make_shards(const struct ss_directory *directory, struct ss_failure *failure)
{
    int err = 0;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        char path[PATH_BYTES];
        err = ss__directory_shard_path(directory, i, path, sizeof path);
        err = err != 0 ? ss__fail(failure, err, "the path of the data directory is too long")
                       : ss__create_directories(path, failure);
    }
    return err;
}

static int sync_shards(const struct ss_directory *directory, struct ss_failure *failure)
{
    int err = 0;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        char path[PATH_BYTES];
        err = ss__directory_shard_path(directory, i, path, sizeof path);
        err = err != 0 ? err : ss__create_sync(path, failure);
    }
    return err;
}

static int copy_all(const struct ss_restore_options *options, const struct ss_manifest *manifest,
                    const struct ss_directory *directory, struct ss_failure *failure)
{
    struct ss_copier copier = options->copier;
    int err = make_shards(directory, failure);
    if (err == 0 && ss__copier_init(&copier) != 0) {
        err = ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < manifest->files_count && err == 0; i++) {
        const struct ss_manifest_file *file = &manifest->files[i];
        char from[PATH_BYTES];
        char to[PATH_BYTES];
        err = join(from, options->backup, file->path, failure);
        err = err != 0 ? err : join(to, directory->path, file->path, failure);
        err = err != 0 ? err : copy_file(&copier, from, to, file, failure);
    }
    ss__copier_deinit(&copier);
    return err != 0 ? err : sync_shards(directory, failure);
}

static void ignore_raised(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation,
                          void *ctx)
{
    (void)shard;
    (void)old_incarnation;
    (void)new_incarnation;
    (void)ctx;
}

/* The directory is nobody's until the check has been told. */
static int complete(const struct ss_restore_options *options, struct ss_directory *directory,
                    struct ss_check_summary *ret_summary, struct ss_failure *failure)
{
    int err = ss__restored_raise(directory,
                                 options->raised != NULL ? options->raised : ignore_raised,
                                 options->ctx, failure);
    err = err != 0 ? err
                   : ss__store_check_open(directory, options->report, NULL, options->ctx,
                                          ret_summary, failure);
    if (err == 0 && ret_summary->findings > 0 && !options->with_findings) {
        err = ss__fail(failure, SS_E_CORRUPT, "the store was damaged when it was backed up (%llu "
                       "findings): use an older backup, or restore this one with --force",
                       (unsigned long long)ret_summary->findings);
    }
    return err != 0 ? err : ss__directory_finish(directory, failure);
}

/* So that the next attempt finds it as this one did. */
static void take_back(const struct ss_directory *directory)
{
    char path[PATH_BYTES];
    ss__directory_take_back(directory, NULL);
    if (join(path, directory->path, SS_UNFINISHED_NAME, NULL) == 0) {
        (void)unlink(path);
    }
    if (join(path, directory->path, "LOCK", NULL) == 0) {
        (void)unlink(path);
    }
}

int ss__restore(const struct ss_restore_options *options, struct ss_check_summary *ret_summary,
                struct ss_failure *failure)
{
    struct ss_manifest manifest;
    struct ss_directory *directory = NULL;
    struct ss_check_summary summary = { 0 };
    uint64_t bytes = 0;
    int err = has_its_name(options->backup, failure);
    err = err != 0 ? err : ss__manifest_read(options->backup, &manifest, failure);
    if (err != 0) {
        return err;
    }
    struct ss_directory identity = { .shard_count = manifest.shards,
                                     .directory_id = manifest.directory_id,
                                     .routing_key = manifest.routing_key };
    err = check_sizes(options->backup, &manifest, &bytes, failure);
    err = err != 0 ? err
                   : ss__directory_begin(options->dir, &identity, &directory, failure);
    if (err == 0) {
        if (options->begun != NULL) {
            options->begun(bytes, manifest.shards, manifest.begun_us, options->ctx);
        }
        err = copy_all(options, &manifest, directory, failure);
        err = err != 0 ? err : complete(options, directory, &summary, failure);
        if (err != 0) {
            take_back(directory);
        }
        ss__directory_close(directory);
    }
    ss__manifest_deinit(&manifest);
    if (err == 0) {
        *ret_summary = summary;
    }
    return err;
}
