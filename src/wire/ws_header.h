/* ws_header.h - headers of websocket frames (RFC 6455 section 5.2) and their numbers. */
#ifndef SS_WIRE_WS_HEADER_H
#define SS_WIRE_WS_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SS_WS_MASK_BYTES 4
#define SS_WS_HEADER_BYTES_MAX 10
#define SS_WS_MASKED_HEADER_BYTES_MAX (SS_WS_HEADER_BYTES_MAX + SS_WS_MASK_BYTES)
#define SS_WS_CONTROL_PAYLOAD_BYTES_MAX 125

enum ss_ws_opcode {
    SS_WS_CONTINUATION = 0x0,
    SS_WS_TEXT = 0x1,
    SS_WS_BINARY = 0x2,
    SS_WS_CLOSE = 0x8,
    SS_WS_PING = 0x9,
    SS_WS_PONG = 0xA
};

/* Status codes of close frames (RFC 6455 section 7.4.1 and the IANA registry). */
enum ss_ws_status {
    SS_WS_STATUS_NORMAL = 1000,
    SS_WS_STATUS_GOING_AWAY = 1001,
    SS_WS_STATUS_PROTOCOL_ERROR = 1002,
    SS_WS_STATUS_UNSUPPORTED = 1003,
    SS_WS_STATUS_NONE = 1005,            /* never sent: the peer gave no code */
    SS_WS_STATUS_ABNORMAL = 1006,        /* never sent: closed without a frame */
    SS_WS_STATUS_BAD_DATA = 1007,
    SS_WS_STATUS_POLICY = 1008,
    SS_WS_STATUS_TOO_BIG = 1009,
    SS_WS_STATUS_INTERNAL = 1011,
    SS_WS_STATUS_TRY_AGAIN = 1013
};

/* A header as it stands on the wire. */
struct ss_ws_header {
    bool final;
    bool masked;
    uint8_t reserved;      /* the three reserved bits; not 0: no extension was agreed on */
    uint8_t opcode;        /* 0-15, also those that RFC 6455 reserves */
    uint8_t size;          /* bytes, with the mask key that ends a masked one */
    uint64_t payload_len;
};

/* Writes the header of a final unmasked frame with @len payload bytes; returns its size: 2, 4 or
 * 10. */
size_t ss__ws_header_write(enum ss_ws_opcode opcode, uint64_t len,
                           uint8_t out[SS_WS_HEADER_BYTES_MAX]);

/* Size of the unmasked header in front of @len payload bytes. */
size_t ss__ws_header_size(uint64_t len);

/* Reads the header at the start of @in, masked or not, and judges nothing. Returns its size, or 0
 * while it is incomplete (then *ret_header is untouched). */
size_t ss__ws_header_read(const uint8_t *in, size_t len, struct ss_ws_header *ret_header);

static inline bool ss__ws_is_control(unsigned opcode)
{
    return (opcode & 0x8) != 0;
}

#endif
