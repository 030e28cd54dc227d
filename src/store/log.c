#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "store/entries.h"
#include "store/env.h"

#define FIRST_FILE_BYTES (UINT64_C(4) << 20)
#define GROWTH 4u

static void spare_name(char out[SS_LOG_NAME_BYTES], uint64_t number)
{
    (void)snprintf(out, SS_LOG_NAME_BYTES, "spare-%08llx", (unsigned long long)number);
}

/* ---- open and close ---- */

static int add_file(struct ss_log *log, struct ss_log_file *file)
{
    if (log->count == log->slots) {
        size_t slots = log->slots == 0 ? 8 : log->slots * 2;
        struct ss_log_file **files =
            SS_FAULT("log.files") != 0
                ? NULL
                : realloc(log->files, slots * sizeof(struct ss_log_file *));
        if (files == NULL) {
            return SS_E_NOMEM;
        }
        log->files = files;
        log->slots = slots;
    }
    size_t at = log->count++;
    for (; at > 0 && log->files[at - 1]->head.serial > file->head.serial; at--) {
        log->files[at] = log->files[at - 1];
    }
    log->files[at] = file;
    return 0;
}

static int take_log(struct ss_log *log, uint64_t serial, bool read_only,
                    struct ss_failure *failure)
{
    struct ss_log_file *file;
    int err = ss__log_file_open(log->dir_fd, serial, read_only, &file);
    if (err != 0) {
        return err;
    }
    if (!file->damaged && (file->head.shard_index != log->shard_index ||
                           file->head.directory_id != log->directory_id)) {
        err = ss__fail(failure, SS_E_CORRUPT, "the log file log-%08llx of shard %u is of another "
                       "data directory or shard; put back the one that belongs there",
                       (unsigned long long)serial, log->shard_index);
    }
    err = err != 0 ? err : add_file(log, file);
    if (err != 0) {
        ss__log_file_close(file);
    }
    return err;
}

/* One that cannot be had, or was not finished, is no loss. */
static void take_spare(struct ss_log *log, const char *name, uint64_t number)
{
    struct stat info;
    log->next_spare = number >= log->next_spare ? number + 1 : log->next_spare;
    if (log->spares_count < SS_LOG_SPARES_MAX && fstatat(log->dir_fd, name, &info, 0) == 0 &&
        (uint64_t)info.st_size >= log->file_bytes_max) {
        log->spares[log->spares_count++] =
            (struct ss_log_spare){ .number = number, .bytes = (uint64_t)info.st_size };
    } else {
        (void)unlinkat(log->dir_fd, name, 0);    /* it is in nobody's way */
    }
}

/* Whether @name is @prefix and eight hexadecimal digits. */
static bool parse_name(const char *name, const char *prefix, uint64_t *ret_number)
{
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || strlen(name) != len + 8 ||
        strspn(name + len, "0123456789abcdef") != 8) {
        return false;
    }
    *ret_number = strtoull(name + len, NULL, 16);
    return true;
}

static int list_files(struct ss_log *log, bool read_only, struct ss_failure *failure)
{
    int fd = dup(log->dir_fd);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int code = errno;
        if (fd >= 0) {
            (void)close(fd);    /* of a directory */
        }
        return ss__err_from_lmdb(code);
    }
    const char *name;
    int err = ss__err_from_lmdb(ss__entries_next(dir, &name));
    while (err == 0 && name != NULL) {
        uint64_t number;
        if (parse_name(name, "log-", &number)) {
            err = take_log(log, number, read_only, failure);
        } else if (!read_only && parse_name(name, "spare-", &number)) {
            take_spare(log, name, number);
        }
        err = err != 0 ? err : ss__err_from_lmdb(ss__entries_next(dir, &name));
    }
    (void)closedir(dir);    /* only read */
    return err;
}

int ss__log_open(struct ss_log *log, const char *dir, uint32_t shard_index, uint64_t directory_id,
                 uint64_t file_bytes_max, bool read_only, struct ss_failure *failure)
{
    *log = (struct ss_log){ .dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                            .shard_index = shard_index,
                            .directory_id = directory_id,
                            .seed = directory_id ^ ((uint64_t)shard_index << 32 | 1),
                            .file_bytes_max = file_bytes_max < SS_LOG_FILE_BYTES_MAX
                                                  ? file_bytes_max
                                                  : SS_LOG_FILE_BYTES_MAX,
                            .next_batch = 1 };
    int err = log->dir_fd < 0 ? ss__err_from_lmdb(errno) : list_files(log, read_only, failure);
    log->unsynced = log->count > 0;    /* a process that was killed may not have come to it */
    if (err != 0) {
        ss__log_close(log);
        if (failure != NULL && failure->code == 0) {
            (void)ss__fail(failure, err, "the log files in \"%s\" cannot be opened: %s", dir,
                           ss_error_text(err));
        }
    }
    return err;
}

void ss__log_close(struct ss_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        ss__log_file_close(log->files[i]);
    }
    free(log->files);
    if (log->dir_fd >= 0) {
        (void)close(log->dir_fd);    /* of a directory */
    }
    *log = (struct ss_log){ .dir_fd = -1 };
}

/* ---- writing ---- */

/* The smallest spare with room for @bytes; NULL: none. */
static struct ss_log_spare *find_spare(struct ss_log *log, uint64_t bytes)
{
    struct ss_log_spare *best = NULL;
    for (unsigned i = 0; i < log->spares_count; i++) {
        struct ss_log_spare *spare = &log->spares[i];
        if (spare->bytes >= bytes && spare->bytes <= SS_LOG_FILE_BYTES_MAX &&
            (best == NULL || spare->bytes < best->bytes)) {
            best = spare;
        }
    }
    return best;
}

static uint64_t next_file_bytes(const struct ss_log *log)
{
    uint64_t bytes = log->last_bytes == 0 ? FIRST_FILE_BYTES : log->last_bytes * GROWTH;
    return bytes < log->file_bytes_max ? bytes : log->file_bytes_max;
}

static void names_are_durable(struct ss_log *log)
{
    for (unsigned i = 0; i < log->spares_count; i++) {
        log->spares[i].renamed = false;
    }
}

/* After a failure a later sync may succeed without bringing the names to the disk. */
static int sync_names(struct ss_log *log)
{
    int code = SS_FAULT("log.names");    /* an errno */
    code = code == 0 && fsync(log->dir_fd) != 0 ? errno : code;
    if (code == 0) {
        names_are_durable(log);
    } else {
        log->names_failed = true;
    }
    return ss__err_from_lmdb(code);
}

int ss__log_sync_names(struct ss_log *log)
{
    bool renamed = false;
    for (unsigned i = 0; i < log->spares_count; i++) {
        renamed |= log->spares[i].renamed;
    }
    return renamed ? sync_names(log) : 0;
}

/* A spare that had its old name again after a power failure would be a damaged file of the log. */
static int create_from_spare(struct ss_log *log, struct ss_log_spare *spare,
                             struct ss_log_head *head, struct ss_log_file **ret_file)
{
    char name[SS_LOG_NAME_BYTES];
    int err = spare->renamed ? sync_names(log) : 0;
    spare_name(name, spare->number);
    head->bytes = spare->bytes;
    *spare = log->spares[--log->spares_count];    /* also if it turns out to be of no use */
    return err != 0 ? err : ss__log_file_create(log->dir_fd, name, head, ret_file);
}

static int create_file(struct ss_log *log, uint64_t needed, struct ss_log_head *head,
                       struct ss_log_file **ret_file)
{
    struct ss_log_spare *spare = find_spare(log, needed);
    int err = spare == NULL ? SS_E_NOTFOUND : create_from_spare(log, spare, head, ret_file);
    if (err == 0 || log->names_failed) {
        return err;
    }
    uint64_t bytes = next_file_bytes(log);
    head->bytes = ss__log_round(bytes > needed ? bytes : needed);
    return ss__log_file_create(log->dir_fd, NULL, head, ret_file);
}

/* The same, with its name. */
static int begin_file(struct ss_log *log, uint64_t needed, struct ss_log_head *head,
                      struct ss_log_file **ret_file)
{
    struct ss_log_file *file;
    int err = create_file(log, needed, head, &file);
    if (err != 0) {
        return err;
    }
    err = sync_names(log);
    if (err != 0) {
        ss__log_file_close(file);
        return err;
    }
    log->last_bytes = file->head.bytes;
    *ret_file = file;
    return 0;
}

/* Writes the batch without records that ends a file. */
static int mark_end(struct ss_log *log)
{
    struct ss_log_file *current = ss__log_current(log);
    uint8_t block[SS_LOG_BLOCK_BYTES] = { 0 };
    if (current == NULL) {
        return 0;
    }
    struct ss_log_batch_head head = { .serial = current->head.serial,
                                      .number = log->next_batch,
                                      .bytes = SS_LOG_BATCH_HEAD_BYTES };
    ss__log_batch_encode(block, log->seed, &head);
    log->unsynced = true;
    return ss__log_file_mark(current, block);
}

int ss__log_roll(struct ss_log *log, uint64_t bytes)
{
    const struct ss_log_file *current = ss__log_current(log);
    uint64_t needed = bytes + SS_LOG_BLOCK_BYTES;
    if (needed > SS_LOG_FILE_BYTES_MAX) {
        return SS_E_STOREFULL;
    }
    struct ss_log_head head = { .shard_index = log->shard_index,
                                .directory_id = log->directory_id,
                                .serial = 1,
                                .first_batch = log->next_batch };
    if (current != NULL) {
        head.serial = current->head.serial + 1;
        head.previous_serial = current->head.serial;
        head.previous_end = current->end;
    }
    if (head.serial > UINT32_MAX || log->names_failed) {
        return SS_E_STOREIO;    /* no position could name it: somebody put a file there */
    }
    /* The end must not reach the disk before what it ends: a batch that a killed process wrote and
     * did not sync would be a hole before it. */
    int err = ss__log_sync(log);
    SS_KILL_POINT(ROLL_BEFORE);
    err = err != 0 ? err : mark_end(log);
    SS_KILL_POINT(ROLL_MARKED);
    /* What the new file says of this one must be true after a crash. */
    err = err != 0 ? err : ss__log_sync(log);
    SS_KILL_POINT(ROLL_SYNCED);
    if (err != 0) {
        return err;
    }
    /* It may be there although making it failed: from here on nothing is written to this one. */
    log->rolling = true;
    struct ss_log_file *file;
    err = begin_file(log, needed, &head, &file);
    if (err != 0) {
        return err;
    }
    err = add_file(log, file);
    if (err != 0) {
        ss__log_file_close(file);
        return err;
    }
    log->rolling = false;
    return 0;
}

int ss__log_renew(struct ss_log *log)
{
    struct ss_log_file *empty = ss__log_current(log);
    struct ss_log_head head = empty->head;
    struct ss_log_file *file;
    int err = begin_file(log, 0, &head, &file);
    if (err == 0) {
        log->files[log->count - 1] = file;
        ss__log_file_close(empty);
    }
    return err;
}

bool ss__log_empty(const struct ss_log *log)
{
    const struct ss_log_file *file = ss__log_current(log);
    return file != NULL && !file->damaged && !file->kept && file->records == 0 &&
           file->end == SS_LOG_BLOCK_BYTES && file->head.first_batch == log->next_batch;
}

bool ss__log_unused(const struct ss_log *log)
{
    return ss__log_empty(log) && ss__log_file_is_blank(ss__log_current(log));
}

uint64_t ss__log_room(const struct ss_log *log)
{
    const struct ss_log_file *current = ss__log_current(log);
    return log->rolling ? 0 : current->head.bytes - current->end;
}

int ss__log_append(struct ss_log *log, const uint8_t *batch, size_t len, uint32_t records)
{
    struct ss_log_file *current = ss__log_current(log);
    int err = ss__log_file_append(current, batch, len);
    if (err != 0) {
        return err;
    }
    current->records += records;
    current->live += records;
    log->next_batch++;
    log->unsynced = true;
    return 0;
}

int ss__log_sync(struct ss_log *log)
{
    if (!log->unsynced) {
        return 0;
    }
    int err = ss__log_file_sync(ss__log_current(log));
    log->unsynced = log->sync_failed = err != 0;
    return err;
}

/* ---- reading ---- */

struct ss_log_file *ss__log_file_at(const struct ss_log *log, uint64_t position)
{
    uint64_t serial = position >> 32;
    size_t low = 0;
    size_t high = log->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (log->files[middle]->head.serial < serial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < log->count && log->files[low]->head.serial == serial ? log->files[low] : NULL;
}

int ss__log_read(const struct ss_log *log, uint64_t position, struct ss_log_record *ret_record)
{
    const struct ss_log_file *file = ss__log_file_at(log, position);
    uint64_t offset = position & UINT32_MAX;
    if (file == NULL || offset >= file->end) {
        *ret_record = (struct ss_log_record){ 0 };
        return SS_E_CORRUPT;
    }
    return ss__log_record_decode(ss_str_of(file->map + offset, file->end - offset), log->seed,
                                 ret_record);
}

struct ss_str ss__log_bytes_from(const struct ss_log *log, uint64_t position)
{
    const struct ss_log_file *file = ss__log_file_at(log, position);
    uint64_t offset = position & UINT32_MAX;
    return ss_str_of(file->map + offset, file->end - offset);
}

struct ss_str ss__log_record_at(const struct ss_log *log, uint64_t position)
{
    const struct ss_log_file *file = ss__log_file_at(log, position);
    uint64_t offset = position & UINT32_MAX;
    if (file == NULL || offset >= file->end) {
        return ss_str_of(NULL, 0);
    }
    struct ss_str rest = ss_str_of(file->map + offset, file->end - offset);
    return ss_str_of(rest.data, ss__log_record_bytes(rest));
}

uint64_t ss__log_bytes(const struct ss_log *log)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->count; i++) {
        bytes += log->files[i]->end - SS_LOG_BLOCK_BYTES;
    }
    return bytes;
}

/* ---- files that are done ---- */

static bool is_needed(const struct ss_log_file *file)
{
    return file->live > file->leaving;
}

uint64_t ss__log_needed(const struct ss_log *log)
{
    size_t i = 0;
    while (i + 1 < log->count && (log->files[i]->kept || !is_needed(log->files[i]))) {
        i++;
    }
    return log->files[i]->head.serial;
}

static void retire(struct ss_log *log, struct ss_log_file *file)
{
    char name[SS_LOG_NAME_BYTES];
    char spare[SS_LOG_NAME_BYTES];
    uint64_t bytes = file->head.bytes;
    ss__log_file_name(name, file->head.serial);
    ss__log_file_close(file);
    SS_KILL_POINT(RETIRE_BEFORE);
    bool useful = log->spares_count < SS_LOG_SPARES_MAX && bytes >= log->file_bytes_max;
    if (useful) {
        spare_name(spare, log->next_spare);
        useful = renameat(log->dir_fd, name, log->dir_fd, spare) == 0;
    }
    if (useful) {
        SS_KILL_POINT(RETIRE_SPARE);
        log->spares[log->spares_count++] =
            (struct ss_log_spare){ log->next_spare++, bytes, .renamed = true };
    } else {
        (void)unlinkat(log->dir_fd, name, 0);    /* if it stays, the next start takes it out */
        SS_KILL_POINT(RETIRE_GONE);
    }
}

static bool may_go(const struct ss_log_file *file, uint64_t from)
{
    return file->kept || (file->head.serial < from && !is_needed(file));
}

uint64_t ss__log_trim(struct ss_log *log, uint64_t from)
{
    uint64_t records = 0;
    size_t kept = 0;
    size_t i = 0;
    for (; !log->pinned && i + 1 < log->count && may_go(log->files[i], from); i++) {
        if (log->files[i]->kept) {
            log->files[kept++] = log->files[i];
        } else {
            records += log->files[i]->records;
            retire(log, log->files[i]);
        }
    }
    memmove(log->files + kept, log->files + i, (log->count - i) * sizeof *log->files);
    log->count -= i - kept;
    return records;
}

/* ---- spares ---- */

void ss__log_drop_spares(struct ss_log *log)
{
    char name[SS_LOG_NAME_BYTES];
    for (unsigned i = 0; i < log->spares_count; i++) {
        spare_name(name, log->spares[i].number);
        (void)unlinkat(log->dir_fd, name, 0);    /* if it stays, the next start takes it */
    }
    log->spares_count = 0;
}

bool ss__log_wants_spare(struct ss_log *log, struct ss_log_fill *ret_fill)
{
    const struct ss_log_file *current = ss__log_current(log);
    uint64_t bytes = next_file_bytes(log);
    if (log->filling || log->fill_failed == current->head.serial ||
        current->end < current->head.bytes / 2 || find_spare(log, bytes) != NULL ||
        log->spares_count == SS_LOG_SPARES_MAX) {
        return false;
    }
    int dir_fd = dup(log->dir_fd);
    if (dir_fd < 0) {
        return false;    /* it will be asked again */
    }
    *ret_fill = (struct ss_log_fill){ dir_fd, log->next_spare++, bytes };
    log->filling = true;
    return true;
}

int ss__log_fill(const struct ss_log_fill *fill)
{
    char name[SS_LOG_NAME_BYTES];
    spare_name(name, fill->number);
    return ss__log_file_fill(fill->dir_fd, name, fill->bytes);
}

void ss__log_filled(struct ss_log *log, const struct ss_log_fill *fill, int err)
{
    log->filling = false;
    log->fill_failed = err == 0 ? 0 : ss__log_current(log)->head.serial;
    if (err == 0 && log->spares_count < SS_LOG_SPARES_MAX) {
        log->spares[log->spares_count++] =
            (struct ss_log_spare){ .number = fill->number, .bytes = fill->bytes };
    } else if (err == 0) {
        char name[SS_LOG_NAME_BYTES];
        spare_name(name, fill->number);
        (void)unlinkat(fill->dir_fd, name, 0);    /* if it stays, the next start takes it out */
    }
    (void)close(fill->dir_fd);    /* of a directory */
}
