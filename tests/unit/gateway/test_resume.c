/* Subscribes with a cursor, and frames without an ordinal of their own. */
#include <stdlib.h>
#include <string.h>

#include "gateway_fixture.h"

#include "ss_test.h"

#define EVENT(ordinal, name) \
    "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"" ordinal "\",\"name\":\"" name "\"}}"
#define SUBSCRIBE "{\"subscribe\":{\"sessionId\":\"s\"}}"
#define RESUME(cursor) "{\"subscribe\":{\"sessionId\":\"s\",\"resume\":\"" cursor "\"}}"
#define RECOVERED(cursor) \
    "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"" cursor "\",\"recovered\":true}}"

static struct ss_request *take_subscribe(struct fixture *fixture)
{
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, "s");
}

/* Answers that nothing but a frame of @ordinal was missed after the request's cursor; 0: nothing. */
static void reply_recovered(struct fixture *fixture, struct ss_request *request, uint64_t ordinal)
{
    request->recovered = true;
    request->ordinal = request->resume.ordinal;
    request->live = request->resume.live;
    request->place = request->resume;
    if (ordinal != 0) {
        request->frames = calloc(1, sizeof *request->frames);
        request->frames[0] = fixture_frame(fixture, "s", ordinal, "missed");
        request->frames_count = 1;
        request->place.ordinal = ordinal;
    }
    fixture_reply(fixture, request);
}

static void post_live(struct fixture *fixture, struct ss_session_handle handle, uint64_t ordinal,
                      const char *name)
{
    struct ss_msg_frame *msg = ss__msg_new(SS_MSG_FRAME, sizeof *msg);
    ss_check(msg != NULL);
    msg->handle = handle;
    msg->ordinal = ordinal;
    msg->live = true;
    msg->bufs[SS_ENCODING_V1_JSON] = fixture_frame(fixture, "s", ordinal, name);
    fixture_post(fixture, &msg->base);
}

SS_TEST(resume, the_cursor_goes_to_the_shard_and_no_snapshot_comes_back)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\",\"resume\":\"9:5.3~7\","
                               "\"delta\":true}}");
    struct ss_request *request = take_subscribe(&fixture);
    ss_check(request->resuming && request->delta && request->resume.epoch == 9 &&
             request->resume.ordinal == 5 && request->resume.live == 3 && request->resume.run == 7);
    struct ss_session_handle handle = request->handle;
    reply_recovered(&fixture, request, 6);
    fixture_post_frame(&fixture, handle, "s", 7, "live");
    ws_test_expect(&client, EVENT("6", "missed"));
    ws_test_expect(&client, RECOVERED("9:6.3~7"));
    ws_test_expect(&client, EVENT("7", "live"));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, a_malformed_cursor_is_an_error_that_names_the_field)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client, RESUME("five"));
    ws_test_expect(&client, "{\"error\":{\"code\":\"invalid_argument\",\"message\":\"subscribe "
                            "field \\\"resume\\\": \\\"five\\\" is no cursor: send back one that a "
                            "frame brought, like \\\"epoch:ordinal\\\"\",\"sessionId\":\"s\"}}");
    ss_check(fixture_is_quiet(&fixture));
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\",\"resume\":\"\"}}");
    struct ss_request *request = take_subscribe(&fixture);
    ss_check(!request->resuming);    /* an empty field is none */
    fixture_reply_snapshot(&fixture, request, 1);
    ws_test_expect_part(&client, "{\"snapshot\":");
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\"}}");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, the_reason_for_a_snapshot_comes_with_subscribed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(&fixture);
    request->reason = SS_RESUME_TOO_OLD;
    request->place = (struct ss_cursor){ 9, 300, 0, 0 };
    fixture_reply_snapshot(&fixture, request, 300);
    ws_test_expect_part(&client, "{\"snapshot\":");
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"9:300\","
                            "\"reason\":\"too_old\"}}");
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, a_client_that_follows_already_gets_no_frame_twice)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    ws_test_send_text(&client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(&fixture);
    fixture_post_frame(&fixture, handle, "s", 6, "live");
    reply_recovered(&fixture, request, 6);
    ws_test_expect(&client, EVENT("6", "live"));
    ws_test_expect(&client, RECOVERED("9:6"));
    /* Frames from before its snapshot are no repetition. */
    ws_test_send_text(&client, RESUME("9:3"));
    reply_recovered(&fixture, take_subscribe(&fixture), 6);
    ws_test_expect(&client, EVENT("6", "missed"));
    ws_test_expect(&client, RECOVERED("9:6"));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, a_live_only_frame_is_not_held_back_by_the_ordinal_of_the_snapshot)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    post_live(&fixture, handle, 5, "delta");
    fixture_post_frame(&fixture, handle, "s", 5, "contained");
    post_live(&fixture, handle, 5, "another");
    fixture_post_frame(&fixture, handle, "s", 6, "durable");
    ws_test_expect(&client, EVENT("5", "delta"));
    ws_test_expect(&client, EVENT("5", "another"));
    ws_test_expect(&client, EVENT("6", "durable"));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, a_stale_follower_gets_its_snapshot_after_the_answer)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    ws_test_send_text(&client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    ss_check(resync != NULL);
    resync->handle = handle;
    fixture_post(&fixture, &resync->base);
    reply_recovered(&fixture, request, 6);
    ws_test_expect(&client, RECOVERED("9:6"));
    request = take_subscribe(&fixture);
    ss_check(!request->resuming);
    fixture_reply_snapshot(&fixture, request, 8);
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"8\"}}");
    fixture_post_frame(&fixture, handle, "s", 9, "after");
    ws_test_expect(&client, EVENT("9", "after"));
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(resume, w40_a_failed_one_leaves_every_subscription_as_it_was)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    struct ss_session_handle other = fixture_follow(&fixture, &client, "t", 5);
    ws_test_send_text(&client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(&fixture);
    ss__request_fail(request, SS_E_CORRUPT, NULL);
    fixture_reply(&fixture, request);
    ws_test_expect_part(&client, "load snapshot for");
    fixture_post_frame(&fixture, handle, "s", 6, "still");
    ws_test_expect(&client, EVENT("6", "still"));
    fixture_post_frame(&fixture, other, "t", 6, "undisturbed");
    ws_test_expect_part(&client, "undisturbed");
    ws_test_close(&client);
    fixture_close(&fixture);
}
