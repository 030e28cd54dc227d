/* Rows of the databases that fuzz_record.c leaves, and the identity file, as a damaged disk may
 * give them. The first byte picks what they are read as: '0' error record, '1' timelines, '2' head
 * of an earlier state, '3' part of one, '4' key of one, '5' place of the log, '6' identity file, '7'
 * outcomes in a header section. Checksums are made right first.
 *
 * What decodes, encodes to bytes that decode to the same; under another key it does not decode;
 * what is shown lies inside what was read. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/buf.h"
#include "core/hash.h"
#include "store/bytes_order.h"
#include "store/directory.h"
#include "store/error_value.h"
#include "store/failed_set.h"
#include "store/layout.h"
#include "store/outcome.h"
#include "store/past.h"
#include "store/record.h"
#include "store/timelines.h"

#define IDENTITY_BYTES (32u + SS_HASH_KEY_BYTES)

/* An exact copy whose checksum is right; freed by the caller. */
static struct ss_str sealed(struct ss_str in, uint64_t seed)
{
    uint8_t *value = malloc(in.len > 0 ? in.len : 1);
    ss_check(value != NULL);
    memcpy(value, in.len > 0 ? in.data : "", in.len);
    if (in.len >= SS_CHECKSUM_BYTES) {
        ss__value_seal(value, in.len, seed);
    }
    return ss_str_of(value, in.len);
}

static void free_sealed(struct ss_str value)
{
    free((void *)(uintptr_t)value.data);
}

static bool is_inside(struct ss_str part, struct ss_str whole)
{
    return part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
                             part.data + part.len <= whole.data + whole.len);
}

/* ---- error records ---- */

static bool is_same_error(const struct ss_error_record *a, const struct ss_error_record *b)
{
    bool same = a->number == b->number && a->time_us == b->time_us && a->kind == b->kind &&
                a->code == b->code && a->ordinal == b->ordinal &&
                ss_str_equal(a->session_id, b->session_id) && ss_str_equal(a->event, b->event) &&
                ss_str_equal(a->projection, b->projection) && ss_str_equal(a->text, b->text) &&
                ss_str_equal(a->raw, b->raw) && a->metadata_count == b->metadata_count;
    for (uint32_t i = 0; same && i < a->metadata_count; i++) {
        same = ss_str_equal(a->metadata[i].name, b->metadata[i].name) &&
               ss_str_equal(a->metadata[i].value, b->metadata[i].value);
    }
    return same;
}

static void check_error(struct ss_str in)
{
    struct ss_str value = sealed(in, 7);
    struct ss_error_record record;
    struct ss_error_record other;
    int err = ss__error_value_decode(7, value, &record);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    if (err == 0) {
        ss_check(ss__error_value_decode(8, value, &other) == SS_E_CORRUPT);
        ss_check(is_inside(record.text, value) && is_inside(record.raw, value));
        ss_check(record.metadata_count <= SS_ERROR_METADATA_MAX);
        /* Texts are cut when they are written, so the second time nothing changes. */
        struct ss_buf *once = ss__error_value_new(&record);
        ss_check(once != NULL);
        ss_check(ss__error_value_decode(7, ss_str_of(once->data, once->len), &other) == 0);
        struct ss_buf *twice = ss__error_value_new(&other);
        struct ss_error_record again;
        ss_check(twice != NULL);
        ss_check(ss__error_value_decode(7, ss_str_of(twice->data, twice->len), &again) == 0);
        ss_check(is_same_error(&other, &again) && again.kind == record.kind &&
                 again.code == record.code && again.ordinal == record.ordinal);
        ss__buf_unref(twice);
        ss__buf_unref(once);
    }
    free_sealed(value);
}

/* ---- timelines ---- */

static void check_picks(struct ss_str entries, const struct ss_timeline_list *list)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct ss_timeline_row row;
        static struct ss_failed_set failed;
        ss_check(ss__timelines_pick(entries, list->rows[i].projection, &row, &failed) == 0);
        ss_check(ss__timelines_index(list, list->rows[i].projection) == (int)i);
        ss_check(row.ordinal == list->rows[i].ordinal && row.version == list->rows[i].version);
        ss_check(row.halted == list->rows[i].halted);
        ss_check((row.failed == NULL) == (list->rows[i].failed == NULL));
        ss_check(row.failed == NULL || row.failed->total == list->rows[i].failed->total);
        newest = row.ordinal > newest ? row.ordinal : newest;
    }
    ss_check(ss__timelines_newest(entries) == newest);
    ss_check(ss__timelines_index(list, UINT32_MAX) == -1 ||
             list->rows[list->count - 1].projection == UINT32_MAX);
}

static void check_timelines(struct ss_str in)
{
    struct ss_timeline_list *list = NULL;
    int err = ss__timelines_check(in);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    if (err != 0) {
        return;
    }
    uint8_t *bytes = malloc(SS_TIMELINES_BYTES_MAX);
    ss_check(bytes != NULL && ss__timelines_decode(in, &list) == 0);
    if (list != NULL) {
        size_t len = ss__timelines_encode(bytes, list);
        ss_check(len == in.len && memcmp(bytes, in.data, len) == 0);
        check_picks(in, list);
    } else {
        ss_check(in.len == 0);
    }
    free(list);
    free(bytes);
}

/* ---- earlier states ---- */

struct seen {
    struct ss_str value;
    size_t bytes;
    unsigned rows;
};

static int on_row(const struct ss_entity_row *row, void *ctx)
{
    struct seen *seen = ctx;
    ss_check(is_inside(row->kind, seen->value) && is_inside(row->id, seen->value) &&
             is_inside(row->payload, seen->value));
    seen->bytes += 40 + row->kind.len + row->id.len + row->payload.len;
    seen->rows++;
    return 0;
}

static int on_row_stop(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    (void)ctx;
    return 42;
}

static void check_part(struct ss_str in)
{
    struct ss_str key = ss_str("key");
    struct seen seen = { .value = sealed(in, ss__key_seed(key)) };
    int err = ss__past_part_decode(key, seen.value, on_row, &seen);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    if (err == 0) {
        ss_check(seen.bytes + 1 + SS_CHECKSUM_BYTES == in.len);
        ss_check(ss__past_part_decode(ss_str("other"), seen.value, on_row, &seen) == SS_E_CORRUPT);
    }
    if (seen.rows > 0) {
        ss_check(ss__past_part_decode(key, seen.value, on_row_stop, NULL) == 42);
    }
    free_sealed(seen.value);
}

static void check_head(struct ss_str in)
{
    struct ss_past_head head;
    struct ss_str value = sealed(in, ss__key_seed(ss_str("key")));
    int err = ss__past_head_decode(ss_str("key"), value, &head);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    ss_check(err != 0 || ss__past_head_decode(ss_str("other"), value, &head) == SS_E_CORRUPT);
    free_sealed(value);
}

static void check_key(struct ss_str in)
{
    struct ss_past_key key;
    int err = ss__past_key_decode(in, &key);
    ss_check((err == 0) == (in.len == SS_PAST_KEY_BYTES));
    if (err == 0) {
        uint8_t bytes[SS_PAST_KEY_BYTES];
        ss__past_key(bytes, &key);
        ss_check(memcmp(bytes, in.data, in.len) == 0);
    }
}

/* ---- the rest ---- */

static void check_place(struct ss_str in)
{
    struct ss_meta_log log;
    int err = ss__meta_log_decode(in, &log);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    if (err == 0) {
        uint8_t bytes[SS_META_BYTES_MAX];
        struct ss_meta_log again;
        size_t len = ss__meta_log_encode(bytes, &log);
        ss_check(ss__meta_log_decode(ss_str_of(bytes, len), &again) == 0);
        ss_check(again.needed_serial == log.needed_serial && again.next_batch == log.next_batch);
    }
}

static char folder[64];

static void remove_folder(void)
{
    static const char *const names[] = { "/LOCK", "/sessionstream", "" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s%s", folder, names[i]);    /* it fits */
        (void)remove(path);    /* nothing else can be done at the end */
    }
}

static void write_identity(struct ss_str value)
{
    char path[96];
    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof folder, "%s/ss-fuzz-XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");    /* it fits */
        ss_check(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    (void)snprintf(path, sizeof path, "%s/sessionstream", folder);    /* it fits */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ss_check(fd >= 0 && write(fd, value.data, value.len) == (ssize_t)value.len);
    ss_check(close(fd) == 0);
}

static void check_identity(struct ss_str in)
{
    struct ss_directory *directory = NULL;
    struct ss_failure failure = { 0 };
    uint8_t bytes[IDENTITY_BYTES];
    if (in.len == IDENTITY_BYTES) {
        memcpy(bytes, in.data, in.len);
        ss__put_le64(bytes + IDENTITY_BYTES - 8, ss__checksum(bytes, IDENTITY_BYTES - 8));
        in = ss_str_of(bytes, IDENTITY_BYTES);
    }
    write_identity(in);
    int err = ss__directory_open_existing(folder, &directory, &failure);
    ss_check(err == failure.code && (err == 0 || failure.text[0] != '\0'));
    ss_check(err == 0 || err == SS_E_CORRUPT || err == SS_E_VERSION || err == SS_E_SHARDS);
    if (err == 0) {
        ss_check(in.len == IDENTITY_BYTES && directory->format == SS_STORE_FORMAT);
        ss_check(directory->shard_count >= 1 && directory->shard_count <= SS_SHARDS_MAX);
        ss_check(directory->directory_id == ss__get_le64(bytes + 16) && !directory->created);
        ss_check(memcmp(directory->routing_key.bytes, bytes + 24, SS_HASH_KEY_BYTES) == 0);
        ss__directory_close(directory);
        bytes[20] ^= 1;    /* the directory's id */
        write_identity(in);
        ss_check(ss__directory_open_existing(folder, &directory, NULL) == SS_E_CORRUPT);
    }
}

static void check_outcomes(struct ss_str in)
{
    struct ss_record record = { .header = in };
    struct ss_str item;
    enum ss_outcome outcome = ss__outcome_of(&record, 0x01010101);
    ss_check(outcome >= SS_OUTCOME_NONE && outcome <= SS_OUTCOME_ADVANCED);
    ss_check(outcome == SS_OUTCOME_NONE ||
             (ss__header_find(in, SS_HEADER_OUTCOME, &item) == 0 && item.len >= 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const checks[])(struct ss_str in) = { check_error, check_timelines, check_head,
                                                        check_part, check_key, check_place,
                                                        check_identity, check_outcomes };
    if (len > 0) {
        checks[(data[0] - (unsigned)'0') % (sizeof checks / sizeof checks[0])](
            ss_str_of(data + 1, len - 1));
    }
    return 0;
}
