/* errors.h - HTTP requests for error records. Gateway thread. */
#ifndef SS_GATEWAY_ERRORS_H
#define SS_GATEWAY_ERRORS_H

#include "gateway/conn.h"
#include "http/request.h"
#include "message/message.h"

/* GET /v1/errors?session=&kind=&limit= asks every shard or that of the session; @session_id, of
 * GET /v1/sessions/{id}/errors, takes the place of session= unless it is empty. */
void ss__errors_list(struct ss_conn *conn, const struct ss_http_request *request,
                     struct ss_str session_id);

/* One of them has answered; @conn is NULL if the asker has left. */
void ss__errors_listed(struct ss_conn *conn, const struct ss_request *request);

#endif
