#include "schema/json_time.h"

#include "ss_test.h"

#define FIRST INT64_C(-62135596800)     /* 0001-01-01T00:00:00Z */
#define LAST INT64_C(253402300799)      /* 9999-12-31T23:59:59Z */
#define LONGEST INT64_C(315576000000)

struct instant {
    const char *text;
    int64_t seconds;
    int32_t nanos;
};

static const struct instant instants[] = {
    { "1970-01-01T00:00:00Z", 0, 0 },
    { "1970-01-01T00:00:00.500Z", 0, 500000000 },
    { "1970-01-01T00:00:00.000500Z", 0, 500000 },
    { "1970-01-01T00:00:00.000000500Z", 0, 500 },
    { "1969-12-31T23:59:59Z", -1, 0 },
    { "1969-12-31T23:59:59.999999999Z", -1, 999999999 },
    { "2000-02-29T12:34:56Z", 951827696, 0 },
    { "2000-03-01T00:00:00Z", 951868800, 0 },
    { "1900-02-28T23:59:59Z", -2203891201, 0 },
    { "1900-03-01T00:00:00Z", -2203891200, 0 },
    { "2024-02-29T00:00:00Z", 1709164800, 0 },
    { "2038-01-19T03:14:08Z", INT64_C(2147483648), 0 },
    { "0001-01-01T00:00:00Z", FIRST, 0 },
    { "9999-12-31T23:59:59.999999999Z", LAST, 999999999 },
};

static bool equals(struct ss_bytes *out, const char *text)
{
    return out->err == 0 && out->len == strlen(text) + 2 && out->data[0] == '"' &&
           out->data[out->len - 1] == '"' && memcmp(out->data + 1, text, out->len - 2) == 0;
}

SS_TEST(json_time, timestamps_go_both_ways)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        ss_check_msg(ss__json_read_timestamp(ss_str(instants[i].text), &seconds, &nanos), "%s",
                     instants[i].text);
        ss_check_msg(seconds == instants[i].seconds && nanos == instants[i].nanos, "%s",
                     instants[i].text);
        ss__bytes_clear(&out);
        ss_check(ss__json_write_timestamp(&out, seconds, nanos));
        ss_check_msg(equals(&out, instants[i].text), "%s", instants[i].text);
    }
    ss__bytes_deinit(&out);
}

/* A day of each week of 9999 years. */
SS_TEST(json_time, dates_of_all_years_read_back)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (int64_t day = FIRST / 86400; day <= LAST / 86400; day += 7) {
        int64_t seconds;
        int32_t nanos;
        int64_t noon = day * 86400 + 43200 + (day & 1);
        ss__bytes_clear(&out);
        ss_check(ss__json_write_timestamp(&out, noon, 0));
        ss_check(ss__json_read_timestamp(ss_str_of(out.data + 1, out.len - 2), &seconds, &nanos));
        ss_check_msg(seconds == noon && nanos == 0, "day %lld", (long long)day);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(json_time, offsets_and_short_fractions_are_understood)
{
    static const struct instant cases[] = {
        { "1970-01-01T01:00:00+01:00", 0, 0 },
        { "1969-12-31T23:00:00-01:00", 0, 0 },
        { "1970-01-01T05:30:00.25+05:30", 0, 250000000 },
        { "1970-01-01T23:59:00+23:59", 0, 0 },
        { "1970-01-01T00:00:00+00:00", 0, 0 },
        { "1970-01-01T00:00:00-00:00", 0, 0 },
        { "1970-01-01T00:00:00.1Z", 0, 100000000 },
        { "1970-01-01T00:00:00.123456789Z", 0, 123456789 },
        { "0001-01-01T01:00:00+01:00", FIRST, 0 },
        { "9999-12-31T22:59:59-01:00", LAST, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        ss_check_msg(ss__json_read_timestamp(ss_str(cases[i].text), &seconds, &nanos), "%s",
                     cases[i].text);
        ss_check_msg(seconds == cases[i].seconds && nanos == cases[i].nanos, "%s", cases[i].text);
    }
}

SS_TEST(json_time, malformed_timestamps_are_refused)
{
    static const char *const bad[] = {
        "", "Z", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
        "1970-01-01t00:00:00Z", "1970-01-01T00:00:00z", "1970-01-01T00:00Z",
        "1970-1-01T00:00:00Z", "70-01-01T00:00:00Z", "01970-01-01T00:00:00Z",
        "+1970-01-01T00:00:00Z", "-001-01-01T00:00:00Z", " 1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z ", "1970-01-01T00:00:00ZZ", "1970/01/01T00:00:00Z",
        "1970-01-01T00.00.00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.0000000001Z",
        "1970-01-01T00:00:00,5Z", "1970-01-01T00:00:00.+5Z", "1970-01-01T00:00:00+1:00",
        "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+01", "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60", "1970-01-01T00:00:00+01:00Z",
        "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z", "1970-01-00T00:00:00Z", "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2000-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t seconds = 42;
        int32_t nanos = 42;
        ss_check_msg(!ss__json_read_timestamp(ss_str(bad[i]), &seconds, &nanos), "%s", bad[i]);
    }
    /* Every cut of a good one. */
    static const char good[] = "1970-01-01T00:00:00.123456789+01:00";
    for (size_t len = 0; len < sizeof good - 1; len++) {
        int64_t seconds;
        int32_t nanos;
        ss_check_msg(!ss__json_read_timestamp(ss_str_of(good, len), &seconds, &nanos), "%zu", len);
    }
}

SS_TEST(json_time, a_timestamp_out_of_range_is_not_written)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } bad[] = {
        { FIRST - 1, 0 }, { LAST + 1, 0 },  { INT64_MIN, 0 },  { INT64_MAX, 0 },
        { 0, -1 },        { 0, 1000000000 }, { 0, INT32_MIN }, { 0, INT32_MAX },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ss_check_msg(!ss__json_write_timestamp(&out, bad[i].seconds, bad[i].nanos), "case %zu", i);
        ss_check(out.len == 0);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(json_time, durations_go_both_ways)
{
    static const struct instant cases[] = {
        { "0s", 0, 0 },
        { "1s", 1, 0 },
        { "-1s", -1, 0 },
        { "1.500s", 1, 500000000 },
        { "-1.500s", -1, -500000000 },
        { "0.500s", 0, 500000000 },
        { "-0.500s", 0, -500000000 },
        { "-0.000000001s", 0, -1 },
        { "3.000001s", 3, 1000 },
        { "315576000000s", LONGEST, 0 },
        { "-315576000000s", -LONGEST, 0 },
        { "315575999999.999999999s", LONGEST - 1, 999999999 },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        ss_check_msg(ss__json_read_duration(ss_str(cases[i].text), &seconds, &nanos), "%s",
                     cases[i].text);
        ss_check_msg(seconds == cases[i].seconds && nanos == cases[i].nanos, "%s", cases[i].text);
        ss__bytes_clear(&out);
        ss_check(ss__json_write_duration(&out, seconds, nanos));
        ss_check_msg(equals(&out, cases[i].text), "%s", cases[i].text);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(json_time, other_forms_of_a_duration)
{
    int64_t seconds;
    int32_t nanos;
    ss_check(ss__json_read_duration(ss_str("1.5s"), &seconds, &nanos));
    ss_check(seconds == 1 && nanos == 500000000);
    ss_check(ss__json_read_duration(ss_str("-0s"), &seconds, &nanos) && seconds == 0 && nanos == 0);
    static const char *const bad[] = {
        "", "s", "1", "-s", ".5s", "1.s", "1.0000000001s", "1 s", " 1s", "1s ", "1ss", "1S", "+1s",
        "--1s", "1m", "1e3s", "0x1s", "315576000001s", "-315576000001s",
        "315576000000.000000001s", "-315576000000.000000001s", "1234567890123s", "1,5s", "1-s",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ss_check_msg(!ss__json_read_duration(ss_str(bad[i]), &seconds, &nanos), "%s", bad[i]);
    }
}

SS_TEST(json_time, a_duration_out_of_range_is_not_written)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } bad[] = {
        { LONGEST + 1, 0 }, { -LONGEST - 1, 0 }, { INT64_MIN, 0 },   { INT64_MAX, 0 },
        { 1, -1 },          { -1, 1 },           { 0, 1000000000 },  { 0, -1000000000 },
        { 0, INT32_MIN },   { 0, INT32_MAX },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ss_check_msg(!ss__json_write_duration(&out, bad[i].seconds, bad[i].nanos), "case %zu", i);
        ss_check(out.len == 0);
    }
    ss__bytes_deinit(&out);
}
