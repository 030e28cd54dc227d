#include "load/websocket.h"

#include <stdio.h>
#include <string.h>

#include "http/upgrade.h"
#include "wire/ws_client.h"
#include "wire/ws_close.h"

_Static_assert(sizeof ((struct ss_load_link *)0)->accept > SS_HTTP_ACCEPT_BYTES, "accept value");

void ss__load_ws_greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                       struct ss_str path, struct ss_str subprotocol, struct ss_bytes *out)
{
    char key[SS_WS_KEY_CHARS + 1];
    ss__ws_client_key(purpose->random, key);
    ss__http_accept_key(ss_str(key), link->accept);
    ss__ws_client_request(out, purpose->authority, path, subprotocol, ss_str(key));
}

/* A generator needs no mask that its own payload could not guess: the key is a counter. */
static void next_mask(uint8_t mask[SS_WS_MASK_BYTES])
{
    static _Thread_local uint32_t counter;
    uint32_t value = ++counter * UINT32_C(2654435761);
    memcpy(mask, &value, sizeof value);
}

void ss__load_ws_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload)
{
    uint8_t mask[SS_WS_MASK_BYTES];
    next_mask(mask);
    ss__ws_client_frame(out, opcode, payload, mask);
}

static ptrdiff_t take_handshake(const struct ss_load_ws *ws, struct ss_str in,
                                ss_load_item_fn *on_item, void *ctx, const char **ret_flaw)
{
    static _Thread_local struct ss_failure failure;
    struct ss_str chosen;
    ptrdiff_t taken = ss__ws_client_response(in, ss_str(ws->link->accept), ws->subprotocol, &chosen,
                                             &failure);
    if (taken < 0) {
        *ret_flaw = failure.text;
        return taken;
    }
    if (taken > 0 && !ss_str_equal(chosen, ws->subprotocol)) {
        *ret_flaw = "the handshake's answer names no subprotocol";
        return SS_E_PROTO;
    }
    if (taken > 0) {
        ws->link->open = true;
        on_item(ctx, &(struct ss_load_item){ .kind = SS_LOAD_OPEN });
        if (ws->subscribed) {
            on_item(ctx, &(struct ss_load_item){ .kind = SS_LOAD_SUBSCRIBED });
        }
    }
    return taken;
}

static void take_close(struct ss_str payload, ss_load_item_fn *on_item, void *ctx,
                       struct ss_bytes *out)
{
    uint16_t status = SS_WS_STATUS_NONE;
    struct ss_str reason = ss_str("");
    char text[160];
    (void)ss__ws_close_read(payload, &status, &reason);    /* said as well as it is known */
    (void)snprintf(text, sizeof text, "closed with %u %.*s", status, (int)reason.len, reason.data);
    ss__load_ws_frame(out, SS_WS_CLOSE, payload);
    on_item(ctx, &(struct ss_load_item){ .kind = SS_LOAD_CLOSED, .text = ss_str(text) });
}

ptrdiff_t ss__load_ws_take(const struct ss_load_ws *ws, const uint8_t *in, size_t len,
                           ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                           const char **ret_flaw)
{
    size_t at = 0;
    if (!ws->link->open) {
        ptrdiff_t taken = take_handshake(ws, ss_str_of(in, len), on_item, ctx, ret_flaw);
        if (taken <= 0) {
            return taken;
        }
        at = (size_t)taken;
    }
    struct ss_ws_header header;
    for (size_t size; (size = ss__ws_header_read(in + at, len - at, &header)) != 0;) {
        if (header.masked || header.reserved != 0 || !header.final ||
            header.opcode == SS_WS_CONTINUATION) {
            *ret_flaw = "a frame is masked, fragmented or uses an extension";
            return SS_E_PROTO;
        }
        if (header.payload_len > len - at - size) {
            break;
        }
        struct ss_str payload = ss_str_of(in + at + size, (size_t)header.payload_len);
        at += size + payload.len;
        if (header.opcode == SS_WS_TEXT || header.opcode == SS_WS_BINARY) {
            ws->on_message(ws->link, payload, on_item, ctx);
        } else if (header.opcode == SS_WS_PING) {
            ss__load_ws_frame(out, SS_WS_PONG, payload);
        } else if (header.opcode == SS_WS_CLOSE) {
            take_close(payload, on_item, ctx, out);
            break;
        }
    }
    return (ptrdiff_t)at;
}
