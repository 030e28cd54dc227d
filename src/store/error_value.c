#include "store/error_value.h"

#include <string.h>

#include "core/fault.h"
#include "core/utf8.h"
#include "store/bytes_order.h"
#include "store/layout.h"

#define HEAD_BYTES 24u
#define STRINGS_MAX (5 + 2 * SS_ERROR_METADATA_MAX)

static struct ss_str cut_text(struct ss_str text, size_t max)
{
    return text.len <= max ? text : ss_str_of(text.data, ss__utf8_floor(text.data, max));
}

static struct ss_str cut_bytes(struct ss_str bytes, size_t max)
{
    return ss_str_of(bytes.data, bytes.len < max ? bytes.len : max);
}

/* Returns how many strings of @record there are, cut. */
static size_t strings_of(const struct ss_error_record *record, uint32_t metadata,
                         struct ss_str strings[STRINGS_MAX])
{
    size_t count = 0;
    strings[count++] = cut_bytes(record->session_id, SS_SESSION_ID_BYTES_MAX);
    strings[count++] = cut_bytes(record->event, SS_NAME_BYTES_MAX);
    strings[count++] = cut_bytes(record->projection, SS_NAME_BYTES_MAX);
    strings[count++] = cut_text(record->text, SS_ERROR_TEXT_BYTES_MAX);
    strings[count++] = cut_bytes(record->raw, SS_ERROR_RAW_BYTES_MAX);
    for (uint32_t i = 0; i < metadata; i++) {
        strings[count++] = cut_text(record->metadata[i].name, SS_ERROR_METADATA_BYTES_MAX);
        strings[count++] = cut_text(record->metadata[i].value, SS_ERROR_METADATA_BYTES_MAX);
    }
    return count;
}

struct ss_buf *ss__error_value_new(const struct ss_error_record *record)
{
    struct ss_str strings[STRINGS_MAX];
    uint32_t metadata = record->metadata_count < SS_ERROR_METADATA_MAX ? record->metadata_count
                                                                       : SS_ERROR_METADATA_MAX;
    size_t count = strings_of(record, metadata, strings);
    size_t len = HEAD_BYTES + SS_CHECKSUM_BYTES;
    for (size_t i = 0; i < count; i++) {
        len += 2 + strings[i].len;
    }
    struct ss_buf *buf = SS_FAULT("store.error") != 0 ? NULL : ss__buf_new(len);
    if (buf == NULL) {
        return NULL;
    }
    uint8_t *out = buf->data;
    out[0] = SS_VALUE_VERSION;
    out[1] = (uint8_t)record->kind;
    out[2] = (uint8_t)metadata;
    out[3] = 0;
    ss__put_le32(out + 4, (uint32_t)record->code);
    ss__put_le64(out + 8, record->time_us);
    ss__put_le64(out + 16, record->ordinal);
    uint8_t *at = out + HEAD_BYTES;
    for (size_t i = 0; i < count; i++) {
        ss__put_le16(at, (uint16_t)strings[i].len);
        if (strings[i].len > 0) {
            memcpy(at + 2, strings[i].data, strings[i].len);
        }
        at += 2 + strings[i].len;
    }
    ss__value_seal(out, len, record->number);
    return buf;
}

static int take_strings(struct ss_str bytes, size_t count, struct ss_str strings[STRINGS_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *in = (const uint8_t *)bytes.data + at;
        if (bytes.len - at < 2 || bytes.len - at - 2 < ss__get_le16(in)) {
            return SS_E_CORRUPT;
        }
        strings[i] = ss_str_of(in + 2, ss__get_le16(in));
        at += 2 + strings[i].len;
    }
    return at == bytes.len ? 0 : SS_E_CORRUPT;
}

int ss__error_value_decode(uint64_t number, struct ss_str value,
                           struct ss_error_record *ret_record)
{
    const uint8_t *in = (const uint8_t *)value.data;
    struct ss_str strings[STRINGS_MAX];
    if (value.len < HEAD_BYTES + SS_CHECKSUM_BYTES || in[0] != SS_VALUE_VERSION ||
        in[1] >= SS_ERROR_KINDS || in[2] > SS_ERROR_METADATA_MAX || in[3] != 0 ||
        !ss__value_is_sealed(value, number)) {
        return SS_E_CORRUPT;
    }
    struct ss_str rest =
        ss_str_of(in + HEAD_BYTES, value.len - HEAD_BYTES - SS_CHECKSUM_BYTES);
    int err = take_strings(rest, 5 + 2 * (size_t)in[2], strings);
    if (err != 0) {
        return err;
    }
    *ret_record = (struct ss_error_record){ .number = number,
                                            .time_us = ss__get_le64(in + 8),
                                            .kind = (enum ss_error_kind)in[1],
                                            .code = (int32_t)ss__get_le32(in + 4),
                                            .ordinal = ss__get_le64(in + 16),
                                            .session_id = strings[0],
                                            .event = strings[1],
                                            .projection = strings[2],
                                            .text = strings[3],
                                            .raw = strings[4],
                                            .metadata_count = in[2] };
    for (uint32_t i = 0; i < in[2]; i++) {
        ret_record->metadata[i] =
            (struct ss_error_metadata){ strings[5 + 2 * i], strings[6 + 2 * i] };
    }
    return 0;
}
