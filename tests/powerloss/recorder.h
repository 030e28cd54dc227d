/* recorder.h - what the files of the recorder share. Between record_enter and record_leave no other
 * thread changes anything, and what is called is not recorded; errno stays as it was. */
#ifndef SS_TESTS_POWERLOSS_RECORDER_H
#define SS_TESTS_POWERLOSS_RECORDER_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))

/* The next one of that name: a sanitizer's or libc's. */
#define NEXT(name)                                                      \
    static __typeof__(name) *next;                                      \
    if (next == NULL) {                                                 \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);             \
    }

/* A directory entry: the directory it is in and its name in there. */
struct place {
    uint64_t directory;
    const char *name;
};

extern bool record_no_sync;

/* False: it goes past the record. */
bool record_active(void);
void record_enter(void);
void record_leave(void);

/* ---- the trace ---- */

void record_put(enum record_kind kind, unsigned flags, uint64_t ino, uint64_t a, uint64_t b,
                struct iovec names, const struct iovec *data, int data_count);
void record_named(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b, const char *name,
                  size_t len);
void record_plain(enum record_kind kind, uint64_t ino, uint64_t a, uint64_t b);
void record_escape(const char *what);

/* One change more; the kill falls after its record, before anybody else can do anything. */
void record_change(void);
void record_kill_after(long changes);

/* ---- what a descriptor is ---- */

/* Whether it is a file or directory of the disk, and its inode. */
bool record_on_disk(int fd, uint64_t *ret_ino);
bool record_is_socket(int fd, uint64_t *ret_ino);
bool record_find_place(int dir_fd, const char *path, struct place *ret_place);
bool record_look(int dir_fd, const char *path, struct stat *ret_info);

/* ---- the sync that fails ---- */

/* @text: of SS_POWERLOSS_FAIL, or NULL. */
void record_fail_begin(const char *text);

/* Whether the sync of a file of the disk is the one. @written: it belongs to a write. */
bool record_fails(int fd, bool written);

#endif
