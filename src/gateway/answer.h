/* answer.h - the websocket messages a connection gets for what it asked. Gateway thread. */
#ifndef SS_GATEWAY_ANSWER_H
#define SS_GATEWAY_ANSWER_H

#include <stdint.h>

#include <sessionstream/types.h>

#include "gateway/conn.h"
#include "message/message.h"
#include "wire/server_frame.h"

/* Sends "conn-" and 128 bits that nobody can guess. */
void ss__answer_hello(struct ss_conn *conn);

/* Sends and counts an error. An empty code or message in @frame is filled in for @err. */
void ss__answer_error(struct ss_conn *conn, int err, const struct ss_error_frame *frame);

/* Says to the client's newest subscribe of subscription @tag what @request came to, which may be a
 * later one of our own. Additions go to a client that knows them, or that has used one of them. */
void ss__answer_subscribed(struct ss_conn *conn, uint16_t tag, const struct ss_request *request);
void ss__answer_unsubscribed(struct ss_conn *conn, struct ss_str session_id);
void ss__answer_pong(struct ss_conn *conn, struct ss_str nonce);
void ss__answer_accepted(struct ss_conn *conn, const struct ss_request *request);

#endif
