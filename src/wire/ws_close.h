/* ws_close.h - close frames (RFC 6455 sections 5.5.1 and 7.4). */
#ifndef SS_WIRE_WS_CLOSE_H
#define SS_WIRE_WS_CLOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "wire/ws_header.h"

#define SS_WS_CLOSE_FRAME_BYTES_MAX (2 + SS_WS_CONTROL_PAYLOAD_BYTES_MAX)

/* True if a peer may send @status: 1000-1003, 1007-1014, 3000-4999. */
bool ss__ws_status_sendable(uint16_t status);

/* Reads the payload of a close frame. Returns 0, or the status to answer with: 1002 for one byte
 * or a status that may not be sent, 1007 for a reason that is no UTF-8. An empty payload is
 * SS_WS_STATUS_NONE. *ret_reason lies in @payload. */
uint16_t ss__ws_close_read(struct ss_str payload, uint16_t *ret_status,
                           struct ss_str *ret_reason);

/* Writes an unmasked close frame; SS_WS_STATUS_NONE writes an empty one. @reason is UTF-8 and cut
 * at a character to 123 bytes. */
void ss__ws_close_frame(uint16_t status, struct ss_str reason,
                        uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX], size_t *ret_len);

#endif
