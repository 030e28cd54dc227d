#include "ss_test.h"

#include <stdbool.h>
#include <string.h>

#include <sessionstream/error.h>

#include "server/option_value.h"

SS_TEST(option_value, number_takes_digits_within_the_range)
{
    uint64_t value = 7;
    ss_check(ss__option_parse_number(ss_str("1"), 1, 256, &value, NULL) == 0 && value == 1);
    ss_check(ss__option_parse_number(ss_str("256"), 1, 256, &value, NULL) == 0 && value == 256);
    ss_check(ss__option_parse_number(ss_str("18446744073709551615"), 0, UINT64_MAX, &value,
                                     NULL) == 0);
    ss_check(value == UINT64_MAX);
}

SS_TEST(option_value, number_refuses_everything_else_and_names_the_range)
{
    static const char *const bad[] = { "", "0", "257", "-1", "+1", " 1", "1 ", "1.0", "0x10",
                                       "1e2", "a", "18446744073709551616",
                                       "99999999999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_failure failure = { 0 };
        uint64_t value = 7;
        int err = ss__option_parse_number(ss_str(bad[i]), 1, 256, &value, &failure);
        ss_check_msg(err == SS_E_CONFIG && value == 7, "%s", bad[i]);
        ss_check(strstr(failure.text, "from 1 to 256") != NULL);
    }
}

SS_TEST(option_value, bytes_know_binary_units)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = { { "0", 0 },          { "4096", 4096 },       { "64KiB", 65536 },
                 { "1MiB", 1 << 20 }, { "2GiB", 2ull << 30 }, { "16TiB", 16ull << 40 } };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t bytes = 1;
        ss_check(ss__option_parse_bytes(ss_str(good[i].text), 0, UINT64_MAX, &bytes, NULL) == 0);
        ss_check_msg(bytes == good[i].bytes, "%s", good[i].text);
    }
}

SS_TEST(option_value, bytes_refuse_other_units_overflow_and_range)
{
    static const char *const bad[] = { "",    "KiB",  "1kb",  "1KB",   "1 KiB", "1KiBs",
                                       "1.5MiB", "-1", "1023", "2MiB", "99999999999999999TiB" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_failure failure = { 0 };
        uint64_t bytes = 7;
        int err = ss__option_parse_bytes(ss_str(bad[i]), 1024, 1 << 20, &bytes, &failure);
        ss_check_msg(err == SS_E_CONFIG && bytes == 7, "%s", bad[i]);
        ss_check(strstr(failure.text, "1KiB to 1MiB") != NULL);
    }
}

SS_TEST(option_value, duration_needs_a_unit)
{
    uint64_t ms = 7;
    struct ss_failure failure = { 0 };
    ss_check(ss__option_parse_duration(ss_str("250ms"), 1, 60000, &ms, NULL) == 0 && ms == 250);
    ss_check(ss__option_parse_duration(ss_str("10s"), 1, 60000, &ms, NULL) == 0 && ms == 10000);
    ss_check(ss__option_parse_duration(ss_str("10"), 1, 60000, &ms, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "1ms to 60s") != NULL);
    ss_check(ss__option_parse_duration(ss_str("61s"), 1, 60000, &ms, NULL) == SS_E_CONFIG);
    ss_check(ss__option_parse_duration(ss_str("0ms"), 1, 60000, &ms, NULL) == SS_E_CONFIG);
    ss_check(ss__option_parse_duration(ss_str("1m"), 1, 60000, &ms, NULL) == SS_E_CONFIG);
    ss_check(ms == 10000);
    ss_check(ss__option_parse_duration(ss_str("24h"), 1, 90000000, &ms, NULL) == 0);
    ss_check(ms == 86400000);
}

static bool address_is(const char *text, const char *host, uint16_t port)
{
    struct ss_str got_host;
    uint16_t got_port;
    return ss__option_parse_address(ss_str(text), &got_host, &got_port, NULL) == 0 &&
           ss_str_equal(got_host, ss_str(host)) && got_port == port;
}

SS_TEST(option_value, address_is_host_and_port_with_ipv6_in_brackets)
{
    ss_check(address_is("127.0.0.1:8080", "127.0.0.1", 8080));
    ss_check(address_is("localhost:0", "localhost", 0));
    ss_check(address_is("[::1]:65535", "::1", 65535));
    ss_check(address_is("[fe80::1%eth0]:80", "fe80::1%eth0", 80));
}

SS_TEST(option_value, address_refuses_what_could_be_read_in_two_ways)
{
    static const char *const bad[] = { "",        ":8080",   "127.0.0.1", "::1:8080", "[::1]",
                                       "[]:1",    "a:65536", "a:",        "a:-1",     "a: 1",
                                       "a b:1",   "[::1:1",  "::1]:1",    "a:1:2",    "a\n:1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_str host = ss_str("x");
        uint16_t port = 7;
        struct ss_failure failure = { 0 };
        int err = ss__option_parse_address(ss_str(bad[i]), &host, &port, &failure);
        ss_check_msg(err == SS_E_CONFIG && port == 7, "%s", bad[i]);
        ss_check(failure.text[0] != '\0');
    }
}

SS_TEST(option_value, host_of_an_address_is_bounded)
{
    char text[SS_OPTION_HOST_BYTES_MAX + 8];
    struct ss_str host;
    uint16_t port;
    memset(text, 'a', sizeof text);
    memcpy(text + SS_OPTION_HOST_BYTES_MAX, ":1", 3);
    ss_check(ss__option_parse_address(ss_str(text), &host, &port, NULL) == 0);
    memcpy(text + SS_OPTION_HOST_BYTES_MAX, "a:1", 4);
    ss_check(ss__option_parse_address(ss_str(text), &host, &port, NULL) == SS_E_CONFIG);
}

SS_TEST(option_value, durability_modes)
{
    enum ss_durability durability = SS_DURABILITY_NONE;
    uint32_t ms = 7;
    ss_check(ss__option_parse_durability(ss_str("fsync"), &durability, &ms, NULL) == 0);
    ss_check(durability == SS_DURABILITY_FSYNC && ms == 7);
    ss_check(ss__option_parse_durability(ss_str("none"), &durability, &ms, NULL) == 0);
    ss_check(durability == SS_DURABILITY_NONE && ms == 7);
    ss_check(ss__option_parse_durability(ss_str("interval:50"), &durability, &ms, NULL) == 0);
    ss_check(durability == SS_DURABILITY_INTERVAL && ms == 50);
    ss_check(ss__option_parse_durability(ss_str("interval:2s"), &durability, &ms, NULL) == 0);
    ss_check(ms == 2000);
}

SS_TEST(option_value, durability_refuses_the_rest)
{
    static const char *const bad[] = { "", "sync", "interval", "interval:", "interval:0",
                                       "interval:60001", "interval:1m", "fsync " };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum ss_durability durability = SS_DURABILITY_NONE;
        uint32_t ms = 7;
        struct ss_failure failure = { 0 };
        int err = ss__option_parse_durability(ss_str(bad[i]), &durability, &ms, &failure);
        ss_check_msg(err == SS_E_CONFIG && durability == SS_DURABILITY_NONE && ms == 7, "%s",
                     bad[i]);
        ss_check(strstr(failure.text, "60s") != NULL);
    }
}

SS_TEST(option_value, log_level_names_go_both_ways)
{
    for (int i = SS_LOG_ERROR; i <= SS_LOG_DEBUG; i++) {
        enum ss_log_level level = SS_LOG_ERROR;
        const char *name = ss__option_log_level_name((enum ss_log_level)i);
        ss_check(ss__option_parse_log_level(ss_str(name), &level, NULL) == 0);
        ss_check((int)level == i);
    }
    enum ss_log_level level = SS_LOG_WARN;
    ss_check(ss__option_parse_log_level(ss_str("INFO"), &level, NULL) == SS_E_CONFIG);
    ss_check(level == SS_LOG_WARN);
}

SS_TEST(option_value, formats_read_back_as_the_same_value)
{
    static const uint64_t values[] = { 0, 1, 999, 1000, 1024, 1536, 60000, 1 << 20, 3ull << 30,
                                       1ull << 40, (1ull << 40) + 1 };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[SS_OPTION_VALUE_BYTES];
        uint64_t back = 7;
        ss__option_format_bytes(values[i], text);
        ss_check(ss__option_parse_bytes(ss_str(text), 0, UINT64_MAX, &back, NULL) == 0);
        ss_check_msg(back == values[i], "%s", text);
        ss__option_format_duration(values[i], text);
        ss_check(ss__option_parse_duration(ss_str(text), 0, UINT64_MAX, &back, NULL) == 0);
        ss_check_msg(back == values[i], "%s", text);
    }
    char text[SS_OPTION_VALUE_BYTES];
    char address[SS_OPTION_ADDRESS_BYTES];
    ss__option_format_bytes(512ull << 20, text);
    ss_check(strcmp(text, "512MiB") == 0);
    ss__option_format_durability(SS_DURABILITY_INTERVAL, 100, text);
    ss_check(strcmp(text, "interval:100ms") == 0);
    ss__option_format_durability(SS_DURABILITY_INTERVAL, 2000, text);
    ss_check(strcmp(text, "interval:2s") == 0);
    ss__option_format_address("::1", 80, address);
    ss_check(strcmp(address, "[::1]:80") == 0);
    ss__option_format_address("a.b", 0, address);
    ss_check(strcmp(address, "a.b:0") == 0);
}

SS_TEST(option_value, verify_both_ways)
{
    static const char *const names[] = { "none", "structure", "records" };
    struct ss_failure failure = { 0 };
    enum ss_verify verify = SS_VERIFY_NONE;
    for (size_t i = 0; i < 3; i++) {
        ss_check(ss__option_parse_verify(ss_str(names[i]), &verify, &failure) == 0);
        ss_check((size_t)verify == i && strcmp(ss__option_verify_name(verify), names[i]) == 0);
    }
    ss_check(ss__option_parse_verify(ss_str("all"), &verify, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "none, structure or records") != NULL);
}
