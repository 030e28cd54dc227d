/* backup.h - /v1/backup: POST begins one, GET tells of it, DELETE cancels it. Gateway thread. */
#ifndef SS_GATEWAY_BACKUP_H
#define SS_GATEWAY_BACKUP_H

#include "gateway/conn.h"
#include "http/request.h"

/* Answers a request of this path, whatever its method. 404 without --backup-dir. */
void ss__backup_route(struct ss_conn *conn, const struct ss_http_request *request);

#endif
