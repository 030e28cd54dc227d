/* utf8.h - UTF-8 as in RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. */
#ifndef SS_CORE_UTF8_H
#define SS_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if @len bytes are well-formed UTF-8. NUL is a character like any other. */
bool ss__utf8_valid(const void *data, size_t len);

/* Bytes (1-4) of the well-formed character at @data, or 0 if it is malformed or cut by @len. */
size_t ss__utf8_char_len(const uint8_t *data, size_t len);

/* The largest cut <= @len that does not split a character of well-formed @data. */
size_t ss__utf8_floor(const void *data, size_t len);

/* Overwrites each byte of @text that is not part of a well-formed character with '?'. */
void ss__utf8_mend(char *text, size_t len);

/* Writes @code_point (not a surrogate, <= 0x10FFFF) to @out[4]; returns the bytes written. */
size_t ss__utf8_encode(uint32_t code_point, uint8_t out[4]);

#endif
