#include "wire/ws_close.h"

#include "core/utf8.h"
#include "wire/ws.h"

bool ss__ws_status_sendable(uint16_t status)
{
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
           (status >= 3000 && status <= 4999);
}

uint16_t ss__ws_close_read(struct ss_str payload, uint16_t *ret_status, struct ss_str *ret_reason)
{
    if (payload.len == 0) {
        *ret_status = SS_WS_STATUS_NONE;
        *ret_reason = ss_str_of(payload.data, 0);
        return 0;
    }
    const uint8_t *at = (const uint8_t *)payload.data;
    uint16_t status = payload.len < 2 ? 0 : (uint16_t)(at[0] << 8 | at[1]);
    if (!ss__ws_status_sendable(status)) {
        return SS_WS_STATUS_PROTOCOL_ERROR;
    }
    if (!ss__utf8_valid(payload.data + 2, payload.len - 2)) {
        return SS_WS_STATUS_BAD_DATA;
    }
    *ret_status = status;
    *ret_reason = ss_str_of(payload.data + 2, payload.len - 2);
    return 0;
}

void ss__ws_close_frame(uint16_t status, struct ss_str reason,
                        uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX], size_t *ret_len)
{
    size_t payload_len = 0;
    if (status != SS_WS_STATUS_NONE) {
        size_t reason_len = reason.len;
        if (reason_len > SS_WS_CONTROL_PAYLOAD_BYTES_MAX - 2) {
            reason_len = ss__utf8_floor(reason.data, SS_WS_CONTROL_PAYLOAD_BYTES_MAX - 2);
        }
        out[2] = (uint8_t)(status >> 8);
        out[3] = (uint8_t)status;
        if (reason_len > 0) {
            memcpy(out + 4, reason.data, reason_len);
        }
        payload_len = 2 + reason_len;
    }
    out[0] = 0x80 | SS_WS_CLOSE;
    out[1] = (uint8_t)payload_len;
    *ret_len = 2 + payload_len;
}
