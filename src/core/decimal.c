#include "core/decimal.h"

/* "00" to "99": half as many divisions as digits. */
static const char pairs[201] = "00010203040506070809101112131415161718192021222324"
                               "25262728293031323334353637383940414243444546474849"
                               "50515253545556575859606162636465666768697071727374"
                               "75767778798081828384858687888990919293949596979899";

/* 10 to the power of the index; the first is no power, so that 0 has a digit. */
static const uint64_t powers[20] = {
    0, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
    UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

/* 1233 / 4096 is the logarithm of 2 to the base of 10, near enough for 64 bits. */
static size_t count_digits(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    size_t below = bits * 1233 >> 12;
    return below + (value >= powers[below]);
}

size_t ss__decimal_write(uint64_t value, char out[SS_DECIMAL_BYTES_MAX])
{
    size_t count = count_digits(value);
    char *at = out + count;
    while (value >= 10) {
        const char *pair = pairs + 2 * (value % 100);
        value /= 100;
        *--at = pair[1];
        *--at = pair[0];
    }
    if (at > out) {
        *--at = (char)('0' + value);
    }
    return count;
}
