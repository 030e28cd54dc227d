#include <sessionstream/limits.h>

#include "gateway/state.h"
#include "gateway_fixture.h"
#include "http_requests.h"
#include "message/error_listing.h"

SS_TEST(errors, records_are_asked_of_the_shard_and_written_as_json)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/errors?session=a%20b&kind=decode&limit=7");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_ERRORS, "");
    struct ss_error_listing *listing = request->errors;
    ss_check(ss_str_equal(listing->query.session_id, ss_str("a b")));
    ss_check(listing->query.kinds == 1u << SS_ERROR_KIND_DECODE && listing->query.limit == 7);
    struct ss_error_record found[2] = {
        { .number = 3, .time_us = 1700000000123000, .shard = 1, .kind = SS_ERROR_KIND_DECODE,
          .code = SS_E_CORRUPT, .session_id = ss_str("a b"), .ordinal = 9,
          .event = ss_str("Put"), .text = ss_str("\"bad\""), .raw = ss_str("raw"),
          .metadata_count = 2,
          .metadata = { { ss_str("k"), ss_str("v") }, { ss_str("l"), ss_str("") } } },
        { .number = 4, .kind = SS_ERROR_KIND_STORE, .code = SS_E_STOREFULL,
          .projection = ss_str("p") },
    };
    listing->parts[0].records = found;
    listing->parts[0].count = 2;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200,
                        "\r\n\r\n{\"errors\":[\n{\"shard\":1,\"number\":\"3\","
                        "\"time\":\"2023-11-14T22:13:20.123Z\",\"kind\":\"decode\","
                        "\"code\":\"store_corrupt\",\"sessionId\":\"a b\",\"ordinal\":\"9\","
                        "\"event\":\"Put\",\"text\":\"\\\"bad\\\"\",\"raw\":\"cmF3\","
                        "\"metadata\":{\"k\":\"v\",\"l\":\"\"}},\n"
                        "{\"shard\":0,\"number\":\"4\",\"time\":\"1970-01-01T00:00:00Z\","
                        "\"kind\":\"store\",\"code\":\"store_full\",\"projection\":\"p\"}]}");
    get(&client, "/v1/sessions/s/errors?limit=0");
    request = fixture_take_request(&fixture, SS_REQUEST_ERRORS, "");
    ss_check(ss_str_equal(request->errors->query.session_id, ss_str("s")));
    ss_check(request->errors->query.kinds == 0 && request->errors->query.limit == 0);
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 200, "\r\n\r\n{\"errors\":[]}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(errors, a_question_that_makes_no_sense_is_a_problem)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    get(&client, "/v1/errors?kind=none");
    ws_test_expect_http(&client, 400, "kind must be one of decode, ordinal, ui-projection");
    get(&client, "/v1/errors?limit=1x");
    ws_test_expect_http(&client, 400, "limit must be a number");
    get(&client, "/v1/errors?limit=");
    ws_test_expect_http(&client, 400, "limit must be a number");
    get(&client, "/v1/errors?session=%ff");
    ws_test_expect_http(&client, 400, "invalid_session_id");
    get(&client, "/v1/errors?session=%2");
    ws_test_expect_http(&client, 400, "session is no percent-encoded session id");
    get(&client, "/v1/sessions/%00/errors");
    ws_test_expect_http(&client, 400, "invalid_session_id");
    post(&client, "/v1/errors", "");
    ws_test_expect_http(&client, 405, "GET, HEAD");
    get(&client, "/v1/errors");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_ERRORS, "");
    request->errors->parts[0].err = SS_E_NOMEM;
    fixture_reply(&fixture, request);
    ws_test_expect_http(&client, 503, "out_of_memory");
    fixture_close_with(&fixture, &client);
}

/* ---- many ---- */

enum { BIG = 1 << 20, FITTING = 2, TOO_MANY = 65 };

/* So many records of a megabyte each. */
static void reply_big(struct fixture *fixture, unsigned count)
{
    static char text[BIG];
    static struct ss_error_record found[TOO_MANY];
    memset(text, 'x', sizeof text);
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_ERRORS, "");
    for (unsigned i = 0; i < count; i++) {
        found[i] = (struct ss_error_record){ .number = i + 1, .kind = SS_ERROR_KIND_STORE,
                                             .code = SS_E_STOREFULL,
                                             .text = ss_str_of(text, sizeof text) };
    }
    request->errors->parts[0].records = found;
    request->errors->parts[0].count = count;
    fixture_reply(fixture, request);
}

/* It would get 503 and be asked to try again for ever. */
SS_TEST(errors, more_than_an_answer_holds_are_refused_for_good)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_bytes body;
    fixture_open(&fixture);
    ss__bytes_init(&body, 0);
    ws_test_connect(&client, fixture.port, 0);
    get(&client, "/v1/errors");
    reply_big(&fixture, TOO_MANY);
    ws_test_expect_http(&client, 413, "ask for the newest (limit=100)");
    get(&client, "/v1/errors");
    reply_big(&fixture, FITTING);
    ss_check(ws_test_http_response(&client, false, &body) == 200);
    ss_check(body.len > (size_t)FITTING * BIG);
    ss__bytes_deinit(&body);
    ws_test_close(&client);
    fixture_await_gauge(&fixture.stats.connections, 0);
    ss__gateway_stop_listening(fixture.gateway);
    ss__gateway_stop(fixture.gateway, 0);
    ss__gateway_join(fixture.gateway);
    ss_check(fixture.gateway->scratch.cap <= SS_ANSWER_KEPT_BYTES);
    ss_check(fixture.gateway->text.cap <= SS_ANSWER_KEPT_BYTES);
    fixture.still = true;
    fixture_close(&fixture);
}
