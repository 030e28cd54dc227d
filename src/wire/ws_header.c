#include "wire/ws_header.h"

size_t ss__ws_header_size(uint64_t len)
{
    return len < 126 ? 2 : len <= UINT16_MAX ? 4 : 10;
}

size_t ss__ws_header_write(enum ss_ws_opcode opcode, uint64_t len,
                           uint8_t out[SS_WS_HEADER_BYTES_MAX])
{
    size_t size = ss__ws_header_size(len);
    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = size == 2 ? (uint8_t)len : size == 4 ? 126 : 127;
    for (size_t i = size; i > 2; i--) {
        out[i - 1] = (uint8_t)len;
        len >>= 8;
    }
    return size;
}
