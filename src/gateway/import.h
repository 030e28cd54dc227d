/* import.h - POST /v1/sessions/{id}/import. Gateway thread. */
#ifndef SS_GATEWAY_IMPORT_H
#define SS_GATEWAY_IMPORT_H

#include "gateway/conn.h"
#include "http/request.h"

/* Reads one event or an array of them, {"ordinal", "time", "event", "payload"}, and passes them on
 * as one request; the answer is that of a command. */
void ss__import_post(struct ss_conn *conn, const struct ss_http_request *request);

#endif
