#include <stdlib.h>

#include "gateway_fixture.h"
#include "http_requests.h"
#include "message/import.h"
#include "schema/type.h"

SS_TEST(import, one_event_or_a_list_of_them_reaches_the_shard)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    post(&client, "/v1/sessions/a%20b/import",
         "{\"payload\":{\"nonce\":\"x\"},\"event\":\"Noted\",\"ordinal\":\"7\","
         "\"time\":\"1970-01-01T00:00:01.5Z\"}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_IMPORT, "a b");
    const struct ss_import *import = request->import;
    const struct ss_name *name = import->events[0].name;
    ss_check(import->first == 7 && import->count == 1 && import->events[0].time_us == 1500000);
    ss_check(ss_str_equal(name->name, ss_str("Noted")));
    ss_check(ss_str_equal(ss__import_payload(import, 0), ss_str("\x0a\x01x")));
    request->ordinal = 7;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "{\"sessionId\":\"a b\",\"ordinal\":\"7\"}");
    post(&client, "/v1/sessions/s/import",
         " [ {\"ordinal\":1,\"event\":\"Noted\",\"time\":\"1700000000000000\"} ,\n"
         "{\"ordinal\":\"2\",\"event\":\"Noted\",\"payload\":{},\"time\":12}] ");
    request = fixture_take_request(&fixture, SS_REQUEST_IMPORT, "s");
    import = request->import;
    ss_check(import->count == 2 && import->events[0].time_us == 1700000000000000);
    ss_check(import->events[1].time_us == 12 && ss__import_payload(import, 1).len == 0);
    ss__request_fail(request, SS_E_CONFLICT, "another event");
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 409, "\"detail\":\"another event\",\"code\":\"conflict\"");
    fixture_close_with(&fixture, &client);
}

SS_TEST(import, payload_may_say_its_type)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    const struct ss_name *name =
        ss__registry_find(fixture.options.registry, SS_SPACE_EVENT, ss_str("Noted"));
    char body[300];
    (void)snprintf(body, sizeof body,
                   "{\"ordinal\":1,\"event\":\"Noted\",\"payload\":{\"nonce\":\"x\","
                   "\"@type\":\"type.googleapis.com/%s\"}}",
                   ss__type_name(name->type).data);
    post(&client, "/v1/sessions/s/import", body);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_IMPORT, "s");
    ss_check(ss_str_equal(ss__import_payload(request->import, 0), ss_str("\x0a\x01x")));
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\"ordinal\"");
    post(&client, "/v1/sessions/s/import",
         "{\"ordinal\":1,\"event\":\"Noted\",\"payload\":{\"@type\":\"type.googleapis.com/"
         "google.protobuf.Any\"}}");
    ws_test_expect_http(&client, 400, "@type");
    fixture_close_with(&fixture, &client);
}

/* As a program with another version of the type has stored them: field 99 is of nobody here. */
SS_TEST(import, bytes_as_they_were_stored_go_before_their_json)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    const struct ss_name *name =
        ss__registry_find(fixture.options.registry, SS_SPACE_EVENT, ss_str("Noted"));
    const char *type = ss__type_name(name->type).data;
    static const char *const bad[][2] = {
        { "Cg!4", "raw is no base64" },
        { "CgJ4", "ordinal 1, event" },         /* a text that is cut off */
        { "CgH/", "\"code\":\"invalid_payload\"" },
    };
    char body[300];
    (void)snprintf(body, sizeof body,
                   "{\"ordinal\":1,\"event\":\"Noted\",\"raw\":\"CgF4mAYH\",\"type\":\"%s\","
                   "\"payload\":{\"gone\":7,\"nonce\":\"x\"}}", type);
    post(&client, "/v1/sessions/s/import", body);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_IMPORT, "s");
    ss_check(ss_str_equal(ss__import_payload(request->import, 0),
                          ss_str("\x0a\x01x\x98\x06\x07")));
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\"ordinal\"");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"ordinal\":1,\"event\":\"Noted\",\"raw\":\"%s\",\"type\":\"%s\"}",
                       bad[i][0], type);
        post(&client, "/v1/sessions/s/import", body);
        ws_test_expect_http(&client, 400, bad[i][1]);
    }
    post(&client, "/v1/sessions/s/import",
         "{\"ordinal\":1,\"event\":\"Noted\",\"raw\":\"CgF4\",\"type\":\"some.Other\"}");
    ws_test_expect_http(&client, 400, "raw is of type \\\"some.Other\\\", the event of this");
    post(&client, "/v1/sessions/s/import",
         "{\"ordinal\":1,\"event\":\"Noted\",\"raw\":\"CgF4\"}");
    ws_test_expect_http(&client, 400, "raw is of type \\\"\\\"");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(import, what_cannot_be_right_is_refused_with_its_place)
{
    static const char *const table[][2] = {
        { "", "" },
        { "[]", "there is no event" },
        { "7", "(line 1:1): an event is an object" },
        { "{\"ordinal\":1}", "(line 1:1): an event needs ordinal and event" },
        { "{\"event\":\"Noted\"}", "needs ordinal" },
        { "{\"ordinal\":1,\"ordinal\":1,\"event\":\"Noted\"}", "(line 1:14): the member is there "
                                                               "twice" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"more\":1}", "an event has the members" },
        { "{\"ordinal\":1.5,\"event\":\"Noted\"}", "ordinal: not a whole number" },
        { "{\"ordinal\":-1,\"event\":\"Noted\"}", "ordinal: not a whole number" },
        { "{\"ordinal\":\"\",\"event\":\"Noted\"}", "ordinal: not a whole number" },
        { "{\"ordinal\":\"18446744073709551616\",\"event\":\"Noted\"}", "not a whole number" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"time\":\"yesterday\"}", "time: neither" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"time\":\"1969-12-31T00:00:00Z\"}", "time: neither" },
        { "{\"ordinal\":1,\"event\":3}", "event: not the name" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"raw\":7}", "raw: not base64" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"type\":7}",
          "type: not the name of a message" },
        { "{\"ordinal\":1,\"event\":\"Noted\"} x", "(line 1:" },
        { "{\"ordinal\":1,\"event\":\"Noted\"", "(line 1:" },
        { "[{\"ordinal\":1,\"event\":\"Noted\"},", "(line 1:" },
        { "[[]]", "an event is an object" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"payload\":{\"nope\":1}}",
          "ordinal 1, event \\\"Noted\\\": " },
        { "{\"ordinal\":0,\"event\":\"Noted\"}", "ordinals begin with 1" },
        { "[{\"ordinal\":1,\"event\":\"Noted\"},{\"ordinal\":3,\"event\":\"Noted\"}]",
          "ordinal 3 follows ordinal 1" },
        { "{\"ordinal\":1,\"event\":\"Noted\",\"payload\":{\"nonce\":\"a\\u0000b\"}}",
          "\"code\":\"invalid_payload\"" },
    };
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        post(&client, "/v1/sessions/s/import", table[i][0]);
        ws_test_expect_http(&client, 400, table[i][1]);
    }
    post(&client, "/v1/sessions/s/import", "{\"ordinal\":1,\"event\":\"Nope\"}");
    ws_test_expect_http(&client, 404, "\"code\":\"unknown_event\"");
    post(&client, "/v1/sessions/%ff/import", "{\"ordinal\":1,\"event\":\"Noted\"}");
    ws_test_expect_http(&client, 400, "\"code\":\"invalid_session_id\"");
    get(&client, "/v1/sessions/s/import");
    ws_test_expect_http(&client, 405, "Allow: POST\r\n");
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(import, more_events_than_one_import_takes_are_refused)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes body;
    open_http(&fixture, &client);
    ss__bytes_init(&body, 0);
    for (unsigned i = 1; i <= SS_IMPORT_EVENTS_MAX + 1; i++) {
        char event[64];
        (void)snprintf(event, sizeof event, "%c{\"ordinal\":%u,\"event\":\"Noted\"}",
                       i == 1 ? '[' : ',', i);
        ss__bytes_text(&body, event);
    }
    ss__bytes_append(&body, "]", 2);
    post(&client, "/v1/sessions/s/import", (const char *)body.data);
    ws_test_expect_http(&client, 429, "\"code\":\"limit_exceeded\"");
    ss__bytes_deinit(&body);
    fixture_close_with(&fixture, &client);
}
