/* response.h - writing HTTP/1.1 responses into bytes. No I/O; Date is left out on purpose (a
 * server without a clock at hand may, RFC 9110 section 6.6.1). */
#ifndef SS_HTTP_RESPONSE_H
#define SS_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

struct ss_http_extra {
    const char *name;
    struct ss_str value;         /* control bytes go out as spaces: nothing can end the line */
};

struct ss_http_response {
    unsigned status;
    const char *content_type;    /* NULL: no Content-Type */
    const char *cache_control;   /* NULL: "no-store" */
    bool keep_alive;             /* false: Connection: close */
    bool head_only;              /* answer to HEAD: Content-Length of the body, no body */
    const struct ss_http_extra *extra;
    size_t extra_count;
    struct ss_str body;
};

#define SS_HTTP_PROBLEM_EXTRA_MAX 7

/* Problem document (RFC 9457) with our wire code as member "code". */
struct ss_http_problem {
    unsigned status;
    const char *code;            /* wire name of the error */
    struct ss_str detail;        /* for a person; empty: left out */
    struct ss_str session_id;    /* empty: left out */
    uint64_t first_retained;     /* the first event that is there; 0: left out */
    bool keep_alive;
    bool head_only;
    const struct ss_http_extra *extra;
    size_t extra_count;          /* at most SS_HTTP_PROBLEM_EXTRA_MAX */
};

/* Appends the whole response; out->err tells of failure. 1xx, 204 and 304 have neither body nor
 * Content-Length (RFC 9110 section 8.6). */
void ss__http_response_write(struct ss_bytes *out, const struct ss_http_response *response);

/* Appends only the head with Transfer-Encoding: chunked left out and no Content-Length: for an
 * endless body such as an event stream that ends with the connection. */
void ss__http_stream_head_write(struct ss_bytes *out, unsigned status, const char *content_type);

/* Appends a whole response with the document; 503 and 429 get Retry-After: 1, 405 none. */
void ss__http_problem_write(struct ss_bytes *out, const struct ss_http_problem *problem);

/* The problem for an ss_error: status by ss__http_status_of, code by ss_error_wire_name. */
void ss__http_problem_of(struct ss_bytes *out, int err, struct ss_str detail,
                         struct ss_str session_id, bool keep_alive);

/* HTTP status for an ss_error; 500 for what is our fault or outside the list. */
unsigned ss__http_status_of(int err);

/* Reason phrase; "Unknown" for a status we never send. */
const char *ss__http_reason(unsigned status);

#endif
