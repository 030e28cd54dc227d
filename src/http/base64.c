#include "http/base64.h"

const char ss__base64_digits[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t ss__base64_encode(const uint8_t *data, size_t len, char *out)
{
    char *at = out;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)data[i] << 16;
        group |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= left > 2 ? data[i + 2] : 0;
        *at++ = ss__base64_digits[group >> 18 & 63];
        *at++ = ss__base64_digits[group >> 12 & 63];
        *at++ = left > 1 ? ss__base64_digits[group >> 6 & 63] : '=';
        *at++ = left > 2 ? ss__base64_digits[group & 63] : '=';
    }
    return (size_t)(at - out);
}
