/* sha1.h - SHA-1 (FIPS 180-4), only for the websocket handshake: nothing secret rests on it. */
#ifndef SS_HTTP_SHA1_H
#define SS_HTTP_SHA1_H

#include <stdint.h>

#include <sessionstream/types.h>

#define SS_SHA1_BYTES 20

/* Any thread; no allocation. */
void ss__sha1(struct ss_str data, uint8_t ret_digest[SS_SHA1_BYTES]);

#endif
