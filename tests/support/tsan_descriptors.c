/* ThreadSanitizer keeps a history of each descriptor number, by the calls that it intercepts. Two
 * are none of them: openat, and the system call by which libuv closes. A file opened under a number
 * that was a socket's would seem shared with whoever used that socket. Here both become calls that
 * it knows: openat, linked with --wrap, an open; libuv's call, which finds this one, a close. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int __wrap_openat(int dir_fd, const char *path, int flags, ...);

int __wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    char place[PATH_MAX];
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (dir_fd == AT_FDCWD || path[0] == '/') {
        return open(path, flags, mode);
    }
    (void)snprintf(place, sizeof place, "/proc/self/fd/%d/%s", dir_fd, path);
    return open(place, flags, mode);
}

long syscall(long number, ...)
{
    long at[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        at[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_close) {
        return close((int)at[0]);
    }
    long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (next == NULL) {
        abort();
    }
    return next(number, at[0], at[1], at[2], at[3], at[4], at[5]);
}
