/* Stored bytes as a damaged disk may give them. The first byte picks what they are read as.
 *
 * What decodes, encodes to bytes that decode to the same; what a checksum covers, and is changed
 * or cut off, is noticed. */
#include "fuzz.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "store/bytes_order.h"
#include "store/layout.h"
#include "store/log_format.h"
#include "store/record.h"

/* The values of layout.h; each decodes @in and, if that worked, appends its encoding to @out. */
typedef int again_fn(struct ss_str in, struct ss_bytes *out);

static uint8_t *room(struct ss_bytes *out, size_t len)
{
    uint8_t *at = ss__bytes_extend(out, len);
    ss_check(at != NULL);
    return at;
}

/* A copy of @in whose checksum is made right; freed by the caller. */
static struct ss_str sealed(struct ss_str in, uint64_t seed)
{
    uint8_t *value = malloc(in.len + 1);
    ss_check(value != NULL);
    memcpy(value, in.data, in.len);
    if (in.len >= SS_CHECKSUM_BYTES) {
        ss__value_seal(value, in.len, seed);
    }
    return ss_str_of(value, in.len);
}

static void free_sealed(struct ss_str value)
{
    free((void *)(uintptr_t)value.data);
}

static int row_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_row_value row;
    struct ss_str value = sealed(in, 5);
    int err = ss__row_decode(5, value, &row);
    if (err == 0) {
        uint8_t bytes[SS_ROW_BYTES_MAX];
        ss_check(row.id.len <= SS_SESSION_ID_BYTES_MAX);
        ss__bytes_append(out, bytes, ss__row_encode(bytes, 5, &row));
        ss_check(ss__row_decode(6, value, &row) == SS_E_CORRUPT);
    }
    free_sealed(value);
    return err;
}

static int entity_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_entity_row row = { .tombstone = true };
    struct ss_str key = ss_str("key");
    struct ss_str value = sealed(in, ss__key_seed(key));
    int err = ss__entity_decode(key, value, &row);
    if (err == 0) {
        ss__entity_encode(room(out, SS_ENTITY_FIXED_BYTES + row.payload.len), key, &row);
        ss_check(ss__entity_decode(ss_str("other"), value, &row) == SS_E_CORRUPT);
    }
    free_sealed(value);
    return err;
}

static int entity_key_again(struct ss_str in, struct ss_bytes *out)
{
    uint64_t sid;
    uint32_t projection;
    struct ss_str kind;
    struct ss_str id;
    uint8_t key[SS_KEY_BYTES_MAX];
    int err = ss__entity_key_decode(in, &sid, &projection, &kind, &id);
    if (err == 0) {
        int len = ss__entity_key(key, sid, projection, kind, id);
        ss_check(len > 0 || len == SS_E_TOOBIG);
        ss__bytes_append(out, key, len > 0 ? (size_t)len : 0);
        err = len > 0 ? 0 : SS_E_CORRUPT;
    }
    return err;
}

static int catalog_key_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_str id;
    int err = ss__catalog_key_decode(in, &id);
    if (err == 0) {
        uint8_t key[SS_CATALOG_KEY_BYTES_MAX];
        ss_check(id.len <= SS_SESSION_ID_BYTES_MAX);
        ss__bytes_append(out, key, ss__catalog_key(key, id));
    }
    return err;
}

static int catalog_again(struct ss_str in, struct ss_bytes *out)
{
    uint64_t sid;
    struct ss_str key = ss_str("key");
    struct ss_str value = sealed(in, ss__key_seed(key));
    int err = ss__catalog_decode(key, value, &sid);
    if (err == 0) {
        ss__catalog_encode(room(out, SS_CATALOG_VALUE_BYTES), key, sid);
        ss_check(ss__catalog_decode(ss_str("other"), value, &sid) == SS_E_CORRUPT);
    }
    free_sealed(value);
    return err;
}

static int command_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_command_value command;
    const uint8_t key[8] = { 0, 0, 0, 1, 0, 0, 2, 0 };
    const uint8_t other[8] = { 0, 0, 0, 1, 0, 0, 4, 0 };
    struct ss_str key_bytes = ss_str_of(key, sizeof key);
    struct ss_str value = sealed(in, ss__key_seed(key_bytes));
    int err = ss__command_row_decode(key_bytes, value, &command);
    if (err == 0) {
        ss_check(ss__command_row_bytes(&command) == in.len);
        ss__command_row_encode(room(out, in.len), key_bytes, &command);
        ss_check(ss__command_row_decode(ss_str_of(other, sizeof other), value, &command) ==
                 SS_E_CORRUPT);
    }
    free_sealed(value);
    return err;
}

static int type_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_type_value type;
    int err = ss__type_decode(in, &type);
    if (err == 0) {
        ss__type_encode(out, &type);
    }
    return err;
}

static int shard_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_meta_shard shard;
    uint8_t bytes[SS_META_BYTES_MAX];
    int err = ss__meta_shard_decode(in, &shard);
    ss_check(err == 0 || err == SS_E_CORRUPT || err == SS_E_VERSION);
    if (err == 0) {
        ss__bytes_append(out, bytes, ss__meta_shard_encode(bytes, &shard));
    }
    return err == SS_E_VERSION ? SS_E_CORRUPT : err;
}

static int run_again(struct ss_str in, struct ss_bytes *out)
{
    struct ss_meta_run run;
    uint8_t bytes[SS_META_BYTES_MAX];
    int err = ss__meta_run_decode(in, &run);
    if (err == 0) {
        ss__bytes_append(out, bytes, ss__meta_run_encode(bytes, &run));
    }
    return err;
}

static int sid_again(struct ss_str in, struct ss_bytes *out)
{
    uint64_t sid;
    uint8_t bytes[SS_META_BYTES_MAX];
    int err = ss__meta_sid_decode(in, &sid);
    if (err == 0) {
        ss__bytes_append(out, bytes, ss__meta_sid_encode(bytes, sid));
    }
    return err;
}

static int header_again(struct ss_str in, struct ss_bytes *out)
{
    size_t at = 0;
    uint8_t tag;
    struct ss_str value;
    int more;
    while ((more = ss__header_next(in, &at, &tag, &value)) == 1) {
        struct ss_str found;
        ss_check(tag != 0 && at <= in.len);
        ss_check(ss__header_find(in, tag, &found) == 0);
        ss__header_append(out, tag, value);
    }
    ss_check(more == 0 || more == SS_E_CORRUPT);
    ss_check(ss__header_check(in) == (in.len > SS_HEADER_BYTES_MAX ? SS_E_CORRUPT : more));
    return more;
}

static int entries_again(struct ss_str in, struct ss_bytes *out)
{
    size_t at = 0;
    int err = 0;
    while (err == 0 && at < in.len) {
        struct ss_record record = { 0 };
        size_t before = at;
        err = ss__segment_entry_next(in, &at, &record);
        ss_check(err == 0 || (err == SS_E_CORRUPT && at == before));
        if (err == 0) {
            ss_check(at - before == ss__segment_entry_bytes(&record));
            ss__segment_entry_append(out, &record);
        }
    }
    return err;
}

static void check_again(again_fn *again, struct ss_str in)
{
    struct ss_bytes once;
    struct ss_bytes twice;
    ss__bytes_init(&once, 0);
    ss__bytes_init(&twice, 0);
    int err = again(in, &once);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    if (err == 0) {
        ss_check(again(ss__bytes_view(&once), &twice) == 0);
        ss_check(ss_str_equal(ss__bytes_view(&once), ss__bytes_view(&twice)));
    }
    ss__bytes_deinit(&twice);
    ss__bytes_deinit(&once);
}

/* A log record that is @in but for length and checksum, which are made right. */
static void check_log_record(struct ss_str in)
{
    struct ss_log_record record;
    int err = ss__log_record_decode(in, 7, &record);
    ss_check((err == 0 || err == SS_E_CORRUPT) && record.len <= in.len);
    if (in.len < SS_LOG_RECORD_HEAD_BYTES + 8) {
        return;
    }
    uint8_t *value = malloc(in.len);
    uint8_t *again = malloc(in.len);
    ss_check(value != NULL && again != NULL);
    memcpy(value, in.data, in.len);
    ss__put_le32(value, (uint32_t)in.len);
    ss__put_le64(value + in.len - 8, ss__checksum_seeded(7, value, in.len - 8));
    if (ss__log_record_decode(ss_str_of(value, in.len), 7, &record) == 0) {
        ss_check(record.len == in.len);
        if (record.kind == SS_LOG_EVENT) {
            ss_check(ss__log_event_bytes(&record.event) == in.len);
            ss__log_event_encode(again, 7, record.batch, record.sid, &record.event);
        } else if (record.kind == SS_LOG_COMMAND) {
            ss_check(ss__log_command_bytes(&record.command) == in.len);
            ss__log_command_encode(again, 7, record.batch, &record.command);
            ss__put_le16(again + 6, ss__get_le16(value + 6));    /* flags mean nothing here */
            ss__put_le64(again + in.len - 8, ss__checksum_seeded(7, again, in.len - 8));
        } else if (record.kind == SS_LOG_DELETE) {
            ss_check(in.len == SS_LOG_DELETE_BYTES);
            ss__log_delete_encode(again, 7, record.batch, record.sid, record.deleted_us);
            ss__put_le16(again + 6, ss__get_le16(value + 6));    /* nor here */
            ss__put_le64(again + in.len - 8, ss__checksum_seeded(7, again, in.len - 8));
        } else {
            ss_check(record.kind == SS_LOG_SESSION);
            ss_check(ss__log_session_bytes(record.id) == in.len);
            ss__log_session_encode(again, 7, record.batch, record.sid, record.created_us,
                                   record.id);
        }
        ss_check(record.kind == SS_LOG_SESSION || memcmp(value, again, in.len) == 0);
        ss_check(ss__log_record_decode(ss_str_of(value, in.len), 8, &record) == SS_E_CORRUPT);
        again[in.len / 2] ^= 1;
        ss_check(ss__log_record_decode(ss_str_of(again, in.len), 7, &record) == SS_E_CORRUPT);
    }
    free(again);
    free(value);
}

/* Heads of files and batches. */
static void check_log_heads(struct ss_str in)
{
    uint8_t again[SS_LOG_BLOCK_BYTES];
    struct ss_log_head head;
    struct ss_log_batch_head batch;
    if (ss__log_head_decode(in, &head) == 0) {
        ss__log_head_encode(again, &head);
        ss_check(memcmp(again, in.data, 80) == 0);
    }
    if (ss__log_batch_decode(in, 7, &batch) == 0) {
        ss_check(batch.bytes <= in.len);
        ss__log_batch_encode(again, 7, &batch);
        ss_check(memcmp(again, in.data, SS_LOG_BATCH_HEAD_BYTES) == 0);
    }
}

/* A segment that holds @in as its entries; the first byte of it is the count. */
static void check_segment(struct ss_str in)
{
    size_t len = SS_SEGMENT_HEAD_BYTES + in.len;
    uint8_t key[16];
    uint8_t *value = malloc(len);
    struct ss_segment segment;
    uint32_t count = in.len > 0 ? (uint8_t)in.data[0] : 0;
    ss_check(value != NULL);
    if (in.len > 0) {
        memcpy(value + SS_SEGMENT_HEAD_BYTES, in.data, in.len);
    }
    ss__segment_key(key, 3, 9);
    ss__segment_seal(value, len, 3, 9, count);
    int err = ss__segment_decode(ss_str_of(key, 16), ss_str_of(value, len), &segment);
    ss_check((err == 0) == (count > 0 && count <= SS_SEGMENT_RECORDS_MAX));
    if (err == 0) {
        ss_check(segment.sid == 3 && segment.first == 9 && segment.count == count);
        ss_check(ss_str_equal(segment.entries, in));
        value[len / 2] ^= 0x10;
        ss_check(ss__segment_decode(ss_str_of(key, 16), ss_str_of(value, len), &segment) ==
                 SS_E_CORRUPT);
    }
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static again_fn *const decoders[] = {
        header_again, entries_again,     row_again,     entity_again, entity_key_again,
        type_again,   catalog_key_again, catalog_again, shard_again,  run_again,
        sid_again,
    };
    enum { DECODERS = sizeof decoders / sizeof decoders[0] };
    if (len == 0) {
        return 0;
    }
    unsigned choice = data[0] % (DECODERS + 3u);
    struct ss_str in = ss_str_of(data + 1, len - 1);
    if (choice < DECODERS) {
        check_again(decoders[choice], in);
    } else if (choice == DECODERS) {
        check_log_record(in);
        check_log_heads(in);
    } else if (choice == DECODERS + 1) {
        check_segment(in);
    } else {
        check_again(command_again, in);
    }
    return 0;
}
