/* Requests that are malformed, or could be read in two ways. */
#include "request_outcome.h"

SS_TEST(request_refusals, refuses_a_malformed_request_line)
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

SS_TEST(request_refusals, refuses_blanks_around_the_target)
{
    static const char blank[] = "a blank or a fragment";
    REFUSED(" GET / HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET  / HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /  HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /a b HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400, blank);
    REFUSED("GET / HTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", 400, blank);
}

SS_TEST(request_refusals, refuses_other_versions)
{
    REFUSED("GET / HTTP/0.9\r\n" HOST "\r\n", 505, "HTTP/1.1");
    REFUSED("GET / HTTP/2.0\r\n" HOST "\r\n", 505, "HTTP/1.1");
    REFUSED("PRI * HTTP/2.0\r\n\r\n", 505, "HTTP/1.1");
}

SS_TEST(request_refusals, refuses_unknown_methods)
{
    REFUSED("BREW / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("get / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("GETT / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    REFUSED("G@T / HTTP/1.1\r\n" HOST "\r\n", 501, "method");
    check_request("DELETE / HTTP/1.1\r\n" HOST "\r\n",
                  "other DELETE 1.1 path=/ <Host|here> keep body=0:", "");
}

SS_TEST(request_refusals, refuses_every_target_but_a_path)
{
    static const char path[] = "must be a path";
    REFUSED("GET ftp://here/a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("CONNECT here:80 HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("GET * HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("OPTIONS *?a HTTP/1.1\r\n" HOST "\r\n", 400, path);
    REFUSED("GET a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET ?a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET http://?a HTTP/1.1\r\n" HOST "\r\n", 400, "malformed");
    REFUSED("GET /#a HTTP/1.1\r\n" HOST "\r\n", 400, "a blank or a fragment");
    REFUSED("GET /?a#b HTTP/1.1\r\n" HOST "\r\n", 400, "a blank or a fragment");
}

SS_TEST(request_refusals, refuses_bad_escapes_in_the_path)
{
    REFUSED("GET /% HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
    REFUSED("GET /a%4/b HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
    REFUSED("GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, "bad escape");
}

SS_TEST(request_refusals, refuses_bare_line_ends_and_folded_lines)
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

SS_TEST(request_refusals, refuses_every_control_byte_in_the_head)
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

SS_TEST(request_refusals, refuses_malformed_fields)
{
    REFUSED(HEAD "A : b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A\t: b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A b: c\r\n\r\n", 400, "malformed");
    REFUSED(HEAD ": b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "A;: b\r\n\r\n", 400, "malformed");
    REFUSED(HEAD "\xC3\xA9: b\r\n\r\n", 400, "malformed");
}

SS_TEST(request_refusals, needs_exactly_one_host)
{
    static const char host[] = "exactly one Host";
    REFUSED("GET / HTTP/1.1\r\n\r\n", 400, host);
    REFUSED("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, host);
    REFUSED("GET / HTTP/1.1\r\n" HOST "HOST: there\r\n\r\n", 400, host);
    REFUSED("GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, host);
}

SS_TEST(request_refusals, the_host_has_no_bytes_that_hosts_have_not)
{
    static const char no_host[] = "no host";
    static const char *const hosts[] = { "", "here", "here:80", "[::1]:8080", "a-b.c_d~e",
                                         "%41!$&'()*+,;=" };
    static const char others[] = " \t\"#/<>?@\\^`{|}\xC3";
    char text[64];
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
        ss_check(feed_all_splits(text, strlen(text)).result == SS_HTTP_DONE);
    }
    for (const char *byte = others; *byte != '\0'; byte++) {
        (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a%cb\r\n\r\n", *byte);
        struct outcome outcome = feed_all_splits(text, strlen(text));
        ss_check_msg(outcome.result == SS_E_PROTO && outcome.status == 400 &&
                     strstr(outcome.error, no_host) != NULL, "%s", text);
    }
}

SS_TEST(request_refusals, refuses_a_content_length_that_is_no_number)
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

SS_TEST(request_refusals, refuses_two_lengths_of_one_body)
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

SS_TEST(request_refusals, refuses_every_transfer_coding_but_one_chunked)
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

SS_TEST(request_refusals, refuses_a_malformed_chunked_body)
{
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nab", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\n", 400, "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 400,
            "malformed chunked body");
    REFUSED(HEAD "Transfer-Encoding: chunked\r\n\r\n100000000\r\n", 400,
            "malformed chunked body");
}

SS_TEST(request_refusals, refuses_unknown_expectations)
{
    REFUSED(HEAD "Expect: tea\r\n\r\n", 417, "100-continue");
    REFUSED(HEAD "Expect:\r\n\r\n", 417, "100-continue");
}
