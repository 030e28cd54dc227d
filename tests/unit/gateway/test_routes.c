#include "gateway_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "http/response.h"
#include "ss_test.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ASK "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

static void send_text(struct ws_test_client *client, const char *text)
{
    ws_test_send_raw(client, text, strlen(text));
}

static void expect_end(struct ws_test_client *client)
{
    ss_check(ws_test_http_response(client, false, NULL) == 0);
}

/* A request with @body on an open connection. */
static void post(struct ws_test_client *client, const char *path, const char *body)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", path,
                   strlen(body), body);
    send_text(client, text);
}

static void get(struct ws_test_client *client, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    send_text(client, text);
}

SS_TEST(routes, a_folder_is_found_without_its_slash)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/manual");
    ws_test_expect_http(&client, 308, "Location: /manual/\r\n");
    get(&client, "/manual/");
    ws_test_expect_http(&client, 200, "Content-Security-Policy: default-src 'none'\r\n");
    get(&client, "/manual/x");
    ws_test_expect_http(&client, 404, "not_found");
    post(&client, "/manual", "");
    ws_test_expect_http(&client, 404, "not_found");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, pages_on_one_connection)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/healthz");
    ws_test_expect_http(&client, 200, "ok\n");
    get(&client, "/readyz");
    ws_test_expect_http(&client, 200, "ready\n");
    atomic_store(&fixture.ready, false);
    get(&client, "/readyz");
    ws_test_expect_http(&client, 503, "Retry-After: 1");
    get(&client, "/");
    ws_test_expect_http(&client, 200, "<h1>page</h1>");
    get(&client, "/metrics");
    ws_test_expect_http(&client, 200, "sessionstream_http_requests_total{gateway=\"0\"} 4\n");
    get(&client, "/metrics");
    ws_test_expect_http(&client, 200, "sessionstream_connections{gateway=\"0\"} 1\n");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, readiness_ends_with_a_failed_store_and_names_its_shard)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/readyz");
    ws_test_expect_http(&client, 200, "ready\n");
    atomic_store(&fixture.shard_stats.store_failed, 1);
    get(&client, "/readyz");
    ws_test_expect_http(&client, 503, "the disk of shard 0 failed");
    get(&client, "/readyz");
    ws_test_expect_http(&client, 503, "\"code\":\"store_io\"");
    get(&client, "/healthz");
    ws_test_expect_http(&client, 200, "ok\n");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, head_sends_the_length_and_no_body)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes response;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    ss__bytes_init(&response, 0);
    send_text(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    ss_check(ws_test_http_response(&client, true, &response) == 200);
    ss_check(strstr((const char *)response.data, "Content-Length: 13\r\n") != NULL);
    get(&client, "/healthz");
    ws_test_expect_http(&client, 200, "ok\n");
    ss__bytes_deinit(&response);
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, unknown_paths_and_methods)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/nowhere");
    ws_test_expect_http(&client, 404, "\"code\":\"not_found\"");
    post(&client, "/healthz", "");
    ws_test_expect_http(&client, 405, "Allow: GET, HEAD\r\n");
    get(&client, "/v1/sessions/s/commands/Note");
    ws_test_expect_http(&client, 405, "Allow: POST\r\n");
    send_text(&client, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    ws_test_expect_http(&client, 405, "Allow: GET, HEAD\r\n");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, a_command_is_answered_when_the_shard_has_answered)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, commands_that_cannot_be_right_are_refused_here)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, snapshot_as_the_shard_gave_it)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/v1/sessions/s/snapshot");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
    request->snapshot = ss__buf_copy("{\"sessionId\":\"s\"}", 17);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\n\r\n{\"sessionId\":\"s\"}");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, snapshot_of_an_earlier_event)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/v1/sessions/s/snapshot?at=9223372036854775807");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
    ss_check(request->at == INT64_MAX);
    ss__request_gone(request, 12);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 410,
                        "\"detail\":\"event 12 is the first that has been retained\","
                        "\"code\":\"gone\",\"sessionId\":\"s\",\"firstRetained\":\"12\"}");
    static const char *const bad[] = { "", "x", "-1", "1.", "12345678901234567890" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "/v1/sessions/s/snapshot?at=%s", bad[i]);
        get(&client, path);
        ws_test_expect_http(&client, 400, "\"code\":\"invalid_argument\"");
    }
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, page_of_events)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/v1/sessions/s/events");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_EVENTS, "s");
    ss_check(request->at == 0 && request->limit == SS_EVENT_PAGE_MAX);
    request->snapshot = ss__buf_copy("{\"more\":false}", 14);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\n\r\n{\"more\":false}");
    get(&client, "/v1/sessions/s/events?after=7&limit=20");
    request = fixture_take_request(&fixture, SS_REQUEST_EVENTS, "s");
    ss_check(request->at == 7 && request->limit == 20);
    ss__request_gone(request, 12);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 410,
                        "\"detail\":\"event 12 is the first that has been retained\","
                        "\"code\":\"gone\",\"sessionId\":\"s\",\"firstRetained\":\"12\"}");
    static const char *const bad[] = { "limit=1001", "limit=x", "after=", "after=-1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "/v1/sessions/s/events?%s", bad[i]);
        get(&client, path);
        ws_test_expect_http(&client, 400, "\"code\":\"invalid_argument\"");
    }
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, rebuild_names_what_and_from_where)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    post(&client, "/v1/sessions/s/rebuild?from=17", "");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_REBUILD, "s");
    ss_check(request->at == 17 && request->timelines == 0);
    request->ordinal = 20;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "{\"sessionId\":\"s\",\"ordinal\":\"20\"}");
    post(&client, "/v1/sessions/s/rebuild?from=x", "");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_argument\"");
    post(&client, "/v1/sessions/s/rebuild?projection=none", "");
    ws_test_expect_http(&client, 404, "\"code\":\"not_found\"");
    get(&client, "/v1/sessions/s/rebuild");
    ws_test_expect_http(&client, 405, "Allow: POST");
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* A document that nobody reads; its memory is never touched. */
static void reply_document(struct fixture *fixture, enum ss_request_kind kind, const char *session,
                           size_t bytes)
{
    struct ss_request *request = fixture_take_request(fixture, kind, session);
    request->snapshot = ss__buf_new(bytes);
    ss_check(request->snapshot != NULL);
    fixture_reply(fixture, request);
}

SS_TEST(routes, snapshots_count_on_the_budget_and_are_asked_for_one_by_one)
{
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client other;
    struct ss_bytes response;
    fixture_open(&fixture);
    ws_test_connect(&greedy, fixture.port, 4096);
    send_text(&greedy, "GET /v1/sessions/s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /v1/sessions/s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_document(&fixture, SS_REQUEST_SNAPSHOT, "s", 200u << 20);
    ws_test_connect(&other, fixture.port, 0);
    get(&other, "/v1/sessions/t/snapshot");
    reply_document(&fixture, SS_REQUEST_SNAPSHOT, "t", 100u << 20);
    ss__bytes_init(&response, 0);
    ss_check(ws_test_http_response(&other, false, &response) == 503);
    ss_check(strstr((const char *)response.data, "\"code\":\"overloaded\"") != NULL);
    ss_check(strstr((const char *)response.data, "Retry-After: 1\r\n") != NULL);
    send_text(&other, "HEAD /v1/sessions/t/snapshot HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_document(&fixture, SS_REQUEST_SNAPSHOT, "t", 100u << 20);
    ss__bytes_clear(&response);
    ss_check(ws_test_http_response(&other, true, &response) == 200);
    ss_check(strstr((const char *)response.data, "Content-Length: 104857600\r\n") != NULL);
    ss__bytes_deinit(&response);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&greedy);
    ws_test_close(&other);
    fixture_close(&fixture);
}

SS_TEST(routes, the_next_request_is_read_when_the_snapshot_is_written)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    for (int i = 0; i < 3; i++) {
        get(&client, "/v1/sessions/s/snapshot");
        get(&client, "/healthz");
        struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
        request->snapshot = ss__buf_new(3u << 20);
        ss_check(request->snapshot != NULL);
        memset(request->snapshot->data, ' ', request->snapshot->len);
        fixture_reply(&fixture, request);
        ws_test_expect_http(&client, 200, "Content-Length: 3145728\r\n");
        ws_test_expect_http(&client, 200, "ok\n");
    }
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, unfinished_bodies_have_one_budget)
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
    ws_test_close(&other);
    fixture_close(&fixture);
}

SS_TEST(routes, a_session_id_with_nul_is_400)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/v1/sessions/a%00b/snapshot");
    ws_test_expect_http(&client, 400, "\"detail\":\"session id holds a NUL byte\"");
    post(&client, "/v1/sessions/a%00b/commands/Note", "{}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_session_id\"");
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, pipelined_requests_are_answered_in_order)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    send_text(&client, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                       "Content-Length: 2\r\n\r\n{}"
                       "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /v1/sessions/t/snapshot HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss_check(fixture_is_quiet(&fixture));
    ss_check(atomic_load(&fixture.stats.requests) == 0);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\"ordinal\":\"0\"");
    ws_test_expect_http(&client, 200, "ok\n");
    request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "t");
    request->snapshot = ss__buf_copy("{}", 2);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "{}");
    ws_test_expect_http(&client, 404, "Connection: close");
    expect_end(&client);
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, handshakes_that_are_refused)
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

SS_TEST(routes, frames_right_behind_the_handshake_are_read)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 9, 8, 7, 6 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes bytes;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, subprotocols_choose_the_encoding)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "sessionstream.v2.protobuf");
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, a_full_inbox_is_503_and_readers_wait_for_relief)
{
    struct fixture fixture;
    struct ws_test_client clients[5];
    struct ss_request *requests[4];
    fixture_prepare(&fixture);
    ss__inbox_unref(fixture.shard);
    ss_check(ss__inbox_new(4, 1 << 20, &fixture.shard) == 0);
    fixture.router.shards[0] = fixture.shard;
    fixture_start(&fixture);
    for (uint64_t i = 0; i < 4; i++) {
        ws_test_connect(&clients[i], fixture.port, 0);
        post(&clients[i], "/v1/sessions/s/commands/Note", "{}");
        uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
        while (ss__inbox_depth(fixture.shard) <= i) {
            ss_check(ws_test_now_ms() < until);
        }
    }
    ws_test_connect(&clients[4], fixture.port, 0);
    post(&clients[4], "/v1/sessions/s/commands/Note", "{}");
    ws_test_expect_http(&clients[4], 503, "Retry-After: 1");
    for (int i = 0; i < 4; i++) {
        requests[i] = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    }
    for (int i = 0; i < 4; i++) {
        fixture_reply(&fixture, requests[i]);
        ws_test_expect_http(&clients[i], 200, "\"ordinal\"");
    }
    for (int i = 0; i < 5; i++) {
        get(&clients[i], "/healthz");
        ws_test_expect_http(&clients[i], 200, "ok\n");
        ws_test_close(&clients[i]);
    }
    fixture_close(&fixture);
}

SS_TEST(routes, what_is_done_to_a_whole_session)
{
    static const struct {
        const char *method;
        const char *path;
        enum ss_request_kind kind;
    } cases[] = { { "DELETE", "/v1/sessions/s", SS_REQUEST_DELETE },
                  { "POST", "/v1/sessions/s/close", SS_REQUEST_CLOSE },
                  { "POST", "/v1/sessions/s/retry", SS_REQUEST_RETRY } };
    struct fixture fixture;
    struct ws_test_client client;
    char text[256];
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
                       cases[i].method, cases[i].path);
        send_text(&client, text);
        struct ss_request *request = fixture_take_request(&fixture, cases[i].kind, "s");
        request->ordinal = 7;
        fixture_reply(&fixture, request);
        ws_test_expect_http(&client, 200, "{\"sessionId\":\"s\",\"ordinal\":\"7\"}");
        send_text(&client, text);
        request = fixture_take_request(&fixture, cases[i].kind, "s");
        ss__request_fail(request, i == 1 ? SS_E_IN_USE : SS_E_NOTFOUND, "because");
        fixture_reply(&fixture, request);
        ws_test_expect_http(&client, i == 1 ? 409 : 404, "because");
        get(&client, cases[i].path);
        ws_test_expect_http(&client, 405, i == 0 ? "Allow: DELETE\r\n" : "Allow: POST\r\n");
    }
    send_text(&client, "DELETE /v1/sessions/%00 HTTP/1.1\r\nHost: h\r\n\r\n");
    ws_test_expect_http(&client, 400, "session");
    ws_test_close(&client);
    fixture_close(&fixture);
}

static void post_keyed(struct ws_test_client *client, const char *fields)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                   "%sContent-Length: 2\r\n\r\n{}", fields);
    send_text(client, text);
}

SS_TEST(routes, an_idempotency_key_goes_along_and_a_replay_is_marked)
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, idempotency_keys_that_cannot_be_are_refused_here)
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
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        (void)snprintf(field, sizeof field, "Idempotency-Key: %s\r\n", key);
        post_keyed(&client, fields[i] != NULL ? fields[i] : field);
        ws_test_expect_http(&client, 400, "\"code\":\"invalid_argument\"");
    }
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(routes, a_snapshot_beyond_the_budget_is_told_as_that)
{
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client other;
    fixture_open(&fixture);
    ws_test_connect(&greedy, fixture.port, 4096);
    get(&greedy, "/v1/sessions/big/snapshot");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "big");
    request->snapshot = ss__buf_new(SS_SNAPSHOT_BUDGET_BYTES);
    ss_check(request->snapshot != NULL);
    fixture_reply(&fixture, request);
    fixture_await(&fixture.stats.requests, 1);
    ws_test_connect(&other, fixture.port, 0);
    get(&other, "/v1/sessions/s/snapshot");
    request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
    request->snapshot = ss__buf_new(1u << 20);
    ss_check(request->snapshot != NULL);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&other, 503, "\"detail\":\"too many snapshots wait");
    ws_test_close(&other);
    ws_test_open(&other, fixture.port, "");
    ws_test_send_text(&other, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    fixture_reply_snapshot(&fixture, request, 1);
    ws_test_expect_part(&other, "\"message\":\"too many snapshots wait");
    ws_test_close(&other);
    ws_test_close(&greedy);
    fixture_close(&fixture);
}
