/* interpose.h - allocations and system calls of the whole process that fail when they are told to.
 *
 * The program defines malloc and the calls itself, so that those of libuv, LMDB, protobuf-c and the
 * C library come through here as well as ours. A thread may be exempt: the test's own client is.
 *
 * Left out, because the code that calls ends the process by itself: what the dynamic loader
 * allocates for a thread, the table of descriptors that libuv grows (docs/operations.md), and
 * epoll_ctl inside its loop, after the same call has been tried and taken back. */
#ifndef SS_FAULTS_INTERPOSE_H
#define SS_FAULTS_INTERPOSE_H

#include <stdbool.h>
#include <stdint.h>

enum fault_call {
    CALL_MEMORY,        /* malloc, calloc, realloc, posix_memalign, aligned_alloc, strdup */
    CALL_GROWTH,        /* of arenas and maps, also when there is room (core/fault.h) */
    CALL_PWRITE,
    CALL_FILE_WRITEV,
    CALL_SYNC,          /* fdatasync, fsync */
    CALL_PREAD,
    CALL_OPEN,          /* open, openat */
    CALL_MMAP,          /* of files */
    CALL_FALLOCATE,
    CALL_RENAME,
    CALL_MKDIR,
    CALL_DUP,
    CALL_ACCEPT,
    CALL_RECV,          /* recv, read of sockets */
    CALL_SEND,          /* writev, sendmsg, send of sockets */
    CALL_WAKE,          /* read and write of eventfds */
    CALL_EPOLL_ADD,     /* in uv_poll_init */
    CALL_EPOLL_CREATE,
    CALL_EVENTFD,
    CALL_SOCKET,        /* socket, bind, listen */
    CALL_THREAD,        /* pthread_create */
    CALL_LMDB_READ,     /* transactions, gets, cursors */
    CALL_LMDB_WRITE,    /* puts, deletions, commits, opening */
    CALL_LMDB_LOOK,     /* what an environment says of itself */
    CALL_FILE_READ,     /* read of files */
    CALL_FILE_WRITE,    /* write of files */
    CALL_LOOK,          /* stat, fstat, statvfs, opendir, readdir, readahead, getrandom */
    CALL_UNLINK,        /* unlink, unlinkat, rmdir */
    CALL_COUNT,
};

/* Where calls come from: a hash of the frames above, and how often. One thread. */
#define FAULT_SITES_MAX 16384
struct fault_sites {
    uint32_t count;
    struct {
        uint64_t path;
        uint32_t passes;    /* of the run that had most */
        uint32_t now;       /* of this run */
    } sites[FAULT_SITES_MAX];
};

/* Instead of an errno: the call does a part of its work. */
#define FAULT_SHORT (-1)

struct fault_plan {
    enum fault_call call;
    int code;
    uint64_t first;        /* pass that fails first, from 1; 0: none */
    uint64_t count;        /* passes that fail from there on */
    uint32_t per_million;  /* or: each fails by chance; code 0: one that fits the call */
    uint64_t seed;
    struct fault_sites *sites;    /* not NULL: @first counts the passes of one of them, */
    uint64_t site;                /* this one, and new ones are noted */
};

/* Counts from 0 and does what @plan says until faults_disarm. */
void faults_arm(const struct fault_plan *plan);
void faults_disarm(void);

/* The answer that the next pass of @call is to give: 0, an errno or FAULT_SHORT. */
int faults_strike(enum fault_call call);

/* Since faults_arm: passes through the call of the plan, and failures. */
uint64_t faults_passes(void);
uint64_t faults_failures(void);

/* Whether calls of this thread fail and count; true for a new thread. */
void faults_include_me(bool yes);

/* The disk is full from now on: no file gets longer and no new one is made. @hidden: statvfs tells
 * nothing of it, as with a quota. */
void faults_disk_full(bool full, bool hidden);
uint64_t faults_disk_refusals(void);

const char *faults_call_name(enum fault_call call);

#endif
