#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "core/fault.h"
#include "core/kill_point.h"
#include "store/directory.h"
#include "store/env.h"
#include "store/log_format.h"

#define FIRST_LINE "sessionstream backup 1\n"
#define FIRST_WORDS "sessionstream backup "
#define SUM_LINE_BYTES (4u + 16u + 1u)
#define LINE_BYTES 160u

void ss__manifest_deinit(struct ss_manifest *manifest)
{
    free(manifest->files);
    *manifest = (struct ss_manifest){ 0 };
}

int ss__manifest_add(struct ss_manifest *manifest, const struct ss_manifest_file *file)
{
    if (manifest->files_count == manifest->files_slots) {
        size_t slots = manifest->files_slots == 0 ? 16 : manifest->files_slots * 2;
        struct ss_manifest_file *files = realloc(manifest->files, slots * sizeof *files);
        if (files == NULL) {
            return SS_E_NOMEM;
        }
        manifest->files = files;
        manifest->files_slots = slots;
    }
    manifest->files[manifest->files_count++] = *file;
    return 0;
}

/* ---- writing ---- */

static void put_line(struct ss_bytes *out, const char *format, ...) SS_PRINTF(2, 3);

static void put_line(struct ss_bytes *out, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);    /* every line is shorter */
    va_end(args);
    ss__bytes_text(out, line);
}

void ss__manifest_encode(struct ss_bytes *out, const struct ss_manifest *manifest)
{
    size_t begin = out->len;
    ss__bytes_text(out, FIRST_LINE);
    put_line(out, "format %" PRIu32 "\n", manifest->format);
    put_line(out, "directory %016" PRIx64 "\n", manifest->directory_id);
    ss__bytes_text(out, "routing ");
    for (size_t i = 0; i < SS_HASH_KEY_BYTES; i++) {
        put_line(out, "%02x", manifest->routing_key.bytes[i]);
    }
    put_line(out, "\nshards %" PRIu32 "\n", manifest->shards);
    put_line(out, "begun %" PRIu64 "\n", manifest->begun_us);
    put_line(out, "ended %" PRIu64 "\n", manifest->ended_us);
    for (size_t i = 0; i < manifest->files_count; i++) {
        const struct ss_manifest_file *file = &manifest->files[i];
        put_line(out, "file %s %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", file->path, file->used,
                 file->bytes, file->checksum);
    }
    if (out->err == 0) {
        put_line(out, "sum %016" PRIx64 "\n", ss__checksum(out->data + begin, out->len - begin));
    }
}

static int write_text(int fd, struct ss_str text)
{
    size_t at = 0;
    while (at < text.len) {
        ssize_t put = write(fd, (const char *)text.data + at, text.len - at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put < 0 ? errno : EIO;
        }
        at += (size_t)put;
    }
    SS_KILL_POINT(BACKUP_LISTED);
    return fsync(fd) == 0 ? 0 : errno;
}

int ss__manifest_write(int dir_fd, const struct ss_manifest *manifest, struct ss_failure *failure)
{
    struct ss_bytes text;
    ss__bytes_init(&text, SS_MANIFEST_BYTES_MAX);
    ss__manifest_encode(&text, manifest);
    int code = text.err != 0 ? ENOMEM : SS_FAULT("manifest.write");    /* an errno */
    int fd = code != 0 ? -1
                       : openat(dir_fd, SS_MANIFEST_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                0640);
    if (code == 0) {
        code = fd < 0 ? errno : write_text(fd, ss__bytes_view(&text));
    }
    if (fd >= 0) {
        (void)close(fd);    /* synced already */
    }
    ss__bytes_deinit(&text);
    return code == 0 ? 0
                     : ss__fail(failure, ss__err_from_lmdb(code),
                                "the manifest of the backup cannot be written: %s",
                                strerror(code));
}

/* ---- reading ---- */

struct reader {
    const char *at;
    const char *end;
};

static bool take_word(struct reader *reader, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0) {
        return false;
    }
    reader->at += len;
    return true;
}

static bool take_number(struct reader *reader, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *begin = reader->at;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        uint64_t digit = (uint64_t)(*reader->at - '0');
        if (number > (max - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return reader->at > begin;
}

static int digit_of(char character)
{
    return character >= '0' && character <= '9'   ? character - '0'
           : character >= 'a' && character <= 'f' ? character - 'a' + 10
                                                  : -1;
}

static bool take_hex(struct reader *reader, unsigned digits, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < digits; i++) {
        int digit = reader->at < reader->end ? digit_of(*reader->at) : -1;
        if (digit < 0) {
            return false;
        }
        number = number << 4 | (uint64_t)digit;
        reader->at++;
    }
    *ret_number = number;
    return true;
}

static bool take_key(struct reader *reader, struct ss_hash_key *ret_key)
{
    for (size_t i = 0; i < SS_HASH_KEY_BYTES; i++) {
        uint64_t byte;
        if (!take_hex(reader, 2, &byte)) {
            return false;
        }
        ret_key->bytes[i] = (uint8_t)byte;
    }
    return true;
}

/* "shard-0001/data.mdb" or "shard-0001/log-00000001" and nothing else. */
static bool take_path(struct reader *reader, uint32_t shards, struct ss_manifest_file *file)
{
    const char *begin = reader->at;
    uint64_t shard;
    uint64_t serial;
    bool good = take_word(reader, "shard-") && take_number(reader, SS_SHARDS_MAX, &shard) &&
                reader->at - begin == 10 && shard < shards && take_word(reader, "/") &&
                (take_word(reader, "data.mdb") ||
                 (take_word(reader, "log-") && take_hex(reader, 8, &serial)));
    size_t len = (size_t)(reader->at - begin);
    if (!good || len >= sizeof file->path) {
        return false;
    }
    memcpy(file->path, begin, len);
    file->path[len] = '\0';
    return true;
}

static bool take_file(struct reader *reader, uint32_t shards, struct ss_manifest_file *file)
{
    return take_path(reader, shards, file) && take_word(reader, " ") &&
           take_number(reader, INT64_MAX, &file->used) && take_word(reader, " ") &&
           take_number(reader, INT64_MAX, &file->bytes) && take_word(reader, " ") &&
           take_hex(reader, 16, &file->checksum) && take_word(reader, "\n") &&
           file->used <= file->bytes;
}

static bool take_head(struct reader *reader, struct ss_manifest *manifest)
{
    uint64_t format;
    uint64_t shards;
    bool good = take_word(reader, "format ") && take_number(reader, UINT32_MAX, &format) &&
                take_word(reader, "\ndirectory ") &&
                take_hex(reader, 16, &manifest->directory_id) &&
                take_word(reader, "\nrouting ") && take_key(reader, &manifest->routing_key) &&
                take_word(reader, "\nshards ") && take_number(reader, SS_SHARDS_MAX, &shards) &&
                take_word(reader, "\nbegun ") &&
                take_number(reader, UINT64_MAX, &manifest->begun_us) &&
                take_word(reader, "\nended ") &&
                take_number(reader, UINT64_MAX, &manifest->ended_us) && take_word(reader, "\n");
    if (good) {
        manifest->format = (uint32_t)format;
        manifest->shards = (uint32_t)shards;
    }
    return good && shards > 0;
}

static bool has_all_shards(const struct ss_manifest *manifest)
{
    uint32_t found = 0;
    for (size_t i = 0; i < manifest->files_count; i++) {
        found += strstr(manifest->files[i].path, "/data.mdb") != NULL;
    }
    return found == manifest->shards;
}

/* In the order in which they are written, so that none is there twice. */
static int take_files(struct reader *reader, struct ss_manifest *manifest)
{
    char before[SS_MANIFEST_PATH_BYTES] = "";
    while (take_word(reader, "file ")) {
        struct ss_manifest_file file = { .used = 0 };
        if (!take_file(reader, manifest->shards, &file) || strcmp(before, file.path) >= 0) {
            return SS_E_CORRUPT;
        }
        memcpy(before, file.path, sizeof before);
        int err = ss__manifest_add(manifest, &file);
        if (err != 0) {
            return err;
        }
    }
    return reader->at == reader->end && has_all_shards(manifest) ? 0 : SS_E_CORRUPT;
}

static int judge_format(const struct ss_manifest *manifest, struct ss_failure *failure)
{
    if (manifest->format == SS_STORE_FORMAT) {
        return 0;
    }
    return ss__fail(failure, SS_E_VERSION, "the backup is of a store of format %" PRIu32 ", this "
                    "program reads %u; restore it with %s", manifest->format, SS_STORE_FORMAT,
                    manifest->format > SS_STORE_FORMAT ? "a newer version of it"
                                                       : "the version that made it");
}

int ss__manifest_decode(struct ss_str text, struct ss_manifest *ret_manifest,
                        struct ss_failure *failure)
{
    struct reader reader = { text.data, (const char *)text.data + text.len };
    struct ss_manifest manifest = { 0 };
    if (!take_word(&reader, FIRST_LINE)) {
        return take_word(&reader, FIRST_WORDS)
                   ? ss__fail(failure, SS_E_VERSION, "the backup was made by a newer version of "
                              "this program; restore it with that")
                   : ss__fail(failure, SS_E_CORRUPT, "the manifest is not that of a backup");
    }
    uint64_t sum;
    struct reader tail = { reader.end - SUM_LINE_BYTES, reader.end };
    bool sealed = text.len > sizeof FIRST_LINE + SUM_LINE_BYTES && take_word(&tail, "sum ") &&
                  take_hex(&tail, 16, &sum) && take_word(&tail, "\n") &&
                  sum == ss__checksum(text.data, text.len - SUM_LINE_BYTES);
    if (sealed) {
        reader.end -= SUM_LINE_BYTES;
    }
    int err = !sealed || !take_head(&reader, &manifest) ? SS_E_CORRUPT : 0;
    err = err != 0 ? err : judge_format(&manifest, failure);
    err = err != 0 ? err : take_files(&reader, &manifest);
    if (err != 0) {
        ss__manifest_deinit(&manifest);
        return err == SS_E_CORRUPT ? ss__fail(failure, err, "the manifest of the backup is damaged")
               : err == SS_E_NOMEM ? ss__fail(failure, err, "out of memory")
                                   : err;
    }
    *ret_manifest = manifest;
    return 0;
}

static int read_text(int fd, struct ss_bytes *text)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return SS_E_IO;
    }
    if (info.st_size > SS_MANIFEST_BYTES_MAX) {
        return SS_E_CORRUPT;
    }
    uint8_t *out = ss__bytes_extend(text, (size_t)info.st_size);
    if (out == NULL) {
        return SS_E_NOMEM;
    }
    ssize_t got = read(fd, out, text->len);
    return got == (ssize_t)text->len ? 0 : SS_E_IO;
}

int ss__manifest_read(const char *dir, struct ss_manifest *ret_manifest,
                      struct ss_failure *failure)
{
    char path[4096];
    struct ss_bytes text;
    int len = snprintf(path, sizeof path, "%s/" SS_MANIFEST_NAME, dir);
    int fd = len < 0 || (size_t)len >= sizeof path ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ss__fail(failure, errno == ENOENT ? SS_E_NOTFOUND : SS_E_IO, "\"%s\" is not a "
                        "finished backup: its " SS_MANIFEST_NAME " cannot be read (%s)", dir,
                        strerror(errno));
    }
    ss__bytes_init(&text, 0);
    int err = read_text(fd, &text);
    (void)close(fd);    /* only read */
    err = err != 0 ? ss__fail(failure, err, "the manifest of \"%s\" cannot be read", dir)
                   : ss__manifest_decode(ss__bytes_view(&text), ret_manifest, failure);
    ss__bytes_deinit(&text);
    return err;
}
