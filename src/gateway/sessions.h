/* sessions.h - HTTP requests about sessions as a whole. Gateway thread. */
#ifndef SS_GATEWAY_SESSIONS_H
#define SS_GATEWAY_SESSIONS_H

#include "gateway/conn.h"
#include "http/request.h"
#include "message/message.h"

/* GET /v1/sessions?prefix=&after=&limit= : asks every shard. */
void ss__sessions_list(struct ss_conn *conn, const struct ss_http_request *request);

/* One of them has answered; @conn is NULL if the asker has left. */
void ss__sessions_listed(struct ss_conn *conn, const struct ss_request *request);

#endif
