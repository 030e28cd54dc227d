#include "http/response.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

static int holds(const struct ss_bytes *out, const char *text)
{
    return out->err == 0 && ss_str_equal(ss__bytes_view(out), ss_str(text));
}

static void check_response(const struct ss_http_response *response, const char *want)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_response_write(&out, response);
    ss_check_msg(holds(&out, want), "%.*s", (int)out.len, (const char *)out.data);
    ss__bytes_deinit(&out);
}

static void check_problem(const struct ss_http_problem *problem, const char *want)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_problem_write(&out, problem);
    ss_check_msg(holds(&out, want), "%.*s", (int)out.len, (const char *)out.data);
    ss__bytes_deinit(&out);
}

SS_TEST(response, writes_head_and_body)
{
    struct ss_http_response response = { .status = 200, .content_type = "text/plain",
                                         .keep_alive = true, .body = ss_str("a\r\nb") };
    check_response(&response, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                              "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                              "Content-Length: 4\r\n\r\na\r\nb");
}

SS_TEST(response, writes_extra_fields_and_closes)
{
    struct ss_http_extra extra[] = { { "Allow", ss_str("GET") }, { "ETag", ss_str("\"1\"") } };
    struct ss_http_response response = { .status = 404, .cache_control = "max-age=60",
                                         .extra = extra, .extra_count = 2 };
    check_response(&response, "HTTP/1.1 404 Not Found\r\nCache-Control: max-age=60\r\n"
                              "Allow: GET\r\nETag: \"1\"\r\nConnection: close\r\n"
                              "Content-Length: 0\r\n\r\n");
}

SS_TEST(response, the_answer_to_head_has_the_length_and_no_body)
{
    struct ss_http_response response = { .status = 200, .keep_alive = true, .head_only = true,
                                         .body = ss_str("0123456789") };
    check_response(&response, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
                              "Content-Length: 10\r\n\r\n");
}

SS_TEST(response, a_status_without_content_has_neither_length_nor_body)
{
    struct ss_http_response response = { .status = 204, .keep_alive = true,
                                         .body = ss_str("lost") };
    check_response(&response, "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n\r\n");
    response.status = 304;
    check_response(&response, "HTTP/1.1 304 Not Modified\r\nCache-Control: no-store\r\n\r\n");
    response.status = 100;
    check_response(&response, "HTTP/1.1 100 Continue\r\nCache-Control: no-store\r\n\r\n");
}

SS_TEST(response, a_field_value_cannot_end_its_line)
{
    struct ss_http_extra extra = { "X", ss_str_of("a\r\nB: c\r\n\r\n\0\x7F\xC3\xA9\x1F", 16) };
    struct ss_http_response response = { .status = 200, .content_type = "a\nb",
                                         .cache_control = "c\rd", .keep_alive = true,
                                         .extra = &extra, .extra_count = 1 };
    check_response(&response, "HTTP/1.1 200 OK\r\nContent-Type: a b\r\n"
                              "X-Content-Type-Options: nosniff\r\nCache-Control: c d\r\n"
                              "X: a  B: c      \xC3\xA9 \r\nContent-Length: 0\r\n\r\n");
}

/* Every byte value in a value gives a head with the same lines. */
SS_TEST(response, no_byte_of_a_value_adds_a_line)
{
    for (unsigned byte = 0; byte < 0x100; byte++) {
        char value[] = { 'a', (char)byte, 'b' };
        struct ss_http_extra extra = { "X", ss_str_of(value, sizeof value) };
        struct ss_http_response response = { .status = 200, .extra = &extra, .extra_count = 1 };
        struct ss_bytes out;
        ss__bytes_init(&out, 0);
        ss__http_response_write(&out, &response);
        ss_check(out.err == 0);
        size_t lines = 0;
        for (size_t i = 0; i < out.len; i++) {
            bool end = out.data[i] == '\n';
            ss_check(end == (i > 0 && out.data[i - 1] == '\r'));
            ss_check(end || out.data[i] == '\r' || out.data[i] >= 0x20);
            lines += end;
        }
        ss_check_msg(lines == 6, "%02x", byte);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(response, appends_behind_what_is_there)
{
    struct ss_bytes out;
    struct ss_http_response response = { .status = 200, .keep_alive = true };
    ss__bytes_init(&out, 0);
    ss__bytes_text(&out, "before ");
    ss__http_response_write(&out, &response);
    ss_check(holds(&out, "before HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
                         "Content-Length: 0\r\n\r\n"));
    ss__bytes_deinit(&out);
}

SS_TEST(response, an_output_that_is_full_keeps_its_error)
{
    struct ss_http_problem problem = { .status = 400, .code = "x" };
    struct ss_http_response response = { .status = 200, .body = ss_str("0123456789") };
    struct ss_bytes out;
    for (size_t max = 1; max < 80; max++) {
        ss__bytes_init(&out, max);
        ss__http_response_write(&out, &response);
        ss_check(out.err == SS_E_TOOBIG && out.len <= max);
        ss__bytes_clear(&out);
        ss__http_problem_write(&out, &problem);
        ss_check(out.err == SS_E_TOOBIG && out.len <= max);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(response, the_head_of_a_stream_has_no_length)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_stream_head_write(&out, 200, "text/event-stream");
    ss_check(holds(&out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                         "Cache-Control: no-cache, no-transform\r\nConnection: close\r\n\r\n"));
    ss__bytes_deinit(&out);
}

SS_TEST(response, a_problem_is_a_document_of_rfc_9457)
{
    struct ss_http_problem problem = { .status = 404, .code = "not_found",
                                       .detail = ss_str("no such session"),
                                       .session_id = ss_str("s1"), .keep_alive = true };
    check_problem(&problem,
                  "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n"
                  "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                  "Content-Length: 118\r\n\r\n"
                  "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                  "\"detail\":\"no such session\",\"code\":\"not_found\",\"sessionId\":\"s1\"}");
}

SS_TEST(response, a_problem_leaves_out_what_is_not_known)
{
    struct ss_http_extra allow = { "Allow", ss_str("GET") };
    struct ss_http_problem problem = { .status = 405, .code = "protocol_error", .extra = &allow,
                                       .extra_count = 1, .head_only = true };
    check_problem(&problem,
                  "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/problem+json\r\n"
                  "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nAllow: GET\r\n"
                  "Connection: close\r\nContent-Length: 88\r\n\r\n");
}

SS_TEST(response, a_problem_that_passes_says_when_to_come_back)
{
    static const unsigned statuses[] = { 429, 503, 500, 507, 400 };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct ss_http_extra extra[SS_HTTP_PROBLEM_EXTRA_MAX];
        for (size_t j = 0; j < SS_HTTP_PROBLEM_EXTRA_MAX; j++) {
            extra[j] = (struct ss_http_extra){ "X", ss_str("y") };
        }
        struct ss_http_problem problem = { .status = statuses[i], .code = "x", .extra = extra,
                                           .extra_count = SS_HTTP_PROBLEM_EXTRA_MAX };
        struct ss_bytes out;
        ss__bytes_init(&out, 0);
        ss__http_problem_write(&out, &problem);
        ss__bytes_byte(&out, 0);
        ss_check(out.err == 0);
        bool retry = strstr((const char *)out.data, "X: y\r\nRetry-After: 1\r\n") != NULL;
        ss_check_msg(retry == (i < 2), "%u", statuses[i]);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(response, texts_of_a_problem_are_json_strings)
{
    struct ss_http_problem problem = { .status = 400, .code = "x", .keep_alive = true,
                                       .detail = ss_str_of("\"\\\0\n\x1F\x7F\xC3\xA9", 8),
                                       .session_id = ss_str("a\xFFz\xC3") };
    check_problem(&problem,
                  "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                  "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                  "Content-Length: 128\r\n\r\n"
                  "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                  "\"detail\":\"\\\"\\\\\\u0000\\u000a\\u001f\x7F\xC3\xA9\",\"code\":\"x\","
                  "\"sessionId\":\"a\xEF\xBF\xBDz\xEF\xBF\xBD\"}");
}

SS_TEST(response, the_problem_of_an_error_has_its_status_and_code)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_problem_of(&out, SS_E_BUSY, ss_str(""), ss_str(""), true);
    ss_check(holds(&out,
                   "HTTP/1.1 503 Service Unavailable\r\n"
                   "Content-Type: application/problem+json\r\n"
                   "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                   "Retry-After: 1\r\nContent-Length: 128\r\n\r\n"
                   "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                   "\"detail\":\"queue full, retry after a pause\",\"code\":\"overloaded\"}"));
    ss__bytes_clear(&out);
    ss__http_problem_of(&out, SS_E_EXISTS, ss_str("it is there"), ss_str("s"), false);
    ss__bytes_byte(&out, 0);
    ss_check(out.err == 0);
    ss_check(strstr((const char *)out.data, "HTTP/1.1 409 Conflict\r\n") != NULL);
    ss_check(strstr((const char *)out.data, "\r\nConnection: close\r\n") != NULL);
    ss_check(strstr((const char *)out.data, "\"detail\":\"it is there\",\"code\":"
                    "\"already_exists\",\"sessionId\":\"s\"}") != NULL);
    ss__bytes_deinit(&out);
}

SS_TEST(response, every_error_has_a_status_with_a_reason)
{
    static const struct {
        int err;
        unsigned status;
    } cases[] = {
        { 0, 200 },
        { SS_E_INVAL, 400 }, { SS_E_PROTO, 400 }, { SS_E_BADFRAME, 400 }, { SS_E_PAYLOAD, 400 },
        { SS_E_TYPE, 400 }, { SS_E_SESSION_ID, 400 }, { SS_E_JSON, 400 }, { SS_E_UTF8, 400 },
        { SS_E_NOTFOUND, 404 }, { SS_E_UNKNOWN_COMMAND, 404 }, { SS_E_UNKNOWN_EVENT, 404 },
        { SS_E_UNKNOWN_TYPE, 404 }, { SS_E_EXISTS, 409 }, { SS_E_TOOBIG, 413 },
        { SS_E_HANDLER, 422 }, { SS_E_PROJECTION, 422 }, { SS_E_LIMIT, 429 },
        { SS_E_SUBSCRIPTIONS, 429 }, { SS_E_BUSY, 503 }, { SS_E_STOPPING, 503 },
        { SS_E_NOMEM, 503 }, { SS_E_STOREIO, 503 }, { SS_E_TIMEOUT, 503 },
        { SS_E_STOREFULL, 507 }, { SS_E_INTERNAL, 500 }, { SS_E_COMMIT, 500 },
        { SS_E_CORRUPT, 500 }, { -1, 500 }, { 1, 500 }, { INT32_MIN, 500 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_check_msg(ss__http_status_of(cases[i].err) == cases[i].status, "%d", cases[i].err);
        ss_check(strcmp(ss__http_reason(cases[i].status), "Unknown") != 0);
    }
}

SS_TEST(response, every_status_that_is_sent_has_a_reason)
{
    static const unsigned statuses[] = { 100, 101, 200, 202, 204, 304, 308, 400, 401, 403, 404,
                                         405, 408, 409, 410, 413, 414, 415, 417, 422, 426, 429, 431,
                                         500, 501, 503, 505, 507 };
    size_t next = 0;
    for (unsigned status = 0; status < 1000; status++) {
        bool known = next < sizeof statuses / sizeof *statuses && status == statuses[next];
        next += known;
        ss_check_msg((strcmp(ss__http_reason(status), "Unknown") != 0) == known, "%u", status);
    }
    ss_check(strcmp(ss__http_reason(431), "Request Header Fields Too Large") == 0);
}
