#include "http/upgrade.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

#define LINE "GET /ws HTTP/1.1\r\nHost: here\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define END "\r\n"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="    /* RFC 6455 section 1.3 */

/* Judges the request @text; the verdict owns nothing of it. */
static struct ss_http_upgrade judge(const char *text)
{
    struct ss_http_parser parser;
    struct ss_http_upgrade upgrade;
    size_t used = 0;
    ss__http_parser_init(&parser, 64);
    int result = ss__http_parser_feed(&parser, (const uint8_t *)text, strlen(text), &used);
    ss_check_msg(result == SS_HTTP_DONE, "%s: %d", text, result);
    memset(&upgrade, 0xA5, sizeof upgrade);
    result = ss__http_upgrade(ss__http_parser_request(&parser), &upgrade);
    ss_check_msg(result == (upgrade.status == 101 ? 0 : SS_E_PROTO), "%s: %d", text, result);
    ss__http_parser_deinit(&parser);
    return upgrade;
}

static void check_accepted(const char *text, enum ss_http_subprotocol subprotocol)
{
    struct ss_http_upgrade upgrade = judge(text);
    ss_check_msg(upgrade.status == 101, "%s: %s", text, upgrade.error);
    ss_check_msg(upgrade.error == NULL && strcmp(upgrade.accept, ACCEPT) == 0, "%s", text);
    ss_check_msg(upgrade.subprotocol == subprotocol, "%s: %u", text, upgrade.subprotocol);
}

static void check_refused(const char *text, unsigned status, const char *error)
{
    struct ss_http_upgrade upgrade = judge(text);
    ss_check_msg(upgrade.status == status, "%s: %u", text, upgrade.status);
    ss_check_msg(strstr(upgrade.error, error) != NULL, "%s: %s", text, upgrade.error);
    ss_check(upgrade.accept[0] == '\0');
}

static void check_answer(const struct ss_http_upgrade *upgrade, const char *want)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_upgrade_response(upgrade, &out);
    ss_check_msg(out.err == 0 && ss_str_equal(ss__bytes_view(&out), ss_str(want)), "%.*s",
                 (int)out.len, (const char *)out.data);
    ss__bytes_deinit(&out);
}

SS_TEST(upgrade, makes_the_accept_value_of_a_key)
{
    char accept[SS_HTTP_ACCEPT_BYTES + 1];
    ss__http_accept_key(ss_str("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    ss_check(strcmp(accept, ACCEPT) == 0);
    ss__http_accept_key(ss_str("AAAAAAAAAAAAAAAAAAAAAA=="), accept);
    ss_check(strcmp(accept, "ICX+Yqv66kxgM0FcWaLWlFLwTAI=") == 0);
    ss__http_accept_key(ss_str("/////////////////////w=="), accept);
    ss_check(strcmp(accept, "XXpj4jYzLM2yUE0C7TIgMwTQh2g=") == 0);
}

SS_TEST(upgrade, accepts_the_handshake_of_the_rfc)
{
    check_accepted(LINE UPGRADE KEY VERSION END, SS_HTTP_SUBPROTOCOL_NONE);
}

SS_TEST(upgrade, compares_names_and_tokens_without_case_in_any_order)
{
    check_accepted(LINE "sec-websocket-version:13\r\nSEC-WEBSOCKET-KEY:  dGhlIHNhbXBsZSBub25jZQ==  "
                   "\r\nCONNECTION: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n" END,
                   SS_HTTP_SUBPROTOCOL_NONE);
    check_accepted(LINE "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, websocket"
                   "\r\n" KEY VERSION END, SS_HTTP_SUBPROTOCOL_NONE);
}

SS_TEST(upgrade, needs_get)
{
    check_refused("POST /ws HTTP/1.1\r\nHost: here\r\n" UPGRADE KEY VERSION END, 405, "GET");
    check_refused("HEAD /ws HTTP/1.1\r\nHost: here\r\n" UPGRADE KEY VERSION END, 405, "GET");
    check_refused("PUT /ws HTTP/1.1\r\nHost: here\r\n" UPGRADE KEY VERSION END, 405, "GET");
}

SS_TEST(upgrade, needs_http_1_1)
{
    check_refused("GET /ws HTTP/1.0\r\nHost: here\r\n" UPGRADE KEY VERSION END, 400, "HTTP/1.1");
}

SS_TEST(upgrade, needs_the_tokens_of_upgrade_and_connection)
{
    static const char *const wrong[] = {
        LINE KEY VERSION END,
        LINE "Connection: Upgrade\r\n" KEY VERSION END,
        LINE "Connection: Upgrade\r\nUpgrade:\r\n" KEY VERSION END,
        LINE "Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY VERSION END,
        LINE "Connection: Upgrade\r\nUpgrade: websockets\r\n" KEY VERSION END,
        LINE "Connection: Upgrade\r\nUpgrade: web socket\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection:\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection: keep-alive\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection: websocket\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection: no-upgrade\r\n" KEY VERSION END,
        LINE "Upgrade: websocket\r\nConnection: keep-alive upgrade\r\n" KEY VERSION END
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_refused(wrong[i], 400, "Connection: Upgrade");
    }
}

SS_TEST(upgrade, needs_version_13_once)
{
    static const char *const wrong[] = { "", "Sec-WebSocket-Version:\r\n",
                                         "Sec-WebSocket-Version: 8\r\n",
                                         "Sec-WebSocket-Version: 12\r\n",
                                         "Sec-WebSocket-Version: 14\r\n",
                                         "Sec-WebSocket-Version: 013\r\n",
                                         "Sec-WebSocket-Version: 130\r\n",
                                         "Sec-WebSocket-Version: 13, 8\r\n",
                                         VERSION "Sec-WebSocket-Version: 8\r\n",
                                         "Sec-WebSocket-Version: 8\r\n" VERSION,
                                         VERSION VERSION };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, LINE UPGRADE KEY "%s" END, wrong[i]);
        check_refused(text, 426, "version");
    }
}

SS_TEST(upgrade, needs_a_key_of_16_bytes_in_base64)
{
    static const char *const wrong[] = {
        "",
        "Sec-WebSocket-Key:\r\n",
        "Sec-WebSocket-Key: ==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n",          /* 15 bytes */
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=\r\n",      /* 17 bytes */
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl\r\n",      /* 18 bytes */
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j=Q==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j Q==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==\r\n",
        "Sec-WebSocket-Key: -GhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\xC3\xA9==\r\n",
        "Sec-WebSocket-Key: \"GhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==,\r\n"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, LINE UPGRADE VERSION "%s" END, wrong[i]);
        check_refused(text, 400, "16 bytes in base64");
    }
}

SS_TEST(upgrade, accepts_one_key_and_no_body)
{
    check_refused(LINE UPGRADE KEY KEY VERSION END, 400, "one key and no body");
    check_refused(LINE UPGRADE KEY "Sec-WebSocket-Key: x\r\n" VERSION END, 400,
                  "one key and no body");
    check_refused(LINE UPGRADE KEY VERSION "Content-Length: 2\r\n" END "ab", 400,
                  "one key and no body");
    check_refused(LINE UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n" END
                  "1\r\na\r\n0\r\n\r\n", 400, "one key and no body");
    check_accepted(LINE UPGRADE KEY VERSION "Content-Length: 0\r\n" END, SS_HTTP_SUBPROTOCOL_NONE);
}

SS_TEST(upgrade, chooses_the_first_subprotocol_that_is_known)
{
    static const struct {
        const char *fields;
        enum ss_http_subprotocol want;
    } cases[] = {
        { "Sec-WebSocket-Protocol: sessionstream.v1.json\r\n", SS_HTTP_SUBPROTOCOL_V1_JSON },
        { "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n", SS_HTTP_SUBPROTOCOL_V2_JSON },
        { "Sec-WebSocket-Protocol: sessionstream.v2.protobuf\r\n",
          SS_HTTP_SUBPROTOCOL_V2_PROTOBUF },
        { "Sec-WebSocket-Protocol: chat, sessionstream.v2.json , sessionstream.v1.json\r\n",
          SS_HTTP_SUBPROTOCOL_V2_JSON },
        { "Sec-WebSocket-Protocol: chat\r\nsec-websocket-protocol:,sessionstream.v1.json,"
          "sessionstream.v2.json\r\n", SS_HTTP_SUBPROTOCOL_V1_JSON },
        { "Sec-WebSocket-Protocol: chat\r\n", SS_HTTP_SUBPROTOCOL_NONE },
        { "Sec-WebSocket-Protocol:\r\n", SS_HTTP_SUBPROTOCOL_NONE },
        { "Sec-WebSocket-Protocol: sessionstream.v3.json\r\n", SS_HTTP_SUBPROTOCOL_NONE },
        { "Sec-WebSocket-Protocol: sessionstream.v1\r\n", SS_HTTP_SUBPROTOCOL_NONE },
        /* RFC 6455 section 4.1: the names are compared with case. */
        { "Sec-WebSocket-Protocol: SessionStream.v1.json\r\n", SS_HTTP_SUBPROTOCOL_NONE }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[320];
        (void)snprintf(text, sizeof text, LINE UPGRADE KEY VERSION "%s" END, cases[i].fields);
        check_accepted(text, cases[i].want);
    }
}

SS_TEST(upgrade, every_subprotocol_has_its_name)
{
    ss_check(ss__http_subprotocol_name(SS_HTTP_SUBPROTOCOL_NONE) == NULL);
    ss_check(strcmp(ss__http_subprotocol_name(SS_HTTP_SUBPROTOCOL_V1_JSON),
                    "sessionstream.v1.json") == 0);
    ss_check(strcmp(ss__http_subprotocol_name(SS_HTTP_SUBPROTOCOL_V2_JSON),
                    "sessionstream.v2.json") == 0);
    ss_check(strcmp(ss__http_subprotocol_name(SS_HTTP_SUBPROTOCOL_V2_PROTOBUF),
                    "sessionstream.v2.protobuf") == 0);
}

SS_TEST(upgrade, answers_101)
{
    struct ss_http_upgrade upgrade = judge(LINE UPGRADE KEY VERSION END);
    check_answer(&upgrade, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
    upgrade = judge(LINE UPGRADE KEY VERSION
                    "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n" END);
    check_answer(&upgrade, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"
                           "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n\r\n");
}

static void check_begins(const char *text, const char *want)
{
    struct ss_http_upgrade upgrade = judge(text);
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_upgrade_response(&upgrade, &out);
    ss_check(out.err == 0 && out.len > strlen(want));
    ss_check_msg(memcmp(out.data, want, strlen(want)) == 0, "%.*s", (int)out.len,
                 (const char *)out.data);
    ss__bytes_deinit(&out);
}

#define PROBLEM "Content-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\n" \
                "Cache-Control: no-store\r\n"

SS_TEST(upgrade, a_refused_head_request_is_answered_without_a_body)
{
    struct ss_http_upgrade upgrade = judge("HEAD /ws HTTP/1.1\r\nHost: here\r\n" UPGRADE KEY
                                           VERSION END);
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__http_upgrade_response(&upgrade, &out);
    ss_check(upgrade.status == 405 && out.len > 4);
    const char *end = memmem(out.data, out.len, "\r\n\r\n", 4);
    ss_check(end != NULL && end + 4 == (const char *)out.data + out.len);
    ss__bytes_deinit(&out);
}

/* RFC 6455 section 4.4 and RFC 9110 section 15.5.22 ask for the two fields of a 426. */
SS_TEST(upgrade, a_refusal_says_what_would_be_right)
{
    check_begins(LINE UPGRADE KEY END,
                 "HTTP/1.1 426 Upgrade Required\r\n" PROBLEM "Sec-WebSocket-Version: 13\r\n"
                 "Upgrade: websocket\r\nConnection: close\r\nContent-Length: ");
    check_begins("POST /ws HTTP/1.1\r\nHost: here\r\n" UPGRADE KEY VERSION END,
                 "HTTP/1.1 405 Method Not Allowed\r\n" PROBLEM "Allow: GET\r\n"
                 "Connection: close\r\nContent-Length: ");
    check_begins(LINE UPGRADE VERSION END, "HTTP/1.1 400 Bad Request\r\n" PROBLEM
                 "Connection: close\r\nContent-Length: ");
}
