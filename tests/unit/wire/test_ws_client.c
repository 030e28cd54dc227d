/* The client's side: a handshake that is fully judged, and frames at every split. */
#include "wire/ws_client.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

#define ITEMS(array) (sizeof(array) / sizeof *(array))

/* The example of RFC 6455 section 1.3. */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define OFFERED "sessionstream.v2.json, sessionstream.v1.json"

#define STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define GOOD STATUS UPGRADE CONNECTION ACCEPTED

/* ---- handshake ---- */

SS_TEST(ws_client, the_key_is_16_bytes_in_base64)
{
    static const struct {
        uint8_t random[SS_WS_KEY_BYTES];
        const char *key;
    } keys[] = {
        { "the sample nonce", "dGhlIHNhbXBsZSBub25jZQ==" },
        { { 0 }, "AAAAAAAAAAAAAAAAAAAAAA==" },
        { { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 },
          "/////////////////////w==" },
        { { 0, 16, 131, 16, 81, 135, 32, 146, 139, 48, 211, 143, 65, 20, 147, 251 },
          "ABCDEFGHIJKLMNOPQRST+w==" },
    };
    for (size_t i = 0; i < ITEMS(keys); i++) {
        char key[SS_WS_KEY_CHARS + 1];
        ss__ws_client_key(keys[i].random, key);
        ss_check_msg(strcmp(key, keys[i].key) == 0, "%s", key);
    }
}

SS_TEST(ws_client, the_request_has_what_the_handshake_needs)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__ws_client_request(&out, ss_str("host:80"), ss_str("/v1/ws"), ss_str("a, b"),
                          ss_str("KEY"));
    ss_check(ss_str_equal(ss__bytes_view(&out),
                          ss_str("GET /v1/ws HTTP/1.1\r\nHost: host:80\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: KEY\r\nSec-WebSocket-Protocol: a, b\r\n"
                                 "\r\n")));
    ss__bytes_clear(&out);
    ss__ws_client_request(&out, ss_str("h"), ss_str("/"), ss_str(""), ss_str("KEY"));
    ss_check(memmem(out.data, out.len, "Protocol", 8) == NULL);
    ss__bytes_deinit(&out);
}

static ptrdiff_t judge(const char *answer, const char *offered, struct ss_str *subprotocol,
                       struct ss_failure *failure)
{
    return ss__ws_client_response(ss_str(answer), ss_str(ACCEPT), ss_str(offered), subprotocol,
                                  failure);
}

SS_TEST(ws_client, answers_of_every_permitted_form_are_taken)
{
    static const struct {
        const char *answer;
        const char *offered;
        const char *subprotocol;
    } good[] = {
        { GOOD "\r\n", "", "" },
        { GOOD "\r\n", OFFERED, "" },
        { GOOD "Sec-WebSocket-Protocol: sessionstream.v1.json\r\n\r\n", OFFERED,
          "sessionstream.v1.json" },
        { GOOD "sec-websocket-protocol:\tsessionstream.v2.json \r\n\r\n", OFFERED,
          "sessionstream.v2.json" },
        { STATUS "UPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
          "sec-websocket-accept:" ACCEPT " \r\n\r\n", "", "" },
        { "HTTP/1.1 101\r\nServer: x\r\nConnection: close\r\n" CONNECTION ACCEPTED UPGRADE
          "Sec-WebSocket-Extensions:\r\n\r\n", "", "" },
    };
    for (size_t i = 0; i < ITEMS(good); i++) {
        struct ss_failure failure = { .text = "" };
        struct ss_str subprotocol = ss_str("untouched");
        ptrdiff_t used = judge(good[i].answer, good[i].offered, &subprotocol, &failure);
        ss_check_msg(used == (ptrdiff_t)strlen(good[i].answer), "%zu: %s", i, failure.text);
        ss_check(ss_str_equal(subprotocol, ss_str(good[i].subprotocol)));
    }
}

SS_TEST(ws_client, flawed_answers_are_refused_with_their_flaw)
{
    static const struct {
        const char *answer;
        const char *flaw;
    } bad[] = {
        { "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPTED "\r\n", "HTTP/1.1 200 OK" },
        { "HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found" },
        { "HTTP/1.0 101 Old\r\n" UPGRADE CONNECTION ACCEPTED "\r\n", "HTTP/1.0 101" },
        { "HTTP/1.1 1010 x\r\n" UPGRADE CONNECTION ACCEPTED "\r\n", "1010" },
        { "\r\n\r\n", "refused" },
        { "SSH-2.0\r\n\r\n", "SSH-2.0" },
        { STATUS CONNECTION ACCEPTED "\r\n", "Upgrade: websocket" },
        { STATUS "Upgrade: h2c\r\n" CONNECTION ACCEPTED "\r\n", "Upgrade: websocket" },
        { STATUS "Upgrade: websockets\r\n" CONNECTION ACCEPTED "\r\n", "Upgrade: websocket" },
        { STATUS UPGRADE ACCEPTED "\r\n", "Connection: Upgrade" },
        { STATUS UPGRADE "Connection: keep-alive\r\n" ACCEPTED "\r\n", "Connection: Upgrade" },
        { STATUS UPGRADE CONNECTION "\r\n", "Sec-WebSocket-Accept" },
        { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n\r\n", "Sec-WebSocket-Accept" },
        { GOOD ACCEPTED "\r\n", "Sec-WebSocket-Accept" },
        { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
          "Sec-WebSocket-Accept" },
        { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
          "Sec-WebSocket-Accept" },
        { GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension" },
        { GOOD "Sec-WebSocket-Protocol: other\r\n\r\n", "subprotocol" },
        { GOOD "Sec-WebSocket-Protocol: SessionStream.v2.json\r\n\r\n", "subprotocol" },
        { GOOD "Sec-WebSocket-Protocol: sessionstream.v2\r\n\r\n", "subprotocol" },
        { GOOD "Sec-WebSocket-Protocol:\r\n\r\n", "subprotocol" },
        { GOOD "Sec-WebSocket-Protocol: " OFFERED "\r\n\r\n", "subprotocol" },
        { GOOD "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n"
          "Sec-WebSocket-Protocol: sessionstream.v1.json\r\n\r\n", "subprotocol" },
    };
    for (size_t i = 0; i < ITEMS(bad); i++) {
        struct ss_failure failure = { .text = "" };
        struct ss_str subprotocol = ss_str("untouched");
        ss_check_msg(judge(bad[i].answer, OFFERED, &subprotocol, &failure) == SS_E_PROTO,
                     "answer %zu", i);
        ss_check_msg(strstr(failure.text, bad[i].flaw) != NULL, "%zu: %s", i, failure.text);
        ss_check(ss_str_equal(subprotocol, ss_str("untouched")));
    }
    struct ss_failure failure = { .text = "" };
    struct ss_str subprotocol;
    ss_check(judge(GOOD "Sec-WebSocket-Protocol: any\r\n\r\n", "", &subprotocol, &failure) ==
             SS_E_PROTO);
}

SS_TEST(ws_client, an_answer_is_awaited_to_its_end_and_not_beyond)
{
    static const char answer[] = GOOD "\r\n\x81\x02hi";
    const size_t head = sizeof GOOD "\r\n" - 1;
    struct ss_failure failure = { .text = "" };
    struct ss_str subprotocol;
    for (size_t len = 0; len < sizeof answer; len++) {
        ptrdiff_t want = len < head ? 0 : (ptrdiff_t)head;
        ss_check(ss__ws_client_response(ss_str_of(answer, len), ss_str(ACCEPT), ss_str(""),
                                        &subprotocol, &failure) == want);
    }
    static char endless[SS_WS_RESPONSE_BYTES_MAX + 1];
    memset(endless, 'x', sizeof endless);
    ss_check(ss__ws_client_response(ss_str_of(endless, sizeof endless - 1), ss_str(ACCEPT),
                                    ss_str(""), &subprotocol, &failure) == 0);
    ss_check(ss__ws_client_response(ss_str_of(endless, sizeof endless), ss_str(ACCEPT),
                                    ss_str(""), &subprotocol, &failure) == SS_E_PROTO);
}

/* ---- frames ---- */

SS_TEST(ws_client, frames_are_masked_and_final)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 0x37, 0xFA, 0x21, 0x3D };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__ws_client_frame(&out, SS_WS_TEXT, ss_str("Hello"), mask);    /* RFC 6455 section 5.7 */
    ss_check(ss_str_equal(ss__bytes_view(&out),
                          ss_str("\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58")));
    ss__bytes_clear(&out);
    ss__ws_client_raw_frame(&out, 0x41, ss_str(""), mask);
    ss_check(ss_str_equal(ss__bytes_view(&out), ss_str("\x41\x80\x37\xFA\x21\x3D")));
    static const char medium[126] = "m";
    ss__bytes_clear(&out);
    ss__ws_client_frame(&out, SS_WS_BINARY, ss_str_of(medium, sizeof medium), mask);
    ss_check(out.len == 8 + 126 && memcmp(out.data, "\x82\xFE\0\x7E", 4) == 0);
    ss__bytes_deinit(&out);
}

/* Appends an unmasked frame. */
static void add_frame(struct ss_bytes *out, unsigned first, const void *payload, size_t len)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t size = ss__ws_header_write(SS_WS_TEXT, len, header);
    header[0] = (uint8_t)first;
    ss__bytes_append(out, header, size);
    ss__bytes_append(out, payload, len);
}

static void log_messages(struct ss_ws_client *client, struct ss_bytes *log)
{
    struct ss_ws_client_message message;
    int taken;
    while ((taken = ss__ws_client_take(client, &message)) == 1) {
        char what[32];
        (void)snprintf(what, sizeof what, "%u %u ", (unsigned)message.opcode,
                       message.status);    /* it fits */
        ss__bytes_text(log, what);
        ss__bytes_str(log, message.bytes);
        ss__bytes_byte(log, '\n');
    }
    ss_check(taken == 0);
}

SS_TEST(ws_client, a_conversation_is_the_same_at_every_split)
{
    static const char want[] = "1 1005 whole\n9 1005 ping\n10 1005 \n1 1005 fr\xC3\xA4g\n"
                               "2 1005 \xFF\n1 1005 \n8 1001 bye\n8 1005 \n";
    struct ss_bytes in;
    ss__bytes_init(&in, 0);
    add_frame(&in, 0x81, "whole", 5);
    add_frame(&in, 0x01, "fr\xC3", 3);
    add_frame(&in, 0x89, "ping", 4);
    add_frame(&in, 0x00, "", 0);
    add_frame(&in, 0x8A, "", 0);
    add_frame(&in, 0x80, "\xA4g", 2);
    add_frame(&in, 0x82, "\xFF", 1);
    add_frame(&in, 0x81, "", 0);
    add_frame(&in, 0x88, "\x03\xE9" "bye", 5);
    add_frame(&in, 0x88, "", 0);
    for (size_t cut = 0; cut <= in.len; cut++) {
        struct ss_ws_client client;
        struct ss_bytes log;
        ss__bytes_init(&log, 0);
        ss__ws_client_init(&client, 100);
        ss_check(ss__ws_client_feed(&client, in.data, cut) == 0);
        log_messages(&client, &log);
        ss_check(ss__ws_client_feed(&client, in.data + cut, in.len - cut) == 0);
        log_messages(&client, &log);
        ss_check_msg(ss_str_equal(ss__bytes_view(&log), ss_str(want)), "cut %zu:\n%.*s", cut,
                     (int)log.len, (const char *)log.data);
        ss__ws_client_deinit(&client);
        ss__bytes_deinit(&log);
    }
    ss__bytes_deinit(&in);
}

SS_TEST(ws_client, every_form_of_length_is_taken)
{
    static const size_t sizes[] = { 0, 125, 126, 65535, 65536 };
    static char payload[65536];
    memset(payload, 'p', sizeof payload);
    for (size_t i = 0; i < ITEMS(sizes); i++) {
        struct ss_ws_client client;
        struct ss_ws_client_message message;
        struct ss_bytes in;
        ss__bytes_init(&in, 0);
        ss__ws_client_init(&client, 0);
        add_frame(&in, 0x81, payload, sizes[i]);
        ss_check(ss__ws_client_feed(&client, in.data, in.len - 1) == 0);
        ss_check(ss__ws_client_take(&client, &message) == 0);
        ss_check(ss__ws_client_feed(&client, in.data + in.len - 1, 1) == 0);
        ss_check(ss__ws_client_take(&client, &message) == 1 && message.opcode == SS_WS_TEXT);
        ss_check(ss_str_equal(message.bytes, ss_str_of(payload, sizes[i])));
        ss__ws_client_deinit(&client);
        ss__bytes_deinit(&in);
    }
}

SS_TEST(ws_client, what_a_server_may_not_send_is_refused)
{
    static const struct {
        const char *name;
        int err;
        size_t len;
        const char *bytes;
    } bad[] = {
        { "masked", SS_E_PROTO, 6, "\x81\x80\0\0\0\0" },
        { "reserved bit", SS_E_PROTO, 2, "\xC1\0" },
        { "opcode 3", SS_E_PROTO, 2, "\x83\0" },
        { "opcode 11", SS_E_PROTO, 2, "\x8B\0" },
        { "fragmented ping", SS_E_PROTO, 2, "\x09\0" },
        { "ping of 126 bytes", SS_E_PROTO, 4, "\x89\x7E\0\x7E" },
        { "continuation of nothing", SS_E_PROTO, 2, "\x80\0" },
        { "message in a message", SS_E_PROTO, 4, "\x01\0\x81\0" },
        { "close of one byte", SS_E_PROTO, 3, "\x88\1\3" },
        { "close status 1005", SS_E_PROTO, 4, "\x88\2\x03\xED" },
        { "close reason that is no UTF-8", SS_E_PROTO, 5, "\x88\3\x03\xE8\xFF" },
        { "text that is no UTF-8", SS_E_PROTO, 4, "\x81\2\xC3(" },
        { "fragments that are no UTF-8", SS_E_PROTO, 5, "\x01\1\xC3\x80\0" },
        { "5 in four bytes", SS_E_PROTO, 4, "\x81\x7E\0\5" },
        { "5 in ten bytes", SS_E_PROTO, 10, "\x81\x7F\0\0\0\0\0\0\0\5" },
        { "2^63", SS_E_PROTO, 10, "\x81\x7F\x80\0\0\0\0\0\0\0" },
        { "2^62", SS_E_TOOBIG, 10, "\x81\x7F\x40\0\0\0\0\0\0\0" },
        { "101 bytes", SS_E_TOOBIG, 2, "\x82\x65" },
    };
    for (size_t i = 0; i < ITEMS(bad); i++) {
        struct ss_ws_client client;
        struct ss_ws_client_message message;
        ss__ws_client_init(&client, 100);
        ss_check(ss__ws_client_feed(&client, bad[i].bytes, bad[i].len) == 0);
        int err = ss__ws_client_take(&client, &message);
        ss_check_msg(err == bad[i].err, "%s: %d", bad[i].name, err);
        ss__ws_client_deinit(&client);
    }
}

SS_TEST(ws_client, fragments_may_not_exceed_the_limit_together)
{
    static const char part[60] = "part";
    for (size_t last = 40; last <= 41; last++) {
        struct ss_ws_client client;
        struct ss_ws_client_message message;
        struct ss_bytes in;
        ss__bytes_init(&in, 0);
        ss__ws_client_init(&client, 100);
        add_frame(&in, 0x02, part, sizeof part);
        add_frame(&in, 0x80, part, last);
        ss_check(ss__ws_client_feed(&client, in.data, in.len) == 0);
        int taken = ss__ws_client_take(&client, &message);
        ss_check(taken == (last == 40 ? 1 : SS_E_TOOBIG));
        ss__ws_client_deinit(&client);
        ss__bytes_deinit(&in);
    }
}
