/* Commands over HTTP. */
#include "http/response.h"

#include "gateway_fixture.h"
#include "http_requests.h"

SS_TEST(routes_commands, a_command_is_answered_when_the_shard_has_answered)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    post(&client, "/v1/sessions/a%20b/commands/Note", "{\"nonce\":\"x\"}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "a b");
    ss_check(ss_str_equal(request->payload, ss_str("\x0a\x01x")));
    request->ordinal = 12;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "{\"sessionId\":\"a b\",\"ordinal\":\"12\"}");
    post(&client, "/v1/sessions/s/commands/Note", "");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss_check(request->payload.len == 0);
    ss__request_fail(request, SS_E_HANDLER, "no such thing");
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, (int)ss__http_status_of(SS_E_HANDLER),
                        "\"detail\":\"no such thing\"");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_commands, commands_that_cannot_be_right_are_refused_here)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    post(&client, "/v1/sessions/s/commands/No", "{}");
    ws_test_expect_http(&client, 404, "\"code\":\"unknown_command\"");
    post(&client, "/v1/sessions/s/commands/Note", "{\"nope\":1}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_json\"");
    post(&client, "/v1/sessions//commands/Note", "{}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_session_id\"");
    post(&client, "/v1/sessions/%ff/commands/Note", "{}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_session_id\"");
    post(&client, "/v1/sessions/s/commands/Note", "{\"nonce\":\"a\\u0000b\"}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_payload\"");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_commands, unfinished_bodies_have_one_budget)
{
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client other;
    const size_t sent = (size_t)33 << 20;
    fixture_prepare(&fixture);
    fixture.options.client_frame_bytes = 1u << 30;
    fixture_start(&fixture);
    char *body = calloc(1, sent);
    ss_check(body != NULL);
    ws_test_connect(&greedy, fixture.port, 0);
    send_text(&greedy, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                       "Content-Length: 999999999\r\n\r\n");
    ws_test_send_raw(&greedy, body, sent);
    fixture_await(&fixture.stats.bytes_in, sent);
    ws_test_connect(&other, fixture.port, 0);
    post(&other, "/v1/sessions/s/commands/Note", "");
    fixture_reply(&fixture, fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s"));
    ws_test_expect_http(&other, 200, "\"sessionId\":\"s\"");
    ws_test_close(&other);
    ws_test_connect(&other, fixture.port, 0);
    send_text(&other, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                      "Content-Length: 9\r\n\r\n{");
    ws_test_expect_http(&other, 503, "\"code\":\"overloaded\"");
    expect_end(&other);
    ws_test_close(&other);
    ws_test_close(&greedy);
    free(body);
    fixture_await_gauge(&fixture.stats.connections, 0);
    ws_test_connect(&other, fixture.port, 0);
    send_text(&other, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                      "Content-Length: 2\r\n\r\n{");
    send_text(&other, "}");
    fixture_reply(&fixture, fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s"));
    ws_test_expect_http(&other, 200, "\"sessionId\":\"s\"");
    fixture_close_with(&fixture, &other);
}

static void post_keyed(struct ws_test_client *client, const char *fields)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                   "%sContent-Length: 2\r\n\r\n{}", fields);
    send_text(client, text);
}

SS_TEST(routes_commands, an_idempotency_key_goes_along_and_a_replay_is_marked)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes response;
    fixture_open(&fixture);
    ss__bytes_init(&response, 0);
    ws_test_connect(&client, fixture.port, 0);
    post_keyed(&client, "idempotency-key:  \"k 1\" \r\n");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss_check(ss_str_equal(request->key, ss_str("\"k 1\"")));
    fixture_reply(&fixture, request);
    ss_check(ws_test_http_response(&client, false, &response) == 200);
    ss_check(strstr((const char *)response.data, "Idempotency-") == NULL);
    post_keyed(&client, "Idempotency-Key: k\r\n");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    request->replayed = true;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\nIdempotency-Replayed: true\r\n");
    post_keyed(&client, "Idempotency-Key: k\r\n");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    request->replayed = true;
    ss__request_fail(request, SS_E_HANDLER, "no");
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 422, "\r\nIdempotency-Replayed: true\r\n");
    post_keyed(&client, "Idempotency-Key: k\r\n");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss__request_fail(request, SS_E_CONFLICT, "another payload");
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 409, "\"code\":\"conflict\"");
    ss__bytes_deinit(&response);
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_commands, idempotency_keys_that_cannot_be_are_refused_here)
{
    static const char *const fields[] = {
        "Idempotency-Key:\r\n",
        "Idempotency-Key: a\r\nIdempotency-Key: a\r\n",
        "Idempotency-Key: \xff\r\n",
        NULL,
    };
    struct fixture fixture;
    struct ws_test_client client;
    char key[SS_IDEMPOTENCY_KEY_BYTES_MAX + 2];
    char field[512];
    open_http(&fixture, &client);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        (void)snprintf(field, sizeof field, "Idempotency-Key: %s\r\n", key);
        post_keyed(&client, fields[i] != NULL ? fields[i] : field);
        ws_test_expect_http(&client, 400, "\"code\":\"invalid_argument\"");
    }
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}
