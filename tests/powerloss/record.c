/* Preloaded into a process, writes down in order what it does to the files below a directory, when
 * these become durable, and what leaves through its sockets.
 *
 *     SS_POWERLOSS_DISK    the directory, without links in its path
 *     SS_POWERLOSS_TRACE   the file that is appended to; outside of it
 *     SS_POWERLOSS_KILL    kill -9 after so many changes; 0 or none: never
 *     SS_POWERLOSS_FAIL    a sync that fails (record_sync.c)
 *     SS_POWERLOSS_NOSYNC  1: record nothing, and do not wait for the disk either
 *
 * One change and its record are one step for all threads, so the order in the trace is the order of
 * the changes, and a kill never falls between the two. A sync is two records, because others go on
 * meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char disk[PATH_MAX];
static size_t disk_len;
static int trace_fd = -1;
static long kill_after;
bool record_no_sync;
static __thread bool inside;    /* what we call ourselves is not recorded */

static void give_up(const char *what)
{
    char line[256];
    int len = snprintf(line, sizeof line, "powerloss record: %s: %s\n", what, strerror(errno));
    (void)syscall(SYS_write, 2, line, (size_t)len);
    _exit(99);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);    /* cannot fail */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the trace ---- */

void record_put(enum record_kind kind, unsigned flags, uint64_t ino, uint64_t a, uint64_t b,
                struct iovec names, const struct iovec *data, int data_count)
{
    struct record_head head = { .kind = (uint8_t)kind, .flags = (uint8_t)flags,
                                .name_len = (uint16_t)names.iov_len, .ino = ino, .a = a, .b = b,
                                .time_ns = now_ns() };
    struct iovec parts[IOV_MAX];
    int count = 2;
    size_t total = sizeof head + names.iov_len;
    parts[0] = (struct iovec){ &head, sizeof head };
    parts[1] = names;
    for (int i = 0; i < data_count && count < IOV_MAX; i++) {
        parts[count++] = data[i];
        head.data_len += (uint32_t)data[i].iov_len;
    }
    total += head.data_len;
    if (syscall(SYS_writev, trace_fd, parts, count) != (long)total) {
        give_up("the trace cannot be written");
    }
}

void record_named(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b, const char *name,
                  size_t len)
{
    record_put(kind, 0, ino, a, b, (struct iovec){ (void *)(uintptr_t)name, len }, NULL, 0);
}

void record_plain(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b)
{
    record_named(kind, ino, a, b, "", 0);
}

void record_escape(const char *what)
{
    record_named(RECORD_ESCAPE, 0, 0, 0, what, strlen(what));
}

void record_change(void)
{
    if (kill_after > 0 && --kill_after == 0) {
        (void)kill(getpid(), SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
}

void record_kill_after(long changes)
{
    kill_after = changes;
}

static __attribute__((constructor)) void begin(void)
{
    const char *dir = getenv("SS_POWERLOSS_DISK");
    const char *file = getenv("SS_POWERLOSS_TRACE");
    const char *count = getenv("SS_POWERLOSS_KILL");
    record_no_sync = getenv("SS_POWERLOSS_NOSYNC") != NULL;
    if (dir == NULL || file == NULL || record_no_sync) {
        return;
    }
    disk_len = strlen(dir);
    if (disk_len + 1 >= sizeof disk) {
        give_up("the path is too long");
    }
    memcpy(disk, dir, disk_len + 1);
    kill_after = count == NULL ? 0 : atol(count);
    trace_fd = (int)syscall(SYS_openat, AT_FDCWD, file,
                            O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (trace_fd < 0) {
        give_up(file);
    }
    record_plain(RECORD_RUN, 0, (uint64_t)getpid(), 0);
    record_fail_begin(getenv("SS_POWERLOSS_FAIL"));
}

/* ---- what a descriptor is ---- */

bool record_active(void)
{
    return trace_fd >= 0 && !inside;
}

void record_enter(void)
{
    (void)pthread_mutex_lock(&lock);
    inside = true;
}

void record_leave(void)
{
    int code = errno;
    inside = false;
    (void)pthread_mutex_unlock(&lock);
    errno = code;
}

/* Whether it is a file or directory of the disk, and its inode. */
bool record_on_disk(int fd, uint64_t *ret_ino)
{
    char link[64];
    char path[PATH_MAX];
    struct stat info;
    int code = errno;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path);
    bool below = len >= (ssize_t)disk_len && memcmp(path, disk, disk_len) == 0 &&
                 (len == (ssize_t)disk_len || path[disk_len] == '/' || path[disk_len] == ' ') &&
                 fstat(fd, &info) == 0;
    errno = code;
    if (below) {
        *ret_ino = info.st_ino;
    }
    return below;
}

bool record_is_socket(int fd, uint64_t *ret_ino)
{
    struct stat info;
    int code = errno;
    bool good = fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
    errno = code;
    if (good) {
        *ret_ino = info.st_ino;
    }
    return good;
}

bool record_find_place(int dir_fd, const char *path, struct place *ret_place)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof parent) {
        return false;
    }
    memcpy(parent, slash == NULL ? "." : path, len);
    parent[len] = '\0';
    int code = errno;
    int fd = (int)syscall(SYS_openat, dir_fd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct place place = { .name = slash == NULL ? path : slash + 1 };
    bool good = fd >= 0 && record_on_disk(fd, &place.directory);
    if (fd >= 0) {
        (void)syscall(SYS_close, fd);
    }
    errno = code;
    if (good) {
        *ret_place = place;
    }
    return good;
}

bool record_look(int dir_fd, const char *path, struct stat *ret_info)
{
    int code = errno;
    bool good = fstatat(dir_fd, path, ret_info, AT_SYMLINK_NOFOLLOW) == 0;
    errno = code;
    return good;
}

