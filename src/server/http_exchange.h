/* http_exchange.h - one HTTP/1.1 request of ssctl and its answer (RFC 9112). */
#ifndef SS_SERVER_HTTP_EXCHANGE_H
#define SS_SERVER_HTTP_EXCHANGE_H

#include <stdbool.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"
#include "server/url.h"

/* A snapshot has at most 64 MiB of state; JSON is wider. */
#define SS_HTTP_ANSWER_BYTES_MAX (256u << 20)

struct ss_http_answer {
    unsigned status;               /* 200 to 599 */
    struct ss_str content_type;    /* empty if there is none; without parameters */
    struct ss_str body;
};

/* Appends a request with Connection: close. @body with NULL data: none, else JSON. @key: of
 * Idempotency-Key, NULL for none; no control characters. */
void ss__http_request_write(struct ss_bytes *out, const char *method, struct ss_str target,
                            const struct ss_url *url, const char *key, struct ss_str body);

/* Reads an answer from its first byte on. 1 when it is complete (slices point into @in), 0 when
 * more bytes are needed, SS_E_PROTO if it is malformed or cut. Without Content-Length the body
 * ends with the stream (@at_end); transfer codings are refused: we never send one. Interim
 * answers (1xx) are skipped. */
int ss__http_answer_read(struct ss_str in, bool at_end, struct ss_http_answer *ret_answer,
                         struct ss_failure *failure);

/* Sends the request and receives the answer into @in, which the slices of *ret_answer point
 * into. Errors: those of ss__client_connect, _send and _receive, SS_E_PROTO, SS_E_TOOBIG,
 * SS_E_NOMEM. Blocks: at most @timeout_ms without progress. */
int ss__http_exchange(const struct ss_url *url, struct ss_str request, uint32_t timeout_ms,
                      struct ss_bytes *in, struct ss_http_answer *ret_answer,
                      struct ss_failure *failure);

#endif
