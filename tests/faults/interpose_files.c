/* Calls of files, and of descriptors that may be one. */
#define _GNU_SOURCE 1
#include "interpose_real.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_bool disk_full;
static atomic_bool disk_hidden;
static atomic_uint_fast64_t disk_refusals;

void faults_disk_full(bool full, bool hidden)
{
    atomic_store(&disk_hidden, hidden);
    atomic_store(&disk_full, full);
}

uint64_t faults_disk_refusals(void)
{
    return atomic_load(&disk_refusals);
}

/* Of the interposer itself: does not count. */
static int look(int fd, struct stat *ret_info)
{
    return fstatat(fd, "", ret_info, AT_EMPTY_PATH);
}

/* Bytes of @len that a write at @offset may write on a disk that is full; -1: all. */
static ssize_t room_on_disk(int fd, size_t len, off_t offset)
{
    struct stat info;
    if (!atomic_load(&disk_full) || look(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        offset + (off_t)len <= info.st_size) {
        return -1;
    }
    atomic_fetch_add(&disk_refusals, 1);
    return offset >= info.st_size ? 0 : (ssize_t)(info.st_size - offset);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite)
    int code = faults_strike(CALL_PWRITE);
    if (code > 0) {
        return faults_fail(code);
    }
    ssize_t room = room_on_disk(fd, len, offset);
    if (room == 0) {
        return faults_fail(ENOSPC);
    }
    len = room > 0 ? (size_t)room : len;
    return real(fd, data, code == FAULT_SHORT ? (len + 1) / 2 : len, offset);
}

static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

static bool is_regular(int fd)
{
    struct stat info;
    return look(fd, &info) == 0 && S_ISREG(info.st_mode);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev)
    bool file = is_regular(fd);
    int code = file            ? faults_strike(CALL_FILE_WRITEV)
               : is_socket(fd) ? faults_strike(CALL_SEND)
                               : 0;
    if (code > 0) {
        return faults_fail(code);
    }
    if (file) {
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            len += parts[i].iov_len;
        }
        ssize_t room = room_on_disk(fd, len, lseek(fd, 0, SEEK_CUR));
        if (room >= 0) {
            return room == 0 ? faults_fail(ENOSPC) : real(fd, parts, 1);
        }
    }
    if (code == FAULT_SHORT) {
        struct iovec part = { parts[0].iov_base, (parts[0].iov_len + 1) / 2 };
        return real(fd, &part, 1);
    }
    return real(fd, parts, count);
}

int fdatasync(int fd)
{
    REAL(fdatasync)
    int code = faults_strike(CALL_SYNC);
    return code > 0 ? faults_fail(code) : real(fd);
}

int fsync(int fd)
{
    REAL(fsync)
    int code = faults_strike(CALL_SYNC);
    return code > 0 ? faults_fail(code) : real(fd);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    REAL(pread)
    int code = faults_strike(CALL_PREAD);
    return code > 0 ? faults_fail(code) : real(fd, data, len, offset);
}

static bool refuses_file(int dir_fd, const char *path, int flags)
{
    struct stat info;
    if (!atomic_load(&disk_full) || (flags & O_CREAT) == 0 ||
        fstatat(dir_fd, path, &info, 0) == 0) {
        return false;
    }
    atomic_fetch_add(&disk_refusals, 1);
    return true;
}

int open(const char *path, int flags, ...)
{
    REAL(open)
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    int code = faults_strike(CALL_OPEN);
    code = code == 0 && refuses_file(AT_FDCWD, path, flags) ? ENOSPC : code;
    return code > 0 ? faults_fail(code) : real(path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    REAL(openat)
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    int code = faults_strike(CALL_OPEN);
    code = code == 0 && refuses_file(dir_fd, path, flags) ? ENOSPC : code;
    return code > 0 ? faults_fail(code) : real(dir_fd, path, flags, mode);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap)
    int code = fd >= 0 ? faults_strike(CALL_MMAP) : 0;
    if (code > 0) {
        errno = code;
        return MAP_FAILED;
    }
    return real(at, len, protection, flags, fd, offset);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
    REAL(posix_fallocate)
    int code = faults_strike(CALL_FALLOCATE);
    if (code <= 0 && room_on_disk(fd, (size_t)len, offset) >= 0) {
        code = ENOSPC;
    }
    return code > 0 ? code : real(fd, offset, len);
}

ssize_t getrandom(void *data, size_t len, unsigned flags)
{
    REAL(getrandom)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(data, len, flags);
}

int ftruncate(int fd, off_t len)
{
    REAL(ftruncate)
    int code = faults_strike(CALL_FALLOCATE);
    return code > 0 ? faults_fail(code) : real(fd, len);
}

int dup(int fd)
{
    REAL(dup)
    int code = faults_strike(CALL_DUP);
    return code > 0 ? faults_fail(code) : real(fd);
}

/* Of its commands those that duplicate a descriptor. */
int fcntl(int fd, int command, ...)
{
    REAL(fcntl)
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);    /* or an int: nobody looks at the rest */
    va_end(args);
    int code = command == F_DUPFD || command == F_DUPFD_CLOEXEC ? faults_strike(CALL_DUP) : 0;
    return code > 0 ? faults_fail(code) : real(fd, command, arg);
}

ssize_t readahead(int fd, off_t offset, size_t len)
{
    REAL(readahead)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(fd, offset, len);
}

int statvfs(const char *path, struct statvfs *ret_info)
{
    REAL(statvfs)
    int code = faults_strike(CALL_LOOK);
    if (code > 0) {
        return faults_fail(code);
    }
    int result = real(path, ret_info);
    if (result == 0 && atomic_load(&disk_full) && !atomic_load(&disk_hidden)) {
        ret_info->f_bavail = ret_info->f_bfree = 0;
    }
    return result;
}

ssize_t read(int fd, void *data, size_t len)
{
    REAL(read)
    int code = 0;
    if (faults_watched()) {
        code = faults_strike(is_socket(fd)    ? CALL_RECV
                      : is_regular(fd) ? CALL_FILE_READ
                                       : CALL_WAKE);
    }
    return code > 0 ? faults_fail(code) : real(fd, data, code == FAULT_SHORT ? 1 : len);
}

static bool is_pipe(int fd)
{
    struct stat info;
    return look(fd, &info) == 0 && S_ISFIFO(info.st_mode);
}

/* Where nothing is a file or a socket libuv wakes a loop, or has a pipe for signals: that has always
 * room, and libuv ends the process if it had not. */
ssize_t write(int fd, const void *data, size_t len)
{
    REAL(write)
    int code = 0;
    if (faults_watched() && faults_of_libuv(__builtin_return_address(0)) && !is_pipe(fd)) {
        code = faults_strike(is_socket(fd) ? CALL_SEND : CALL_WAKE);
    } else if (faults_watched() && is_regular(fd)) {
        code = faults_strike(CALL_FILE_WRITE);
    }
    return code > 0 ? faults_fail(code) : real(fd, data, code == FAULT_SHORT ? (len + 1) / 2 : len);
}
