#include "core/decimal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ss_test.h"

static void same(uint64_t value)
{
    char want[32];
    char got[SS_DECIMAL_BYTES_MAX];
    int len = snprintf(want, sizeof want, "%" PRIu64, value);
    ss_check_msg(ss__decimal_write(value, got) == (size_t)len &&
                     memcmp(want, got, (size_t)len) == 0,
                 "%s", want);
}

SS_TEST(decimal, all_small_numbers_are_as_printf_writes_them)
{
    for (uint64_t i = 0; i < 20000; i++) {
        same(i);
    }
}

SS_TEST(decimal, around_every_power_of_ten_and_of_two)
{
    uint64_t ten = 1;
    for (unsigned i = 0; i < 20; i++, ten *= 10) {
        same(ten - 1);
        same(ten);
        same(ten + 1);
    }
    for (unsigned i = 0; i < 64; i++) {
        same((UINT64_C(1) << i) - 1);
        same(UINT64_C(1) << i);
    }
    same(UINT64_MAX);
}
