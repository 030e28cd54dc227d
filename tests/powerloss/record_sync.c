/* Syncs, and the one that fails. SS_POWERLOSS_FAIL has three words. What is synced:
 *
 *     log      a file of the log
 *     spare    a file that is being made, or was used before
 *     data     LMDB's data file
 *     meta     the same, by a write through a descriptor with O_DSYNC
 *     names    a directory
 *
 * then which of these, from 1 on, and after how many changes more kill -9 follows; 0: never.
 *
 * The write is done and the sync is not; both say EIO, as the kernel does when the disk did not
 * take what was written. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

static uint64_t syncs;
static char fail_kind[16];
static long fail_after;    /* 0: none fails any more */
static long kill_then;

void record_fail_begin(const char *text)
{
    if (text != NULL && sscanf(text, "%15s %ld %ld", fail_kind, &fail_after, &kill_then) != 3) {
        record_escape("SS_POWERLOSS_FAIL cannot be read");
    }
}

/* What it is, in the words above; NULL: something else. */
static const char *kind_of(int fd, bool written)
{
    static char path[PATH_MAX];    /* there is one thread here */
    char link[64];
    struct stat info;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        return "names";
    }
    if (strncmp(name, "data.", 5) == 0) {
        return written ? "meta" : "data";
    }
    return strncmp(name, "log-", 4) == 0                                         ? "log"
           : strncmp(name, "spare-", 6) == 0 || strcmp(name, "log.new") == 0 ? "spare"
                                                                                 : NULL;
}

bool record_fails(int fd, bool written)
{
    if (fail_after == 0) {
        return false;
    }
    int code = errno;
    const char *kind = kind_of(fd, written);
    errno = code;
    if (kind == NULL || strcmp(kind, fail_kind) != 0 || --fail_after > 0) {
        return false;
    }
    if (kill_then > 0) {
        record_kill_after(kill_then);
    }
    return true;
}

struct sync {
    uint64_t ino;    /* 0: it is none of the disk's */
    uint64_t number;
    bool fails;
};

static struct sync note_sync(int fd)
{
    struct sync sync = { 0 };
    record_enter();
    if (record_on_disk(fd, &sync.ino)) {
        sync.number = (uint64_t)getpid() << 32 | ++syncs;
        record_plain(RECORD_SYNC, sync.ino, sync.number, 0);
        record_change();
        sync.fails = record_fails(fd, false);
    }
    record_leave();
    return sync;
}

static void note_end(const struct sync *sync)
{
    record_enter();
    record_plain(sync->fails ? RECORD_FAILED : RECORD_SYNCED, sync->ino, sync->number, 0);
    record_change();
    record_leave();
}

#define DEFINE_SYNC(name)                                   \
    EXPORT int name(int fd)                                 \
    {                                                       \
        NEXT(name);                                         \
        if (record_no_sync) {                               \
            return 0;                                       \
        }                                                   \
        if (!record_active()) {                             \
            return next(fd);                                \
        }                                                   \
        struct sync sync = note_sync(fd);                   \
        int result = sync.fails ? -1 : next(fd);            \
        if (sync.ino != 0 && (result == 0 || sync.fails)) { \
            note_end(&sync);                                \
        }                                                   \
        errno = sync.fails ? EIO : errno;                   \
        return result;                                      \
    }

DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)
