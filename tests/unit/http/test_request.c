/* What is read of a request. */
#include "request_outcome.h"

SS_TEST(request, reads_a_request_without_a_body)
{
    check_request("GET /api/v1?x=1&y HTTP/1.1\r\nHost: here\r\nAccept:\t a/b , c \t\r\n\r\nGET",
                  "GET GET 1.1 path=/api/v1 query=x=1&y [api] [v1] <Host|here>"
                  " <Accept|a/b , c> keep body=0:", "GET");
    check_request("HEAD / HTTP/1.0\r\n\r\n", "HEAD HEAD 1.0 path=/ body=0:", "");
    check_request("OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
                  "other OPTIONS 1.1 path=* <Host|here> keep body=0:", "");
    check_request("GET /? HTTP/1.1\r\nHost:\r\n\r\n", "GET GET 1.1 path=/ <Host|> keep body=0:",
                  "");
}

SS_TEST(request, reads_a_body_of_known_length)
{
    check_request(HEAD "Content-Length: 5\r\n\r\nab\r\n\xFFPOST",
                  "POST POST 1.1 path=/a [a] <Host|here> <Content-Length|5> keep"
                  " body=5:ab\r\n\xFF", "POST");
    check_request(HEAD "content-length: 000\r\n\r\nx",
                  "POST POST 1.1 path=/a [a] <Host|here> <content-length|000> keep body=0:", "x");
}

SS_TEST(request, reads_a_chunked_body)
{
    check_request(HEAD "Transfer-Encoding: Chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\nrest",
                  "POST POST 1.1 path=/a [a] <Host|here> <Transfer-Encoding|Chunked> keep"
                  " body=3:abc", "rest");
}

SS_TEST(request, decodes_the_segments_of_the_path)
{
    check_request("GET //a%2Fb/%41+%c3%A9/%25/ HTTP/1.1\r\n" HOST "\r\n",
                  "GET GET 1.1 path=//a%2Fb/%41+%c3%A9/%25/ [] [a/b] [A+\xC3\xA9] [%] []"
                  " <Host|here> keep body=0:", "");
    check_request("GET /\xC3\xA9 HTTP/1.1\r\n" HOST "\r\n",
                  "GET GET 1.1 path=/\xC3\xA9 [\xC3\xA9] <Host|here> keep body=0:", "");
}

SS_TEST(request, a_segment_may_hold_any_byte)
{
    struct ss_http_parser parser;
    size_t used = 0;
    struct ss_str text = ss_str("GET /%00%0d%0A HTTP/1.1\r\n" HOST "\r\n");
    ss__http_parser_init(&parser, 0);
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)text.data, text.len, &used) ==
             SS_HTTP_DONE);
    const struct ss_http_request *request = ss__http_parser_request(&parser);
    ss_check(request->segment_count == 1);
    ss_check(ss_str_equal(request->segments[0], ss_str_of("\0\r\n", 3)));
    ss__http_parser_deinit(&parser);
}

SS_TEST(request, tells_whether_the_connection_stays)
{
    check_request("GET / HTTP/1.1\r\n" HOST "connection: x, CLOSE\r\n\r\n",
                  "GET GET 1.1 path=/ <Host|here> <connection|x, CLOSE> body=0:", "");
    check_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                  "GET GET 1.0 path=/ <Connection|keep-alive> body=0:", "");
    check_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
                  "GET GET 1.0 path=/ <Connection|keep-alive> <Connection|close> body=0:", "");
    check_request("GET / HTTP/1.2\r\n" HOST "\r\n",
                  "GET GET 1.1 path=/ <Host|here> keep body=0:", "");
}

/* http_parser would take the bytes behind the head for those of the new protocol. */
SS_TEST(request, a_request_that_asks_for_an_upgrade_keeps_its_body)
{
    check_request(HEAD "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nabXY",
                  "POST POST 1.1 path=/a [a] <Host|here> <Connection|Upgrade> <Upgrade|h2c>"
                  " <Content-Length|2> keep upgrade body=2:ab", "XY");
}

SS_TEST(request, takes_the_absolute_form)
{
    static const char *const table[][2] = {
        { "GET http://here/a?b HTTP/1.1\r\n" HOST "\r\n", "path=/a query=b" },
        { "GET HTTPS://other:8/a%2Fb/ HTTP/1.1\r\n" HOST "\r\n", "path=/a%2Fb/" },
        { "GET http://here HTTP/1.1\r\n" HOST "\r\n", "path=/ " },
        { "GET http://here?c=/d HTTP/1.1\r\n" HOST "\r\n", "path=/ query=c=/d" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct outcome outcome = feed_all_splits(table[i][0], strlen(table[i][0]));
        ss_check(outcome.result == SS_HTTP_DONE);
        ss_check_msg(strstr(outcome.text, table[i][1]) != NULL, "%s", outcome.text);
    }
}

SS_TEST(request, an_error_is_final)
{
    struct ss_http_parser parser;
    size_t used = 0;
    ss__http_parser_init(&parser, 0);
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)"\r", 1, &used) == SS_E_PROTO);
    const char *error = parser.error;
    struct ss_str good = ss_str("GET / HTTP/1.1\r\n" HOST "\r\n");
    used = 9;
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)good.data, good.len, &used) ==
             SS_E_PROTO);
    ss_check(used == 0 && parser.status == 400 && parser.error == error);
    ss__http_parser_deinit(&parser);
}

SS_TEST(request, a_reset_parser_reads_the_next_request)
{
    static const char text[] = HEAD "Content-Length: 2\r\n\r\nab" "GET /b HTTP/1.1\r\n" HOST "\r\n";
    struct ss_http_parser parser;
    size_t first = 0;
    size_t second = 0;
    ss__http_parser_init(&parser, BODY_MAX);
    ss_check(ss__http_parser_idle(&parser));
    ss_check(ss__http_parser_feed(&parser, NULL, 0, &first) == SS_HTTP_NEED_MORE && first == 0);
    ss_check(ss__http_parser_idle(&parser));
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)text, 1, &first) ==
             SS_HTTP_NEED_MORE);
    ss_check(!ss__http_parser_idle(&parser));
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)text + 1, sizeof text - 2, &first) ==
             SS_HTTP_DONE);
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)"x", 1, &second) == SS_HTTP_DONE);
    ss_check(second == 0);
    ss_check(ss_str_equal(ss__http_parser_request(&parser)->body, ss_str("ab")));
    ss__http_parser_reset(&parser);
    ss_check(ss__http_parser_idle(&parser) && parser.body_bytes_max == BODY_MAX);
    const uint8_t *rest = (const uint8_t *)text + 1 + first;
    ss_check(ss__http_parser_feed(&parser, rest, sizeof text - 2 - first, &second) ==
             SS_HTTP_DONE);
    ss_check(ss_str_equal(ss__http_parser_request(&parser)->path, ss_str("/b")));
    ss_check(ss__http_parser_request(&parser)->body.len == 0);
    ss__http_parser_deinit(&parser);
}

/* Whether a "100 Continue" is due after each byte of @text; -1 if never, else how many bytes. */
static int continue_due_at(const char *text)
{
    struct ss_http_parser parser;
    int due_at = -1;
    ss__http_parser_init(&parser, BODY_MAX);
    ss_check(!ss__http_parser_take_continue(&parser));
    for (size_t i = 0; text[i] != '\0'; i++) {
        size_t used = 0;
        ss_check(ss__http_parser_feed(&parser, (const uint8_t *)text + i, 1, &used) >= 0);
        if (ss__http_parser_take_continue(&parser)) {
            ss_check(due_at == -1 && !ss__http_parser_take_continue(&parser));
            due_at = (int)i + 1;
        }
    }
    ss__http_parser_deinit(&parser);
    return due_at;
}

SS_TEST(request, asks_once_for_a_body_that_waits_for_100_continue)
{
    static const char head[] = HEAD "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    static const char chunked[] = HEAD "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    ss_check(continue_due_at(HEAD "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab") ==
             (int)sizeof head - 1);
    ss_check(continue_due_at(chunked) == (int)sizeof chunked - 1);
    ss_check(continue_due_at(HEAD "Expect: 100-continue\r\n\r\n") == -1);
    ss_check(continue_due_at(HEAD "Content-Length: 2\r\n\r\nab") == -1);
    /* RFC 9110 section 10.1.1: a 1.0 client cannot wait. */
    ss_check(continue_due_at("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2"
                             "\r\n\r\nab") == -1);
}

SS_TEST(request, asks_for_nothing_when_the_body_came_along)
{
    struct ss_http_parser parser;
    struct ss_str text = ss_str(HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab");
    size_t used = 0;
    ss__http_parser_init(&parser, BODY_MAX);
    ss_check(ss__http_parser_feed(&parser, (const uint8_t *)text.data, text.len, &used) ==
             SS_HTTP_DONE);
    ss_check(ss__http_parser_request(&parser)->expect_continue);
    ss_check(!ss__http_parser_take_continue(&parser));
    ss__http_parser_deinit(&parser);
}
