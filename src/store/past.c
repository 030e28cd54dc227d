#include "store/past.h"

#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/kill_point.h"
#include "store/bytes_order.h"
#include "store/guard.h"

#define HEAD_BYTES (17u + SS_CHECKSUM_BYTES)
#define ENTRY_HEAD_BYTES 40u
/* What an end of the process at the wrong time, or a damaged key, may have left there. */
#define FOUND_MAX (2u * SS_PASTS_MAX)

void ss__past_key(uint8_t out[SS_PAST_KEY_BYTES], const struct ss_past_key *key)
{
    ss__put_be64(out, key->sid);
    ss__put_be64(out + 8, key->ordinal);
    ss__put_be32(out + 16, key->part);
}

int ss__past_key_decode(struct ss_str bytes, struct ss_past_key *ret_key)
{
    const uint8_t *in = (const uint8_t *)bytes.data;
    if (bytes.len != SS_PAST_KEY_BYTES) {
        return SS_E_CORRUPT;
    }
    *ret_key = (struct ss_past_key){ ss__get_be64(in), ss__get_be64(in + 8),
                                     ss__get_be32(in + 16) };
    return 0;
}

/* ---- one being made ---- */

struct ss_past *ss__past_begin(struct ss_store_session *session, uint64_t sid, uint64_t ordinal,
                               uint64_t code, uint32_t remade, size_t bytes_max)
{
    struct ss_past *past = SS_FAULT("store.past") != 0 ? NULL : calloc(1, sizeof *past);
    if (past != NULL) {
        past->session = session;
        past->remade = remade;
        past->key = (struct ss_past_key){ sid, ordinal, 0 };
        past->head.code = code;
        ss__bytes_init(&past->bytes, bytes_max);
    }
    return past;
}

void ss__past_free(struct ss_past *past)
{
    if (past != NULL) {
        ss__bytes_deinit(&past->bytes);
        free(past->ends);
        free(past);
    }
}

/* Every part is sealed under its key when it is written. */
static void open_part(struct ss_past *past)
{
    ss__bytes_byte(&past->bytes, SS_VALUE_VERSION);
    past->open = true;
}

static int close_part(struct ss_past *past)
{
    if (!past->open) {
        return past->bytes.err;
    }
    uint32_t *ends = realloc(past->ends, (past->head.parts + 1) * sizeof *ends);
    if (ends == NULL) {
        return SS_E_NOMEM;
    }
    past->ends = ends;
    (void)ss__bytes_extend(&past->bytes, SS_CHECKSUM_BYTES);    /* errors stick */
    ends[past->head.parts++] = (uint32_t)past->bytes.len;
    past->open = false;
    return past->bytes.err;
}

int ss__past_add(struct ss_past *past, const struct ss_entity_row *row)
{
    struct ss_bytes *out = &past->bytes;
    if (!past->open) {
        open_part(past);
    }
    uint8_t *head = ss__bytes_extend(out, ENTRY_HEAD_BYTES);
    if (head == NULL) {
        return out->err;
    }
    ss__put_le16(head, (uint16_t)row->kind.len);
    ss__put_le16(head + 2, (uint16_t)row->id.len);
    ss__put_le32(head + 4, (uint32_t)row->payload.len);
    ss__put_le32(head + 8, row->type_id);
    ss__put_le64(head + 12, row->created_ordinal);
    ss__put_le64(head + 20, row->last_ordinal);
    ss__put_le64(head + 28, row->time_us);
    ss__put_le32(head + 36, row->projection);
    ss__bytes_str(out, row->kind);
    ss__bytes_str(out, row->id);
    ss__bytes_str(out, row->payload);
    past->head.entities++;
    size_t begin = past->head.parts == 0 ? 0 : past->ends[past->head.parts - 1];
    return out->err != 0 || out->len - begin < SS_PAST_PART_BYTES ? out->err : close_part(past);
}

bool ss__past_is_of_now(const struct ss_past *past)
{
    return !past->session->closed && !past->session->deleted &&
           past->session->remade == past->remade;
}

/* ---- reading ---- */

int ss__past_guard(const struct ss_env *env, MDB_txn *txn, uint64_t sid)
{
    uint8_t prefix[8];
    ss__put_be64(prefix, sid);
    return ss__guard_walk(env, txn, SS_DB_CHECKPOINT, ss_str_of(prefix, sizeof prefix),
                          sizeof prefix, UINT64_MAX);
}

int ss__past_guard_remove(const struct ss_env *env, MDB_txn *txn, uint64_t sid)
{
    uint8_t prefix[8];
    ss__put_be64(prefix, sid);
    return ss__guard_remove(env, txn, SS_DB_CHECKPOINT, ss_str_of(prefix, sizeof prefix),
                            sizeof prefix, UINT64_MAX);
}

int ss__past_head_decode(struct ss_str key, struct ss_str value, struct ss_past_head *ret_head)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (value.len != HEAD_BYTES || in[0] != SS_VALUE_VERSION ||
        !ss__value_is_sealed(value, ss__key_seed(key))) {
        return SS_E_CORRUPT;
    }
    *ret_head = (struct ss_past_head){ .parts = ss__get_le32(in + 1),
                                       .entities = ss__get_le32(in + 5),
                                       .code = ss__get_le64(in + 9) };
    return 0;
}

static int next_entry(struct ss_str entries, size_t *at, struct ss_entity_row *ret_row)
{
    const uint8_t *in = (const uint8_t *)entries.data + *at;
    size_t left = entries.len - *at;
    if (left < ENTRY_HEAD_BYTES) {
        return SS_E_CORRUPT;
    }
    size_t kind = ss__get_le16(in);
    size_t id = ss__get_le16(in + 2);
    size_t payload = ss__get_le32(in + 4);
    if (left - ENTRY_HEAD_BYTES < kind + id + payload) {
        return SS_E_CORRUPT;
    }
    const uint8_t *text = in + ENTRY_HEAD_BYTES;
    *ret_row = (struct ss_entity_row){ .projection = ss__get_le32(in + 36),
                                       .kind = ss_str_of(text, kind),
                                       .id = ss_str_of(text + kind, id),
                                       .created_ordinal = ss__get_le64(in + 12),
                                       .last_ordinal = ss__get_le64(in + 20),
                                       .time_us = ss__get_le64(in + 28),
                                       .type_id = ss__get_le32(in + 8),
                                       .payload = ss_str_of(text + kind + id, payload) };
    *at += ENTRY_HEAD_BYTES + kind + id + payload;
    return 0;
}

int ss__past_part_decode(struct ss_str key, struct ss_str value,
                         int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx)
{
    if (value.len < 1 + SS_CHECKSUM_BYTES || (uint8_t)value.data[0] != SS_VALUE_VERSION ||
        !ss__value_is_sealed(value, ss__key_seed(key))) {
        return SS_E_CORRUPT;
    }
    struct ss_str entries = ss_str_of(value.data + 1, value.len - 1 - SS_CHECKSUM_BYTES);
    int err = 0;
    for (size_t at = 0; at < entries.len && err == 0;) {
        struct ss_entity_row row;
        err = next_entry(entries, &at, &row);
        err = err != 0 ? err : visit(&row, ctx);
    }
    return err;
}

static int get(const struct ss_env *env, MDB_txn *txn, const uint8_t *key_bytes,
               struct ss_str *ret_value)
{
    MDB_val key = ss__val_of(key_bytes, SS_PAST_KEY_BYTES);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_CHECKPOINT], &key, &value));
    if (err == 0) {
        *ret_value = ss__str_of_val(value);
    }
    return err;
}

static int read_head(const struct ss_env *env, MDB_txn *txn, const struct ss_past_key *key,
                     struct ss_past_head *ret_head)
{
    uint8_t bytes[SS_PAST_KEY_BYTES];
    struct ss_str value = { NULL, 0 };
    ss__past_key(bytes, key);
    int err = get(env, txn, bytes, &value);
    return err != 0 ? err : ss__past_head_decode(ss_str_of(bytes, sizeof bytes), value, ret_head);
}

int ss__past_find(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t at, uint64_t code,
                  uint64_t *ret_ordinal)
{
    uint8_t bytes[SS_PAST_KEY_BYTES];
    struct ss_past_key key = { sid, at, UINT32_MAX };
    MDB_cursor *cursor;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, env->dbi[SS_DB_CHECKPOINT], &cursor));
    if (err != 0) {
        return err;
    }
    ss__past_key(bytes, &key);
    MDB_val place = ss__val_of(bytes, sizeof bytes);
    MDB_val value;
    int found = mdb_cursor_get(cursor, &place, &value, MDB_SET_RANGE);
    found = mdb_cursor_get(cursor, &place, &value, found == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    err = ss__err_from_lmdb(found);
    if (err == 0 &&
        (ss__past_key_decode(ss__str_of_val(place), &key) != 0 || key.sid != sid)) {
        err = SS_E_NOTFOUND;
    }
    mdb_cursor_close(cursor);
    struct ss_past_head head = { 0 };
    key.part = 0;
    err = err != 0 ? err : read_head(env, txn, &key, &head);
    if (err == 0 && head.code == code) {
        *ret_ordinal = key.ordinal;
        return 0;
    }
    return err == 0 || err == SS_E_CORRUPT ? SS_E_NOTFOUND : err;
}

static int count_entity(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    ++*(uint32_t *)ctx;
    return 0;
}

static int each_part(const struct ss_env *env, MDB_txn *txn, struct ss_past_key key,
                     uint32_t parts, int (*visit)(const struct ss_entity_row *row, void *ctx),
                     void *ctx)
{
    int err = 0;
    for (key.part = 1; key.part <= parts && err == 0; key.part++) {
        uint8_t bytes[SS_PAST_KEY_BYTES];
        struct ss_str value = { NULL, 0 };
        ss__past_key(bytes, &key);
        err = get(env, txn, bytes, &value);
        err = err != 0 ? err : ss__past_part_decode(ss_str_of(bytes, sizeof bytes), value, visit,
                                                    ctx);
    }
    return err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
}

static int verify(const struct ss_env *env, MDB_txn *txn, const struct ss_past_key *key,
                  struct ss_past_head *ret_head)
{
    uint32_t entities = 0;
    int err = read_head(env, txn, key, ret_head);
    err = err != 0 ? err : each_part(env, txn, *key, ret_head->parts, count_entity, &entities);
    return err == 0 && entities != ret_head->entities ? SS_E_CORRUPT : err;
}

int ss__past_sound(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal)
{
    struct ss_past_head head = { 0 };
    return verify(env, txn, &(struct ss_past_key){ sid, ordinal, 0 }, &head);
}

int ss__past_read(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal,
                  int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx)
{
    struct ss_past_key key = { sid, ordinal, 0 };
    struct ss_past_head head = { 0 };
    int err = verify(env, txn, &key, &head);
    err = err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
    return err != 0 ? err : each_part(env, txn, key, head.parts, visit, ctx);
}

/* ---- writing ---- */

/* Removes from the key on what shares its first @prefix_len bytes. */
static int remove_from(const struct ss_env *env, MDB_txn *txn, struct ss_past_key key,
                       size_t prefix_len)
{
    uint8_t prefix[SS_PAST_KEY_BYTES];
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, env->dbi[SS_DB_CHECKPOINT], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    ss__past_key(prefix, &key);
    MDB_val place = ss__val_of(prefix, sizeof prefix);
    MDB_val value;
    code = mdb_cursor_get(cursor, &place, &value, MDB_SET_RANGE);
    while (code == 0 && place.mv_size >= prefix_len &&
           memcmp(place.mv_data, prefix, prefix_len) == 0) {
        code = mdb_cursor_del(cursor, 0);
        code = code != 0 ? code : mdb_cursor_get(cursor, &place, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static int remove_one(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal)
{
    return remove_from(env, txn, (struct ss_past_key){ sid, ordinal, 0 }, 16);
}

/* Those that a session has, ascending. */
static int list(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t *ordinals,
                size_t *ret_count)
{
    size_t count = 0;
    struct ss_past_key key = { sid, 0, 0 };
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, env->dbi[SS_DB_CHECKPOINT], &cursor);
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    while (code == 0 && count < FOUND_MAX) {
        uint8_t bytes[SS_PAST_KEY_BYTES];
        ss__past_key(bytes, &key);
        MDB_val place = ss__val_of(bytes, sizeof bytes);
        MDB_val value;
        code = mdb_cursor_get(cursor, &place, &value, MDB_SET_RANGE);
        if (code != 0 || ss__past_key_decode(ss__str_of_val(place), &key) != 0 ||
            key.sid != sid) {
            break;
        }
        ordinals[count++] = key.ordinal;
        key.part = UINT32_MAX;    /* no part has this number */
    }
    mdb_cursor_close(cursor);
    *ret_count = count;
    return code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__past_remove_but(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t base)
{
    uint64_t ordinals[FOUND_MAX];
    size_t count = FOUND_MAX;
    int err = 0;
    while (err == 0 && count == FOUND_MAX) {    /* there are never so many */
        err = list(env, txn, sid, ordinals, &count);
        for (size_t i = 0; i < count && err == 0; i++) {
            err = ordinals[i] == base ? 0 : remove_one(env, txn, sid, ordinals[i]);
        }
    }
    return err;
}

int ss__past_remove_through(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t last)
{
    uint64_t ordinals[FOUND_MAX];
    size_t count = 0;
    int err = list(env, txn, sid, ordinals, &count);
    for (size_t i = 0; i < count && ordinals[i] <= last && err == 0; i++) {
        err = remove_one(env, txn, sid, ordinals[i]);
    }
    return err;
}

/* Which one leaves the smallest gap, between its neighbours; the newest stays. */
static size_t least_missed(const uint64_t *ordinals, size_t count)
{
    size_t least = 0;
    for (size_t i = 1; i + 1 < count; i++) {
        uint64_t gap = ordinals[i + 1] - ordinals[i - 1];
        uint64_t smallest = ordinals[least + 1] - (least == 0 ? 0 : ordinals[least - 1]);
        least = gap < smallest ? i : least;
    }
    return least;
}

/* Also those of other code, and what cannot be read, but not the base. */
static int prune(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t code,
                 uint64_t base)
{
    uint64_t ordinals[FOUND_MAX];
    size_t count = 0;
    size_t kept = 0;
    int err = list(env, txn, sid, ordinals, &count);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct ss_past_head head = { 0 };
        if (ordinals[i] == base) {
            continue;
        }
        err = read_head(env, txn, &(struct ss_past_key){ sid, ordinals[i], 0 }, &head);
        if (err == 0 && head.code == code) {
            ordinals[kept++] = ordinals[i];
        } else if (err == 0 || err == SS_E_CORRUPT || err == SS_E_NOTFOUND) {
            err = remove_one(env, txn, sid, ordinals[i]);
        }
    }
    while (kept > SS_PASTS_MAX && err == 0) {
        size_t least = least_missed(ordinals, kept);
        err = remove_one(env, txn, sid, ordinals[least]);
        memmove(ordinals + least, ordinals + least + 1, (kept - least - 1) * sizeof *ordinals);
        kept--;
    }
    return err;
}

static int put(const struct ss_env *env, MDB_txn *txn, const struct ss_past_key *key,
               uint8_t *bytes, size_t len)
{
    uint8_t key_bytes[SS_PAST_KEY_BYTES];
    ss__past_key(key_bytes, key);
    ss__value_seal(bytes, len, ss__key_seed(ss_str_of(key_bytes, sizeof key_bytes)));
    MDB_val place = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(bytes, len);
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_CHECKPOINT], &place, &value, 0));
}

static int put_head(const struct ss_env *env, MDB_txn *txn, const struct ss_past *past)
{
    uint8_t bytes[HEAD_BYTES];
    bytes[0] = SS_VALUE_VERSION;
    ss__put_le32(bytes + 1, past->head.parts);
    ss__put_le32(bytes + 5, past->head.entities);
    ss__put_le64(bytes + 9, past->head.code);
    return put(env, txn, &past->key, bytes, sizeof bytes);
}

int ss__past_end(struct ss_past *past)
{
    return close_part(past);
}

int ss__past_put(const struct ss_env *env, MDB_txn *txn, const struct ss_past *past,
                 uint64_t base)
{
    struct ss_past_key key = past->key;
    int err = remove_one(env, txn, key.sid, key.ordinal);
    err = err != 0 ? err : put_head(env, txn, past);
    size_t begin = 0;
    for (uint32_t i = 0; i < past->head.parts && err == 0; i++) {
        key.part = i + 1;
        err = put(env, txn, &key, past->bytes.data + begin, past->ends[i] - begin);
        SS_KILL_POINT(PAST_PART);
        begin = past->ends[i];
    }
    return err != 0 ? err : prune(env, txn, key.sid, past->head.code, base);
}
