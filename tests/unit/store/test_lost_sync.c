/* A sync that failed: the kernel drops what it could not write and keeps it in memory as if it had
 * been written, so that whoever reads the file finds it and no later sync brings it to the disk. The
 * disk below is such a one, for the first file of the log. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "store_fixture.h"

#define SECTOR 512u

/* Defined here, so called before those of the C library. */
#define REAL(name)                                                    \
    static __typeof__(name) *real;                                    \
    if (real == NULL) {                                               \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);           \
    }

static struct {
    ino_t file;         /* 0: none is watched */
    bool fails;         /* the next sync does */
    uint8_t *bytes;     /* what the disk has */
    bool *dirty;        /* sectors that memory has to bring there */
    size_t len;
} disk;

static bool is_watched(int fd)
{
    struct stat info;
    return disk.file != 0 && fstat(fd, &info) == 0 && info.st_ino == disk.file;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite)
    ssize_t done = real(fd, data, len, offset);
    for (ssize_t at = 0; is_watched(fd) && at < done; at++) {
        disk.dirty[(size_t)(offset + at) / SECTOR] = true;
    }
    return done;
}

int fdatasync(int fd)
{
    REAL(fdatasync)
    bool watched = is_watched(fd);
    bool fails = watched && disk.fails;
    for (size_t at = 0; watched && at < disk.len; at += SECTOR) {
        if (disk.dirty[at / SECTOR] && !fails) {
            ss_check(pread(fd, disk.bytes + at, SECTOR, (off_t)at) == SECTOR);
        }
        disk.dirty[at / SECTOR] = false;
    }
    disk.fails = disk.fails && !watched;
    errno = EIO;
    return fails ? -1 : real(fd);
}

/* From here on; what there is now is on the disk. */
static void disk_watch(struct fixture *f)
{
    char path[400];
    struct stat info;
    fixture_log_path(f, 1, path);
    int fd = open(path, O_RDONLY);
    ss_check(fd >= 0 && fstat(fd, &info) == 0);
    disk.len = (size_t)info.st_size;
    disk.bytes = malloc(disk.len);
    disk.dirty = calloc(disk.len / SECTOR, sizeof *disk.dirty);
    ss_check(disk.bytes != NULL && disk.dirty != NULL);
    ss_check(pread(fd, disk.bytes, disk.len, 0) == (ssize_t)disk.len);
    disk.file = info.st_ino;
    (void)close(fd);
}

/* Memory is gone: the file holds what the disk has. */
static void disk_power_failure(struct fixture *f)
{
    disk.file = 0;
    fixture_write_log(f, ss__log_position(1, 0), disk.bytes, disk.len);
    free(disk.bytes);
    free(disk.dirty);
}

static void is_there_for_good(enum ss_durability durability, bool roll)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 60000, 1);
    disk_watch(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    fixture_stage(&f, session, 1, 60000);
    disk.fails = true;
    int err = ss__store_commit(f.store);
    ss_check(err == (durability == SS_DURABILITY_FSYNC ? SS_E_STOREIO : 0));
    if (roll) {
        fixture_stage(&f, session, 80, 60000);    /* more than there is room for */
        ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    } else {
        ss_check(ss__store_sync(f.store) == SS_E_STOREIO);
    }
    ss__store_put_session(f.store, session);
    ss_check(!disk.fails);
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 4, 60000);    /* it is shown, and the next one builds on it */
    fixture_publish(&f, "a", 1, 60000, 1);
    ss_check(ss__store_sync(f.store) == 0);
    fixture_crash(&f);
    disk_power_failure(&f);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0);
    fixture_verify(&f, "a", 5, 60000);
    fixture_end(&f);
}

SS_TEST(lost_sync, what_the_next_start_finds_is_durable_before_it_is_shown)
{
    is_there_for_good(SS_DURABILITY_FSYNC, false);
    is_there_for_good(SS_DURABILITY_INTERVAL, false);
    is_there_for_good(SS_DURABILITY_NONE, false);
}

SS_TEST(lost_sync, of_a_file_that_was_to_end_as_well)
{
    is_there_for_good(SS_DURABILITY_INTERVAL, true);
    is_there_for_good(SS_DURABILITY_NONE, true);
}
