/* ws_client.h - the client's side of a websocket connection, for tools and tests. No I/O.
 *
 * The handshake before it stands in http/upgrade_client.h. Life: init -> feed, take ... -> deinit. */
#ifndef SS_WIRE_WS_CLIENT_H
#define SS_WIRE_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "wire/ws_header.h"

#define SS_WS_MASK_BYTES 4

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

/* Appends one final masked frame. */
void ss__ws_client_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload,
                         const uint8_t mask[SS_WS_MASK_BYTES]);

/* The same with its FIN and reserved bits as given in the first byte: for tests of the server. */
void ss__ws_client_raw_frame(struct ss_bytes *out, uint8_t first_byte, struct ss_str payload,
                             const uint8_t mask[SS_WS_MASK_BYTES]);

/* Adds bytes from the server. Errors: SS_E_NOMEM. */
int ss__ws_client_feed(struct ss_ws_client *client, const void *data, size_t len);

/* Takes the next message: 1, 0 if it is incomplete, SS_E_PROTO (masked, reserved bits, bad
 * order), SS_E_TOOBIG or SS_E_NOMEM. */
int ss__ws_client_take(struct ss_ws_client *client, struct ss_ws_client_message *ret_message);

#endif
