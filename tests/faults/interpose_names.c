/* Calls that name files or look at them: they fail before they have done anything. */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "interpose_real.h"

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    REAL(renameat)
    int code = faults_strike(CALL_RENAME);
    return code > 0 ? faults_fail(code) : real(from_fd, from, to_fd, to);
}

int rename(const char *from, const char *to)
{
    REAL(rename)
    int code = faults_strike(CALL_RENAME);
    return code > 0 ? faults_fail(code) : real(from, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    REAL(renameat2)
    int code = faults_strike(CALL_RENAME);
    return code > 0 ? faults_fail(code) : real(from_fd, from, to_fd, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir)
    int code = faults_strike(CALL_MKDIR);
    return code > 0 ? faults_fail(code) : real(path, mode);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    REAL(mkdirat)
    int code = faults_strike(CALL_MKDIR);
    return code > 0 ? faults_fail(code) : real(dir_fd, path, mode);
}

int stat(const char *path, struct stat *ret_info)
{
    REAL(stat)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(path, ret_info);
}

int lstat(const char *path, struct stat *ret_info)
{
    REAL(lstat)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(path, ret_info);
}

int fstat(int fd, struct stat *ret_info)
{
    REAL(fstat)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(fd, ret_info);
}

int fstatvfs(int fd, struct statvfs *ret_info)
{
    REAL(fstatvfs)
    int code = faults_strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(fd, ret_info);
}

DIR *opendir(const char *path)
{
    REAL(opendir)
    int code = faults_strike(CALL_LOOK);
    if (code > 0) {
        errno = code;
        return NULL;
    }
    return real(path);
}

DIR *fdopendir(int fd)
{
    REAL(fdopendir)
    int code = faults_strike(CALL_LOOK);
    if (code > 0) {
        errno = code;
        return NULL;
    }
    return real(fd);
}

struct dirent *readdir(DIR *dir)
{
    REAL(readdir)
    int code = faults_strike(CALL_LOOK);
    if (code > 0) {
        errno = code;
        return NULL;
    }
    return real(dir);
}

int unlink(const char *path)
{
    REAL(unlink)
    int code = faults_strike(CALL_UNLINK);
    return code > 0 ? faults_fail(code) : real(path);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    REAL(unlinkat)
    int code = faults_strike(CALL_UNLINK);
    return code > 0 ? faults_fail(code) : real(dir_fd, path, flags);
}

int rmdir(const char *path)
{
    REAL(rmdir)
    int code = faults_strike(CALL_UNLINK);
    return code > 0 ? faults_fail(code) : real(path);
}
