#include "schema/json_number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "ss_test.h"

SS_TEST(json_number, integers_to_the_borders_of_their_type)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "0.000", true, 0 },
        { "0e999999999999", true, 0 },
        { "7", true, 7 },
        { "1.0", true, 1 },
        { "1e2", true, 100 },
        { "1E+2", true, 100 },
        { "100e-2", true, 1 },
        { "1.5e1", true, 15 },
        { "-120e-1", true, -12 },
        { "0.0001e4", true, 1 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775807.0", true, INT64_MAX },
        { "9.223372036854775807e18", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "-9223372036854775809", false, 0 },
        { "9007199254740993", true, INT64_C(9007199254740993) },    /* no double holds it */
        { "1e18", true, INT64_C(1000000000000000000) },
        { "1e19", false, 0 },
        { "1e20", false, 0 },
        { "1e999999999999", false, 0 },
        { "1e-1", false, 0 },
        { "1e-999999999999", false, 0 },
        { "1.5", false, 0 },
        { "15e-1", false, 0 },
        { "0.1", false, 0 },
        { "10000000000000000000000000e-25", true, 1 },
        { "1000000000000000000000000.1", false, 0 },
        { "1.0000000000000000000000000", true, 1 },
        { "1.0000000000000000000000001", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { "007", false, 0 },
        { "-01", false, 0 },
        { " 7", false, 0 },
        { "7 ", false, 0 },
        { "7x", false, 0 },
        { "0x7", false, 0 },
        { ".5e1", false, 0 },
        { "5.", false, 0 },
        { "1e", false, 0 },
        { "abc", false, 0 },
        { "1,000", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 42;
        bool good = ss__json_read_i64(ss_str(cases[i].text), INT64_MIN, INT64_MAX, &value);
        ss_check_msg(good == cases[i].good, "%s", cases[i].text);
        ss_check_msg(value == (good ? cases[i].value : 42), "%s", cases[i].text);
    }
}

SS_TEST(json_number, signed_limits_are_inclusive)
{
    int64_t value;
    ss_check(ss__json_read_i64(ss_str("2147483647"), INT32_MIN, INT32_MAX, &value));
    ss_check(value == INT32_MAX);
    ss_check(!ss__json_read_i64(ss_str("2147483648"), INT32_MIN, INT32_MAX, &value));
    ss_check(ss__json_read_i64(ss_str("-2147483648"), INT32_MIN, INT32_MAX, &value));
    ss_check(value == INT32_MIN);
    ss_check(!ss__json_read_i64(ss_str("-2147483649"), INT32_MIN, INT32_MAX, &value));
    ss_check(ss__json_read_i64(ss_str("2147483647e0"), INT32_MIN, INT32_MAX, &value));
    ss_check(!ss__json_read_i64(ss_str("2.147483648e9"), INT32_MIN, INT32_MAX, &value));
}

SS_TEST(json_number, unsigned_integers_to_the_borders)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } cases[] = {
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "1.8446744073709551615e19", UINT64_MAX, true, UINT64_MAX },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "99999999999999999999999", UINT64_MAX, false, 0 },
        { "1e19", UINT64_MAX, true, UINT64_C(10000000000000000000) },
        { "1e20", UINT64_MAX, false, 0 },
        { "4294967295", UINT32_MAX, true, UINT32_MAX },
        { "4294967296", UINT32_MAX, false, 0 },
        { "-0", UINT64_MAX, true, 0 },
        { "-0.0", UINT64_MAX, true, 0 },
        { "-1", UINT64_MAX, false, 0 },
        { "-1e-1", UINT64_MAX, false, 0 },
        { "1.5", UINT64_MAX, false, 0 },
        { "", UINT64_MAX, false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 42;
        bool good = ss__json_read_u64(ss_str(cases[i].text), cases[i].max, &value);
        ss_check_msg(good == cases[i].good, "%s", cases[i].text);
        ss_check_msg(value == (good ? cases[i].value : 42), "%s", cases[i].text);
    }
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

SS_TEST(json_number, doubles_are_rounded_to_the_nearest)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "0", 0.0 },
        { "-0", -0.0 },
        { "0.1", 0.1 },
        { "1e23", 1e23 },
        { "1.7976931348623157e308", DBL_MAX },
        { "1.7976931348623158e308", DBL_MAX },
        { "-1.7976931348623157e308", -DBL_MAX },
        { "2.2250738585072014e-308", DBL_MIN },
        { "5e-324", 5e-324 },
        { "4.9e-324", 5e-324 },
        { "2e-324", 0.0 },
        { "-2e-324", -0.0 },
        { "1e-400", 0.0 },
        { "9007199254740993", 9007199254740992.0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value;
        ss_check_msg(ss__json_read_double(ss_str(cases[i].text), &value), "%s", cases[i].text);
        ss_check_msg(same_double(value, cases[i].value), "%s", cases[i].text);
    }
    static const char *const bad[] = {
        "1.7976931348623159e308", "-1.7976931348623159e308", "1e309", "1e99999", "1e999999999999",
        "", "NaN", "nan", "Infinity", "inf", "-inf", "0x1p3", "1,5", ".5", "5.", "+1", " 1", "1 ",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value;
        float narrow;
        ss_check_msg(!ss__json_read_double(ss_str(bad[i]), &value), "%s", bad[i]);
        ss_check_msg(!ss__json_read_float(ss_str(bad[i]), &narrow), "%s", bad[i]);
    }
}

SS_TEST(json_number, floats_are_rounded_once)
{
    static const struct {
        const char *text;
        float value;
    } cases[] = {
        { "0.1", 0.1f },
        { "3.4028234663852886e38", FLT_MAX },
        { "3.4028235e38", FLT_MAX },
        { "1.17549435e-38", FLT_MIN },
        { "1e-45", 1e-45f },
        { "1e-46", 0.0f },
        /* By way of a double this would be a tie and go down to 1. */
        { "1.000000059604644775390625000000000000000001", 1.00000011920928955078125f },
        { "1.000000059604644775390625", 1.0f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float value;
        ss_check_msg(ss__json_read_float(ss_str(cases[i].text), &value), "%s", cases[i].text);
        ss_check_msg(memcmp(&value, &cases[i].value, sizeof value) == 0, "%s", cases[i].text);
    }
    float value;
    ss_check(!ss__json_read_float(ss_str("3.4028236e38"), &value));
    ss_check(!ss__json_read_float(ss_str("-3.4028236e38"), &value));
    ss_check(!ss__json_read_float(ss_str("1e39"), &value));
}

/* @count times @digit behind @start, then @end. */
static struct ss_str repeat(struct ss_bytes *out, const char *start, char digit, size_t count,
                            const char *end)
{
    ss__bytes_clear(out);
    ss__bytes_text(out, start);
    for (size_t i = 0; i < count; i++) {
        ss__bytes_byte(out, (uint8_t)digit);
    }
    ss__bytes_text(out, end);
    ss_check(out->err == 0);
    return ss__bytes_view(out);
}

SS_TEST(json_number, thousands_of_digits_change_nothing_but_what_they_should)
{
    static const struct {
        const char *start;
        char digit;
        size_t count;
        const char *end;
        double value;
    } cases[] = {
        { "1.", '0', 5000, "", 1.0 },
        { "0.", '0', 5000, "1", 0.0 },
        { "0.", '0', 5000, "1e5001", 1.0 },
        { "-0.", '0', 5000, "15e5001", -1.5 },
        { "1", '0', 5000, "e-5000", 1.0 },
        { "0.", '3', 5000, "", 0.333333333333333333333333 },
        /* Halfway between 1 and the next double: even wins, unless a late digit decides. */
        { "1.00000000000000011102230246251565404236316680908203125", '0', 5000, "", 1.0 },
        { "1.00000000000000011102230246251565404236316680908203125", '0', 5000, "1",
          1.0000000000000002220446049250313 },
    };
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value;
        ss_check_msg(ss__json_read_double(repeat(&text, cases[i].start, cases[i].digit,
                                                 cases[i].count, cases[i].end), &value),
                     "case %zu", i);
        ss_check_msg(same_double(value, cases[i].value), "case %zu: %.17g", i, value);
    }
    double value;
    int64_t integer;
    ss_check(!ss__json_read_double(repeat(&text, "1", '0', 5000, ""), &value));
    ss_check(ss__json_read_i64(repeat(&text, "1", '0', 5000, "e-5000"), 0, 9, &integer));
    ss_check(integer == 1);
    ss_check(!ss__json_read_i64(repeat(&text, "1.", '0', 5000, "1"), 0, 9, &integer));
    ss__bytes_deinit(&text);
}

/* Around the length at which a text is shortened. */
SS_TEST(json_number, the_length_of_a_text_does_not_change_its_value)
{
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    for (size_t zeros = 1080; zeros < 1110; zeros++) {
        double value;
        ss_check(ss__json_read_double(repeat(&text, "-123.25", '0', zeros, "e2"), &value));
        ss_check(value == -12325.0);
        ss_check(ss__json_read_double(repeat(&text, "0.", '0', zeros, "25"), &value));
        ss_check(value == 0);
    }
    ss__bytes_deinit(&text);
}

static const char *written(struct ss_bytes *out)
{
    ss__bytes_byte(out, 0);
    ss_check(out->err == 0);
    return (const char *)out->data;
}

SS_TEST(json_number, doubles_are_written_with_the_fewest_digits)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.0, "0" },
        { -0.0, "-0" },
        { 1.0, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 123456789.0, "123456789" },
        { 9007199254740991.0, "9007199254740991" },
        { 9007199254740992.0, "9007199254740992" },
        { 1e20, "100000000000000000000" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 1e21, "1e+21" },
        { 1.5e21, "1.5e+21" },
        { 1e23, "1e+23" },
        { 0.000001, "0.000001" },
        { 0.0000015, "0.0000015" },
        { 0.0000001, "1e-7" },
        { 1.25e-7, "1.25e-7" },
        { DBL_MAX, "1.7976931348623157e+308" },
        { DBL_MIN, "2.2250738585072014e-308" },
        { 5e-324, "5e-324" },
        { (double)INFINITY, "\"Infinity\"" },
        { -(double)INFINITY, "\"-Infinity\"" },
        { (double)NAN, "\"NaN\"" },
        { -(double)NAN, "\"NaN\"" },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&out);
        ss__json_write_double(&out, cases[i].value);
        ss_check_msg(strcmp(written(&out), cases[i].text) == 0, "%s: %s", cases[i].text,
                     (const char *)out.data);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(json_number, floats_are_written_with_the_fewest_digits)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        { 0.1f, "0.1" },
        { -0.0f, "-0" },
        { 1.5f, "1.5" },
        { 16777215.0f, "16777215" },
        { 16777216.0f, "16777216" },
        { 33554432.0f, "33554432" },
        { 1e10f, "10000000000" },
        { 1e21f, "1e+21" },
        { FLT_MAX, "3.4028235e+38" },
        { FLT_MIN, "1.1754944e-38" },
        { 1e-45f, "1e-45" },
        { INFINITY, "\"Infinity\"" },
        { -INFINITY, "\"-Infinity\"" },
        { NAN, "\"NaN\"" },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&out);
        ss__json_write_float(&out, cases[i].value);
        ss_check_msg(strcmp(written(&out), cases[i].text) == 0, "%s: %s", cases[i].text,
                     (const char *)out.data);
    }
    ss__bytes_deinit(&out);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

SS_TEST(json_number, what_is_written_reads_back_to_the_same_bits)
{
    uint64_t seed = 88172645463325252;
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&seed);
        double value;
        double back;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            ss__bytes_clear(&out);
            ss__json_write_double(&out, value);
            ss_check(ss__json_read_double(ss__bytes_view(&out), &back));
            ss_check_msg(same_double(value, back), "%a", value);
        }
        uint32_t half = (uint32_t)(bits >> 16);
        float narrow;
        float narrow_back;
        memcpy(&narrow, &half, sizeof narrow);
        if (isfinite(narrow)) {
            ss__bytes_clear(&out);
            ss__json_write_float(&out, narrow);
            ss_check(ss__json_read_float(ss__bytes_view(&out), &narrow_back));
            ss_check_msg(memcmp(&narrow, &narrow_back, sizeof narrow) == 0, "%a", (double)narrow);
        }
    }
    ss__bytes_deinit(&out);
}

/* Does nothing on a system without such a locale. */
SS_TEST(json_number, a_locale_with_a_decimal_comma_plays_no_role)
{
    char *before = strdup(setlocale(LC_ALL, NULL));
    ss_check(before != NULL);
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL || setlocale(LC_ALL, "fr_FR.UTF-8") != NULL) {
        double value;
        ss_check(ss__json_read_double(ss_str("1.5"), &value) && value == 1.5);
        ss_check(!ss__json_read_double(ss_str("1,5"), &value));
        struct ss_bytes out;
        ss__bytes_init(&out, 0);
        ss__json_write_double(&out, 1.5);
        ss_check(ss_str_equal(ss__bytes_view(&out), ss_str("1.5")));
        ss__bytes_deinit(&out);
    }
    ss_check(setlocale(LC_ALL, before) != NULL);
    free(before);
}
