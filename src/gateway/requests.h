/* requests.h - from a connection to the shard of a session. Gateway thread. */
#ifndef SS_GATEWAY_REQUESTS_H
#define SS_GATEWAY_REQUESTS_H

#include <stdint.h>

#include "core/failure.h"
#include "gateway/conn.h"
#include "message/message.h"

/* Numbers @request, posts it in the name of @conn and counts it as unanswered; the connection may
 * have to stop reading. Takes @request in every case. *ret_number is never 0. Errors: SS_E_BUSY,
 * SS_E_STOPPING. */
int ss__requests_post(struct ss_conn *conn, struct ss_request *request, uint64_t *ret_number);

/* The same to a shard that is not the session's. */
int ss__requests_post_to(struct ss_conn *conn, uint32_t shard, struct ss_request *request,
                         uint64_t *ret_number);

/* The answer has come; of one in parts, the first. */
void ss__requests_answered(struct ss_conn *conn, struct ss_request *request);

/* 1 to SS_SESSION_ID_BYTES_MAX bytes of UTF-8 without NUL. SS_E_SESSION_ID. */
int ss__requests_check_session(struct ss_str session_id, struct ss_failure *failure);

/* Whether a client's idempotency key can be taken. SS_E_INVAL. */
int ss__requests_check_key(struct ss_str key, struct ss_failure *failure);

/* Connections that wait for a relieved inbox and may go on become resumable. Returns true while
 * others wait. */
bool ss__requests_relieve(struct ss_gateway *gateway);

#endif
