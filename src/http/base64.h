/* base64.h - standard base64 with padding (RFC 4648 section 4), for the websocket handshake. */
#ifndef SS_HTTP_BASE64_H
#define SS_HTTP_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* The 64 digits in order. */
extern const char ss__base64_digits[65];

/* Writes the text of @data without terminator; returns its length, (len + 2) / 3 * 4. */
size_t ss__base64_encode(const uint8_t *data, size_t len, char *out);

#endif
