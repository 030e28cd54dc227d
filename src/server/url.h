/* url.h - where ssctl finds the server, and paths that name sessions. Pure; any thread. */
#ifndef SS_SERVER_URL_H
#define SS_SERVER_URL_H

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"

#define SS_URL_HOST_BYTES_MAX 255

struct ss_url {
    char host[SS_URL_HOST_BYTES_MAX + 1];    /* without brackets: for getaddrinfo */
    char port[6];
    char authority[SS_URL_HOST_BYTES_MAX + 9];    /* "host:port" or "[host]:port": the Host field */
};

/* "http://HOST[:PORT][/]" or the same with ws://; the port is 80 if there is none. Errors:
 * SS_E_CONFIG with a text. https and wss are refused: put a proxy in between. */
int ss__url_parse(const char *text, struct ss_url *ret_url, struct ss_failure *failure);

/* Appends @segment as one path segment: all but unreserved characters are percent-encoded
 * (RFC 3986 section 2.3); "." and ".." have their first dot encoded too. */
void ss__url_segment(struct ss_bytes *out, struct ss_str segment);

#endif
