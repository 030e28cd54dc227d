/* ingress.h - what clients send over a websocket: checked, then passed on. Gateway thread.
 *
 * No frame of a client closes its connection: every flaw is answered by an error frame. */
#ifndef SS_GATEWAY_INGRESS_H
#define SS_GATEWAY_INGRESS_H

#include <stdbool.h>

#include <sessionstream/types.h>

#include "core/failure.h"
#include "gateway/conn.h"
#include "schema/registry.h"

/* One whole message of @conn. */
void ss__ingress_message(struct ss_conn *conn, bool binary, struct ss_str bytes);

/* A command in the registry whose payload is valid. Errors: SS_E_UNKNOWN_COMMAND. */
int ss__ingress_find_command(const struct ss_gateway *gateway, struct ss_str name,
                             const struct ss_name **ret_command, struct ss_failure *failure);

/* Checks size and contents of @payload for @command. Errors: SS_E_TOOBIG, SS_E_PAYLOAD. */
int ss__ingress_check_payload(const struct ss_name *command, struct ss_str payload,
                              struct ss_failure *failure);

#endif
