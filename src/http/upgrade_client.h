/* upgrade_client.h - the client's side of the websocket handshake (RFC 6455 section 4.1), for tools
 * and tests. No I/O. */
#ifndef SS_HTTP_UPGRADE_CLIENT_H
#define SS_HTTP_UPGRADE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"

#define SS_HTTP_KEY_BYTES 16

/* Appends the request. @subprotocols is the field's value; empty: no field. @key is random. */
void ss__http_client_upgrade(struct ss_bytes *out, struct ss_str host, struct ss_str target,
                             struct ss_str subprotocols, const uint8_t key[SS_HTTP_KEY_BYTES]);

/* Judges the answer at the start of @in. Returns its bytes (> 0; frames follow), 0 if it is
 * incomplete, or SS_E_PROTO with the status line or the flaw in @failure. *ret_subprotocol is the
 * chosen one, in @in; empty if none. */
ptrdiff_t ss__http_client_upgraded(struct ss_str in, const uint8_t key[SS_HTTP_KEY_BYTES],
                                   struct ss_str *ret_subprotocol, struct ss_failure *failure);

#endif
