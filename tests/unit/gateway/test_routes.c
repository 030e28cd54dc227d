/* Which path and method does what, and requests that wait for each other. */
#include "gateway_fixture.h"
#include "http_requests.h"

SS_TEST(routes, a_folder_is_found_without_its_slash)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/manual");
    ws_test_expect_http(&client, 308, "Location: /manual/\r\n");
    get(&client, "/manual/");
    ws_test_expect_http(&client, 200, "Content-Security-Policy: default-src 'none'\r\n");
    get(&client, "/manual/x");
    ws_test_expect_http(&client, 404, "not_found");
    post(&client, "/manual", "");
    ws_test_expect_http(&client, 404, "not_found");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes, pages_on_one_connection)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes, readiness_ends_with_a_failed_store_and_names_its_shard)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/readyz");
    ws_test_expect_http(&client, 200, "ready\n");
    atomic_store(&fixture.shard_stats.store_failed, 1);
    get(&client, "/readyz");
    ws_test_expect_http(&client, 503, "the disk of shard 0 failed");
    get(&client, "/readyz");
    ws_test_expect_http(&client, 503, "\"code\":\"store_io\"");
    get(&client, "/healthz");
    ws_test_expect_http(&client, 200, "ok\n");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes, head_sends_the_length_and_no_body)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes response;
    open_http(&fixture, &client);
    ss__bytes_init(&response, 0);
    send_text(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    ss_check(ws_test_http_response(&client, true, &response) == 200);
    ss_check(strstr((const char *)response.data, "Content-Length: 13\r\n") != NULL);
    get(&client, "/healthz");
    ws_test_expect_http(&client, 200, "ok\n");
    ss__bytes_deinit(&response);
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes, unknown_paths_and_methods)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/nowhere");
    ws_test_expect_http(&client, 404, "\"code\":\"not_found\"");
    post(&client, "/healthz", "");
    ws_test_expect_http(&client, 405, "Allow: GET, HEAD\r\n");
    get(&client, "/v1/sessions/s/commands/Note");
    ws_test_expect_http(&client, 405, "Allow: POST\r\n");
    send_text(&client, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    ws_test_expect_http(&client, 405, "Allow: GET, HEAD\r\n");
    fixture_close_with(&fixture, &client);
}

SS_TEST(routes, pipelined_requests_are_answered_in_order)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
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
    fixture_close_with(&fixture, &client);
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
