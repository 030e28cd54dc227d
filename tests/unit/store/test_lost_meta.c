/* A write of a meta page of LMDB that is answered with an error although the disk has it: LMDB puts
 * the older page back in memory, and a process that goes on from there would write over pages that
 * the disk's needs. Below, the meta pages of the watched file come to the disk only by a sync; all
 * other pages come at once. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "damage.h"
#include "store_fixture.h"

#define META_BYTES 512u
#define PAGE_BYTES 4096u

/* Defined here, so called before those of the C library. */
#define REAL(name)                                                    \
    static __typeof__(name) *real;                                    \
    if (real == NULL) {                                               \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);           \
    }

static struct {
    ino_t file;                        /* 0: none is watched */
    int fd;                            /* to read it */
    bool meta_fails;                   /* the next write of a meta page through O_DSYNC does */
    bool wanted;                       /* a copy, when pages have been written and not synced */
    bool written;
    uint8_t meta[2][META_BYTES];       /* what the disk has */
    uint8_t *copy;
    size_t copy_len;
} disk;

static bool is_watched(int fd)
{
    struct stat info;
    return disk.file != 0 && fstat(fd, &info) == 0 && info.st_ino == disk.file;
}

static void metas_are_durable(void)
{
    for (unsigned i = 0; i < 2; i++) {
        ss_check(pread(disk.fd, disk.meta[i], META_BYTES, i * PAGE_BYTES) == META_BYTES);
    }
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite)
    ssize_t done = real(fd, data, len, offset);
    if (!is_watched(fd)) {
        return done;
    }
    disk.written |= offset >= 2 * (off_t)PAGE_BYTES;
    if ((fcntl(fd, F_GETFL) & O_DSYNC) == 0) {
        return done;
    }
    metas_are_durable();
    if (disk.meta_fails) {
        disk.meta_fails = false;
        errno = EIO;
        return -1;
    }
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev)
    disk.written |= is_watched(fd);
    return real(fd, parts, count);
}

/* The power fails while the pages are on their way. */
static void take_copy(void)
{
    struct stat info;
    ss_check(fstat(disk.fd, &info) == 0);
    disk.copy_len = (size_t)info.st_size;
    disk.copy = malloc(disk.copy_len);
    ss_check(disk.copy != NULL);
    ss_check(pread(disk.fd, disk.copy, disk.copy_len, 0) == info.st_size);
    memcpy(disk.copy, disk.meta[0], META_BYTES);
    memcpy(disk.copy + PAGE_BYTES, disk.meta[1], META_BYTES);
    disk.wanted = false;
}

int fdatasync(int fd)
{
    REAL(fdatasync)
    if (is_watched(fd)) {
        if (disk.wanted && disk.written) {
            take_copy();
        }
        disk.written = false;
        metas_are_durable();
    }
    return real(fd);
}

static void data_path(struct fixture *f, char path[400])
{
    (void)snprintf(path, 400, "%s/data.mdb", f->shard_dir);
}

static void disk_watch(struct fixture *f)
{
    char path[400];
    struct stat info;
    data_path(f, path);
    disk.fd = open(path, O_RDONLY);
    ss_check(disk.fd >= 0 && fstat(disk.fd, &info) == 0);
    metas_are_durable();
    disk.file = info.st_ino;
}

static void disk_ignore(void)
{
    disk.file = 0;
    (void)close(disk.fd);
}

static void disk_power_failure(struct fixture *f)
{
    char path[400];
    data_path(f, path);
    disk_ignore();
    int fd = open(path, O_WRONLY | O_TRUNC);
    ss_check(fd >= 0 && disk.copy != NULL);
    ss_check(pwrite(fd, disk.copy, disk.copy_len, 0) == (ssize_t)disk.copy_len);
    (void)close(fd);
    free(disk.copy);
    disk.copy = NULL;
}

/* Four times ten sessions and what they wrote are in LMDB. */
static void fill(struct fixture *f)
{
    for (unsigned i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "s%u", i);
        fixture_publish(f, id, 3, 500, 1);
        if (i % 10 == 9) {
            fixture_flush_all(f);
        }
    }
}

static void fail_a_meta_page(struct fixture *f)
{
    fixture_publish(f, "s0", 80, 500, 1);
    disk.meta_fails = true;
    ss_check(ss__store_flush(f->store, UINT32_MAX) == SS_E_STOREIO && !disk.meta_fails);
    ss_check(ss__store_writable(f->store) == SS_E_STOREIO);
}

SS_TEST(lost_meta, page_whose_write_failed_is_the_older_one_on_the_disk_before_anything_is_written)
{
    struct fixture f;
    fixture_open(&f);
    fill(&f);
    disk_watch(&f);
    fail_a_meta_page(&f);
    fixture_crash(&f);
    disk.written = false;
    disk.wanted = true;
    fixture_reopen(&f);
    ss_check(!disk.wanted);
    fixture_crash(&f);
    disk_power_failure(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "s0", 83, 500);
    fixture_verify(&f, "s39", 3, 500);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(lost_meta, reads_go_on_after_it)
{
    struct fixture f;
    fixture_open(&f);
    fill(&f);
    disk_watch(&f);
    fail_a_meta_page(&f);
    disk_ignore();
    fixture_verify(&f, "s0", 83, 500);
    fixture_verify(&f, "s39", 3, 500);
    fixture_end(&f);
}

#ifdef SS_FAULTS

SS_TEST(lost_meta, store_that_cannot_be_opened_again_answers_with_errors)
{
    struct fixture f;
    struct ss_store_session *session;
    fixture_open(&f);
    fill(&f);
    fixture_close(&f);
    fixture_reopen(&f);    /* nobody is in memory */
    disk_watch(&f);
    ss__fault_arm("env.revive", 1, 1, SS_E_STOREIO);
    fail_a_meta_page(&f);
    disk_ignore();
    ss_check(ss__store_get_session(f.store, ss_str("s20"), &session) == SS_E_STOREIO);
    fixture_end(&f);
}

SS_TEST(lost_meta, start_that_cannot_write_the_pages_again_is_refused)
{
    struct fixture f;
    fixture_open(&f);
    fill(&f);
    fixture_close(&f);
    ss__fault_arm("env.metas", 1, 1, EIO);
    fixture_open_fails(&f, SS_E_STOREIO, "cannot be opened");
    ss__fault_reset();
    ss__fault_arm("env.metas", 1, 3, EINTR);    /* no reason to give up */
    fixture_reopen(&f);
    ss__fault_reset();
    ss_check(f.report.clean);
    fixture_verify(&f, "s0", 3, 500);
    fixture_end(&f);
}

#endif
