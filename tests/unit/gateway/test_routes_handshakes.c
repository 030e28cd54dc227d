/* Handshakes of websockets. */
#include "gateway_fixture.h"
#include "http_requests.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ASK "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

SS_TEST(routes_handshakes, handshakes_that_are_refused)
{
    static const struct {
        const char *request;
        int status;
    } table[] = {
        { "GET /ws HTTP/1.1\r\n" ASK KEY "Sec-WebSocket-Version: 12\r\n\r\n", 426 },
        { "GET /ws HTTP/1.1\r\n" ASK "Sec-WebSocket-Version: 13\r\n\r\n", 400 },
        { "GET /ws HTTP/1.1\r\n" ASK "Sec-WebSocket-Key: short\r\n"
          "Sec-WebSocket-Version: 13\r\n\r\n", 400 },
        { "POST /ws HTTP/1.1\r\n" ASK KEY "Sec-WebSocket-Version: 13\r\n"
          "Content-Length: 0\r\n\r\n", 405 },
        { "\x01 / HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505 },
        { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413 },
    };
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ws_test_client client;
        ws_test_connect(&client, fixture.port, 0);
        send_text(&client, table[i].request);
        ws_test_expect_http(&client, table[i].status, "Connection: close");
        expect_end(&client);
        ws_test_close(&client);
    }
    fixture_await(&fixture.stats.handshakes_refused, 8);
    fixture_close(&fixture);
}

SS_TEST(routes_handshakes, frames_right_behind_the_handshake_are_read)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 9, 8, 7, 6 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes bytes;
    open_http(&fixture, &client);
    ss__bytes_init(&bytes, 0);
    ss__bytes_text(&bytes, "GET / HTTP/1.1\r\n" ASK KEY "Sec-WebSocket-Version: 13\r\n\r\n");
    ss__ws_client_frame(&bytes, SS_WS_TEXT, ss_str("{\"ping\":{}}"), mask);
    ws_test_send_raw(&client, bytes.data, bytes.len);
    ss__bytes_deinit(&bytes);
    ss__bytes_init(&bytes, 0);
    ss_check(ws_test_http_response(&client, true, &bytes) == 101);
    ss_check(ss__ws_client_feed(&client.ws, client.in.data, client.in.len) == 0);
    ws_test_expect_part(&client, "hello");
    ws_test_expect(&client, "{\"pong\":{}}");
    ss__bytes_deinit(&bytes);
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_handshakes, subprotocols_choose_the_encoding)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "sessionstream.v2.protobuf");
    ws_test_send(&client, SS_WS_BINARY, "\x0a\x03\x0a\x01s", 5);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    ss_check(request->encoding == SS_ENCODING_V2_PROTOBUF);
    fixture_reply_snapshot(&fixture, request, 1);
    struct ss_ws_client_message message;
    ss_check(ws_test_receive(&client, &message) && message.opcode == SS_WS_BINARY);
    ws_test_close(&client);
    ws_test_open(&client, fixture.port, "unknown, sessionstream.v2.json");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    struct ss_msg *msg = fixture_take(&fixture);
    while (msg->kind == SS_MSG_UNINTERESTED) {
        ss__msg_free(msg);
        msg = fixture_take(&fixture);
    }
    request = (struct ss_request *)(void *)msg;
    ss_check(request->encoding == SS_ENCODING_V2_JSON);
    fixture_reply_snapshot(&fixture, request, 1);
    fixture_close_with(&fixture, &client);
}
