#include "ss_test.h"

#include <stdbool.h>
#include <string.h>

#include <sessionstream/error.h>

#include "fake_server.h"
#include "server/http_exchange.h"

static int read_answer(struct ss_str in, bool at_end, struct ss_http_answer *answer)
{
    struct ss_failure failure = { 0 };
    int got = ss__http_answer_read(in, at_end, answer, &failure);
    ss_check(got >= 0 || failure.text[0] != '\0');
    return got;
}

SS_TEST(http_exchange, a_request_has_what_the_server_needs)
{
    struct ss_url url;
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss_check(ss__url_parse("http://[::1]:81", &url, NULL) == 0);
    ss__http_request_write(&out, "POST", ss_str("/v1/x"), &url, NULL, ss_str("{}"));
    ss__bytes_byte(&out, 0);
    const char *text = (const char *)out.data;
    ss_check(strncmp(text, "POST /v1/x HTTP/1.1\r\nHost: [::1]:81\r\n", 37) == 0);
    ss_check(strstr(text, "Connection: close\r\n") != NULL);
    ss_check(strstr(text, "Content-Length: 2\r\n\r\n{}") != NULL);
    ss__bytes_clear(&out);
    ss__http_request_write(&out, "GET", ss_str("/"), &url, NULL, (struct ss_str){ 0 });
    ss__bytes_byte(&out, 0);
    ss_check(strstr((const char *)out.data, "Content-") == NULL);
    ss_check(strstr((const char *)out.data, "Idempotency-") == NULL);
    ss__bytes_clear(&out);
    ss__http_request_write(&out, "POST", ss_str("/"), &url, "k 1", ss_str("{}"));
    ss__bytes_byte(&out, 0);
    ss_check(strstr((const char *)out.data, "\r\nIdempotency-Key: k 1\r\n") != NULL);
    ss__bytes_deinit(&out);
}

SS_TEST(http_exchange, an_answer_is_read_at_every_split)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 404 Not Found\r\n"
                               "content-TYPE: application/problem+json ; charset=utf-8\r\n"
                               "Content-Length: 5\r\n\r\nhello";
    struct ss_http_answer answer;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        ss_check(read_answer(ss_str_of(text, len), false, &answer) == 0);
        ss_check(read_answer(ss_str_of(text, len), true, &answer) == SS_E_PROTO);
    }
    ss_check(read_answer(ss_str(text), false, &answer) == 1);
    ss_check(answer.status == 404);
    ss_check(ss_str_equal(answer.content_type, ss_str("application/problem+json")));
    ss_check(ss_str_equal(answer.body, ss_str("hello")));
}

SS_TEST(http_exchange, without_a_length_the_body_ends_with_the_stream)
{
    struct ss_http_answer answer;
    struct ss_str in = ss_str("HTTP/1.0 200\r\n\r\nabc");
    ss_check(read_answer(in, false, &answer) == 0);
    ss_check(read_answer(in, true, &answer) == 1);
    ss_check(answer.status == 200 && answer.content_type.len == 0);
    ss_check(ss_str_equal(answer.body, ss_str("abc")));
}

SS_TEST(http_exchange, malformed_answers_are_errors)
{
    static const char *const bad[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1  200 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_http_answer answer;
        ss_check_msg(read_answer(ss_str(bad[i]), false, &answer) == SS_E_PROTO, "%s", bad[i]);
    }
}

SS_TEST(http_exchange, an_endless_head_is_an_error)
{
    static char text[70000];
    struct ss_http_answer answer;
    memset(text, 'a', sizeof text);
    ss_check(read_answer(ss_str_of(text, sizeof text), false, &answer) == SS_E_PROTO);
}

SS_TEST(http_exchange, request_and_answer_cross_a_socket)
{
    struct fake_server server;
    struct ss_url url;
    struct ss_bytes request;
    struct ss_bytes in;
    struct ss_http_answer answer;
    struct ss_failure failure = { 0 };
    fake_server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &url);
    ss__bytes_init(&request, 0);
    ss__bytes_init(&in, 0);
    ss__http_request_write(&request, "GET", ss_str("/a"), &url, NULL, (struct ss_str){ 0 });
    int err = ss__http_exchange(&url, ss__bytes_view(&request), 10000, &in, &answer, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(answer.status == 200 && ss_str_equal(answer.body, ss_str("ok")));
    fake_server_stop(&server);
    ss_check(strncmp(server.request, "GET /a HTTP/1.1\r\n", 17) == 0);
    ss__bytes_deinit(&request);
    ss__bytes_deinit(&in);
}

SS_TEST(http_exchange, a_server_that_hangs_up_is_an_error)
{
    struct fake_server server;
    struct ss_url url;
    struct ss_bytes in;
    struct ss_http_answer answer;
    struct ss_failure failure = { 0 };
    fake_server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", &url);
    ss__bytes_init(&in, 0);
    int err = ss__http_exchange(&url, ss_str("GET / HTTP/1.1\r\n\r\n"), 10000, &in, &answer,
                                &failure);
    ss_check(err == SS_E_PROTO);
    ss_check(strstr(failure.text, "too early") != NULL);
    fake_server_stop(&server);
    ss__bytes_deinit(&in);
}
