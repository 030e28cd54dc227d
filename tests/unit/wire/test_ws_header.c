#include "wire/ws_header.h"

#include <string.h>

#include "ss_test.h"

static const struct {
    uint64_t len;
    size_t size;
    uint8_t bytes[SS_WS_HEADER_BYTES_MAX];
} lengths[] = {
    { 0, 2, { 0x82, 0 } },
    { 1, 2, { 0x82, 1 } },
    { 125, 2, { 0x82, 125 } },
    { 126, 4, { 0x82, 126, 0, 126 } },
    { 65535, 4, { 0x82, 126, 0xFF, 0xFF } },
    { 65536, 10, { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
    { UINT64_C(0x0123456789ABCDEF), 10,
      { 0x82, 127, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF } },
    { INT64_MAX, 10, { 0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF } },
};

SS_TEST(ws_header, lengths_take_the_fewest_bytes)
{
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t out[SS_WS_HEADER_BYTES_MAX];
        ss_check(ss__ws_header_size(lengths[i].len) == lengths[i].size);
        ss_check(ss__ws_header_write(SS_WS_BINARY, lengths[i].len, out) == lengths[i].size);
        ss_check_msg(memcmp(out, lengths[i].bytes, lengths[i].size) == 0, "length %zu", i);
    }
}

SS_TEST(ws_header, a_header_is_read_when_its_last_byte_is_there)
{
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (unsigned masked = 0; masked < 2; masked++) {
            uint8_t in[SS_WS_MASKED_HEADER_BYTES_MAX] = { 0 };
            struct ss_ws_header header = { .opcode = 99 };
            size_t size = lengths[i].size + (masked != 0 ? SS_WS_MASK_BYTES : 0);
            memcpy(in, lengths[i].bytes, lengths[i].size);
            in[1] |= masked != 0 ? 0x80 : 0;
            for (size_t len = 0; len < size; len++) {
                ss_check(ss__ws_header_read(in, len, &header) == 0 && header.opcode == 99);
            }
            ss_check(ss__ws_header_read(in, size, &header) == size && header.size == size);
            ss_check(header.payload_len == lengths[i].len && header.masked == (masked != 0));
            ss_check(header.final && header.reserved == 0 && header.opcode == SS_WS_BINARY);
        }
    }
}

SS_TEST(ws_header, nothing_is_judged_by_reading)
{
    static const uint8_t odd[] = { 0x7F, 127, 0xFF, 0, 0, 0, 0, 0, 0, 3 };
    struct ss_ws_header header;
    ss_check(ss__ws_header_read(odd, sizeof odd, &header) == sizeof odd);
    ss_check(!header.final && header.reserved == 7 && header.opcode == 15);
    ss_check(header.payload_len == UINT64_C(0xFF00000000000003));
    static const uint8_t bits[] = { 0x40, 0x20, 0x10 };
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t in[] = { bits[i], 0 };
        ss_check(ss__ws_header_read(in, 2, &header) == 2 && header.reserved == 4u >> i);
    }
}

SS_TEST(ws_header, control_opcodes_have_their_bit)
{
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        ss_check(ss__ws_is_control(opcode) == (opcode >= 8));
    }
}
