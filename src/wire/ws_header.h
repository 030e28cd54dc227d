/* ws_header.h - headers of unmasked websocket frames (RFC 6455 section 5.2). */
#ifndef SS_WIRE_WS_HEADER_H
#define SS_WIRE_WS_HEADER_H

#include <stddef.h>
#include <stdint.h>

#define SS_WS_HEADER_BYTES_MAX 10
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

/* Writes the header of a final frame with @len payload bytes; returns its size: 2, 4 or 10. */
size_t ss__ws_header_write(enum ss_ws_opcode opcode, uint64_t len,
                           uint8_t out[SS_WS_HEADER_BYTES_MAX]);

/* Size of the header in front of @len unmasked payload bytes. */
size_t ss__ws_header_size(uint64_t len);

#endif
