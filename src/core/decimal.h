/* decimal.h - numbers as decimal text. Pure; any thread. */
#ifndef SS_CORE_DECIMAL_H
#define SS_CORE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define SS_DECIMAL_BYTES_MAX 20

/* Writes the digits, without NUL, and returns how many. */
size_t ss__decimal_write(uint64_t value, char out[SS_DECIMAL_BYTES_MAX]);

#endif
