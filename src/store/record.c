#include "store/record.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/hash.h"
#include "store/bytes_order.h"

#define CHECKSUM_BYTES 8u
#define EVENT_HEAD (SS_LOG_EVENT_FIXED_BYTES - CHECKSUM_BYTES)
#define SESSION_HEAD (SS_LOG_SESSION_FIXED_BYTES - CHECKSUM_BYTES)

void ss__header_append(struct ss_bytes *out, uint8_t tag, struct ss_str value)
{
    ss__bytes_byte(out, tag);
    ss__bytes_varint(out, value.len);
    ss__bytes_str(out, value);
}

static int read_varint(struct ss_str section, size_t *at, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && *at < section.len; shift += 7) {
        uint8_t byte = (uint8_t)section.data[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return 0;
        }
    }
    return SS_E_CORRUPT;
}

int ss__header_next(struct ss_str section, size_t *at, uint8_t *ret_tag, struct ss_str *ret_value)
{
    if (*at >= section.len) {
        return 0;
    }
    size_t pos = *at;
    uint8_t tag = (uint8_t)section.data[pos++];
    uint64_t len = 0;
    if (tag == 0 || read_varint(section, &pos, &len) != 0 || len > section.len - pos) {
        return SS_E_CORRUPT;
    }
    *ret_tag = tag;
    *ret_value = ss_str_of(section.data + pos, (size_t)len);
    *at = pos + (size_t)len;
    return 1;
}

int ss__header_find(struct ss_str section, uint8_t tag, struct ss_str *ret_value)
{
    size_t at = 0;
    uint8_t found = 0;
    struct ss_str value;
    int more;
    while ((more = ss__header_next(section, &at, &found, &value)) == 1) {
        if (found == tag) {
            *ret_value = value;
            return 0;
        }
    }
    return more == 0 ? SS_E_NOTFOUND : more;
}

int ss__header_check(struct ss_str section)
{
    if (section.len > SS_HEADER_BYTES_MAX) {
        return SS_E_CORRUPT;
    }
    size_t at = 0;
    uint8_t tag;
    struct ss_str value;
    int more;
    while ((more = ss__header_next(section, &at, &tag, &value)) == 1) {
    }
    return more;
}

static void copy(uint8_t *out, struct ss_str bytes)
{
    if (bytes.len > 0) {
        memcpy(out, bytes.data, bytes.len);
    }
}

static void encode_head(uint8_t *out, size_t len, enum ss_log_kind kind, uint32_t flags,
                        uint64_t batch, uint64_t sid)
{
    ss__put_le32(out, (uint32_t)len);
    out[4] = (uint8_t)kind;
    out[5] = SS_LOG_RECORD_VERSION;
    ss__put_le16(out + 6, (uint16_t)flags);
    ss__put_le64(out + 8, batch);
    ss__put_le64(out + 16, sid);
}

static void seal(uint8_t *out, size_t len, uint64_t seed)
{
    ss__put_le64(out + len - CHECKSUM_BYTES, ss__checksum_seeded(seed, out, len - CHECKSUM_BYTES));
}

void ss__log_event_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                          const struct ss_record *record)
{
    size_t len = ss__log_event_bytes(record);
    encode_head(out, len, SS_LOG_EVENT, record->flags, batch, sid);
    ss__put_le64(out + 24, record->ordinal);
    ss__put_le64(out + 32, record->time_us);
    ss__put_le32(out + 40, record->type_id);
    ss__put_le32(out + 44, (uint32_t)record->header.len);
    copy(out + EVENT_HEAD, record->header);
    copy(out + EVENT_HEAD + record->header.len, record->payload);
    seal(out, len, seed);
}

void ss__log_session_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                            uint64_t created_us, struct ss_str id)
{
    size_t len = ss__log_session_bytes(id);
    encode_head(out, len, SS_LOG_SESSION, 0, batch, sid);
    ss__put_le64(out + 24, created_us);
    copy(out + SESSION_HEAD, id);
    seal(out, len, seed);
}

void ss__log_delete_encode(uint8_t *out, uint64_t seed, uint64_t batch, uint64_t sid,
                           uint64_t deleted_us)
{
    encode_head(out, SS_LOG_DELETE_BYTES, SS_LOG_DELETE, 0, batch, sid);
    ss__put_le64(out + 24, deleted_us);
    seal(out, SS_LOG_DELETE_BYTES, seed);
}

void ss__log_command_encode(uint8_t *out, uint64_t seed, uint64_t batch,
                            const struct ss_command_value *value)
{
    size_t len = ss__log_command_bytes(value);
    encode_head(out, len, SS_LOG_COMMAND, 0, batch, value->sid);
    ss__command_body_encode(out + SS_LOG_RECORD_HEAD_BYTES, value);
    seal(out, len, seed);
}

static int decode_command(const uint8_t *in, struct ss_log_record *record)
{
    record->command.sid = record->sid;
    return ss__command_body_decode(ss_str_of(in + SS_LOG_RECORD_HEAD_BYTES,
                                             record->len - SS_LOG_COMMAND_FIXED_BYTES),
                                   &record->command);
}

static int decode_event(const uint8_t *in, struct ss_log_record *record)
{
    struct ss_record *event = &record->event;
    if (record->len < SS_LOG_EVENT_FIXED_BYTES) {
        return SS_E_CORRUPT;
    }
    size_t room = record->len - SS_LOG_EVENT_FIXED_BYTES;
    size_t header_bytes = ss__get_le32(in + 44);
    event->flags = ss__get_le16(in + 6);
    event->ordinal = ss__get_le64(in + 24);
    event->time_us = ss__get_le64(in + 32);
    event->type_id = ss__get_le32(in + 40);
    if (header_bytes > room) {
        return SS_E_CORRUPT;
    }
    event->header = ss_str_of(in + EVENT_HEAD, header_bytes);
    event->payload = ss_str_of(in + EVENT_HEAD + header_bytes, room - header_bytes);
    return 0;
}

static int decode_session(const uint8_t *in, struct ss_log_record *record)
{
    if (record->len <= SS_LOG_SESSION_FIXED_BYTES ||
        record->len > SS_LOG_SESSION_FIXED_BYTES + SS_SESSION_ID_BYTES_MAX) {
        return SS_E_CORRUPT;
    }
    record->created_us = ss__get_le64(in + 24);
    record->id = ss_str_of(in + SESSION_HEAD, record->len - SS_LOG_SESSION_FIXED_BYTES);
    return 0;
}

static int decode_delete(const uint8_t *in, struct ss_log_record *record)
{
    if (record->len != SS_LOG_DELETE_BYTES) {
        return SS_E_CORRUPT;
    }
    record->deleted_us = ss__get_le64(in + 24);
    return 0;
}

size_t ss__log_record_bytes(struct ss_str bytes)
{
    if (bytes.len < SS_LOG_RECORD_HEAD_BYTES + CHECKSUM_BYTES) {
        return 0;
    }
    size_t len = ss__get_le32((const uint8_t *)bytes.data);
    return len >= SS_LOG_RECORD_HEAD_BYTES + CHECKSUM_BYTES && len <= bytes.len ? len : 0;
}

int ss__log_record_decode(struct ss_str bytes, uint64_t seed, struct ss_log_record *ret_record)
{
    struct ss_log_record record = { 0 };
    const uint8_t *in = (const uint8_t *)bytes.data;
    int err = SS_E_CORRUPT;
    if (bytes.len >= SS_LOG_RECORD_HEAD_BYTES + CHECKSUM_BYTES) {
        size_t len = ss__log_record_bytes(bytes);
        record.kind = in[4];
        record.len = (uint32_t)len;
        record.batch = ss__get_le64(in + 8);
        record.sid = ss__get_le64(in + 16);
        if (record.len > 0) {
            err = record.kind == SS_LOG_EVENT     ? decode_event(in, &record)
                  : record.kind == SS_LOG_SESSION ? decode_session(in, &record)
                  : record.kind == SS_LOG_DELETE  ? decode_delete(in, &record)
                  : record.kind == SS_LOG_COMMAND ? decode_command(in, &record)
                                                  : SS_E_CORRUPT;
            bool sound = in[5] == SS_LOG_RECORD_VERSION &&
                         ss__get_le64(in + len - CHECKSUM_BYTES) ==
                             ss__checksum_seeded(seed, in, len - CHECKSUM_BYTES);
            err = sound ? err : SS_E_CORRUPT;
        }
    }
    *ret_record = record;
    return err;
}

void ss__segment_entry_append(struct ss_bytes *out, const struct ss_record *record)
{
    uint8_t *at = ss__bytes_extend(out, ss__segment_entry_bytes(record));
    if (at == NULL) {
        return;
    }
    ss__put_le16(at, (uint16_t)record->flags);
    ss__put_le32(at + 2, record->type_id);
    ss__put_le64(at + 6, record->time_us);
    ss__put_le32(at + 14, (uint32_t)record->header.len);
    ss__put_le32(at + 18, (uint32_t)record->payload.len);
    copy(at + SS_SEGMENT_ENTRY_FIXED_BYTES, record->header);
    copy(at + SS_SEGMENT_ENTRY_FIXED_BYTES + record->header.len, record->payload);
}

int ss__segment_entry_next(struct ss_str entries, size_t *at, struct ss_record *ret_record)
{
    if (entries.len - *at < SS_SEGMENT_ENTRY_FIXED_BYTES) {
        return SS_E_CORRUPT;
    }
    const uint8_t *in = (const uint8_t *)entries.data + *at;
    size_t room = entries.len - *at - SS_SEGMENT_ENTRY_FIXED_BYTES;
    size_t header_bytes = ss__get_le32(in + 14);
    size_t payload_bytes = ss__get_le32(in + 18);
    if (header_bytes > room || payload_bytes > room - header_bytes) {
        return SS_E_CORRUPT;
    }
    const uint8_t *bytes = in + SS_SEGMENT_ENTRY_FIXED_BYTES;
    ret_record->flags = ss__get_le16(in);
    ret_record->type_id = ss__get_le32(in + 2);
    ret_record->time_us = ss__get_le64(in + 6);
    ret_record->header = ss_str_of(bytes, header_bytes);
    ret_record->payload = ss_str_of(bytes + header_bytes, payload_bytes);
    *at += SS_SEGMENT_ENTRY_FIXED_BYTES + header_bytes + payload_bytes;
    return 0;
}
