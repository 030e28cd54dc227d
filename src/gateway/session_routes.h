/* session_routes.h - HTTP requests to one session: passed on to its shard, and answered when that
 * has answered. The paths are in routes.h; segments[2] is the session id. Gateway thread.
 *
 * What cannot be right is answered at once; else the connection waits for the answer. */
#ifndef SS_GATEWAY_SESSION_ROUTES_H
#define SS_GATEWAY_SESSION_ROUTES_H

#include "gateway/conn.h"
#include "http/request.h"
#include "message/message.h"

/* POST of a command; segments[4] is its name. */
void ss__session_routes_command(struct ss_conn *conn, const struct ss_http_request *request);

/* GET of the snapshot, of now or ?at=. */
void ss__session_routes_snapshot(struct ss_conn *conn, const struct ss_http_request *request);

/* GET of a page of events: ?after=&limit= */
void ss__session_routes_events(struct ss_conn *conn, const struct ss_http_request *request);

/* A request of @kind that takes nothing but the session. */
void ss__session_routes_pass(struct ss_conn *conn, const struct ss_http_request *request,
                             enum ss_request_kind kind);

/* RETRY or REBUILD (?from=) of timelines: all, or the one that ?projection= names. */
void ss__session_routes_timelines(struct ss_conn *conn, const struct ss_http_request *request,
                                  enum ss_request_kind kind);

/* The shard's answer to what was passed on. */
void ss__session_routes_answer(struct ss_conn *conn, struct ss_request *request);

#endif
