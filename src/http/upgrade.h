/* upgrade.h - the server's side of the websocket handshake (RFC 6455 section 4.2). No I/O. */
#ifndef SS_HTTP_UPGRADE_H
#define SS_HTTP_UPGRADE_H

#include "core/bytes.h"
#include "http/request.h"

#define SS_HTTP_ACCEPT_BYTES 28

enum ss_http_subprotocol {
    SS_HTTP_SUBPROTOCOL_NONE,            /* none offered that we know: v1 JSON, no header */
    SS_HTTP_SUBPROTOCOL_V1_JSON,
    SS_HTTP_SUBPROTOCOL_V2_JSON,
    SS_HTTP_SUBPROTOCOL_V2_PROTOBUF
};

struct ss_http_upgrade {
    unsigned status;                     /* 101, or 400, 405, 426 */
    const char *error;                   /* static sentence when refused */
    bool head_only;                      /* of a refused HEAD request */
    enum ss_http_subprotocol subprotocol;
    char accept[SS_HTTP_ACCEPT_BYTES + 1];
};

/* Judges a complete request. *ret_upgrade is always filled: ss__http_upgrade_response writes the
 * answer in both cases. Errors: SS_E_PROTO (refused: answer and close). */
int ss__http_upgrade(const struct ss_http_request *request, struct ss_http_upgrade *ret_upgrade);

/* The 101 response, or a problem document with Connection: close. */
void ss__http_upgrade_response(const struct ss_http_upgrade *upgrade, struct ss_bytes *out);

/* Name on the wire; NULL for NONE. */
const char *ss__http_subprotocol_name(enum ss_http_subprotocol subprotocol);

/* The Sec-WebSocket-Accept value for a Sec-WebSocket-Key, terminated. */
void ss__http_accept_key(struct ss_str key, char ret_accept[SS_HTTP_ACCEPT_BYTES + 1]);

#endif
