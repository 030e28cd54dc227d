/* ws_close.h - reading close frames (RFC 6455 sections 5.5.1 and 7.4); internal to src/wire. */
#ifndef SS_WIRE_WS_CLOSE_H
#define SS_WIRE_WS_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

/* True if a peer may send this status: 1000-1003, 1007-1014, 3000-4999. */
bool ss__ws_status_sendable(uint16_t status);

/* Reads the payload of a close frame. Returns 0, or the status to close with: 1002 for one byte
 * or a status that may not be sent, 1007 for a reason that is no UTF-8. */
uint16_t ss__ws_close_read(struct ss_str payload, uint16_t *ret_status, struct ss_str *ret_reason);

#endif
