/* What this program could not follow: the record says that it is not complete. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder.h"

/* LMDB keeps its table of readers in a map that is written to, and makes it anew when it opens an
 * environment that nobody else has open. */
static bool is_lock_file(int fd)
{
    char link[64];
    char path[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL && (strcmp(slash, "/lock.mdb") == 0 || strstr(slash, "-lock") != NULL);
}

#define DEFINE_MMAP(name)                                                                    \
    EXPORT void *name(void *at, size_t len, int protection, int flags, int fd, off_t offset) \
    {                                                                                        \
        uint64_t ino;                                                                        \
        NEXT(name);                                                                          \
        if (record_active() && fd >= 0 && (protection & PROT_WRITE) != 0 &&                  \
            (flags & (MAP_SHARED | MAP_SHARED_VALIDATE)) != 0) {                             \
            record_enter();                                                                  \
            if (record_on_disk(fd, &ino) && !is_lock_file(fd)) {                             \
                record_escape("a map that can be written to");                               \
            }                                                                                \
            record_leave();                                                                  \
        }                                                                                    \
        return next(at, len, protection, flags, fd, offset);                                 \
    }

DEFINE_MMAP(mmap)
DEFINE_MMAP(mmap64)

#define DEFINE_REFUSED(name, parameters) \
    EXPORT int name parameters           \
    {                                    \
        if (record_active()) {           \
            record_enter();              \
            record_escape(#name);        \
            record_leave();              \
        }                                \
        errno = ENOSYS;                  \
        return -1;                       \
    }

DEFINE_REFUSED(link, (const char *from, const char *to))
DEFINE_REFUSED(linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags))
DEFINE_REFUSED(symlink, (const char *text, const char *path))
DEFINE_REFUSED(symlinkat, (const char *text, int dir_fd, const char *path))
DEFINE_REFUSED(msync, (void *at, size_t len, int flags))
DEFINE_REFUSED(truncate, (const char *path, off_t size))
DEFINE_REFUSED(sync_file_range, (int fd, off_t offset, off_t len, unsigned flags))
DEFINE_REFUSED(renameat2, (int from_fd, const char *from, int to_fd, const char *to,
                           unsigned flags))
