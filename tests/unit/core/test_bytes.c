#include "core/bytes.h"

#include <sessionstream/error.h>

#include "ss_test.h"

SS_TEST(bytes, appends_and_formats)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, 0);
    ss__bytes_text(&bytes, "n=");
    ss__bytes_i64(&bytes, INT64_MIN);
    ss__bytes_byte(&bytes, ' ');
    ss__bytes_u64(&bytes, UINT64_MAX);
    ss_check(bytes.err == 0);
    ss_check(ss_str_equal(ss__bytes_view(&bytes),
                          ss_str("n=-9223372036854775808 18446744073709551615")));
    ss__bytes_clear(&bytes);
    ss__bytes_varint(&bytes, 300);
    ss_check(bytes.len == 2 && bytes.data[0] == 0xAC && bytes.data[1] == 0x02);
    ss__bytes_deinit(&bytes);
}

SS_TEST(bytes, first_error_stays)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, 300);
    ss_check(ss__bytes_extend(&bytes, 100) != NULL);
    ss_check(ss__bytes_extend(&bytes, 201) == NULL);
    ss__bytes_byte(&bytes, 'x');
    ss_check(bytes.err == SS_E_TOOBIG && bytes.len == 100);
    ss__bytes_clear(&bytes);
    ss__bytes_byte(&bytes, 'x');
    ss_check(bytes.err == 0 && bytes.len == 1);
    ss__bytes_deinit(&bytes);
}

SS_TEST(bytes, no_limit_is_passed_however_small_the_steps)
{
    for (size_t max = 1; max <= 1100; max++) {
        struct ss_bytes bytes;
        ss__bytes_init(&bytes, max);
        for (size_t i = 0; i < max; i++) {
            ss__bytes_byte(&bytes, (uint8_t)i);
        }
        ss_check_msg(bytes.err == 0 && bytes.len == max && bytes.cap <= max, "limit %zu", max);
        ss__bytes_byte(&bytes, 0);
        ss_check_msg(bytes.err == SS_E_TOOBIG && bytes.len == max, "limit %zu", max);
        for (size_t i = 0; i < max; i++) {
            ss_check_msg(bytes.data[i] == (uint8_t)i, "limit %zu", max);
        }
        ss__bytes_deinit(&bytes);
    }
}

SS_TEST(bytes, the_memory_stays_useful_after_an_error)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, 8);
    ss__bytes_text(&bytes, "123456789");
    ss_check(bytes.err == SS_E_TOOBIG && bytes.len == 0 && bytes.data == NULL);
    ss__bytes_clear(&bytes);
    ss__bytes_text(&bytes, "1234567");
    ss__bytes_text(&bytes, "89");
    ss__bytes_text(&bytes, "8");    /* would fit, but the text would have a hole */
    ss_check(bytes.err == SS_E_TOOBIG && ss_str_equal(ss__bytes_view(&bytes), ss_str("1234567")));
    ss__bytes_clear(&bytes);
    ss__bytes_text(&bytes, "12345678");
    ss_check(bytes.err == 0 && ss_str_equal(ss__bytes_view(&bytes), ss_str("12345678")));
    ss__bytes_deinit(&bytes);
    ss_check(bytes.data == NULL && bytes.len == 0 && bytes.cap == 0 && bytes.max == 8);
}

SS_TEST(bytes, a_length_that_no_memory_holds_is_an_error)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, 0);
    ss__bytes_byte(&bytes, 'x');
    ss_check(ss__bytes_extend(&bytes, SIZE_MAX) == NULL && bytes.err == SS_E_TOOBIG);
    ss_check(bytes.len == 1 && bytes.data[0] == 'x');
    ss__bytes_deinit(&bytes);
}
