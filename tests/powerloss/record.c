/* Preloaded into a process, writes down in order what it does to the files below a directory, when
 * these become durable, and what leaves through its sockets.
 *
 *     SS_POWERLOSS_DISK    the directory, without links in its path
 *     SS_POWERLOSS_TRACE   the file that is appended to; outside of it
 *     SS_POWERLOSS_KILL    kill -9 after so many changes; 0 or none: never
 *     SS_POWERLOSS_NOSYNC  1: record nothing, and do not wait for the disk either
 *
 * One change and its record are one step for all threads, so the order in the trace is the order of
 * the changes, and a kill never falls between the two. A sync is two records, because others go on
 * meanwhile. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define PREFIX_MAX PATH_MAX
#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char disk[PREFIX_MAX];
static size_t disk_len;
static int trace_fd = -1;
static long kill_after;
static bool no_sync;
static uint64_t syncs;
static __thread bool inside;    /* what we call ourselves is not recorded */

/* The next one of that name: a sanitizer's or libc's. */
#define NEXT(name)                                                      \
    static __typeof__(name) *next;                                      \
    if (next == NULL) {                                                 \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);             \
    }

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

static void put(enum record_kind kind, unsigned flags, uint64_t ino, uint64_t a, uint64_t b,
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

static void put_name(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b, const char *name,
                     size_t len)
{
    put(kind, 0, ino, a, b, (struct iovec){ (void *)(uintptr_t)name, len }, NULL, 0);
}

static void put_plain(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b)
{
    put_name(kind, ino, a, b, "", 0);
}

static void escape(const char *what)
{
    put_name(RECORD_ESCAPE, 0, 0, 0, what, strlen(what));
}

/* One change more; the kill falls after its record, before anybody else can do anything. */
static void count_change(void)
{
    if (kill_after > 0 && --kill_after == 0) {
        (void)kill(getpid(), SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
}

static __attribute__((constructor)) void begin(void)
{
    const char *dir = getenv("SS_POWERLOSS_DISK");
    const char *file = getenv("SS_POWERLOSS_TRACE");
    const char *count = getenv("SS_POWERLOSS_KILL");
    no_sync = getenv("SS_POWERLOSS_NOSYNC") != NULL;
    if (dir == NULL || file == NULL || no_sync) {
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
    put_plain(RECORD_RUN, 0, (uint64_t)getpid(), 0);
}

/* ---- what a descriptor is ---- */

static bool recording(void)
{
    return trace_fd >= 0 && !inside;
}

static void enter(void)
{
    (void)pthread_mutex_lock(&lock);
    inside = true;
}

static void leave(void)
{
    int code = errno;
    inside = false;
    (void)pthread_mutex_unlock(&lock);
    errno = code;
}

/* Whether it is a file or directory of the disk, and its inode. */
static bool on_disk(int fd, uint64_t *ret_ino)
{
    char link[64];
    char path[PREFIX_MAX];
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

static bool is_socket(int fd, uint64_t *ret_ino)
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

/* A directory entry: the directory it is in and its name in there. */
struct place {
    uint64_t directory;
    const char *name;
};

static bool find_place(int dir_fd, const char *path, struct place *ret_place)
{
    char parent[PREFIX_MAX];
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
    bool good = fd >= 0 && on_disk(fd, &place.directory);
    if (fd >= 0) {
        (void)syscall(SYS_close, fd);
    }
    errno = code;
    if (good) {
        *ret_place = place;
    }
    return good;
}

static bool look(int dir_fd, const char *path, struct stat *ret_info)
{
    int code = errno;
    bool good = fstatat(dir_fd, path, ret_info, AT_SYMLINK_NOFOLLOW) == 0;
    errno = code;
    return good;
}

/* ---- opening ---- */

static int open_recorded(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct place place;
    struct stat before;
    NEXT(openat);
    if (!recording() || (flags & (O_CREAT | O_TRUNC)) == 0 || (flags & O_TMPFILE) == O_TMPFILE) {
        return next(dir_fd, path, no_sync ? flags & ~(O_DSYNC | O_SYNC) : flags, mode);
    }
    enter();
    bool ours = find_place(dir_fd, path, &place);
    bool there = ours && look(dir_fd, path, &before);
    int fd = next(dir_fd, path, flags, mode);
    struct stat after;
    if (fd >= 0 && ours && fstat(fd, &after) == 0) {
        if (!there) {
            put_name(RECORD_CREATE, after.st_ino, place.directory, 0, place.name,
                     strlen(place.name));
            count_change();
        } else if ((flags & O_TRUNC) != 0 && before.st_size > 0) {
            put_plain(RECORD_RESIZE, after.st_ino, 0, 0);
            count_change();
        }
    }
    leave();
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                               \
    EXPORT int name(const char *path, int flags, ...)                   \
    {                                                                   \
        va_list args;                                                   \
        va_start(args, flags);                                          \
        mode_t mode = mode_of(flags, args);                             \
        va_end(args);                                                   \
        return open_recorded(AT_FDCWD, path, flags, mode);              \
    }

#define DEFINE_OPENAT(name)                                             \
    EXPORT int name(int dir_fd, const char *path, int flags, ...)       \
    {                                                                   \
        va_list args;                                                   \
        va_start(args, flags);                                          \
        mode_t mode = mode_of(flags, args);                             \
        va_end(args);                                                   \
        return open_recorded(dir_fd, path, flags, mode);                \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

EXPORT int creat(const char *path, mode_t mode)
{
    return open_recorded(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* ---- data ---- */

static bool all_zeros(const struct iovec *parts, int count)
{
    for (int i = 0; i < count; i++) {
        const char *bytes = parts[i].iov_base;
        size_t len = parts[i].iov_len;
        if (len > 0 && (bytes[0] != 0 || memcmp(bytes, bytes + 1, len - 1) != 0)) {
            return false;
        }
    }
    return true;
}

/* The first @len bytes of @parts in @out; returns how many parts that are. */
static int cut(const struct iovec *parts, int count, size_t len, struct iovec out[IOV_MAX])
{
    int used = 0;
    for (; used < count && used < IOV_MAX - 2 && len > 0; used++) {
        out[used] = parts[used];
        out[used].iov_len = parts[used].iov_len < len ? parts[used].iov_len : len;
        len -= out[used].iov_len;
    }
    if (len > 0) {
        escape("a write of too many parts");
    }
    return used;
}

/* @offset -1: it was written at the descriptor's own position. */
static void note_write(int fd, const struct iovec *parts, int count, ssize_t written, off_t offset)
{
    uint64_t ino;
    struct iovec used[IOV_MAX];
    int code = errno;
    if (written > 0 && on_disk(fd, &ino)) {
        int used_count = cut(parts, count, (size_t)written, used);
        off_t at = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR) - written;
        int flags = fcntl(fd, F_GETFL);
        bool zeros = all_zeros(used, used_count);
        put(RECORD_WRITE, (flags & O_DSYNC) != 0 ? RECORD_DURABLE : 0, ino, (uint64_t)at,
            (uint64_t)written, (struct iovec){ NULL, 0 }, used, zeros ? 0 : used_count);
        count_change();
    } else if (written > 0 && is_socket(fd, &ino)) {
        int used_count = cut(parts, count, (size_t)written, used);
        put(RECORD_SOCKET, 0, ino, 0, 0, (struct iovec){ NULL, 0 }, used, used_count);
    }
    errno = code;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(write);
    if (!recording()) {
        return next(fd, data, len);
    }
    enter();
    ssize_t written = next(fd, data, len);
    note_write(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, -1);
    leave();
    return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    NEXT(writev);
    if (!recording()) {
        return next(fd, parts, count);
    }
    enter();
    ssize_t written = next(fd, parts, count);
    note_write(fd, parts, count, written, -1);
    leave();
    return written;
}

#define DEFINE_PWRITE(name)                                                                  \
    EXPORT ssize_t name(int fd, const void *data, size_t len, off_t offset)                  \
    {                                                                                        \
        NEXT(name);                                                                          \
        if (!recording()) {                                                                  \
            return next(fd, data, len, offset);                                              \
        }                                                                                    \
        enter();                                                                             \
        ssize_t written = next(fd, data, len, offset);                                       \
        note_write(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, offset); \
        leave();                                                                             \
        return written;                                                                      \
    }

#define DEFINE_PWRITEV(name)                                                     \
    EXPORT ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) \
    {                                                                            \
        NEXT(name);                                                              \
        if (!recording()) {                                                      \
            return next(fd, parts, count, offset);                               \
        }                                                                        \
        enter();                                                                 \
        ssize_t written = next(fd, parts, count, offset);                        \
        note_write(fd, parts, count, written, offset);                           \
        leave();                                                                 \
        return written;                                                          \
    }

DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)
DEFINE_PWRITEV(pwritev)
DEFINE_PWRITEV(pwritev64)

EXPORT ssize_t send(int fd, const void *data, size_t len, int flags)
{
    NEXT(send);
    if (!recording()) {
        return next(fd, data, len, flags);
    }
    enter();
    ssize_t written = next(fd, data, len, flags);
    note_write(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, -1);
    leave();
    return written;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    if (!recording()) {
        return next(fd, message, flags);
    }
    enter();
    ssize_t written = next(fd, message, flags);
    note_write(fd, message->msg_iov, (int)message->msg_iovlen, written, -1);
    leave();
    return written;
}

/* ---- size ---- */

#define DEFINE_FTRUNCATE(name)                                  \
    EXPORT int name(int fd, off_t size)                         \
    {                                                           \
        uint64_t ino;                                           \
        NEXT(name);                                             \
        if (!recording()) {                                     \
            return next(fd, size);                              \
        }                                                       \
        enter();                                                \
        int result = next(fd, size);                            \
        if (result == 0 && on_disk(fd, &ino)) {                 \
            put_plain(RECORD_RESIZE, ino, (uint64_t)size, 0);   \
            count_change();                                     \
        }                                                       \
        leave();                                                \
        return result;                                          \
    }

/* Where 0 is success for both: only the plain mode without flags is known here. */
#define DEFINE_FALLOCATE(name)                                                  \
    EXPORT int name(int fd, off_t offset, off_t len)                            \
    {                                                                           \
        uint64_t ino;                                                           \
        NEXT(name);                                                             \
        if (!recording()) {                                                     \
            return next(fd, offset, len);                                       \
        }                                                                       \
        enter();                                                                \
        int result = next(fd, offset, len);                                     \
        if (result == 0 && on_disk(fd, &ino)) {                                 \
            put_plain(RECORD_ROOM, ino, (uint64_t)offset, (uint64_t)len);       \
            count_change();                                                     \
        }                                                                       \
        leave();                                                                \
        return result;                                                          \
    }

DEFINE_FTRUNCATE(ftruncate)
DEFINE_FTRUNCATE(ftruncate64)
DEFINE_FALLOCATE(posix_fallocate)
DEFINE_FALLOCATE(posix_fallocate64)

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
    uint64_t ino;
    NEXT(fallocate);
    if (!recording()) {
        return next(fd, mode, offset, len);
    }
    enter();
    int result = next(fd, mode, offset, len);
    if (result == 0 && on_disk(fd, &ino)) {
        if (mode != 0) {
            escape("fallocate with a mode");
        }
        put_plain(RECORD_ROOM, ino, (uint64_t)offset, (uint64_t)len);
        count_change();
    }
    leave();
    return result;
}

/* ---- names ---- */

static void note_rename(struct place source, uint64_t ino, int to_fd, const char *to)
{
    struct place target;
    char names[2 * (NAME_MAX + 1)];
    if (!find_place(to_fd, to, &target)) {
        escape("a rename out of the disk");
        return;
    }
    int len = snprintf(names, sizeof names, "%s%c%s", source.name, 0, target.name);
    put_name(RECORD_RENAME, ino, source.directory, target.directory, names, (size_t)len);
    count_change();
}

static int rename_recorded(int from_fd, const char *from, int to_fd, const char *to)
{
    struct place source;
    struct stat info;
    NEXT(renameat);
    if (!recording()) {
        return next(from_fd, from, to_fd, to);
    }
    enter();
    bool ours = find_place(from_fd, from, &source) && look(from_fd, from, &info);
    int result = next(from_fd, from, to_fd, to);
    if (result == 0 && ours) {
        note_rename(source, info.st_ino, to_fd, to);
    } else if (result == 0 && find_place(to_fd, to, &source)) {
        escape("a rename into the disk");
    }
    leave();
    return result;
}

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return rename_recorded(from_fd, from, to_fd, to);
}

EXPORT int rename(const char *from, const char *to)
{
    return rename_recorded(AT_FDCWD, from, AT_FDCWD, to);
}

static int unlink_recorded(int dir_fd, const char *path, int flags)
{
    struct place place;
    struct stat info;
    NEXT(unlinkat);
    if (!recording()) {
        return next(dir_fd, path, flags);
    }
    enter();
    bool ours = find_place(dir_fd, path, &place) && look(dir_fd, path, &info);
    int result = next(dir_fd, path, flags);
    if (result == 0 && ours) {
        put_name(RECORD_UNLINK, info.st_ino, place.directory, 0, place.name, strlen(place.name));
        count_change();
    }
    leave();
    return result;
}

EXPORT int unlinkat(int dir_fd, const char *path, int flags)
{
    return unlink_recorded(dir_fd, path, flags);
}

EXPORT int unlink(const char *path)
{
    return unlink_recorded(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlink_recorded(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    struct place place;
    struct stat info;
    NEXT(mkdirat);
    if (!recording()) {
        return next(dir_fd, path, mode);
    }
    enter();
    int result = next(dir_fd, path, mode);
    if (result == 0 && find_place(dir_fd, path, &place) && look(dir_fd, path, &info)) {
        put_name(RECORD_MKDIR, info.st_ino, place.directory, 0, place.name, strlen(place.name));
        count_change();
    }
    leave();
    return result;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* ---- syncs ---- */

/* The inode, or 0 if it is none of the disk's. */
static uint64_t note_sync(int fd, uint64_t *ret_number)
{
    uint64_t ino = 0;
    enter();
    if (on_disk(fd, &ino)) {
        *ret_number = (uint64_t)getpid() << 32 | ++syncs;
        put_plain(RECORD_SYNC, ino, *ret_number, 0);
        count_change();
    }
    leave();
    return ino;
}

static void note_synced(uint64_t ino, uint64_t number)
{
    enter();
    put_plain(RECORD_SYNCED, ino, number, 0);
    count_change();
    leave();
}

#define DEFINE_SYNC(name)                               \
    EXPORT int name(int fd)                             \
    {                                                   \
        uint64_t number = 0;                            \
        NEXT(name);                                     \
        if (no_sync) {                                  \
            return 0;                                   \
        }                                               \
        if (!recording()) {                             \
            return next(fd);                            \
        }                                               \
        uint64_t ino = note_sync(fd, &number);          \
        int result = next(fd);                          \
        if (result == 0 && ino != 0) {                  \
            note_synced(ino, number);                   \
        }                                               \
        return result;                                  \
    }

DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

/* ---- what would escape ---- */

/* LMDB keeps its table of readers in a map that is written to, and makes it anew when it opens an
 * environment that nobody else has open. */
static bool is_lock_file(int fd)
{
    char link[64];
    char path[PREFIX_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL && (strcmp(slash, "/lock.mdb") == 0 || strstr(slash, "-lock") != NULL);
}

#define DEFINE_MMAP(name)                                                               \
    EXPORT void *name(void *at, size_t len, int protection, int flags, int fd, off_t offset) \
    {                                                                                   \
        uint64_t ino;                                                                   \
        NEXT(name);                                                                     \
        if (recording() && fd >= 0 && (protection & PROT_WRITE) != 0 &&                 \
            (flags & (MAP_SHARED | MAP_SHARED_VALIDATE)) != 0) {                        \
            enter();                                                                    \
            if (on_disk(fd, &ino) && !is_lock_file(fd)) {                               \
                escape("a map that can be written to");                                 \
            }                                                                           \
            leave();                                                                    \
        }                                                                               \
        return next(at, len, protection, flags, fd, offset);                            \
    }

DEFINE_MMAP(mmap)
DEFINE_MMAP(mmap64)

#define DEFINE_REFUSED(name, parameters)        \
    EXPORT int name parameters                  \
    {                                           \
        if (trace_fd >= 0) {                    \
            enter();                            \
            escape(#name);                      \
            leave();                            \
        }                                       \
        errno = ENOSYS;                         \
        return -1;                              \
    }

DEFINE_REFUSED(link, (const char *from, const char *to))
DEFINE_REFUSED(linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags))
DEFINE_REFUSED(symlink, (const char *text, const char *path))
DEFINE_REFUSED(symlinkat, (const char *text, int dir_fd, const char *path))
DEFINE_REFUSED(truncate, (const char *path, off_t size))
DEFINE_REFUSED(sync_file_range, (int fd, off_t offset, off_t len, unsigned flags))
DEFINE_REFUSED(renameat2, (int from_fd, const char *from, int to_fd, const char *to,
                           unsigned flags))
