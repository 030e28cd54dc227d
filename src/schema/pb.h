/* pb.h - reading and writing the protobuf wire format field by field. Pure; any thread.
 *
 * Source: "Encoding" in the protobuf documentation. */
#ifndef SS_SCHEMA_PB_H
#define SS_SCHEMA_PB_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

enum ss_pb_wire { SS_PB_VARINT = 0, SS_PB_I64 = 1, SS_PB_LEN = 2, SS_PB_SGROUP = 3,
                  SS_PB_EGROUP = 4, SS_PB_I32 = 5 };

struct ss_pb_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;               /* malformed; sticky */
};

struct ss_pb_field {
    uint32_t number;
    enum ss_pb_wire wire;
    uint64_t value;            /* VARINT, I64, I32 */
    struct ss_str bytes;       /* LEN */
};

static inline struct ss_pb_reader ss__pb_reader(struct ss_str packed)
{
    return (struct ss_pb_reader){ (const uint8_t *)packed.data,
                                  (const uint8_t *)packed.data + packed.len, false };
}

/* Next field of this level; false at the end or when malformed (then reader->failed). A group is
 * returned as its SGROUP tag alone; ss__pb_skip_group skips to behind its end. Tags and lengths of
 * more than 5 bytes, values over 64 bits, field number 0 and an EGROUP without its SGROUP are
 * malformed. @ret_field borrows from the packed bytes. */
bool ss__pb_next(struct ss_pb_reader *reader, struct ss_pb_field *ret_field);

/* Call right after ss__pb_next returned the SGROUP of @number. False when the group is cut off,
 * malformed or nests over SS_NESTING_MAX groups, itself included (then reader->failed). */
bool ss__pb_skip_group(struct ss_pb_reader *reader, uint32_t number);

/* Writers; defaults are written too, the caller decides. */
void ss__pb_tag(struct ss_bytes *out, uint32_t number, enum ss_pb_wire wire);
void ss__pb_u64(struct ss_bytes *out, uint32_t number, uint64_t value);
void ss__pb_fixed64(struct ss_bytes *out, uint32_t number, uint64_t value);
void ss__pb_fixed32(struct ss_bytes *out, uint32_t number, uint32_t value);
void ss__pb_bytes(struct ss_bytes *out, uint32_t number, struct ss_str value);

/* Encoded sizes in bytes; ss__pb_bytes_size includes tag and length. */
size_t ss__pb_varint_size(uint64_t value);
size_t ss__pb_bytes_size(uint32_t number, size_t len);

#endif
