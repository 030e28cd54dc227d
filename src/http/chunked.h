/* chunked.h - strict decoder of the chunked transfer coding (RFC 9112 section 7.1).
 *
 * CRLF only; extensions are skipped within a bound if they are well-formed, without white space
 * around their parts; trailers are refused. */
#ifndef SS_HTTP_CHUNKED_H
#define SS_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"

/* Bytes of one chunk extension; nobody needs them. */
#define SS_HTTP_CHUNK_EXTENSION_BYTES_MAX 256

struct ss_http_chunked {
    unsigned state;
    unsigned digits;        /* hex digits of the size so far */
    unsigned extension;     /* bytes of the extension so far */
    uint64_t left;          /* bytes missing of this chunk */
    bool done;
};

void ss__http_chunked_init(struct ss_http_chunked *chunked);

/* Appends decoded bytes to @body and sets *ret_consumed; chunked->done tells the end. Errors:
 * SS_E_PROTO (malformed), SS_E_TOOBIG (body over body->max), SS_E_NOMEM. */
int ss__http_chunked_feed(struct ss_http_chunked *chunked, const uint8_t *data, size_t len,
                          struct ss_bytes *body, size_t *ret_consumed);

#endif
