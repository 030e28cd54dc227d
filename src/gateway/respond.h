/* respond.h - HTTP answers of a connection. Gateway thread.
 *
 * Each ends the request: the connection goes on with the next one or, unless it is kept alive,
 * writes and closes. */
#ifndef SS_GATEWAY_RESPOND_H
#define SS_GATEWAY_RESPOND_H

#include <sessionstream/types.h>

#include "gateway/conn.h"
#include "http/response.h"

/* Words to write what is queued for a connection that closes. */
#define SS_RESPOND_PATIENCE_MS 10000

/* Fills in keep_alive and head_only from the request. */
void ss__respond(struct ss_conn *conn, const struct ss_http_response *response);

/* The same of what an operator reads to see why others are refused. */
void ss__respond_to_operator(struct ss_conn *conn, const struct ss_http_response *response);

/* The document of a session, shared instead of copied; 503 when the gateway's snapshot budget or
 * the connection's share of it is used up. */
void ss__respond_snapshot(struct ss_conn *conn, struct ss_buf *snapshot,
                          struct ss_str session_id);

/* A problem document for @err; @detail and @session_id may be empty. */
void ss__respond_error(struct ss_conn *conn, int err, struct ss_str detail,
                       struct ss_str session_id);

/* The same with one more field. */
void ss__respond_error_with(struct ss_conn *conn, int err, struct ss_str detail,
                            struct ss_str session_id, const struct ss_http_extra *extra);

/* SS_E_GONE with the first event that is there. */
void ss__respond_gone(struct ss_conn *conn, uint64_t first, struct ss_str detail,
                      struct ss_str session_id);

/* A problem document with a status of HTTP's own (404, 405, 408 ...). @allow: value of Allow, or
 * NULL. */
void ss__respond_status(struct ss_conn *conn, unsigned status, int err, const char *detail,
                        const char *allow);

/* Bytes written already elsewhere as a whole response, after which the connection closes. */
void ss__respond_last(struct ss_conn *conn, const struct ss_bytes *response);

#endif
