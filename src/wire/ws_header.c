#include "wire/ws_header.h"

#define FIN 0x80u
#define MASKED 0x80u

size_t ss__ws_header_size(uint64_t len)
{
    return len < 126 ? 2 : len <= UINT16_MAX ? 4 : 10;
}

size_t ss__ws_header_write(enum ss_ws_opcode opcode, uint64_t len,
                           uint8_t out[SS_WS_HEADER_BYTES_MAX])
{
    size_t size = ss__ws_header_size(len);
    out[0] = (uint8_t)(FIN | (unsigned)opcode);
    if (size == 2) {
        out[1] = (uint8_t)len;
        return size;
    }
    out[1] = size == 4 ? 126 : 127;
    for (size_t i = 2; i < size; i++) {
        out[i] = (uint8_t)(len >> (8 * (size - 1 - i)));
    }
    return size;
}

size_t ss__ws_header_read(const uint8_t *in, size_t len, struct ss_ws_header *ret_header)
{
    if (len < 2) {
        return 0;
    }
    unsigned short_len = in[1] & 0x7Fu;
    bool masked = (in[1] & MASKED) != 0;
    size_t lengths_end = short_len == 127 ? 10 : short_len == 126 ? 4 : 2;
    size_t size = lengths_end + (masked ? SS_WS_MASK_BYTES : 0);
    if (len < size) {
        return 0;
    }
    uint64_t payload_len = lengths_end == 2 ? short_len : 0;
    for (size_t i = 2; i < lengths_end; i++) {
        payload_len = payload_len << 8 | in[i];
    }
    *ret_header = (struct ss_ws_header){
        .final = (in[0] & FIN) != 0,
        .masked = masked,
        .reserved = (in[0] >> 4) & 0x7,
        .opcode = in[0] & 0xF,
        .size = (uint8_t)size,
        .payload_len = payload_len,
    };
    return size;
}
