/* Writes, sizes, and what leaves through sockets. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder.h"

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
        record_escape("a write of too many parts");
    }
    return used;
}

/* @offset -1: it was written at the descriptor's own position. Returns what the caller is told. */
static ssize_t note(int fd, const struct iovec *parts, int count, ssize_t written, off_t offset)
{
    uint64_t ino;
    struct iovec used[IOV_MAX];
    int code = errno;
    bool fails = false;
    if (written > 0 && record_on_disk(fd, &ino)) {
        int used_count = cut(parts, count, (size_t)written, used);
        off_t at = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR) - written;
        bool durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
        bool zeros = all_zeros(used, used_count);
        fails = durable && record_fails(fd, true);
        record_put(RECORD_WRITE, fails ? RECORD_REFUSED : durable ? RECORD_DURABLE : 0, ino,
                   (uint64_t)at, (uint64_t)written, (struct iovec){ NULL, 0 }, used,
                   zeros ? 0 : used_count);
        record_change();
    } else if (written > 0 && record_is_socket(fd, &ino)) {
        int used_count = cut(parts, count, (size_t)written, used);
        record_put(RECORD_SOCKET, 0, ino, 0, 0, (struct iovec){ NULL, 0 }, used, used_count);
    }
    errno = fails ? EIO : code;
    return fails ? -1 : written;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(write);
    if (!record_active()) {
        return next(fd, data, len);
    }
    record_enter();
    ssize_t written = next(fd, data, len);
    written = note(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, -1);
    record_leave();
    return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    NEXT(writev);
    if (!record_active()) {
        return next(fd, parts, count);
    }
    record_enter();
    ssize_t written = next(fd, parts, count);
    written = note(fd, parts, count, written, -1);
    record_leave();
    return written;
}

#define DEFINE_PWRITE(name)                                                                      \
    EXPORT ssize_t name(int fd, const void *data, size_t len, off_t offset)                      \
    {                                                                                            \
        NEXT(name);                                                                              \
        if (!record_active()) {                                                                  \
            return next(fd, data, len, offset);                                                  \
        }                                                                                        \
        record_enter();                                                                          \
        ssize_t written = next(fd, data, len, offset);                                           \
        written = note(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, offset); \
        record_leave();                                                                          \
        return written;                                                                          \
    }

#define DEFINE_PWRITEV(name)                                                        \
    EXPORT ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) \
    {                                                                               \
        NEXT(name);                                                                 \
        if (!record_active()) {                                                     \
            return next(fd, parts, count, offset);                                  \
        }                                                                           \
        record_enter();                                                             \
        ssize_t written = next(fd, parts, count, offset);                           \
        written = note(fd, parts, count, written, offset);                          \
        record_leave();                                                             \
        return written;                                                             \
    }

DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)
DEFINE_PWRITEV(pwritev)
DEFINE_PWRITEV(pwritev64)

EXPORT ssize_t send(int fd, const void *data, size_t len, int flags)
{
    NEXT(send);
    if (!record_active()) {
        return next(fd, data, len, flags);
    }
    record_enter();
    ssize_t written = next(fd, data, len, flags);
    written = note(fd, &(struct iovec){ (void *)(uintptr_t)data, len }, 1, written, -1);
    record_leave();
    return written;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    if (!record_active()) {
        return next(fd, message, flags);
    }
    record_enter();
    ssize_t written = next(fd, message, flags);
    written = note(fd, message->msg_iov, (int)message->msg_iovlen, written, -1);
    record_leave();
    return written;
}

/* ---- size ---- */

#define DEFINE_FTRUNCATE(name)                                   \
    EXPORT int name(int fd, off_t size)                          \
    {                                                            \
        uint64_t ino;                                            \
        NEXT(name);                                              \
        if (!record_active()) {                                  \
            return next(fd, size);                               \
        }                                                        \
        record_enter();                                          \
        int result = next(fd, size);                             \
        if (result == 0 && record_on_disk(fd, &ino)) {           \
            record_plain(RECORD_RESIZE, ino, (uint64_t)size, 0); \
            record_change();                                     \
        }                                                        \
        record_leave();                                          \
        return result;                                           \
    }

/* Where 0 is success for both: only the plain mode without flags is known here. */
#define DEFINE_FALLOCATE(name)                                               \
    EXPORT int name(int fd, off_t offset, off_t len)                         \
    {                                                                        \
        uint64_t ino;                                                        \
        NEXT(name);                                                          \
        if (!record_active()) {                                              \
            return next(fd, offset, len);                                    \
        }                                                                    \
        record_enter();                                                      \
        int result = next(fd, offset, len);                                  \
        if (result == 0 && record_on_disk(fd, &ino)) {                       \
            record_plain(RECORD_ROOM, ino, (uint64_t)offset, (uint64_t)len); \
            record_change();                                                 \
        }                                                                    \
        record_leave();                                                      \
        return result;                                                       \
    }

DEFINE_FTRUNCATE(ftruncate)
DEFINE_FTRUNCATE(ftruncate64)
DEFINE_FALLOCATE(posix_fallocate)
DEFINE_FALLOCATE(posix_fallocate64)

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
    uint64_t ino;
    NEXT(fallocate);
    if (!record_active()) {
        return next(fd, mode, offset, len);
    }
    record_enter();
    int result = next(fd, mode, offset, len);
    if (result == 0 && record_on_disk(fd, &ino)) {
        if (mode != 0) {
            record_escape("fallocate with a mode");
        }
        record_plain(RECORD_ROOM, ino, (uint64_t)offset, (uint64_t)len);
        record_change();
    }
    record_leave();
    return result;
}

