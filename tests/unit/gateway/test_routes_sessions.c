/* What is read of a session, and done to it, over HTTP. */
#include "gateway_fixture.h"
#include "http_requests.h"

SS_TEST(routes_sessions, snapshot_as_the_shard_gave_it)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/sessions/s/snapshot");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
    request->snapshot = ss__buf_copy("{\"sessionId\":\"s\"}", 17);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\n\r\n{\"sessionId\":\"s\"}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, snapshot_of_an_earlier_event)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, page_of_events)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, rebuild_names_what_and_from_where)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
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

SS_TEST(routes_sessions, snapshots_count_on_the_budget_and_are_asked_for_one_by_one)
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
    fixture_close_with(&fixture, &other);
}

SS_TEST(routes_sessions, the_next_request_is_read_when_the_snapshot_is_written)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, a_session_id_with_nul_is_400)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/sessions/a%00b/snapshot");
    ws_test_expect_http(&client, 400, "\"detail\":\"session id holds a NUL byte\"");
    post(&client, "/v1/sessions/a%00b/commands/Note", "{}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_session_id\"");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, what_is_done_to_a_whole_session)
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
    open_http(&fixture, &client);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&client, cases[i].method, cases[i].path);
        struct ss_request *request = fixture_take_request(&fixture, cases[i].kind, "s");
        request->ordinal = 7;
        fixture_reply(&fixture, request);
        ws_test_expect_http(&client, 200, "{\"sessionId\":\"s\",\"ordinal\":\"7\"}");
        ask(&client, cases[i].method, cases[i].path);
        request = fixture_take_request(&fixture, cases[i].kind, "s");
        ss__request_fail(request, i == 1 ? SS_E_IN_USE : SS_E_NOTFOUND, "because");
        fixture_reply(&fixture, request);
        ws_test_expect_http(&client, i == 1 ? 409 : 404, "because");
        get(&client, cases[i].path);
        ws_test_expect_http(&client, 405, i == 0 ? "Allow: DELETE\r\n" : "Allow: POST\r\n");
    }
    ask(&client, "DELETE", "/v1/sessions/%00");
    ws_test_expect_http(&client, 400, "session");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes_sessions, a_snapshot_beyond_the_budget_is_told_as_that)
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
    fixture_close_with(&fixture, &greedy);
}
