#include "store/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/hash.h"
#include "core/kill_point.h"
#include "store/entries.h"
#include "store/env.h"

#define NAP_NS UINT64_C(50000000)
/* So that little waits to be written when a commit has to be synced. */
#define SYNC_BYTES (UINT64_C(8) << 20)
#define LEVELS_MAX 4

int ss__copier_init(struct ss_copier *copier)
{
    copier->begin_ns = ss__clock_monotonic_ns(&ss__system_clock);
    copier->copied = copier->unsynced = 0;
    copier->chunk = malloc(SS_COPY_CHUNK_BYTES);
    return copier->chunk == NULL ? SS_E_NOMEM : 0;
}

void ss__copier_deinit(struct ss_copier *copier)
{
    free(copier->chunk);
    copier->chunk = NULL;
}

uint64_t ss__copy_sum(uint64_t sum, const void *chunk, uint64_t bytes)
{
    return ss__checksum_seeded(sum, chunk, bytes);
}

static int read_chunk(int fd, uint8_t *out, uint64_t bytes, uint64_t offset,
                      struct ss_failure *failure)
{
    while (bytes > 0) {
        ssize_t got = pread(fd, out, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ss__fail(failure, SS_E_IO, "a file cannot be read: %s",
                            got == 0 ? "it is shorter than it was" : strerror(errno));
        }
        out += got;
        bytes -= (uint64_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

static int fail_write(struct ss_failure *failure, int code)
{
    int err = ss__err_from_lmdb(code);
    return ss__fail(failure, err, err == SS_E_STOREFULL ? "there is no room for the copy: %s"
                                                        : "the copy cannot be written: %s",
                    strerror(code));
}

static int write_chunk(int fd, const uint8_t *data, uint64_t bytes, uint64_t offset,
                       struct ss_failure *failure)
{
    int code = SS_FAULT("copy.write");    /* an errno */
    while (bytes > 0 && code == 0) {
        ssize_t put = pwrite(fd, data, bytes, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            code = put < 0 ? errno : EIO;
            break;
        }
        data += put;
        bytes -= (uint64_t)put;
        offset += (uint64_t)put;
    }
    return code == 0 ? 0 : fail_write(failure, code);
}

static int sync_file(struct ss_copier *copier, int fd, struct ss_failure *failure)
{
    copier->unsynced = 0;
    int code = SS_FAULT("copy.sync");    /* an errno */
    return code != 0 || fdatasync(fd) != 0 ? fail_write(failure, code != 0 ? code : errno) : 0;
}

static int check_room(const struct ss_copier *copier, int fd, struct ss_failure *failure)
{
    struct statvfs info;
    if (copier->min_free_bytes == 0 || fstatvfs(fd, &info) != 0) {
        return 0;
    }
    uint64_t available = (uint64_t)info.f_bavail * info.f_frsize;
    return available >= copier->min_free_bytes + SYNC_BYTES
               ? 0
               : ss__fail(failure, SS_E_STOREFULL, "the copy would leave less than %llu MiB of the "
                          "disk free, which --min-free keeps",
                          (unsigned long long)(copier->min_free_bytes >> 20));
}

/* Until the copier is no faster than its rate. */
static int wait_turn(struct ss_copier *copier)
{
    int err = 0;
    while (copier->rate != 0 && err == 0) {
        uint64_t spent_ns = ss__clock_monotonic_ns(&ss__system_clock) - copier->begin_ns;
        uint64_t due_ns = copier->copied / copier->rate * 1000000000 +
                          copier->copied % copier->rate * 1000000000 / copier->rate;
        if (spent_ns >= due_ns) {
            break;
        }
        uint64_t nap_ns = due_ns - spent_ns < NAP_NS ? due_ns - spent_ns : NAP_NS;
        struct timespec nap = { 0, (long)nap_ns };
        (void)nanosleep(&nap, NULL);    /* a shorter nap is followed by another one */
        err = copier->step == NULL ? 0 : copier->step(0, copier->ctx);
    }
    return err;
}

static int put_chunk(struct ss_copier *copier, int to_fd, uint64_t bytes, uint64_t offset,
                     struct ss_failure *failure)
{
    if (to_fd < 0) {
        return 0;
    }
    int err = write_chunk(to_fd, copier->chunk, bytes, offset, failure);
    SS_KILL_POINT(COPY_CHUNK);
    copier->unsynced += bytes;
    if (err == 0 && copier->unsynced >= SYNC_BYTES) {
        err = sync_file(copier, to_fd, failure);
        err = err != 0 ? err : check_room(copier, to_fd, failure);
    }
    return err;
}

int ss__copy(struct ss_copier *copier, int from_fd, int to_fd, uint64_t bytes, uint64_t full,
             uint64_t *ret_checksum, struct ss_failure *failure)
{
    uint64_t sum = 0;
    int err = to_fd < 0 ? 0 : check_room(copier, to_fd, failure);
    for (uint64_t at = 0; at < bytes && err == 0; at += SS_COPY_CHUNK_BYTES) {
        uint64_t len = bytes - at < SS_COPY_CHUNK_BYTES ? bytes - at : SS_COPY_CHUNK_BYTES;
        err = read_chunk(from_fd, copier->chunk, len, at, failure);
        if (err != 0) {
            break;
        }
        if (at == 0 && copier->head != NULL) {
            memcpy(copier->chunk, copier->head,
                   copier->head_bytes < len ? copier->head_bytes : len);
        }
        sum = ss__copy_sum(sum, copier->chunk, len);
        err = put_chunk(copier, to_fd, len, at, failure);
        copier->copied += len;
        err = err != 0 || copier->step == NULL ? err : copier->step(len, copier->ctx);
        err = err != 0 ? err : wait_turn(copier);
    }
    if (err == 0 && to_fd >= 0 && ftruncate(to_fd, (off_t)full) != 0) {
        err = fail_write(failure, errno);
    }
    err = err != 0 || to_fd < 0 ? err : sync_file(copier, to_fd, failure);
    if (err == 0) {
        *ret_checksum = sum;
    }
    return err;
}

/* ---- taking away ---- */

static int empty_directory(int fd, unsigned levels)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);    /* of a directory */
        return errno;
    }
    const char *name;
    int code = ss__entries_next(dir, &name);
    for (; code == 0 && name != NULL; code = code != 0 ? code : ss__entries_next(dir, &name)) {
        if (unlinkat(dirfd(dir), name, 0) == 0) {
            continue;
        }
        code = errno;
        if (code == EISDIR && levels > 0) {
            int inner = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            code = inner < 0 ? errno : empty_directory(inner, levels - 1);
        }
        if (code == 0 && unlinkat(dirfd(dir), name, AT_REMOVEDIR) != 0) {
            code = errno;
        }
    }
    (void)closedir(dir);    /* only read */
    return code;
}

int ss__remove_tree(const char *path, struct ss_failure *failure)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    int code = fd < 0 ? errno : empty_directory(fd, LEVELS_MAX);
    if (code == 0 && rmdir(path) != 0) {
        code = errno;
    }
    return code == 0 ? 0
                     : ss__fail(failure, SS_E_IO, "\"%s\" cannot be removed: %s", path,
                                strerror(code));
}
