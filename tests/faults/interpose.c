/* When a call fails, and calls for memory and threads. */
#define _GNU_SOURCE 1
#include "interpose_real.h"

#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "core/fault.h"

#define UNCHECKED __attribute__((no_sanitize("address")))    /* runs before the sanitizer does */
static struct fault_plan plan;
static atomic_bool armed;
static atomic_uint_fast64_t passes;
static atomic_uint_fast64_t failures;
static __thread bool exempt = true;    /* what the sanitizer does at the start of a thread */

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
    return faults_strike(CALL_GROWTH) != 0;
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

UNCHECKED bool faults_watched(void)
{
    return !exempt && atomic_load_explicit(&armed, memory_order_relaxed);
}

UNCHECKED bool faults_of_libuv(const void *caller)
{
    return is_in(&libuv, caller);
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
UNCHECKED int faults_strike(enum fault_call call)
{
    if (!faults_watched()) {
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
    if (!faults_watched() || is_in(&loader, caller) || faults_strike(CALL_MEMORY) == 0) {
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
    if (!faults_of_libuv(caller) && memory_fails(caller)) {
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

/* ---- threads ---- */

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
    int code = faults_strike(CALL_THREAD);
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
