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
