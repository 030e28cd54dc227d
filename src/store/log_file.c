#include "store/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "store/env.h"

#define FILL_BYTES (1u << 20)
#define FILL_AT_ONCE_MAX (4u << 20)
#define NEW_NAME "log.new"

void ss__log_file_name(char out[SS_LOG_NAME_BYTES], uint64_t serial)
{
    (void)snprintf(out, SS_LOG_NAME_BYTES, "log-%08llx", (unsigned long long)serial);
}

static int write_at(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t done = pwrite(fd, data, len, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? errno : EIO;
        }
        data += done;
        len -= (size_t)done;
        offset += (uint64_t)done;
    }
    return 0;
}

static int write_zeros(int fd, uint64_t bytes)
{
    uint8_t *zeros = calloc(1, FILL_BYTES);
    int code = zeros == NULL ? ENOMEM : 0;
    for (uint64_t at = 0; at < bytes && code == 0; at += FILL_BYTES) {
        uint64_t left = bytes - at;
        code = write_at(fd, zeros, left < FILL_BYTES ? (size_t)left : FILL_BYTES, at);
        SS_KILL_POINT(FILL_WITHIN);
        if (code == 0 && fdatasync(fd) != 0) {
            code = errno;
        }
    }
    free(zeros);
    return code;
}

int ss__log_file_fill(int dir_fd, const char *name, uint64_t bytes)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return ss__err_from_lmdb(errno);
    }
    int code = SS_FAULT("log.fill");    /* an errno */
    code = code != 0 ? code : write_zeros(fd, bytes);
    SS_KILL_POINT(FILL_AFTER);
    (void)close(fd);    /* synced already */
    if (code != 0) {
        (void)unlinkat(dir_fd, name, 0);    /* if it stays, the next attempt truncates it */
    }
    return ss__err_from_lmdb(code);
}

/* The map of the file, or an errno. */
static int map_file(struct ss_log_file *file)
{
    void *map = mmap(NULL, file->head.bytes, PROT_READ, MAP_SHARED, file->fd, 0);
    if (map == MAP_FAILED) {
        return errno;
    }
    file->map = map;
    return 0;
}

static int open_new(int dir_fd, const char *spare, uint64_t bytes, int *ret_fd)
{
    const char *name = spare == NULL ? NEW_NAME : spare;
    int flags = O_RDWR | O_CLOEXEC | (spare == NULL ? O_CREAT | O_TRUNC : 0);
    int fd = openat(dir_fd, name, flags, 0640);
    if (fd < 0) {
        return errno;
    }
    int code = 0;
    if (spare == NULL) {
        code = bytes <= FILL_AT_ONCE_MAX ? write_zeros(fd, bytes)
                                         : posix_fallocate(fd, 0, (off_t)bytes);
    }
    if (code != 0) {
        (void)close(fd);    /* what was written is of no use */
        return code;
    }
    *ret_fd = fd;
    return 0;
}

/* The file gets its name only when its first block is durable. */
static int begin_life(int dir_fd, const char *name, const struct ss_log_file *file)
{
    uint8_t block[SS_LOG_BLOCK_BYTES];
    char serial_name[SS_LOG_NAME_BYTES];
    ss__log_head_encode(block, &file->head);
    ss__log_file_name(serial_name, file->head.serial);
    int code = write_at(file->fd, block, sizeof block, 0);
    if (code != 0 || fdatasync(file->fd) != 0) {
        return code != 0 ? code : errno;
    }
    SS_KILL_POINT(CREATE_SYNCED);
    if (renameat(dir_fd, name, dir_fd, serial_name) != 0) {
        return errno;
    }
    SS_KILL_POINT(CREATE_NAMED);
    return 0;
}

int ss__log_file_create(int dir_fd, const char *spare, const struct ss_log_head *head,
                        struct ss_log_file **ret_file)
{
    SS_REQUIRE(head->bytes <= SS_LOG_FILE_BYTES_MAX);
    struct ss_log_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return SS_E_NOMEM;
    }
    *file = (struct ss_log_file){ .head = *head, .fd = -1, .end = SS_LOG_BLOCK_BYTES };
    SS_KILL_POINT(CREATE_BEFORE);
    int code = SS_FAULT("log.create");    /* an errno */
    code = code != 0 ? code : open_new(dir_fd, spare, head->bytes, &file->fd);
    SS_KILL_POINT(CREATE_FILLED);
    code = code != 0 ? code : map_file(file);
    code = code != 0 ? code : begin_life(dir_fd, spare == NULL ? NEW_NAME : spare, file);
    if (code != 0) {
        ss__log_file_close(file);
        if (spare == NULL) {
            (void)unlinkat(dir_fd, NEW_NAME, 0);    /* if it stays, the next attempt truncates it */
        }
        return ss__err_from_lmdb(code);
    }
    *ret_file = file;
    return 0;
}

/* Errors: ours. */
static int read_head(struct ss_log_file *file, uint64_t serial)
{
    struct stat info;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head head;
    if (fstat(file->fd, &info) != 0) {
        return ss__err_from_lmdb(errno);
    }
    uint64_t bytes = (uint64_t)info.st_size;
    ssize_t got = pread(file->fd, block, sizeof block, 0);
    if (got < 0) {
        return ss__err_from_lmdb(errno);
    }
    file->head = (struct ss_log_head){ .serial = serial, .bytes = bytes };
    int err = ss__log_head_decode(ss_str_of(block, (size_t)got), &head);
    if (err == SS_E_VERSION) {
        return err;
    }
    file->damaged = bytes > SS_LOG_FILE_BYTES_MAX || err != 0 || head.serial != serial ||
                    head.bytes > bytes || head.bytes < sizeof block;
    if (!file->damaged) {
        file->head = head;
    } else if (bytes < sizeof block || bytes > SS_LOG_FILE_BYTES_MAX) {
        file->head.bytes = 0;
        return 0;    /* nothing can be read, nothing is mapped */
    }
    return ss__err_from_lmdb(map_file(file));
}

int ss__log_file_open(int dir_fd, uint64_t serial, bool read_only, struct ss_log_file **ret_file)
{
    char name[SS_LOG_NAME_BYTES];
    struct ss_log_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return SS_E_NOMEM;
    }
    ss__log_file_name(name, serial);
    file->fd = openat(dir_fd, name, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    file->end = SS_LOG_BLOCK_BYTES;
    int err = file->fd < 0 ? ss__err_from_lmdb(errno) : read_head(file, serial);
    if (err != 0) {
        ss__log_file_close(file);
        return err;
    }
    *ret_file = file;
    return 0;
}

void ss__log_file_close(struct ss_log_file *file)
{
    if (file->map != NULL) {
        (void)munmap((void *)(uintptr_t)file->map, file->head.bytes);    /* as it was mapped */
    }
    if (file->fd >= 0) {
        (void)close(file->fd);    /* what has to last has been synced */
    }
    free(file);
}

bool ss__log_file_is_blank(const struct ss_log_file *file)
{
    /* Equal to itself one byte on, and that byte is zero. */
    const uint8_t *from = file->map + SS_LOG_BLOCK_BYTES;
    size_t len = file->head.bytes - SS_LOG_BLOCK_BYTES;
    return len == 0 || (from[0] == 0 && memcmp(from, from + 1, len - 1) == 0);
}

int ss__log_file_append(struct ss_log_file *file, const uint8_t *data, size_t len)
{
    SS_REQUIRE(len % SS_LOG_BLOCK_BYTES == 0 && len <= file->head.bytes - file->end);
    SS_KILL_POINT(APPEND_BEFORE);
    if (SS_KILL_DUE(APPEND_TORN)) {
        (void)write_at(file->fd, data, len / 2, file->end);    /* a process that ends here */
        SS_KILL_NOW(APPEND_TORN);
    }
    int code = SS_FAULT("log.write");    /* an errno */
    code = code != 0 ? code : write_at(file->fd, data, len, file->end);
    SS_KILL_POINT(APPEND_AFTER);
    if (code == 0) {
        file->end += len;
    }
    return ss__err_from_lmdb(code);
}

int ss__log_file_mark(struct ss_log_file *file, const uint8_t block[SS_LOG_BLOCK_BYTES])
{
    if (file->end + SS_LOG_BLOCK_BYTES > file->head.bytes) {
        return 0;
    }
    int code = SS_FAULT("log.mark");    /* an errno */
    code = code != 0 ? code : write_at(file->fd, block, SS_LOG_BLOCK_BYTES, file->end);
    return ss__err_from_lmdb(code);
}

/* Not from the map: a page that cannot be read is an error here, and a signal there. */
static int rewrite_piece(int fd, uint8_t *piece, size_t len, uint64_t offset)
{
    for (size_t got = 0; got < len;) {
        ssize_t more = pread(fd, piece + got, len - got, (off_t)(offset + got));
        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more <= 0) {
            return more < 0 ? errno : EIO;
        }
        got += (size_t)more;
    }
    return write_at(fd, piece, len, offset);
}

int ss__log_file_rewrite(struct ss_log_file *file, uint64_t end)
{
    SS_REQUIRE(end <= file->head.bytes);
    uint8_t *piece = malloc(FILL_BYTES);
    int code = piece == NULL ? ENOMEM : SS_FAULT("log.rewrite");    /* an errno */
    for (uint64_t at = SS_LOG_BLOCK_BYTES; at < end && code == 0; at += FILL_BYTES) {
        uint64_t left = end - at;
        code = rewrite_piece(file->fd, piece, left < FILL_BYTES ? (size_t)left : FILL_BYTES, at);
    }
    free(piece);
    return ss__err_from_lmdb(code);
}

int ss__log_file_sync(struct ss_log_file *file)
{
    SS_KILL_POINT(SYNC_BEFORE);
    int code = SS_FAULT("log.sync");    /* an errno */
    if (code == 0 && fdatasync(file->fd) != 0) {
        code = errno;
    }
    SS_KILL_POINT(SYNC_AFTER);
    return ss__err_from_lmdb(code);
}

static void advise(const struct ss_log_file *file, int advice)
{
    if (file->map != NULL) {
        (void)madvise((void *)(uintptr_t)file->map, file->head.bytes, advice);    /* only advice */
    }
}

void ss__log_file_read_begin(const struct ss_log_file *file)
{
    advise(file, MADV_SEQUENTIAL);
}

void ss__log_file_read_end(const struct ss_log_file *file)
{
    advise(file, MADV_NORMAL);
    advise(file, MADV_DONTNEED);
}
