#include "schema/pb.h"

#include <string.h>

#include "schema/scan.h"

bool ss__pb_next(struct ss_pb_reader *reader, struct ss_pb_field *ret_field)
{
    if (reader->failed || reader->at == reader->end) {
        return false;
    }
    struct ss_pb_field field = { 0 };
    const uint8_t *at = ss__scan_tag(reader->at, reader->end, &field.number, &field.wire);
    if (at == NULL) {
        reader->failed = true;
        return false;
    }
    switch (field.wire) {
    case SS_PB_VARINT:
        at = ss__scan_varint(at, reader->end, &field.value);
        break;
    case SS_PB_I64:
        at = ss__scan_fixed64(at, reader->end, &field.value);
        break;
    case SS_PB_I32:
        at = ss__scan_fixed32(at, reader->end, &field.value);
        break;
    case SS_PB_LEN:
        at = ss__scan_bytes(at, reader->end, &field.bytes);
        break;
    case SS_PB_SGROUP:
        break;
    case SS_PB_EGROUP:    /* its SGROUP is not on this level */
        at = NULL;
        break;
    }
    if (at == NULL) {
        reader->failed = true;
        return false;
    }
    reader->at = at;
    *ret_field = field;
    return true;
}

bool ss__pb_skip_group(struct ss_pb_reader *reader, uint32_t number)
{
    uint32_t open[SS_NESTING_MAX];
    unsigned depth = 0;
    open[depth++] = number;
    while (!reader->failed && depth > 0) {
        uint32_t tag_number;
        enum ss_pb_wire wire;
        const uint8_t *at = ss__scan_tag(reader->at, reader->end, &tag_number, &wire);
        if (at != NULL && wire == SS_PB_SGROUP && depth < SS_NESTING_MAX) {
            open[depth++] = tag_number;
            reader->at = at;
        } else if (at != NULL && wire == SS_PB_EGROUP && open[depth - 1] == tag_number) {
            depth--;
            reader->at = at;
        } else if (at == NULL || wire == SS_PB_SGROUP || wire == SS_PB_EGROUP) {
            reader->failed = true;
        } else {
            struct ss_pb_field ignored;
            (void)ss__pb_next(reader, &ignored);    /* its failure is in reader->failed */
        }
    }
    return !reader->failed;
}

void ss__pb_tag(struct ss_bytes *out, uint32_t number, enum ss_pb_wire wire)
{
    ss__bytes_varint(out, (uint64_t)number << 3 | wire);
}

void ss__pb_u64(struct ss_bytes *out, uint32_t number, uint64_t value)
{
    ss__pb_tag(out, number, SS_PB_VARINT);
    ss__bytes_varint(out, value);
}

void ss__pb_fixed64(struct ss_bytes *out, uint32_t number, uint64_t value)
{
    ss__pb_tag(out, number, SS_PB_I64);
    uint8_t raw[8];
    for (unsigned i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(value >> (8 * i));
    }
    ss__bytes_append(out, raw, sizeof raw);
}

void ss__pb_fixed32(struct ss_bytes *out, uint32_t number, uint32_t value)
{
    ss__pb_tag(out, number, SS_PB_I32);
    uint8_t raw[4];
    for (unsigned i = 0; i < 4; i++) {
        raw[i] = (uint8_t)(value >> (8 * i));
    }
    ss__bytes_append(out, raw, sizeof raw);
}

void ss__pb_bytes(struct ss_bytes *out, uint32_t number, struct ss_str value)
{
    ss__pb_tag(out, number, SS_PB_LEN);
    ss__bytes_varint(out, value.len);
    ss__bytes_str(out, value);
}

size_t ss__pb_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

size_t ss__pb_bytes_size(uint32_t number, size_t len)
{
    return ss__pb_varint_size((uint64_t)number << 3) + ss__pb_varint_size(len) + len;
}
