/* Contract sections 2.2 and 2.3, end to end. */
#include "gateway_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

#define NOTE                                                                        \
    "\"payload\":{\"@type\":\"type.googleapis.com/sessionstream.v1.PingFrame\","      \
    "\"nonce\":\"x\"}"

SS_TEST(ingress, hello_names_the_connection_unguessably)
{
    struct fixture fixture;
    fixture_open(&fixture);
    char seen[2][64];
    for (int i = 0; i < 2; i++) {
        struct ws_test_client client;
        struct ss_ws_client_message hello;
        ws_test_connect(&client, fixture.port, 0);
        ws_test_upgrade(&client, "/any/path", "");
        ss_check(ws_test_receive(&client, &hello));
        ss_check(hello.bytes.len == strlen("{\"hello\":{\"connectionId\":\"conn-\"}}") + 32);
        ss_check(memcmp(hello.bytes.data, "{\"hello\":{\"connectionId\":\"conn-", 31) == 0);
        memcpy(seen[i], hello.bytes.data + 31, 32);
        ws_test_close(&client);
    }
    ss_check(memcmp(seen[0], seen[1], 32) != 0);
    fixture_close(&fixture);
}

SS_TEST(ingress, rejections_of_the_contract_keep_the_connection)
{
    static const char *const bad[] = {
        "", "not json", "[]", "\"x\"", "null", "\xef\xbb\xbf{}", "{'ping':{}}",
        "{\"ping\":{},}", "{\"ping\":{}} x", "{\"ping\":{}}{\"ping\":{}}",
        "{\"command\":{}}", "{\"ping\":{\"x\":1}}", "{\"Subscribe\":{}}",
        "{\"ping\":{},\"ping\":{}}", "{\"ping\":{},\"pong\":{}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"session_id\":\"a\"}}",
        "{\"subscribe\":{\"sessionId\":7}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":true}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":\"-1\"}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":\"abc\"}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":\"\"}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":\"007\"}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":\" 7\"}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":1.5}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":1e20}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":18446744073709551616}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"sinceSnapshotOrdinal\":007}}",
        "{\"subscribe\":{\"sessionId\":\"\\ud800\"}}",
    };
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ws_test_send_text(&client, bad[i]);
        ws_test_expect_part(&client, "{\"error\":{\"code\":\"bad_client_frame\","
                                     "\"message\":\"proto:");
    }
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"still here\"}}");
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"still here\"}}");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, protocol_errors_keep_their_texts)
{
    static const char *const table[][2] = {
        { "{}", "unknown client frame" },
        { "{\"ping\":null}", "unknown client frame" },
        { "{\"subscribe\":{}}", "subscribe missing session id" },
        { "{\"unsubscribe\":{}}", "unsubscribe missing session id" },
    };
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    for (size_t i = 0; i < 4; i++) {
        char want[256];
        (void)snprintf(want, sizeof want,
                       "{\"error\":{\"code\":\"protocol_error\",\"message\":\"%s\"}}",
                       table[i][1]);
        ws_test_send_text(&client, table[i][0]);
        ws_test_expect(&client, want);
    }
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, accepted_forms_of_subscribe_and_echo_of_since)
{
    static const char *const table[][2] = {
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":\"0\"}}", "0" },
        { "{\"subscribe\":{\"session_id\":\"s-1\",\"since_snapshot_ordinal\":7}}", "7" },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":1.0}}", "1" },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":\"1e3\"}}", "1000" },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":null}}", "0" },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":"
          "18446744073709551615}}", "18446744073709551615" },
    };
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char want[256] = "{\"subscribed\":{\"sessionId\":\"s-1\"}}";
        if (strcmp(table[i][1], "0") != 0) {
            (void)snprintf(want, sizeof want, "{\"subscribed\":{\"sessionId\":\"s-1\","
                           "\"sinceSnapshotOrdinal\":\"%s\"}}", table[i][1]);
        }
        ws_test_send_text(&client, table[i][0]);
        fixture_reply_snapshot(&fixture,
                               fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s-1"), 6);
        ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s-1\","
                                "\"snapshotOrdinal\":\"6\"}}");
        ws_test_expect(&client, want);
    }
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, ping_pong_null_arm_and_binary_messages_with_json)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "sessionstream.v1.json");
    ws_test_send_text(&client, "{\"pong\":{\"nonce\":\"x\"}}");
    ws_test_send_text(&client, "{\"subscribe\":null,\"ping\":{}}");
    ws_test_expect(&client, "{\"pong\":{}}");
    ws_test_send(&client, SS_WS_BINARY, "{\"ping\":{\"nonce\":\"b\"}}", 22);
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"b\"}}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, session_ids_of_255_bytes_pass_and_longer_ones_do_not)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    char id[257];
    char text[400];
    memset(id, 'i', 256);
    id[256] = '\0';
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\"}}", id);
    ws_test_send_text(&client, text);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"invalid_session_id\","
                                 "\"message\":\"session id has 256 bytes, at most 255");
    id[255] = '\0';
    (void)fixture_follow(&fixture, &client, id, 1);
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, a_session_id_with_nul_is_refused)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"a\\u0000b\"}}");
    ws_test_expect_part(&client, "\"message\":\"session id holds a NUL byte\"");
    ws_test_send_text(&client, "{\"unsubscribe\":{\"sessionId\":\"a\\u0000b\"}}");
    ws_test_expect_part(&client, "\"code\":\"invalid_session_id\"");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, submit_reaches_the_shard_and_is_accepted)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, "{\"submit\":{\"requestId\":\"r1\",\"sessionId\":\"s\","
                               "\"name\":\"Note\"," NOTE "}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    const struct ss_name *name = request->name;
    ss_check(ss_str_equal(name->name, ss_str("Note")));
    ss_check(ss_str_equal(request->payload, ss_str("\x0a\x01x")));
    ss_check(ss_str_equal(request->request_id, ss_str("r1")));
    request->ordinal = 9;
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"accepted\":{\"requestId\":\"r1\",\"sessionId\":\"s\","
                            "\"ordinal\":\"9\"}}");
    ws_test_send_text(&client, "{\"submit\":{\"requestId\":\"r2\",\"sessionId\":\"s\","
                               "\"name\":\"Note\"," NOTE "}}");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss__request_fail(request, SS_E_HANDLER, "it went wrong");
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"error\":{\"code\":\"handler_failed\",\"message\":\"it went wrong\","
                            "\"sessionId\":\"s\",\"requestId\":\"r2\"}}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, an_empty_submit_payload_needs_its_type)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, "{\"submit\":{\"sessionId\":\"s\",\"name\":\"Note\",\"payload\":"
                               "{\"@type\":\"type.googleapis.com/sessionstream.v1.PingFrame\"}}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss_check(request->payload.len == 0);
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"accepted\":{\"sessionId\":\"s\"}}");
    fixture_close_with(&fixture, &client);
}

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

SS_TEST(ingress, submits_that_cannot_be_right_are_refused_here)
{
    static const char *const table[][2] = {
        { "{\"submit\":{\"requestId\":\"r\",\"sessionId\":\"s\",\"name\":\"No\"," NOTE "}}",
          "{\"error\":{\"code\":\"unknown_command\",\"message\":\"unknown command \\\"No\\\"\","
          "\"sessionId\":\"s\",\"requestId\":\"r\"}}" },
        /* No half a character where the name is cut. */
        { "{\"submit\":{\"sessionId\":\"s\",\"name\":\"" A63 "\xC3\xA9more\"," NOTE "}}",
          "{\"error\":{\"code\":\"unknown_command\",\"message\":\"unknown command \\\"" A63
          "\\\"\",\"sessionId\":\"s\"}}" },
        { "{\"submit\":{\"requestId\":\"r\",\"sessionId\":\"s\",\"name\":\"Other\"," NOTE "}}",
          "{\"error\":{\"code\":\"type_mismatch\",\"message\":\"command \\\"Other\\\" payload type "
          "mismatch: got sessionstream.v1.PingFrame want sessionstream.v1.PongFrame\","
          "\"sessionId\":\"s\",\"requestId\":\"r\"}}" },
        { "{\"submit\":{\"requestId\":\"r\",\"sessionId\":\"s\",\"name\":\"Note\"}}",
          "{\"error\":{\"code\":\"invalid_payload\",\"message\":\"submit payload for "
          "\\\"Note\\\" is nil\",\"sessionId\":\"s\",\"requestId\":\"r\"}}" },
        { "{\"submit\":{\"requestId\":\"r\",\"name\":\"Note\"," NOTE "}}",
          "{\"error\":{\"code\":\"invalid_session_id\",\"message\":\"missing session id\","
          "\"requestId\":\"r\"}}" },
    };
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ws_test_send_text(&client, table[i][0]);
        ws_test_expect(&client, table[i][1]);
    }
    ws_test_send_text(&client, "{\"submit\":{\"sessionId\":\"s\",\"name\":\"Note\",\"payload\":"
                               "{\"@type\":\"type.googleapis.com/sessionstream.v1.PingFrame\","
                               "\"nonce\":\"a\\u0000b\"}}}");
    ws_test_expect_part(&client, "\"code\":\"invalid_payload\"");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, a_frame_over_the_limit_closes_with_1009)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    static char big[2 << 20];
    memset(big, ' ', sizeof big);
    ws_test_send(&client, SS_WS_TEXT, big, sizeof big);
    ws_test_expect_close(&client, SS_WS_STATUS_TOO_BIG);
    ws_test_close(&client);
    fixture_await_gauge(&fixture.stats.connections, 0);
    fixture_close(&fixture);
}

SS_TEST(ingress, bad_utf8_closes_with_1007)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send(&client, SS_WS_TEXT, "{\"ping\":{\"nonce\":\"\xff\"}}", 22);
    ws_test_expect_close(&client, SS_WS_STATUS_BAD_DATA);
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, a_close_frame_is_answered)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send(&client, SS_WS_CLOSE, "\x03\xe8", 2);
    ws_test_expect_close(&client, SS_WS_STATUS_NORMAL);
    ws_test_close(&client);
    fixture_await_gauge(&fixture.stats.websockets, 0);
    fixture_close(&fixture);
}

SS_TEST(ingress, messages_cut_at_every_byte_arrive_whole)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 1, 2, 3, 4 };
    struct ss_bytes frame;
    ss__bytes_init(&frame, 0);
    ss__ws_client_frame(&frame, SS_WS_TEXT, ss_str("{\"ping\":{\"nonce\":\"cut\"}}"), mask);
    uint64_t before = atomic_load(&fixture.stats.bytes_in);
    for (size_t i = 0; i < frame.len; i++) {
        ws_test_send_raw(&client, frame.data + i, 1);
        fixture_await(&fixture.stats.bytes_in, before + i + 1);
    }
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"cut\"}}");
    ss__bytes_deinit(&frame);
    fixture_close_with(&fixture, &client);
}

SS_TEST(ingress, an_idempotency_key_goes_along_and_a_replay_is_marked)
{
    struct fixture fixture;
    struct ws_test_client client;
    char key[SS_IDEMPOTENCY_KEY_BYTES_MAX + 2];
    char text[1024];
    fixture_open_with(&fixture, &client, "sessionstream.v2.json");
    ws_test_send_text(&client, "{\"submit\":{\"requestId\":\"r1\",\"sessionId\":\"s\","
                               "\"name\":\"Note\",\"idempotencyKey\":\"k\"," NOTE "}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss_check(ss_str_equal(request->key, ss_str("k")));
    request->ordinal = 9;
    request->replayed = true;
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"accepted\":{\"requestId\":\"r1\",\"sessionId\":\"s\","
                            "\"ordinal\":\"9\",\"replayed\":true}}");
    ws_test_send_text(&client, "{\"submit\":{\"sessionId\":\"s\",\"name\":\"Note\","
                               "\"idempotencyKey\":\"k\"," NOTE "}}");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss__request_fail(request, SS_E_HANDLER, "no");
    request->replayed = true;
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"error\":{\"code\":\"handler_failed\",\"message\":\"no\","
                            "\"sessionId\":\"s\",\"replayed\":true}}");
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    (void)snprintf(text, sizeof text, "{\"submit\":{\"sessionId\":\"s\",\"name\":\"Note\","
                   "\"idempotencyKey\":\"%s\"," NOTE "}}", key);
    ws_test_send_text(&client, text);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"invalid_argument\",\"message\":\"an "
                                 "idempotency key is 1 to 255 bytes");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

/* They cost more time: others would wait longer for one who sends nothing else. */
SS_TEST(ingress, turn_is_over_sooner_with_wrong_messages)
{
    enum { IN_A_TURN = SS_TURN_UNITS_MAX / (1 + SS_TURN_ERROR_UNITS), COUNT = 3 * IN_A_TURN };
    static const char wrong[] = { (char)0x81, (char)0x82, 0, 0, 0, 0, '{', '}' };    /* masked */
    char burst[COUNT * sizeof wrong];
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(burst + i * sizeof wrong, wrong, sizeof wrong);
    }
    uint64_t before = atomic_load(&fixture.stats.writes);
    ws_test_send_raw(&client, burst, sizeof burst);
    for (size_t i = 0; i < COUNT; i++) {
        ws_test_expect_part(&client, "{\"error\":{");
    }
    fixture_await(&fixture.stats.writes, before + COUNT / IN_A_TURN);
    fixture_close_with(&fixture, &client);
}
