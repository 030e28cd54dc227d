#include "store/layout.h"

#include <sessionstream/error.h>

#include "core/hash.h"
#include "store/bytes_order.h"

#define ROW_RUNNING 1u

uint64_t ss__key_seed(struct ss_str key)
{
    return ss__checksum(key.data, key.len);
}

void ss__value_seal(uint8_t *value, size_t len, uint64_t seed)
{
    size_t checked = len - SS_CHECKSUM_BYTES;
    ss__put_le64(value + checked, ss__checksum_seeded(seed, value, checked));
}

bool ss__value_is_sealed(struct ss_str value, uint64_t seed)
{
    const uint8_t *in = (const uint8_t *)value.data;
    size_t checked = value.len - SS_CHECKSUM_BYTES;
    return ss__get_le64(in + checked) == ss__checksum_seeded(seed, in, checked);
}

size_t ss__row_encode(uint8_t *out, uint64_t sid, const struct ss_row_value *row)
{
    size_t len = SS_ROW_FIXED_BYTES + row->id.len + row->timelines.len;
    out[0] = SS_VALUE_VERSION;
    out[1] = row->running ? ROW_RUNNING : 0;
    out[2] = 0;
    out[3] = (uint8_t)row->id.len;
    ss__put_le32(out + 4, row->epoch_counter);
    ss__put_le64(out + 8, row->ordinal);
    ss__put_le64(out + 16, row->first_retained);
    ss__put_le64(out + 24, row->created_us);
    ss__put_le64(out + 32, row->updated_us);
    ss__put_le64(out + 40, row->tip.first);
    ss__put_le32(out + 48, row->tip.count);
    ss__put_le32(out + 52, row->tip.bytes);
    memcpy(out + SS_ROW_HEAD_BYTES, row->id.data, row->id.len);
    if (row->timelines.len > 0) {
        memcpy(out + SS_ROW_HEAD_BYTES + row->id.len, row->timelines.data, row->timelines.len);
    }
    ss__value_seal(out, len, sid);
    return len;
}

int ss__row_decode(uint64_t sid, struct ss_str value, struct ss_row_value *ret_row)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (value.len <= SS_ROW_FIXED_BYTES || in[0] != SS_VALUE_VERSION || in[1] > ROW_RUNNING ||
        in[2] != 0 || in[3] == 0 || in[3] > value.len - SS_ROW_FIXED_BYTES ||
        !ss__value_is_sealed(value, sid)) {
        return SS_E_CORRUPT;
    }
    size_t timelines_at = SS_ROW_HEAD_BYTES + (size_t)in[3];
    *ret_row = (struct ss_row_value){
        .ordinal = ss__get_le64(in + 8),
        .first_retained = ss__get_le64(in + 16),
        .created_us = ss__get_le64(in + 24),
        .updated_us = ss__get_le64(in + 32),
        .epoch_counter = ss__get_le32(in + 4),
        .tip = { .first = ss__get_le64(in + 40), .count = ss__get_le32(in + 48),
                 .bytes = ss__get_le32(in + 52) },
        .running = in[1] == ROW_RUNNING,
        .id = ss_str_of(in + SS_ROW_HEAD_BYTES, in[3]),
        .timelines = ss_str_of(in + timelines_at, value.len - SS_CHECKSUM_BYTES - timelines_at),
    };
    int err = ss__timelines_check(ret_row->timelines);
    if (err != 0) {
        return err;
    }
    const struct ss_segment_tip *tip = &ret_row->tip;
    uint64_t tip_end = tip->first == 0 ? 0 : tip->first + tip->count - 1;
    bool tip_fits = tip->count <= SS_SEGMENT_RECORDS_MAX && (tip->first == 0) == (tip->count == 0);
    return tip_fits && tip_end == ret_row->ordinal ? 0 : SS_E_CORRUPT;
}

uint64_t ss__row_epoch(uint64_t directory_id, uint64_t incarnation, uint64_t code, uint64_t sid,
                       uint32_t epoch_counter)
{
    uint8_t parts[40];
    ss__put_le64(parts, directory_id);
    ss__put_le64(parts + 8, incarnation);
    ss__put_le64(parts + 16, sid);
    ss__put_le64(parts + 24, epoch_counter);
    ss__put_le64(parts + 32, code);
    uint64_t epoch = ss__checksum(parts, sizeof parts);
    return epoch == 0 ? 1 : epoch;
}

void ss__segment_key(uint8_t out[16], uint64_t sid, uint64_t first)
{
    ss__put_be64(out, sid);
    ss__put_be64(out + 8, first);
}

/* The seed binds a segment to its key and its head. */
static uint64_t segment_checksum(const uint8_t *value, size_t len, uint64_t sid, uint64_t first)
{
    uint8_t parts[24];
    ss__put_le64(parts, sid);
    ss__put_le64(parts + 8, first);
    memcpy(parts + 16, value, 8);
    uint64_t seed = ss__checksum(parts, sizeof parts);
    return ss__checksum_seeded(seed, value + SS_SEGMENT_HEAD_BYTES, len - SS_SEGMENT_HEAD_BYTES);
}

void ss__segment_seal(uint8_t *value, size_t len, uint64_t sid, uint64_t first, uint32_t count)
{
    value[0] = SS_VALUE_VERSION;
    value[1] = SS_CODEC_RAW;
    ss__put_le16(value + 2, (uint16_t)count);
    ss__put_le32(value + 4, (uint32_t)(len - SS_SEGMENT_HEAD_BYTES));
    ss__put_le64(value + 8, segment_checksum(value, len, sid, first));
}

int ss__segment_decode(struct ss_str key, struct ss_str value, struct ss_segment *ret_segment)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (key.len != 16 || value.len < SS_SEGMENT_HEAD_BYTES || in[0] != SS_VALUE_VERSION ||
        in[1] != SS_CODEC_RAW || ss__get_le32(in + 4) != value.len - SS_SEGMENT_HEAD_BYTES) {
        return SS_E_CORRUPT;
    }
    const uint8_t *at = (const uint8_t *)key.data;
    struct ss_segment segment = {
        .sid = ss__get_be64(at),
        .first = ss__get_be64(at + 8),
        .count = ss__get_le16(in + 2),
        .entries = ss_str_of(in + SS_SEGMENT_HEAD_BYTES, value.len - SS_SEGMENT_HEAD_BYTES),
    };
    if (segment.count == 0 || segment.count > SS_SEGMENT_RECORDS_MAX || segment.first == 0 ||
        ss__get_le64(in + 8) != segment_checksum(in, value.len, segment.sid, segment.first)) {
        return SS_E_CORRUPT;
    }
    *ret_segment = segment;
    return 0;
}

void ss__entity_prefix(uint8_t out[SS_ENTITY_PREFIX_BYTES], uint64_t sid, uint32_t projection)
{
    ss__put_be64(out, sid);
    ss__put_be32(out + 8, projection);
}

int ss__entity_key(uint8_t *out, uint64_t sid, uint32_t projection, struct ss_str kind,
                   struct ss_str id)
{
    if (kind.len > SS_NAME_BYTES_MAX || id.len > SS_ENTITY_ID_BYTES_MAX) {
        return SS_E_TOOBIG;
    }
    if (kind.len == 0 || memchr(kind.data, 0, kind.len) != NULL) {
        return SS_E_INVAL;
    }
    ss__entity_prefix(out, sid, projection);
    uint8_t *at = out + SS_ENTITY_PREFIX_BYTES;
    memcpy(at, kind.data, kind.len);
    at[kind.len] = 0;
    if (id.len > 0) {
        memcpy(at + kind.len + 1, id.data, id.len);
    }
    return (int)(SS_ENTITY_PREFIX_BYTES + kind.len + 1 + id.len);
}

int ss__entity_key_decode(struct ss_str key, uint64_t *ret_sid, uint32_t *ret_projection,
                          struct ss_str *ret_kind, struct ss_str *ret_id)
{
    if (key.len < SS_ENTITY_PREFIX_BYTES + 2) {
        return SS_E_CORRUPT;
    }
    const char *kind = key.data + SS_ENTITY_PREFIX_BYTES;
    const char *key_end = key.data + key.len;
    const char *end = memchr(kind, 0, (size_t)(key_end - kind));
    if (end == NULL || end == kind || end - kind > SS_NAME_BYTES_MAX ||
        key_end - end - 1 > SS_ENTITY_ID_BYTES_MAX) {
        return SS_E_CORRUPT;
    }
    *ret_sid = ss__get_be64((const uint8_t *)key.data);
    *ret_projection = ss__get_be32((const uint8_t *)key.data + 8);
    *ret_kind = ss_str_of(kind, (size_t)(end - kind));
    *ret_id = ss_str_of(end + 1, (size_t)(key_end - end - 1));
    return 0;
}

void ss__entity_encode(uint8_t *out, struct ss_str key, const struct ss_entity_row *row)
{
    out[0] = SS_VALUE_VERSION;
    ss__put_le32(out + 1, row->type_id);
    ss__put_le64(out + 5, row->created_ordinal);
    ss__put_le64(out + 13, row->last_ordinal);
    ss__put_le64(out + 21, row->time_us);
    if (row->payload.len > 0) {
        memcpy(out + SS_ENTITY_HEAD_BYTES, row->payload.data, row->payload.len);
    }
    ss__value_seal(out, SS_ENTITY_FIXED_BYTES + row->payload.len, ss__key_seed(key));
}

int ss__entity_decode(struct ss_str key, struct ss_str value, struct ss_entity_row *ret_row)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (value.len < SS_ENTITY_FIXED_BYTES || in[0] != SS_VALUE_VERSION ||
        !ss__value_is_sealed(value, ss__key_seed(key))) {
        return SS_E_CORRUPT;
    }
    ret_row->type_id = ss__get_le32(in + 1);
    ret_row->created_ordinal = ss__get_le64(in + 5);
    ret_row->last_ordinal = ss__get_le64(in + 13);
    ret_row->time_us = ss__get_le64(in + 21);
    ret_row->tombstone = false;
    ret_row->payload = ss_str_of(in + SS_ENTITY_HEAD_BYTES, value.len - SS_ENTITY_FIXED_BYTES);
    return 0;
}

size_t ss__catalog_key(uint8_t *out, struct ss_str id)
{
    ss__put_be32(out, 0);
    if (id.len > 0) {
        memcpy(out + 4, id.data, id.len);
    }
    return 4 + id.len;
}

int ss__catalog_key_decode(struct ss_str key, struct ss_str *ret_id)
{
    if (key.len <= 4 || key.len > SS_CATALOG_KEY_BYTES_MAX ||
        ss__get_be32((const uint8_t *)key.data) != 0) {
        return SS_E_CORRUPT;
    }
    *ret_id = ss_str_of(key.data + 4, key.len - 4);
    return 0;
}

void ss__catalog_encode(uint8_t out[SS_CATALOG_VALUE_BYTES], struct ss_str key, uint64_t sid)
{
    out[0] = SS_VALUE_VERSION;
    ss__put_le64(out + 1, sid);
    ss__value_seal(out, SS_CATALOG_VALUE_BYTES, ss__key_seed(key));
}

int ss__catalog_decode(struct ss_str key, struct ss_str value, uint64_t *ret_sid)
{
    if (value.len != SS_CATALOG_VALUE_BYTES || value.data[0] != SS_VALUE_VERSION ||
        !ss__value_is_sealed(value, ss__key_seed(key))) {
        return SS_E_CORRUPT;
    }
    *ret_sid = ss__get_le64((const uint8_t *)value.data + 1);
    return *ret_sid == 0 ? SS_E_CORRUPT : 0;
}

void ss__running_encode(uint8_t out[SS_RUNNING_BYTES], uint64_t sid)
{
    out[0] = SS_SEALED_VERSION;
    ss__value_seal(out, SS_RUNNING_BYTES, sid);
}

int ss__running_decode(struct ss_str key, struct ss_str value, uint64_t *ret_sid)
{
    if (key.len != 8) {
        return SS_E_CORRUPT;
    }
    uint64_t sid = ss__get_be64((const uint8_t *)key.data);
    bool older = value.len == 1;
    bool whole = value.len == SS_RUNNING_BYTES && value.data[0] == SS_SEALED_VERSION &&
                 ss__value_is_sealed(value, sid);
    if (sid == 0 || (!older && !whole)) {
        return SS_E_CORRUPT;
    }
    *ret_sid = sid;
    return 0;
}

/* What seeds the checksums of values that are told apart by their place alone. */
enum seed { SEED_TYPE = 1, SEED_SHARD, SEED_RUN, SEED_SID, SEED_LOG };

/* Gives a value of @len bytes its version and its checksum; returns the bytes it has then. */
static size_t seal_value(uint8_t *out, size_t len, enum seed seed)
{
    out[0] = SS_SEALED_VERSION;
    ss__value_seal(out, len + SS_CHECKSUM_BYTES, seed);
    return len + SS_CHECKSUM_BYTES;
}

/* The bytes of a value without its checksum, which an older one has not; 0: it is damaged. */
static size_t sealed_len(struct ss_str value, enum seed seed)
{
    if (value.len > 0 && value.data[0] == SS_VALUE_VERSION) {
        return value.len;
    }
    return value.len > SS_CHECKSUM_BYTES && value.data[0] == SS_SEALED_VERSION &&
                   ss__value_is_sealed(value, seed)
               ? value.len - SS_CHECKSUM_BYTES
               : 0;
}

void ss__type_encode(struct ss_bytes *out, const struct ss_type_value *type)
{
    size_t begin = out->len;
    uint8_t *head = ss__bytes_extend(out, 14);
    if (head == NULL) {
        return;
    }
    head[0] = SS_SEALED_VERSION;
    head[1] = type->space;
    ss__put_le64(head + 2, type->fingerprint);
    ss__put_le16(head + 10, (uint16_t)type->name.len);
    ss__put_le16(head + 12, (uint16_t)type->full_name.len);
    ss__bytes_str(out, type->name);
    ss__bytes_str(out, type->full_name);
    if (ss__bytes_extend(out, SS_CHECKSUM_BYTES) != NULL) {
        ss__value_seal(out->data + begin, out->len - begin, SEED_TYPE);
    }
}

int ss__type_decode(struct ss_str value, struct ss_type_value *ret_type)
{
    const uint8_t *in = (const uint8_t *)value.data;
    size_t len = sealed_len(value, SEED_TYPE);
    if (len < 14) {
        return SS_E_CORRUPT;
    }
    size_t name = ss__get_le16(in + 10);
    size_t full_name = ss__get_le16(in + 12);
    if (name + full_name != len - 14 ||
        in[1] < SS_TYPE_EVENT || in[1] > SS_TYPE_PROJECTION) {
        return SS_E_CORRUPT;
    }
    *ret_type = (struct ss_type_value){
        .space = in[1],
        .fingerprint = ss__get_le64(in + 2),
        .name = ss_str_of(in + 14, name),
        .full_name = ss_str_of(in + 14 + name, full_name),
    };
    return 0;
}

size_t ss__meta_shard_encode(uint8_t *out, const struct ss_meta_shard *shard)
{
    ss__put_le32(out + 1, shard->index);
    ss__put_le32(out + 5, shard->count);
    ss__put_le64(out + 9, shard->directory_id);
    return seal_value(out, 17, SEED_SHARD);
}

int ss__meta_shard_decode(struct ss_str value, struct ss_meta_shard *ret_shard)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (value.len == 0 || in[0] > SS_SEALED_VERSION) {
        return value.len == 0 ? SS_E_CORRUPT : SS_E_VERSION;
    }
    if (sealed_len(value, SEED_SHARD) != 17) {
        return SS_E_CORRUPT;
    }
    *ret_shard = (struct ss_meta_shard){ ss__get_le32(in + 1), ss__get_le32(in + 5),
                                         ss__get_le64(in + 9) };
    return 0;
}

size_t ss__meta_run_encode(uint8_t *out, const struct ss_meta_run *run)
{
    out[1] = run->clean ? 1 : 0;
    out[2] = run->durability;
    ss__put_le64(out + 3, run->incarnation);
    ss__put_le64(out + 11, run->damage);
    return seal_value(out, 19, SEED_RUN);
}

int ss__meta_run_decode(struct ss_str value, struct ss_meta_run *ret_run)
{
    const uint8_t *in = (const uint8_t *)value.data;
    if (sealed_len(value, SEED_RUN) != 19) {
        return SS_E_CORRUPT;
    }
    *ret_run = (struct ss_meta_run){ in[1] == 1, in[2], ss__get_le64(in + 3),
                                     ss__get_le64(in + 11) };
    return 0;
}

size_t ss__meta_sid_encode(uint8_t *out, uint64_t next_sid)
{
    ss__put_le64(out + 1, next_sid);
    return seal_value(out, 9, SEED_SID);
}

int ss__meta_sid_decode(struct ss_str value, uint64_t *ret_next_sid)
{
    if (sealed_len(value, SEED_SID) != 9) {
        return SS_E_CORRUPT;
    }
    *ret_next_sid = ss__get_le64((const uint8_t *)value.data + 1);
    return 0;
}

size_t ss__meta_log_encode(uint8_t *out, const struct ss_meta_log *log)
{
    ss__put_le64(out + 1, log->needed_serial);
    ss__put_le64(out + 9, log->next_batch);
    return seal_value(out, 17, SEED_LOG);
}

int ss__meta_log_decode(struct ss_str value, struct ss_meta_log *ret_log)
{
    if (sealed_len(value, SEED_LOG) != 17) {
        return SS_E_CORRUPT;
    }
    const uint8_t *in = (const uint8_t *)value.data;
    *ret_log = (struct ss_meta_log){ ss__get_le64(in + 1), ss__get_le64(in + 9) };
    return 0;
}
