#include "wire/ws_header.h"

#define FIN 0x80u

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
