#include "wire/ws_close.h"

#include <string.h>

#include "core/utf8.h"

#define REASON_BYTES_MAX (SS_WS_CONTROL_PAYLOAD_BYTES_MAX - 2)

bool ss__ws_status_sendable(uint16_t status)
{
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
           (status >= 3000 && status <= 4999);
}

uint16_t ss__ws_close_read(struct ss_str payload, uint16_t *ret_status,
                           struct ss_str *ret_reason)
{
    if (payload.len == 0) {
        *ret_status = SS_WS_STATUS_NONE;
        *ret_reason = ss_str("");
        return 0;
    }
    if (payload.len == 1) {
        return SS_WS_STATUS_PROTOCOL_ERROR;
    }
    const uint8_t *bytes = (const uint8_t *)payload.data;
    uint16_t status = (uint16_t)(bytes[0] << 8 | bytes[1]);
    if (!ss__ws_status_sendable(status)) {
        return SS_WS_STATUS_PROTOCOL_ERROR;
    }
    struct ss_str reason = ss_str_of(payload.data + 2, payload.len - 2);
    if (!ss__utf8_valid(reason.data, reason.len)) {
        return SS_WS_STATUS_BAD_DATA;
    }
    *ret_status = status;
    *ret_reason = reason;
    return 0;
}

void ss__ws_close_frame(uint16_t status, struct ss_str reason,
                        uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX], size_t *ret_len)
{
    if (status == SS_WS_STATUS_NONE) {
        *ret_len = ss__ws_header_write(SS_WS_CLOSE, 0, out);
        return;
    }
    size_t len = reason.len;
    if (len > REASON_BYTES_MAX) {
        len = ss__utf8_floor(reason.data, REASON_BYTES_MAX);
    }
    size_t at = ss__ws_header_write(SS_WS_CLOSE, 2 + len, out);
    out[at++] = (uint8_t)(status >> 8);
    out[at++] = (uint8_t)status;
    if (len > 0) {
        memcpy(out + at, reason.data, len);
    }
    *ret_len = at + len;
}
