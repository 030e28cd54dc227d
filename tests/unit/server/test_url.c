#include "ss_test.h"

#include <stdbool.h>
#include <string.h>

#include <sessionstream/error.h>

#include "server/url.h"

static bool url_is(const char *text, const char *host, const char *port, const char *authority)
{
    struct ss_url url;
    return ss__url_parse(text, &url, NULL) == 0 && strcmp(url.host, host) == 0 &&
           strcmp(url.port, port) == 0 && strcmp(url.authority, authority) == 0;
}

SS_TEST(url, both_schemes_name_the_same_server)
{
    ss_check(url_is("http://127.0.0.1:8080", "127.0.0.1", "8080", "127.0.0.1:8080"));
    ss_check(url_is("ws://127.0.0.1:8080/", "127.0.0.1", "8080", "127.0.0.1:8080"));
    ss_check(url_is("ws://example.org", "example.org", "80", "example.org:80"));
    ss_check(url_is("http://[::1]:81", "::1", "81", "[::1]:81"));
    ss_check(url_is("http://[::1]/", "::1", "80", "[::1]:80"));
}

SS_TEST(url, what_is_no_plain_server_address_is_refused)
{
    static const char *const bad[] = { "", "127.0.0.1:8080", "http://", "http:///", "ftp://a",
                                       "http://a:0", "http://a:65536", "http://a:b", "http://::1",
                                       "http://u@a:1", "http://a b:1", "HTTP://a",
                                       "http://a?b:1", "http://a\003:1", "http://\303\244:1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_url url;
        struct ss_failure failure = { 0 };
        ss_check_msg(ss__url_parse(bad[i], &url, &failure) == SS_E_CONFIG, "%s", bad[i]);
        ss_check(strstr(failure.text, "http://HOST:PORT") != NULL);
    }
}

SS_TEST(url, tls_and_paths_are_refused_with_their_reason)
{
    struct ss_url url;
    struct ss_failure failure = { 0 };
    ss_check(ss__url_parse("https://a", &url, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "TLS") != NULL);
    ss_check(ss__url_parse("wss://a", &url, &failure) == SS_E_CONFIG);
    ss_check(ss__url_parse("http://a:1/v1/ws", &url, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "path") != NULL);
}

SS_TEST(url, the_host_is_bounded)
{
    char text[1200] = "http://";
    struct ss_url url;
    memset(text + 7, 'a', SS_URL_HOST_BYTES_MAX);
    ss_check(ss__url_parse(text, &url, NULL) == 0);
    memset(text + 7, 'a', SS_URL_HOST_BYTES_MAX + 1);
    ss_check(ss__url_parse(text, &url, NULL) == SS_E_CONFIG);
    memset(text + 7, 'a', sizeof text - 8);
    ss_check(ss__url_parse(text, &url, NULL) == SS_E_CONFIG);
}

static bool segment_is(struct ss_str raw, const char *encoded)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__url_segment(&out, raw);
    bool same = out.err == 0 && ss_str_equal(ss__bytes_view(&out), ss_str(encoded));
    ss__bytes_deinit(&out);
    return same;
}

SS_TEST(url, a_segment_keeps_unreserved_characters_and_encodes_the_rest)
{
    ss_check(segment_is(ss_str("aZ09-._~"), "aZ09-._~"));
    ss_check(segment_is(ss_str("a/b?c#d e%"), "a%2Fb%3Fc%23d%20e%25"));
    ss_check(segment_is(ss_str("\xc3\xa4\x7f\x01"), "%C3%A4%7F%01"));
    ss_check(segment_is(ss_str_of("\0", 1), "%00"));
    ss_check(segment_is(ss_str(""), ""));
}

SS_TEST(url, dot_segments_do_not_walk_up)
{
    ss_check(segment_is(ss_str("."), "%2E"));
    ss_check(segment_is(ss_str(".."), "%2E."));
    ss_check(segment_is(ss_str("..."), "..."));
}
