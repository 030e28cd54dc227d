/* routes.h - HTTP: who answers which request. Gateway thread.
 *
 *   GET  PATH of a registered asset            the asset; 308 to PATH/ if only that is one
 *   POST /v1/sessions/{id}/commands/{name}     runs a command; body: ProtoJSON of its type, or
 *                                              nothing for an empty message. 200 when durable:
 *                                              {"sessionId":"...","ordinal":"..."}
 *   GET  /v1/sessions/{id}/snapshot            the SnapshotFrame document
 *   DELETE /v1/sessions/{id}                   the session ends; POST .../close: leaves memory
 *   GET  /v1/sessions/{id}/errors, /v1/errors?session=&kind=&limit=
 *                                              error records, the oldest first
 *   GET  /debug/sessions/{id}?after=N          the session as it is, and recent records of it
 *   GET  /healthz, /readyz, /metrics
 *   GET  any path with a websocket handshake   101, then frames
 *
 * HEAD works where GET does. Errors are problem documents. */
#ifndef SS_GATEWAY_ROUTES_H
#define SS_GATEWAY_ROUTES_H

#include "gateway/conn.h"
#include "message/message.h"

/* Answers a complete request, passes it on (then the connection waits for the answer) or turns
 * the connection into a websocket. */
void ss__routes_request(struct ss_conn *conn, const struct ss_http_request *request);

/* The parser gave up: answers with its status and closes. */
void ss__routes_malformed(struct ss_conn *conn, int err);

#endif
