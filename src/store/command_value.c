#include "store/command_value.h"

#include <string.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "store/bytes_order.h"
#include "store/layout.h"

#define ROW_HEAD_BYTES 9u

static uint8_t *put(uint8_t *out, struct ss_str text)
{
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    return out + text.len;
}

void ss__command_body_encode(uint8_t *out, const struct ss_command_value *value)
{
    ss__put_le64(out, value->time_us);
    ss__put_le64(out + 8, value->ordinal);
    ss__put_le32(out + 16, (uint32_t)value->err);
    out[20] = (uint8_t)value->session_id.len;
    out[21] = (uint8_t)value->key.len;
    ss__put_le16(out + 22, (uint16_t)value->text.len);
    memcpy(out + 24, value->digest, sizeof value->digest);
    uint8_t *at = put(out + SS_COMMAND_BODY_FIXED_BYTES, value->session_id);
    (void)put(put(at, value->key), value->text);    /* the end is known */
}

int ss__command_body_decode(struct ss_str body, struct ss_command_value *ret_value)
{
    const uint8_t *in = (const uint8_t *)body.data;
    if (body.len < SS_COMMAND_BODY_FIXED_BYTES) {
        return SS_E_CORRUPT;
    }
    size_t id_len = in[20];
    size_t key_len = in[21];
    size_t text_len = ss__get_le16(in + 22);
    if (id_len == 0 || key_len == 0 || text_len > SS_COMMAND_TEXT_BYTES_MAX ||
        SS_COMMAND_BODY_FIXED_BYTES + id_len + key_len + text_len != body.len) {
        return SS_E_CORRUPT;
    }
    const uint8_t *strings = in + SS_COMMAND_BODY_FIXED_BYTES;
    ret_value->time_us = ss__get_le64(in);
    ret_value->ordinal = ss__get_le64(in + 8);
    ret_value->err = (int32_t)ss__get_le32(in + 16);
    memcpy(ret_value->digest, in + 24, sizeof ret_value->digest);
    ret_value->session_id = ss_str_of(strings, id_len);
    ret_value->key = ss_str_of(strings + id_len, key_len);
    ret_value->text = ss_str_of(strings + id_len + key_len, text_len);
    return 0;
}

void ss__command_row_encode(uint8_t *out, struct ss_str key, const struct ss_command_value *value)
{
    out[0] = SS_VALUE_VERSION;
    ss__put_le64(out + 1, value->sid);
    ss__command_body_encode(out + ROW_HEAD_BYTES, value);
    ss__value_seal(out, ss__command_row_bytes(value), ss__key_seed(key));
}

int ss__command_row_decode(struct ss_str key, struct ss_str row,
                           struct ss_command_value *ret_value)
{
    const uint8_t *in = (const uint8_t *)row.data;
    if (key.len != 8 || row.len < SS_COMMAND_ROW_FIXED_BYTES || in[0] != SS_VALUE_VERSION) {
        return SS_E_CORRUPT;
    }
    size_t checked = row.len - SS_CHECKSUM_BYTES;
    if (ss__get_le64(in + checked) != ss__checksum_seeded(ss__key_seed(key), in, checked)) {
        return SS_E_CORRUPT;
    }
    struct ss_command_value value = { .sid = ss__get_le64(in + 1) };
    int err = ss__command_body_decode(ss_str_of(in + ROW_HEAD_BYTES, checked - ROW_HEAD_BYTES),
                                      &value);
    if (err == 0) {
        *ret_value = value;
    }
    return err;
}
