/* Files and directories that are made, renamed and removed. */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

/* ---- opening ---- */

static int open_recorded(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct place place;
    struct stat before;
    NEXT(openat);
    if (!record_active() || (flags & (O_CREAT | O_TRUNC)) == 0 ||
        (flags & O_TMPFILE) == O_TMPFILE) {
        return next(dir_fd, path, record_no_sync ? flags & ~(O_DSYNC | O_SYNC) : flags, mode);
    }
    record_enter();
    bool ours = record_find_place(dir_fd, path, &place);
    bool there = ours && record_look(dir_fd, path, &before);
    int fd = next(dir_fd, path, flags, mode);
    struct stat after;
    if (fd >= 0 && ours && fstat(fd, &after) == 0) {
        if (!there) {
            record_named(RECORD_CREATE, after.st_ino, place.directory, 0, place.name,
                     strlen(place.name));
            record_change();
        } else if ((flags & O_TRUNC) != 0 && before.st_size > 0) {
            record_plain(RECORD_RESIZE, after.st_ino, 0, 0);
            record_change();
        }
    }
    record_leave();
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                  \
    EXPORT int name(const char *path, int flags, ...)      \
    {                                                      \
        va_list args;                                      \
        va_start(args, flags);                             \
        mode_t mode = mode_of(flags, args);                \
        va_end(args);                                      \
        return open_recorded(AT_FDCWD, path, flags, mode); \
    }

#define DEFINE_OPENAT(name)                                       \
    EXPORT int name(int dir_fd, const char *path, int flags, ...) \
    {                                                             \
        va_list args;                                             \
        va_start(args, flags);                                    \
        mode_t mode = mode_of(flags, args);                       \
        va_end(args);                                             \
        return open_recorded(dir_fd, path, flags, mode);          \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

EXPORT int creat(const char *path, mode_t mode)
{
    return open_recorded(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* ---- names ---- */

static void note_rename(struct place source, uint64_t ino, int to_fd, const char *to)
{
    struct place target;
    char names[2 * (NAME_MAX + 1)];
    if (!record_find_place(to_fd, to, &target)) {
        record_escape("a rename out of the disk");
        return;
    }
    int len = snprintf(names, sizeof names, "%s%c%s", source.name, 0, target.name);
    record_named(RECORD_RENAME, ino, source.directory, target.directory, names, (size_t)len);
    record_change();
}

static int rename_recorded(int from_fd, const char *from, int to_fd, const char *to)
{
    struct place source;
    struct stat info;
    NEXT(renameat);
    if (!record_active()) {
        return next(from_fd, from, to_fd, to);
    }
    record_enter();
    bool ours = record_find_place(from_fd, from, &source) && record_look(from_fd, from, &info);
    int result = next(from_fd, from, to_fd, to);
    if (result == 0 && ours) {
        note_rename(source, info.st_ino, to_fd, to);
    } else if (result == 0 && record_find_place(to_fd, to, &source)) {
        record_escape("a rename into the disk");
    }
    record_leave();
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
    if (!record_active()) {
        return next(dir_fd, path, flags);
    }
    record_enter();
    bool ours = record_find_place(dir_fd, path, &place) && record_look(dir_fd, path, &info);
    int result = next(dir_fd, path, flags);
    if (result == 0 && ours) {
        record_named(RECORD_UNLINK, info.st_ino, place.directory, 0, place.name,
                     strlen(place.name));
        record_change();
    }
    record_leave();
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
    if (!record_active()) {
        return next(dir_fd, path, mode);
    }
    record_enter();
    int result = next(dir_fd, path, mode);
    if (result == 0 && record_find_place(dir_fd, path, &place) &&
        record_look(dir_fd, path, &info)) {
        record_named(RECORD_MKDIR, info.st_ino, place.directory, 0, place.name,
                     strlen(place.name));
        record_change();
    }
    record_leave();
    return result;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

