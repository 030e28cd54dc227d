#define _GNU_SOURCE 1
#include "interpose_real.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>
#include <uv.h>

#include "core/fault.h"

#define UNCHECKED __attribute__((no_sanitize("address")))    /* runs before the sanitizer does */
static struct fault_plan plan;
static atomic_bool armed;
static atomic_bool disk_full;
static atomic_bool disk_hidden;
static atomic_uint_fast64_t passes;
static atomic_uint_fast64_t failures;
static atomic_uint_fast64_t disk_refusals;
static __thread bool exempt = true;    /* what the sanitizer does at the start of a thread */
static __thread bool in_poll_init;

static int strike(enum fault_call call);

struct range {
    uintptr_t begin;
    uintptr_t end;
};
static struct range loader;
static struct range libuv;

static int note_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    struct range *range = strstr(info->dlpi_name, "ld-linux") != NULL ? &loader
                          : strstr(info->dlpi_name, "libuv") != NULL  ? &libuv
                                                                      : NULL;
    for (int i = 0; range != NULL && i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;
            range->begin = range->begin == 0 || begin < range->begin ? begin : range->begin;
            range->end = end > range->end ? end : range->end;
        }
    }
    return 0;
}

UNCHECKED static bool is_in(const struct range *range, const void *address)
{
    return (uintptr_t)address >= range->begin && (uintptr_t)address < range->end;
}

#ifdef SS_FAULTS
static bool growth_fails(void)
{
    return strike(CALL_GROWTH) != 0;
}
#endif

void faults_arm(const struct fault_plan *wanted)
{
#ifdef SS_FAULTS
    ss__fault_memory = growth_fails;    /* asked again and again, armed or not */
#endif
    if (loader.begin == 0) {
        (void)dl_iterate_phdr(note_object, NULL);
    }
    if (wanted->sites != NULL) {
        for (uint32_t i = 0; i < wanted->sites->count; i++) {
            wanted->sites->sites[i].now = 0;
        }
    }
    plan = *wanted;
    atomic_store(&passes, 0);
    atomic_store(&failures, 0);
    atomic_store(&armed, true);
}

void faults_disarm(void)
{
    atomic_store(&armed, false);
}

uint64_t faults_passes(void)
{
    return atomic_load(&passes);
}

uint64_t faults_failures(void)
{
    return atomic_load(&failures);
}

void faults_include_me(bool yes)
{
    exempt = !yes;
}

void faults_disk_full(bool full, bool hidden)
{
    atomic_store(&disk_hidden, hidden);
    atomic_store(&disk_full, full);
}

uint64_t faults_disk_refusals(void)
{
    return atomic_load(&disk_refusals);
}

UNCHECKED static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

/* One of the errors that a call may give at any time without anything being lost. */
UNCHECKED static int chance_code(enum fault_call call, uint64_t lot)
{
    switch (call) {
    case CALL_MEMORY:
    case CALL_GROWTH:
    case CALL_MMAP:
        return ENOMEM;
    case CALL_PWRITE:
        return (int[]){ EINTR, FAULT_SHORT, ENOSPC, EINTR }[lot % 4];
    case CALL_FILE_WRITEV:
    case CALL_FALLOCATE:
        return ENOSPC;
    case CALL_OPEN:
    case CALL_DUP:
    case CALL_SOCKET:
        return lot % 2 == 0 ? EMFILE : ENFILE;
    case CALL_ACCEPT:
        return (int[]){ EMFILE, ECONNABORTED, EINTR, ENOMEM }[lot % 4];
    case CALL_RECV:
        return (int[]){ EINTR, EAGAIN, FAULT_SHORT, ECONNRESET }[lot % 4];
    case CALL_SEND:
        return (int[]){ EINTR, EAGAIN, FAULT_SHORT, FAULT_SHORT }[lot % 4];
    case CALL_WAKE:
        return EINTR;
    case CALL_THREAD:
        return EAGAIN;
    case CALL_EPOLL_ADD:
        return ENOMEM;
    default:
        return 0;
    }
}

#define FRAMES_SKIPPED 3    /* of this file */
#define FRAMES 7

struct frames {
    unsigned count;
    uint64_t path;
};

UNCHECKED static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *ctx)
{
    struct frames *frames = ctx;
    if (frames->count++ >= FRAMES_SKIPPED) {
        frames->path = mix(frames->path ^ _Unwind_GetIP(context));
    }
    return frames->count == FRAMES_SKIPPED + FRAMES ? _URC_END_OF_STACK : _URC_NO_REASON;
}

/* Whether this pass of its site is the one that fails. */
UNCHECKED static bool strikes_site(void)
{
    struct frames frames = { 0, 0 };
    struct fault_sites *sites = plan.sites;
    exempt = true;
    (void)_Unwind_Backtrace(add_frame, &frames);
    exempt = false;
    uint32_t at = 0;
    while (at < sites->count && sites->sites[at].path != frames.path) {
        at++;
    }
    if (at == FAULT_SITES_MAX) {
        return false;
    }
    if (at == sites->count) {
        sites->sites[at].path = frames.path;
        sites->count++;
    }
    uint32_t now = ++sites->sites[at].now;
    sites->sites[at].passes = now > sites->sites[at].passes ? now : sites->sites[at].passes;
    return plan.first != 0 && at == plan.site && now >= plan.first &&
           now - plan.first < plan.count;
}

/* What this pass has to answer: 0, an errno or FAULT_SHORT. */
UNCHECKED static int strike(enum fault_call call)
{
    if (exempt || !atomic_load_explicit(&armed, memory_order_relaxed)) {
        return 0;
    }
    if (plan.per_million != 0) {
        uint64_t pass = atomic_fetch_add(&passes, 1) + 1;
        uint64_t lot = mix(plan.seed * UINT64_C(0x9e3779b97f4a7c15) + pass);
        int code = lot % 1000000 < plan.per_million ? chance_code(call, lot >> 32) : 0;
        if (code != 0) {
            atomic_fetch_add(&failures, 1);
        }
        return code;
    }
    if (call != plan.call) {
        return 0;
    }
    uint64_t pass = atomic_fetch_add(&passes, 1) + 1;
    if (plan.sites != NULL) {
        bool struck = strikes_site();
        atomic_fetch_add(&failures, struck ? 1 : 0);
        return struck ? plan.code : 0;
    }
    if (plan.first == 0 || pass < plan.first || pass - plan.first >= plan.count) {
        return 0;
    }
    atomic_fetch_add(&failures, 1);
    return plan.code;
}

int faults_strike(enum fault_call call)
{
    return strike(call);
}

/* ---- memory ---- */

extern void *__interceptor_malloc(size_t) __attribute__((weak));
extern void *__interceptor_calloc(size_t, size_t) __attribute__((weak));
extern void *__interceptor_realloc(void *, size_t) __attribute__((weak));
extern int __interceptor_posix_memalign(void **, size_t, size_t) __attribute__((weak));
extern void *__interceptor_aligned_alloc(size_t, size_t) __attribute__((weak));
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

UNCHECKED static bool memory_fails(const void *caller)
{
    if (exempt || !atomic_load_explicit(&armed, memory_order_relaxed) ||
        is_in(&loader, caller) || strike(CALL_MEMORY) == 0) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

UNCHECKED void *malloc(size_t size)
{
    if (memory_fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_malloc != NULL ? __interceptor_malloc(size) : __libc_malloc(size);
}

UNCHECKED void *calloc(size_t count, size_t size)
{
    if (memory_fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, size)
                                        : __libc_calloc(count, size);
}

UNCHECKED void *realloc(void *old, size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (!is_in(&libuv, caller) && memory_fails(caller)) {
        return NULL;
    }
    return __interceptor_realloc != NULL ? __interceptor_realloc(old, size)
                                         : __libc_realloc(old, size);
}

UNCHECKED int posix_memalign(void **ret, size_t alignment, size_t size)
{
    if (memory_fails(__builtin_return_address(0))) {
        return ENOMEM;
    }
    if (__interceptor_posix_memalign != NULL) {
        return __interceptor_posix_memalign(ret, alignment, size);
    }
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) {
        return ENOMEM;
    }
    *ret = memory;
    return 0;
}

UNCHECKED void *aligned_alloc(size_t alignment, size_t size)
{
    if (memory_fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_aligned_alloc != NULL ? __interceptor_aligned_alloc(alignment, size)
                                               : __libc_memalign(alignment, size);
}

/* The sanitizer's own would not come to the malloc above. */
UNCHECKED char *strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = malloc(len);
    return copy == NULL ? NULL : memcpy(copy, text, len);
}

/* ---- files ---- */

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
    int code = strike(CALL_PWRITE);
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
    int code = file ? strike(CALL_FILE_WRITEV) : is_socket(fd) ? strike(CALL_SEND) : 0;
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
    int code = strike(CALL_SYNC);
    return code > 0 ? faults_fail(code) : real(fd);
}

int fsync(int fd)
{
    REAL(fsync)
    int code = strike(CALL_SYNC);
    return code > 0 ? faults_fail(code) : real(fd);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    REAL(pread)
    int code = strike(CALL_PREAD);
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
    int code = strike(CALL_OPEN);
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
    int code = strike(CALL_OPEN);
    code = code == 0 && refuses_file(dir_fd, path, flags) ? ENOSPC : code;
    return code > 0 ? faults_fail(code) : real(dir_fd, path, flags, mode);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap)
    int code = fd >= 0 ? strike(CALL_MMAP) : 0;
    if (code > 0) {
        errno = code;
        return MAP_FAILED;
    }
    return real(at, len, protection, flags, fd, offset);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
    REAL(posix_fallocate)
    int code = strike(CALL_FALLOCATE);
    if (code <= 0 && room_on_disk(fd, (size_t)len, offset) >= 0) {
        code = ENOSPC;
    }
    return code > 0 ? code : real(fd, offset, len);
}

ssize_t getrandom(void *data, size_t len, unsigned flags)
{
    REAL(getrandom)
    int code = strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(data, len, flags);
}

int ftruncate(int fd, off_t len)
{
    REAL(ftruncate)
    int code = strike(CALL_FALLOCATE);
    return code > 0 ? faults_fail(code) : real(fd, len);
}

int dup(int fd)
{
    REAL(dup)
    int code = strike(CALL_DUP);
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
    int code = command == F_DUPFD || command == F_DUPFD_CLOEXEC ? strike(CALL_DUP) : 0;
    return code > 0 ? faults_fail(code) : real(fd, command, arg);
}

ssize_t readahead(int fd, off_t offset, size_t len)
{
    REAL(readahead)
    int code = strike(CALL_LOOK);
    return code > 0 ? faults_fail(code) : real(fd, offset, len);
}

int statvfs(const char *path, struct statvfs *ret_info)
{
    REAL(statvfs)
    int code = strike(CALL_LOOK);
    if (code > 0) {
        return faults_fail(code);
    }
    int result = real(path, ret_info);
    if (result == 0 && atomic_load(&disk_full) && !atomic_load(&disk_hidden)) {
        ret_info->f_bavail = ret_info->f_bfree = 0;
    }
    return result;
}

/* ---- sockets and loops ---- */

ssize_t read(int fd, void *data, size_t len)
{
    REAL(read)
    int code = 0;
    if (!exempt && atomic_load_explicit(&armed, memory_order_relaxed)) {
        code = strike(is_socket(fd)    ? CALL_RECV
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
    if (!exempt && atomic_load_explicit(&armed, memory_order_relaxed) &&
        is_in(&libuv, __builtin_return_address(0)) && !is_pipe(fd)) {
        code = strike(is_socket(fd) ? CALL_SEND : CALL_WAKE);
    } else if (!exempt && is_regular(fd)) {
        code = strike(CALL_FILE_WRITE);
    }
    return code > 0 ? faults_fail(code) : real(fd, data, code == FAULT_SHORT ? (len + 1) / 2 : len);
}

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
    REAL(uv_poll_init)
    in_poll_init = true;
    int err = real(loop, handle, fd);
    in_poll_init = false;
    return err;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl)
    int code = in_poll_init && operation == EPOLL_CTL_ADD ? strike(CALL_EPOLL_ADD) : 0;
    return code > 0 ? faults_fail(code) : real(epoll, operation, fd, event);
}

struct start {
    void *(*run)(void *);
    void *arg;
};

static void *run_included(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    exempt = false;
    void *result = start.run(start.arg);
    exempt = true;
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    REAL(pthread_create)
    int code = strike(CALL_THREAD);
    bool before = exempt;
    exempt = true;
    struct start *start = code > 0 ? NULL : malloc(sizeof *start);
    exempt = before;
    if (start == NULL) {
        return EAGAIN;
    }
    *start = (struct start){ run, arg };
    code = real(thread, attributes, run_included, start);
    if (code != 0) {
        free(start);
    }
    return code;
}

const char *faults_call_name(enum fault_call call)
{
    static const char *const names[CALL_COUNT] = {
        "memory", "growth", "pwrite",   "file-writev", "sync",         "pread",   "open",   "mmap",
        "fallocate", "rename", "mkdir",      "dup",          "accept",  "recv",   "send",
        "wake",   "epoll-add", "epoll-create", "eventfd",    "socket",  "thread", "lmdb-read",
        "lmdb-write", "lmdb-look", "file-read", "file-write", "look", "unlink",
    };
    return names[call];
}
