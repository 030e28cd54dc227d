#include "http/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "ss_test.h"

#define BODY_MAX 100u
#define HOST "Host: here\r\n"
#define HEAD "POST /a HTTP/1.1\r\n" HOST

/* What a feed came to, with all of the request written out, so that two can be compared. */
struct outcome {
    int result;
    unsigned status;
    const char *error;
    size_t consumed;
    char text[768];
};

static void add(struct outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct outcome *outcome, const char *format, ...)
{
    size_t len = strlen(outcome->text);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(outcome->text + len, sizeof outcome->text - len, format, args);
    va_end(args);
    ss_check(more >= 0 && (size_t)more < sizeof outcome->text - len);
}

#define STR(text) (int)(text).len, (text).data

static void describe(struct outcome *outcome, const struct ss_http_request *request)
{
    static const char *const methods[] = { "GET", "POST", "HEAD", "other" };
    add(outcome, "%s %.*s 1.%u path=%.*s", methods[request->method], STR(request->method_name),
        request->version_minor, STR(request->path));
    if (request->query.len > 0) {
        add(outcome, " query=%.*s", STR(request->query));
    }
    for (size_t i = 0; i < request->segment_count; i++) {
        add(outcome, " [%.*s]", STR(request->segments[i]));
    }
    for (size_t i = 0; i < request->field_count; i++) {
        add(outcome, " <%.*s|%.*s>", STR(request->fields[i].name),
            STR(request->fields[i].value));
    }
    add(outcome, "%s%s%s body=%zu:%.*s", request->keep_alive ? " keep" : "",
        request->upgrade ? " upgrade" : "", request->expect_continue ? " expect" : "",
        (size_t)request->content_length, STR(request->body));
}

/* Feeds @text in pieces of @step bytes, the first one of @first bytes. */
static struct outcome feed_pieces(struct ss_str text, size_t first, size_t step)
{
    struct ss_http_parser parser;
    struct outcome outcome = { 0 };
    size_t piece = first;
    ss__http_parser_init(&parser, BODY_MAX);
    while (outcome.result == SS_HTTP_NEED_MORE && outcome.consumed < text.len) {
        size_t used = 0;
        size_t left = text.len - outcome.consumed;
        size_t len = piece < left ? piece : left;
        outcome.result = ss__http_parser_feed(&parser, (const uint8_t *)text.data +
                                              outcome.consumed, len, &used);
        ss_check(used <= len && (used == len || outcome.result != SS_HTTP_NEED_MORE));
        outcome.consumed += used;
        piece = step;
    }
    outcome.status = parser.status;
    outcome.error = parser.error;
    if (outcome.result == SS_HTTP_DONE) {
        describe(&outcome, ss__http_parser_request(&parser));
    }
    ss__http_parser_deinit(&parser);
    return outcome;
}

static struct outcome feed(struct ss_str text)
{
    return feed_pieces(text, text.len, text.len);
}

static void check_same(const struct outcome *a, const struct outcome *b, const char *text,
                       size_t cut)
{
    ss_check_msg(a->result == b->result && a->status == b->status && a->error == b->error &&
                 a->consumed == b->consumed && strcmp(a->text, b->text) == 0,
                 "%s\ncut at %zu:\n%s\n%s", text, cut, a->text, b->text);
}

/* The outcome of @text, which is the same however it is cut. */
static struct outcome feed_all_splits(const char *text, size_t len)
{
    struct outcome whole = feed(ss_str_of(text, len));
    for (size_t first = 1; first < len; first++) {
        struct outcome two = feed_pieces(ss_str_of(text, len), first, len);
        check_same(&whole, &two, text, first);
        struct outcome many = feed_pieces(ss_str_of(text, len), first, 1);
        check_same(&whole, &many, text, first);
    }
    return whole;
}

static void check_request(const char *text, const char *want, const char *rest)
{
    struct outcome outcome = feed_all_splits(text, strlen(text));
    ss_check_msg(outcome.result == SS_HTTP_DONE && outcome.status == 0 && outcome.error == NULL,
                 "%s: %u %s", text, outcome.status, outcome.error);
    ss_check_msg(strcmp(outcome.text, want) == 0, "%s", outcome.text);
    ss_check_msg(strcmp(text + outcome.consumed, rest) == 0, "%s", text + outcome.consumed);
}

static void check_refused(const char *text, size_t len, int err, unsigned status,
                          const char *error)
{
    struct outcome outcome = feed_all_splits(text, len);
    ss_check_msg(outcome.result == err && outcome.status == status,
                 "%s: %d with %u", text, outcome.result, outcome.status);
    ss_check_msg(strstr(outcome.error, error) != NULL, "%s: %s", text, outcome.error);
}

#define REFUSED(text, status, error) \
    check_refused(text, sizeof(text) - 1, SS_E_PROTO, status, error)

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

SS_TEST(request, refuses_a_malformed_request_line)
{
    static const char form[] = "not METHOD TARGET";
    REFUSED("GET\r\n\r\n", 400, form);
    REFUSED("GET /\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / \r\n" HOST "\r\n", 400, form);
    REFUSED("GET HTTP/1.1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/1.\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/1.10\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/01.1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/1,1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/x.1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / http/1.1\r\n" HOST "\r\n", 400, form);
    REFUSED("GET / HTTP/1.1 \r\n" HOST "\r\n", 400, form);
    REFUSED("GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400, form);
    REFUSED("SOURCE / ICE/1.0\r\n" HOST "\r\n", 400, form);
    REFUSED("\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, "begins with an empty line");
    REFUSED("\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, "begins with an empty line");
    REFUSED("/ / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
}

SS_TEST(request, refuses_blanks_around_the_target)
{
    static const char blank[] = "a blank or a fragment";
    REFUSED(" GET / HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET  / HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /  HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /a b HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET / HTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", 400, blank);
}

SS_TEST(request, refuses_other_versions)
{
    REFUSED("GET / HTTP/0.9\r\n" HOST "\r\n", 505, "HTTP/1.1");
    REFUSED("GET / HTTP/2.0\r\n" HOST "\r\n", 505, "HTTP/1.1");
    REFUSED("PRI * HTTP/2.0\r\n\r\n", 505, "HTTP/1.1");
}

SS_TEST(request, refuses_unknown_methods)
{
    REFUSED("BREW / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("get / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("GETT / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("G@T / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    check_request("DELETE / HTTP/1.1\r\n" HOST "\r\n",
                  "other DELETE 1.1 path=/ <Host|here> keep body=0:", "");
}

SS_TEST(request, refuses_every_target_but_a_path)
{
    static const char path[] = "must be a path";
    REFUSED("GET ftp://here/a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("CONNECT here:80 HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("GET * HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("OPTIONS *?a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("GET a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET ?a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET /#a HTTP/1.1\r\n" HOST "\r\n", 400, "a blank or a fragment");
    REFUSED("GET /?a#b HTTP/1.1\r\n" HOST "\r\n", 400, "a blank or a fragment");
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

SS_TEST(request, refuses_bad_escapes_in_the_path)
{
    REFUSED("GET /% HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
    REFUSED("GET /a%4/b HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
    REFUSED("GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
}

SS_TEST(request, refuses_bare_line_ends_and_folded_lines)
{
    static const char line[] = "bare CR or LF, or a folded line";
    REFUSED("GET / HTTP/1.1\n", 400, line);
    REFUSED("GET / HTTP/1.1\rH", 400, line);
    REFUSED("GET / HTTP/1.1\r\r\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\nHost: here\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\nHost: here\rA: b\r\n\r\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\n" HOST "\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\nA: b\r\n c\r\n" HOST "\r\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n" HOST "\r\n", 400, line);
    REFUSED("GET / HTTP/1.1\r\n Host: here\r\n\r\n", 400, line);
}

SS_TEST(request, refuses_every_control_byte_in_the_head)
{
    static const char text[] = "GET / HTTP/1.1\r\nA: bcd\r\n" HOST "\r\n";
    size_t place = (size_t)(strchr(text, 'c') - text);
    for (unsigned byte = 0; byte < 0x100; byte++) {
        char head[sizeof text];
        memcpy(head, text, sizeof text);
        head[place] = (char)byte;
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
        struct outcome outcome = feed(ss_str_of(head, sizeof text - 1));
        ss_check_msg(outcome.status == (control ? 400 : 0), "%02x", byte);
        ss_check_msg(outcome.result == (control ? SS_E_PROTO : SS_HTTP_DONE), "%02x", byte);
        ss_check(!control || strstr(outcome.error, "control byte") != NULL);
    }
    REFUSED("G\0T / HTTP/1.1\r\n", 400, "control byte");
    REFUSED("GET /\0 HTTP/1.1\r\n", 400, "control byte");
    REFUSED("GET / HTTP/1.1\r\nA\0: b\r\n", 400, "control byte");
}

SS_TEST(request, refuses_malformed_fields)
{
    REFUSED(HEAD "A : b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A\t: b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A b: c\r\n\r\n", 400, "malformed");
    REFUSED(HEAD ": b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A;: b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "\xC3\xA9: b\r\n\r\n", 400, "malformed");
}

SS_TEST(request, needs_exactly_one_host)
{
    static const char host[] = "exactly one Host";
    REFUSED("GET / HTTP/1.1\r\n\r\n", 400, host);
    REFUSED("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, host);
    REFUSED("GET / HTTP/1.1\r\n" HOST "HOST: there\r\n\r\n", 400, host);
    REFUSED("GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, host);
}

SS_TEST(request, refuses_a_content_length_that_is_no_number)
{
    static const char number[] = "not a number";
    REFUSED(HEAD "Content-Length:\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: +1\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: -1\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 0x1\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 1.0\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 1, 1\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 1 1\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: \"1\"\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 0000000000000000001\r\n\r\na", 400, number);
    REFUSED(HEAD "Content-Length: 18446744073709551617\r\n\r\na", 400, number);
}

SS_TEST(request, refuses_two_lengths_of_one_body)
{
    static const char twice[] = "stands twice or beside Transfer-Encoding";
    REFUSED(HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, twice);
    REFUSED(HEAD "Content-Length: 1\r\ncontent-length: 2\r\n\r\na", 400, twice);
    REFUSED(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, twice);
    REFUSED(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, twice);
    REFUSED(HEAD "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n", 400, twice);
    REFUSED(HEAD "Content-Length : 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "Content-Length: 5\r\nTransfer-Encoding\t: chunked\r\n\r\n", 400, "malformed");
}

SS_TEST(request, refuses_every_transfer_coding_but_one_chunked)
{
    static const char *const codings[] = {
        "", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked",
        "chunked;q=1", "xchunked", "chunkedx", "\"chunked\"", ",chunked", "chunked,",
        "chunked\r\nTransfer-Encoding: chunked", "chunked\r\ntransfer-encoding: identity",
        "identity\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding:"
    };
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        char text[160];
        int len = snprintf(text, sizeof text, HEAD "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n",
                           codings[i]);
        check_refused(text, (size_t)len, SS_E_PROTO, 501, "transfer coding");
    }
    REFUSED("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "in HTTP/1.0");
}

SS_TEST(request, refuses_a_malformed_chunked_body)
{
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nab", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\n", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 400,
            "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n100000000\r\n", 400,
            "malformed chunked body");
}

SS_TEST(request, refuses_unknown_expectations)
{
    REFUSED(HEAD "Expect: tea\r\n\r\n", 417, "100-continue");
    REFUSED(HEAD "Expect:\r\n\r\n", 417, "100-continue");
}

SS_TEST(request, the_body_is_bounded)
{
    static const char over[] = "body is over the limit";
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

SS_TEST(request, a_limit_of_zero_refuses_every_body)
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

SS_TEST(request, the_number_of_fields_is_bounded)
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

SS_TEST(request, the_number_of_segments_is_bounded)
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

SS_TEST(request, the_target_is_bounded)
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

SS_TEST(request, the_head_is_bounded)
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

static int feed_text(struct ss_http_parser *parser, const char *text)
{
    size_t used = 0;
    return ss__http_parser_feed(parser, (const uint8_t *)text, strlen(text), &used);
}

SS_TEST(request, unfinished_bodies_share_one_account)
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
