#include "gateway_fixture.h"
#include "http_requests.h"
#include "message/listing.h"

SS_TEST(sessions, a_list_is_asked_of_the_shard_and_written_as_json)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/sessions?prefix=a%20&after=a+b&limit=1");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_LIST, "");
    struct ss_listing *listing = request->listing;
    ss_check(ss_str_equal(listing->query.prefix, ss_str("a ")));
    ss_check(ss_str_equal(listing->query.after, ss_str("a b")) && listing->query.limit == 1);
    struct ss_session_info found[2] = {
        { ss_str("a \"c"), 12, 1700000000123000, 0, true, 5 },
        { ss_str("a d"), 1, 1, 2, false, 1 },
    };
    listing->parts[0].sessions = found;
    listing->parts[0].count = 2;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200,
                        "\r\n\r\n{\"sessions\":[{\"id\":\"a \\\"c\",\"ordinal\":\"12\",\"firstRetained\":\"5\","
                        "\"created\":\"2023-11-14T22:13:20.123Z\","
                        "\"updated\":\"1970-01-01T00:00:00Z\","
                        "\"running\":true}],\"next\":\"a \\\"c\"}");
    get(&client, "/v1/sessions");
    request = fixture_take_request(&fixture, SS_REQUEST_LIST, "");
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\n\r\n{\"sessions\":[]}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(sessions, a_list_that_cannot_be_made_is_a_problem)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/sessions?limit=0");
    ws_test_expect_http(&client, 400, "limit must be a number from 1 to 1000");
    get(&client, "/v1/sessions?limit=1001");
    ws_test_expect_http(&client, 400, "invalid_argument");
    get(&client, "/v1/sessions?limit=1x");
    ws_test_expect_http(&client, 400, "invalid_argument");
    get(&client, "/v1/sessions?after=%2");
    ws_test_expect_http(&client, 400, "after is not percent-encoded well");
    get(&client, "/v1/sessions");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_LIST, "");
    request->listing->parts[0].err = SS_E_STOREIO;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 503, "store_io");
    fixture_close_with(&fixture, &client);
}
