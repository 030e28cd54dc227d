/* command_value.h - the result of a keyed command as bytes. Pure functions.
 *
 * Body, little-endian, in the log record (record.h) behind its head and in the table "command":
 *
 *     0  u64  time in µs             21  u8   bytes of the key
 *     8  u64  ordinal                22  u16  bytes of the text
 *    16  i32  error                  24       digest, 16 bytes
 *    20  u8   bytes of session id    40       session id, key, text
 *
 * Table: key u64 log position of the record, so that the oldest come first; value version u8, sid
 * u64, body, checksum as in layout.h. */
#ifndef SS_STORE_COMMAND_VALUE_H
#define SS_STORE_COMMAND_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#define SS_COMMAND_DIGEST_BYTES 16u
#define SS_COMMAND_TEXT_BYTES_MAX 255u
#define SS_COMMAND_BODY_FIXED_BYTES 40u
#define SS_COMMAND_ROW_FIXED_BYTES (9u + SS_COMMAND_BODY_FIXED_BYTES + 8u)

struct ss_command_value {
    uint64_t sid;              /* of its session; 0: that had no event yet */
    uint64_t time_us;          /* when it ran */
    uint64_t ordinal;          /* highest it published, 0 if none */
    int32_t err;
    uint8_t digest[SS_COMMAND_DIGEST_BYTES];    /* of command and payload */
    struct ss_str session_id;
    struct ss_str key;
    struct ss_str text;        /* of the error; at most SS_COMMAND_TEXT_BYTES_MAX */
};

static inline size_t ss__command_body_bytes(const struct ss_command_value *value)
{
    return SS_COMMAND_BODY_FIXED_BYTES + value->session_id.len + value->key.len + value->text.len;
}

/* Writes ss__command_body_bytes. */
void ss__command_body_encode(uint8_t *out, const struct ss_command_value *value);

/* Fills all but sid; borrows @body. SS_E_CORRUPT. */
int ss__command_body_decode(struct ss_str body, struct ss_command_value *ret_value);

static inline size_t ss__command_row_bytes(const struct ss_command_value *value)
{
    return SS_COMMAND_ROW_FIXED_BYTES - SS_COMMAND_BODY_FIXED_BYTES +
           ss__command_body_bytes(value);
}

/* Writes ss__command_row_bytes; @key: of the row, 8 bytes. */
void ss__command_row_encode(uint8_t *out, struct ss_str key, const struct ss_command_value *value);
/* SS_E_CORRUPT. */
int ss__command_row_decode(struct ss_str key, struct ss_str row,
                           struct ss_command_value *ret_value);

#endif
