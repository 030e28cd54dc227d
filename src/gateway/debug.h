/* debug.h - GET /debug/sessions/{id}?after=N. Gateway thread. */
#ifndef SS_GATEWAY_DEBUG_H
#define SS_GATEWAY_DEBUG_H

#include "gateway/conn.h"
#include "http/request.h"
#include "message/message.h"

/* Asks the session's shard. */
void ss__debug_get(struct ss_conn *conn, const struct ss_http_request *request);

/* It has answered: adds what this gateway knows. */
void ss__debug_answered(struct ss_conn *conn, struct ss_request *request);

#endif
