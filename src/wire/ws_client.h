/* ws_client.h - the client's side of a websocket connection, for tools and tests. No I/O.
 *
 * Life: ss__ws_client_key -> request -> response on what comes back -> feed/take frames. The
 * accept value that the server must answer is ss__http_accept_key of the key: hashing belongs to
 * src/http, which this folder may not see. Source: RFC 6455. */
#ifndef SS_WIRE_WS_CLIENT_H
#define SS_WIRE_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"
#include "wire/ws_header.h"

#define SS_WS_KEY_BYTES 16
#define SS_WS_KEY_CHARS 24

/* An answer to the handshake whose head is longer is refused. */
#define SS_WS_RESPONSE_BYTES_MAX 16384

struct ss_ws_client {
    struct ss_bytes in;        /* bytes not yet taken */
    size_t taken;              /* of them, given out as frames */
    struct ss_bytes message;   /* fragments of the open message */
    enum ss_ws_opcode opcode;  /* of the open message; CONTINUATION if none is open */
};

/* A whole message or a control frame of the server. */
struct ss_ws_client_message {
    enum ss_ws_opcode opcode;  /* TEXT, BINARY, CLOSE, PING, PONG */
    struct ss_str bytes;       /* until the next feed or take */
    uint16_t status;           /* of CLOSE; SS_WS_STATUS_NONE without one */
};

/* @message_bytes_max bounds a message; 0 means no bound. */
void ss__ws_client_init(struct ss_ws_client *client, size_t message_bytes_max);
void ss__ws_client_deinit(struct ss_ws_client *client);

/* The Sec-WebSocket-Key for 16 random bytes, terminated. */
void ss__ws_client_key(const uint8_t random[SS_WS_KEY_BYTES],
                       char ret_key[SS_WS_KEY_CHARS + 1]);

/* Appends the handshake request. @subprotocols is the header's value; empty: no header. */
void ss__ws_client_request(struct ss_bytes *out, struct ss_str host, struct ss_str target,
                           struct ss_str subprotocols, struct ss_str key);

/* Judges the answer at the start of @in (section 4.1): status 101, Upgrade, Connection, @accept, at
 * most one of the @subprotocols that were offered, and no extension. Returns its bytes (> 0;
 * frames follow), 0 if it is incomplete, or SS_E_PROTO with the status line or the flaw in
 * @failure. *ret_subprotocol is the chosen one, in @in; empty if none. */
ptrdiff_t ss__ws_client_response(struct ss_str in, struct ss_str accept,
                                 struct ss_str subprotocols, struct ss_str *ret_subprotocol,
                                 struct ss_failure *failure);

/* Appends one final masked frame. */
void ss__ws_client_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload,
                         const uint8_t mask[SS_WS_MASK_BYTES]);

/* The same with its FIN and reserved bits as given in the first byte: for tests of the server. */
void ss__ws_client_raw_frame(struct ss_bytes *out, uint8_t first_byte, struct ss_str payload,
                             const uint8_t mask[SS_WS_MASK_BYTES]);

/* Adds bytes from the server. Errors: SS_E_NOMEM. */
int ss__ws_client_feed(struct ss_ws_client *client, const void *data, size_t len);

/* Takes the next message: 1, 0 if it is incomplete, SS_E_PROTO (framing, order, close status, text
 * that is no UTF-8), SS_E_TOOBIG (as soon as a header announces it) or SS_E_NOMEM. */
int ss__ws_client_take(struct ss_ws_client *client, struct ss_ws_client_message *ret_message);

#endif
