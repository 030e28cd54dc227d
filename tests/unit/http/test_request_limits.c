/* The bounds of a request. */
#include "request_outcome.h"

SS_TEST(request_limits, the_body_is_bounded)
{
    static const char over[] = "body is larger than a client";
    static const char *const lengths[] = { "101", "4294967296", "999999999999999999" };
    char text[256];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int len = snprintf(text, sizeof text, HEAD "Content-Length: %s\r\n\r\n", lengths[i]);
        check_refused(text, (size_t)len, SS_E_TOOBIG, 413, over);
    }
    int len = snprintf(text, sizeof text, HEAD "Content-Length: 100\r\n\r\n%0100d", 7);
    ss_check(feed_all_splits(text, (size_t)len).result == SS_HTTP_DONE);
    len = snprintf(text, sizeof text, HEAD "Transfer-Encoding: chunked\r\n\r\n64\r\n%0100d\r\n"
                   "0\r\n\r\n", 7);
    ss_check(feed_all_splits(text, (size_t)len).result == SS_HTTP_DONE);
    len = snprintf(text, sizeof text, HEAD "Transfer-Encoding: chunked\r\n\r\n65\r\n%0101d", 7);
    check_refused(text, (size_t)len, SS_E_TOOBIG, 413, over);
}

SS_TEST(request_limits, a_limit_of_zero_refuses_every_body)
{
    static const char *const bodies[] = { HEAD "Content-Length: 1\r\n\r\na",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct ss_http_parser parser;
        size_t used = 0;
        ss__http_parser_init(&parser, 0);
        ss_check(ss__http_parser_feed(&parser, (const uint8_t *)bodies[i], strlen(bodies[i]),
                                      &used) == SS_E_TOOBIG);
        ss_check(parser.status == 413);
        ss__http_parser_deinit(&parser);
    }
}

SS_TEST(request_limits, the_number_of_fields_is_bounded)
{
    for (size_t over = 0; over < 2; over++) {
        struct ss_bytes text;
        ss__bytes_init(&text, 0);
        ss__bytes_text(&text, "GET / HTTP/1.1\r\n" HOST);
        for (size_t i = 1; i < SS_HTTP_FIELDS_MAX + over; i++) {
            ss__bytes_text(&text, "a:b\r\n");
        }
        ss__bytes_text(&text, "\r\n");
        ss_check(text.err == 0);
        struct outcome outcome = feed(ss__bytes_view(&text));
        ss_check(outcome.result == (over == 0 ? SS_HTTP_DONE : SS_E_TOOBIG));
        ss_check(outcome.status == (over == 0 ? 0 : 431));
        ss__bytes_deinit(&text);
    }
}

SS_TEST(request_limits, the_number_of_segments_is_bounded)
{
    REFUSED("GET /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h HTTP/1.1\r\n" HOST "\r\n", 400,
            "too many parts");
    check_request("GET /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g HTTP/1.1\r\n" HOST "\r\n",
                  "GET GET 1.1 path=/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g [1] [2] [3] [4] [5] [6] [7]"
                  " [8] [9] [a] [b] [c] [d] [e] [f] [g] <Host|here> keep body=0:", "");
}

static void add_letters(struct ss_bytes *out, size_t count)
{
    uint8_t *at = ss__bytes_extend(out, count);
    ss_check(at != NULL);
    memset(at, 'x', count);
}

/* Result of a request whose target has @len bytes; only the parser's verdict is looked at. */
static int feed_target(size_t len, bool whole_line, unsigned *ret_status)
{
    struct ss_http_parser parser;
    struct ss_bytes text;
    size_t used = 0;
    ss__bytes_init(&text, 0);
    ss__http_parser_init(&parser, 0);
    ss__bytes_text(&text, "GET /");
    add_letters(&text, len - 1);
    ss__bytes_text(&text, whole_line ? " HTTP/1.1\r\n" HOST "\r\n" : "");
    int result = ss__http_parser_feed(&parser, text.data, text.len, &used);
    *ret_status = parser.status;
    ss__http_parser_deinit(&parser);
    ss__bytes_deinit(&text);
    return result;
}

SS_TEST(request_limits, the_target_is_bounded)
{
    unsigned status = 1;
    ss_check(feed_target(SS_HTTP_TARGET_BYTES_MAX, true, &status) == SS_HTTP_DONE);
    ss_check(status == 0);
    ss_check(feed_target(SS_HTTP_TARGET_BYTES_MAX + 1, true, &status) == SS_E_TOOBIG);
    ss_check(status == 414);
    /* A line that never ends is cut off as well. */
    ss_check(feed_target(SS_HTTP_TARGET_BYTES_MAX + 64, false, &status) == SS_E_TOOBIG);
    ss_check(status == 414);
}

SS_TEST(request_limits, the_head_is_bounded)
{
    static const char begin[] = "GET / HTTP/1.1\r\n" HOST "A: ";
    for (size_t over = 0; over < 2; over++) {
        struct ss_http_parser parser;
        struct ss_bytes text;
        size_t used = 0;
        ss__bytes_init(&text, 0);
        ss__http_parser_init(&parser, 0);
        ss__bytes_text(&text, begin);
        add_letters(&text, SS_HTTP_HEADER_BYTES_MAX - sizeof begin + 1 - 4 + over);
        ss__bytes_text(&text, "\r\n\r\n");
        int result = ss__http_parser_feed(&parser, text.data, text.len, &used);
        ss_check(result == (over == 0 ? SS_HTTP_DONE : SS_E_TOOBIG));
        ss_check(parser.status == (over == 0 ? 0 : 431) && used == SS_HTTP_HEADER_BYTES_MAX);
        ss__http_parser_deinit(&parser);
        ss__bytes_deinit(&text);
    }
}

static int feed_text(struct ss_http_parser *parser, const char *text)
{
    size_t used = 0;
    return ss__http_parser_feed(parser, (const uint8_t *)text, strlen(text), &used);
}

SS_TEST(request_limits, unfinished_bodies_share_one_account)
{
    struct ss_http_bodies bodies = { .held_bytes_max = 1 };
    struct ss_http_parser first;
    struct ss_http_parser second;
    ss__http_parser_init(&first, BODY_MAX);
    ss__http_parser_init(&second, BODY_MAX);
    ss__http_parser_share(&first, &bodies);
    ss__http_parser_share(&second, &bodies);
    ss_check(feed_text(&first, HEAD "Content-Length: 2\r\n\r\n") == SS_HTTP_NEED_MORE);
    ss_check(bodies.held_bytes == 0);
    ss_check(feed_text(&first, "ab") == SS_HTTP_DONE);    /* over it, but complete */
    ss_check(bodies.held_bytes > 1);
    ss_check(feed_text(&second, HEAD "Content-Length: 2\r\n\r\na") == SS_E_BUSY);
    ss_check(second.status == 503 && second.error != NULL);
    ss__http_parser_reset(&first);
    ss__http_parser_reset(&second);
    ss_check(bodies.held_bytes == 0);
    /* One alone may be over it. */
    ss_check(feed_text(&first, HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\na") ==
             SS_HTTP_NEED_MORE);
    ss_check(bodies.held_bytes > 1);
    ss_check(feed_text(&second, HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\na") == SS_E_BUSY);
    bodies.held_bytes_max = 1000;
    ss__http_parser_reset(&second);
    ss_check(feed_text(&second, HEAD "Content-Length: 2\r\n\r\na") == SS_HTTP_NEED_MORE);
    ss__http_parser_deinit(&first);
    ss__http_parser_deinit(&second);
    ss_check(bodies.held_bytes == 0);
}
