#include <stdlib.h>

#include "gateway_fixture.h"
#include "http_requests.h"
#include "message/debug_view.h"

SS_TEST(debug, the_view_of_the_shard_and_the_followers_here_are_one_document)
{
    struct fixture fixture;
    struct ws_test_client follower;
    struct ws_test_client client;
    fixture_open_with(&fixture, &follower, "");
    (void)fixture_follow(&fixture, &follower, "s", 5);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/debug/sessions/s");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_DEBUG, "s");
    struct ss_debug_view *view = request->debug;
    ss_check(view->after == 0);
    view->shard = 3;
    view->stored = view->in_memory = view->running = true;
    view->ordinal = 9;
    view->timeline = 4;
    view->halted_at = 5;
    view->entities = 2;
    view->interests_count = 1;
    view->interests[0] = (struct ss_debug_interest){ 0, 5 };
    fixture_reply(&fixture, request);
    ws_test_expect_http(
        &client, 200,
        "\r\n\r\n{\"sessionId\":\"s\",\"shard\":3,\"stored\":true,\"quarantined\":false,"
        "\"running\":true,\"epoch\":\"0\",\"ordinal\":\"9\",\"parked\":0,\"tasks\":0,"
        "\"loading\":false,\"retrying\":false,\"memory\":{\"whole\":false,\"entities\":2,"
        "\"dirty\":0,\"bytes\":\"0\",\"snapshotBytes\":\"0\",\"timeline\":\"4\","
        "\"shown\":\"0\",\"haltedAt\":\"5\",\"failedTotal\":\"0\"},\"gateways\":[{\"gateway\":0,"
        "\"encodings\":[\"v1.json\",\"v2.protobuf\"]}],\"frames\":null,\"followers\":{"
        "\"gateway\":0,\"count\":1,\"asking\":0,\"v1.json\":1,\"v2.json\":0,\"v2.protobuf\":0},"
        "\"records\":null}");
    ws_test_close(&client);
    ws_test_close(&follower);
    ss__msg_free(fixture_take(&fixture));
    fixture_close(&fixture);
}

SS_TEST(debug, records_of_both_rings_come_by_number_and_only_up_to_what_both_know)
{
    struct fixture fixture;
    struct ws_test_client follower;
    struct ws_test_client client;
    atomic_uint_fast64_t numbers = 0;
    struct ss_trace *trace = ss__trace_new(64, &numbers);
    fixture_prepare(&fixture);
    fixture.options.trace = trace;
    fixture_start(&fixture);
    ws_test_open(&follower, fixture.port, "");
    (void)fixture_follow(&fixture, &follower, "s", 5);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/debug/sessions/s?after=1");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_DEBUG, "s");
    struct ss_debug_view *view = request->debug;
    ss_check(view->after == 1);
    view->tracing = true;
    view->until = 3;
    view->records_count = 1;
    view->records[0] = (struct ss_trace_slot){ .number = 2, .ordinal = 1, .event = "Put",
                                               .word = SS_PIPELINE_LIVE, .appended = true,
                                               .step = "ui", .err = SS_E_HANDLER };
    fixture_reply(&fixture, request);
    struct ss_bytes answer;
    ss__bytes_init(&answer, 0);
    ss_check(ws_test_http_response(&client, false, &answer) == 200);
    ss__bytes_byte(&answer, 0);
    const char *text = (const char *)answer.data;
    const char *pipeline =
        "{\"number\":\"2\",\"time\":\"1970-01-01T00:00:00Z\",\"type\":\"pipeline\","
        "\"what\":\"live\",\"appended\":true,\"uiEvents\":0,\"entities\":0,\"applied\":0,"
        "\"cursorAdvanced\":false,\"fanout\":0,\"failed\":\"ui\",\"ordinal\":\"1\","
        "\"event\":\"Put\",\"code\":\"handler_failed\"}";
    ss_check_msg(strstr(text, pipeline) != NULL, "%s", text);
    ss_check(strstr(text, "\"type\":\"transport\",\"what\":\"subscri") != NULL);
    ss_check(strstr(text, "\"number\":\"4\"") == NULL && strstr(text, "\"next\":\"3\"}") != NULL);
    ss__bytes_deinit(&answer);
    ws_test_close(&client);
    ws_test_close(&follower);
    ss__msg_free(fixture_take(&fixture));
    fixture_close(&fixture);
    free(trace);
}

SS_TEST(debug, a_question_that_makes_no_sense_is_a_problem)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/debug/sessions/s?after=x");
    ws_test_expect_http(&client, 400, "after must be the number of a record");
    get(&client, "/debug/sessions/s?after=18446744073709551616");
    ws_test_expect_http(&client, 400, "invalid_argument");
    get(&client, "/debug/sessions/%ff");
    ws_test_expect_http(&client, 400, "invalid_session_id");
    get(&client, "/debug/sessions");
    ws_test_expect_http(&client, 404, "not_found");
    fixture_close_with(&fixture, &client);
}
