/* head.h - splitting one complete request head; internal to src/http.
 *
 * http_parser does the grammar; it is never fed a body. */
#ifndef SS_HTTP_HEAD_H
#define SS_HTTP_HEAD_H

#include "core/bytes.h"
#include "http/request.h"

struct ss_http_head {
    struct ss_http_request *request;   /* filled; slices point into the head's bytes */
    bool chunked;                      /* the body is chunked */
    unsigned status;                   /* after an error */
    const char *error;
};

/* @bytes is the head up to and with the empty line; decoded path segments are appended to it.
 * Errors: SS_E_PROTO, SS_E_TOOBIG, SS_E_NOMEM with head->status and head->error. */
int ss__http_head_parse(struct ss_http_head *head, struct ss_bytes *bytes);

#endif
