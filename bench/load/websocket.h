/* websocket.h - websocket connections of a generator: no copy of frames, no allocation. Only whole
 * messages in one frame, which is how servers of events send them. Source: RFC 6455. */
#ifndef SS_LOAD_WEBSOCKET_H
#define SS_LOAD_WEBSOCKET_H

#include "load/dialect.h"
#include "wire/ws_header.h"

/* Appends the handshake request for @path. */
void ss__load_ws_greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                       struct ss_str path, struct ss_str subprotocol, struct ss_bytes *out);

struct ss_load_ws {
    struct ss_load_link *link;
    struct ss_str subprotocol;
    void (*on_message)(struct ss_load_link *link, struct ss_str message,
                       ss_load_item_fn *on_item, void *ctx);
    bool subscribed;           /* by the handshake */
};

/* As struct ss_load_dialect's take. */
ptrdiff_t ss__load_ws_take(const struct ss_load_ws *ws, const uint8_t *in, size_t len,
                           ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                           const char **ret_flaw);

/* Appends a masked frame around what @write appends. */
void ss__load_ws_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload);

#endif
