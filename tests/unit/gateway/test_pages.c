/* Snapshots in pages: one in flight, all of them before the frames after them, and every early
 * end. */
#include <sessionstream/limits.h>

#include "gateway_fixture.h"
#include "paged_snapshots.h"

#define UNSUBSCRIBE "{\"unsubscribe\":{\"sessionId\":\"s\"}}"
#define UNSUBSCRIBED "{\"unsubscribed\":{\"sessionId\":\"s\"}}"

static struct ss_buf *frame_v2(struct fixture *fixture, uint64_t ordinal)
{
    struct ss_bytes scratch;
    ss__bytes_init(&scratch, 0);
    struct ss_ui_frame frame = { .session_id = ss_str("s"), .place = { .ordinal = ordinal },
                                 .name = ss_str("E") };
    struct ss_buf *buf = ss__frame_ui_event(&fixture->transport, SS_ENCODING_V2_JSON, &frame,
                                            &scratch, NULL);
    ss_check(buf != NULL);
    ss__bytes_deinit(&scratch);
    return buf;
}

static void post_frame(struct fixture *fixture, struct ss_session_handle handle, uint64_t ordinal)
{
    struct ss_msg_frame *msg = ss__msg_new(SS_MSG_FRAME, sizeof *msg);
    ss_check(msg != NULL);
    msg->handle = handle;
    msg->ordinal = ordinal;
    msg->bufs[SS_ENCODING_V2_JSON] = frame_v2(fixture, ordinal);
    fixture_post(fixture, &msg->base);
}

static void expect_frame(struct ws_test_client *client, unsigned ordinal)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"eventOrdinal\":\"%u\"", ordinal);
    ws_test_expect_part(client, text);
}

SS_TEST(pages, i3_all_pages_then_the_frames_after_them_then_subscribed)
{
    struct fixture fixture;
    struct ws_test_client client;
    atomic_store(&freed, 0);
    struct ss_request *request = open_paged(&fixture, &client);
    struct ss_session_handle handle = request->handle;
    ss_check(request->page_bytes == 65536);
    reply_page(&fixture, request, 1000, true);
    post_frame(&fixture, handle, 6);
    expect_page(&client, 1);
    take_back(&fixture, request);
    reply_page(&fixture, request, 1000, true);
    expect_page(&client, 2);
    take_back(&fixture, request);
    request->frames = calloc(1, sizeof *request->frames);
    request->frames[0] = frame_v2(&fixture, 6);
    request->frames_count = 1;
    reply_page(&fixture, request, 1000, false);
    post_frame(&fixture, handle, 7);
    expect_page(&client, 3);
    expect_frame(&client, 6);
    ws_test_expect(&client, SUBSCRIBED);
    expect_frame(&client, 7);
    ss_check(fixture_is_quiet(&fixture) && atomic_load(&freed) == 1);
    fixture_close_with(&fixture, &client);
}

/* A shard ends when nobody asks it for anything: clients that read fast would keep it. */
SS_TEST(pages, a_stop_does_not_wait_for_the_rest_of_them)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_request *request = open_paged(&fixture, &client);
    ss__gateway_stop_listening(fixture.gateway);
    reply_page(&fixture, request, 1000, true);
    expect_page(&client, 1);
    struct ss_request *back = take_subscribe(&fixture);
    ss_check(back == request && back->withdrawn);
    ws_test_expect_part(&client, "\"code\":\"stopping\"");
    end_request(&fixture, back);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, page_sizes_are_bounded_and_v1_is_told)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client old;
    static const struct {
        const char *text;
        uint32_t bytes;
    } cases[] = { { "1", SS_PAGE_BYTES_MIN }, { "20000", 20000 },
                  { "4294967295", SS_PAGE_BYTES_MAX }, { "0", 0 } };
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"s\",\"pageBytes\":%s}}",
                       cases[i].text);
        ws_test_send_text(&client, text);
        struct ss_request *request = take_subscribe(&fixture);
        ss_check(request->page_bytes == cases[i].bytes);
        fixture_reply_snapshot(&fixture, request, 1);
        ws_test_expect_part(&client, "{\"snapshot\":");
        ws_test_expect(&client, SUBSCRIBED);
    }
    ws_test_open(&old, fixture.port, "");
    ws_test_send_text(&old, PAGED);
    ws_test_expect(&old, "{\"error\":{\"code\":\"invalid_argument\",\"message\":\"subscribe field "
                         "\\\"pageBytes\\\": only on a websocket of sessionstream.v2.json or "
                         "sessionstream.v2.protobuf\",\"sessionId\":\"s\"}}");
    ws_test_close(&old);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, the_next_one_is_asked_for_when_the_last_is_written)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_ws_client_message message;
    fixture_prepare(&fixture);
    fixture.options.ping_interval_ms = 3600000;
    fixture_start(&fixture);
    open_v2_small(&fixture, &client, 65536);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
    reply_page(&fixture, request, 16u << 20, true);
    fixture_await(&fixture.stats.frames_out, 2);
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"sync\"}}");
    fixture_await(&fixture.stats.frames_out, 3);
    ss_check(fixture_is_quiet(&fixture));    /* a client that stops reading is sent nothing more */
    ss_check(ws_test_receive(&client, &message) && message.bytes.len == 16u << 20);
    take_back(&fixture, request);
    reply_page(&fixture, request, 100, false);
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"sync\"}}");
    expect_page(&client, 2);
    ws_test_expect(&client, SUBSCRIBED);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, unsubscribe_and_disconnect_in_the_middle_end_it)
{
    struct fixture fixture;
    struct ws_test_client client;
    atomic_store(&freed, 0);
    fixture_open(&fixture);
    for (int disconnects = 0; disconnects < 2; disconnects++) {
        open_v2(&fixture, &client);
        ws_test_send_text(&client, PAGED);
        struct ss_request *request = take_subscribe(&fixture);
        reply_page(&fixture, request, 1000, true);
        expect_page(&client, 1);
        take_back(&fixture, request);
        if (disconnects) {
            ws_test_close(&client);
            fixture_await_gauge(&fixture.stats.connections, 0);
        } else {
            ws_test_send_text(&client, UNSUBSCRIBE);
            ws_test_expect(&client, UNSUBSCRIBED);
        }
        ss_check(fixture_is_quiet(&fixture));    /* not before the answer: it may come after us */
        reply_page(&fixture, request, 1000, true);
        struct ss_request *back = take_subscribe(&fixture);
        ss_check(back == request && back->withdrawn);
        end_request(&fixture, request);
        take_uninterested(&fixture);
        if (!disconnects) {
            ws_test_close(&client);
        }
    }
    fixture_close(&fixture);
    ss_check(atomic_load(&freed) == 2);
}

SS_TEST(pages, unsubscribe_while_a_page_is_being_written_ends_it)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    open_v2_small(&fixture, &client, 65536);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
    reply_page(&fixture, request, 16u << 20, true);
    fixture_await(&fixture.stats.frames_out, 2);
    ws_test_send_text(&client, UNSUBSCRIBE);
    struct ss_request *back = take_subscribe(&fixture);
    ss_check(back == request && back->withdrawn);
    end_request(&fixture, request);
    take_uninterested(&fixture);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, w40_subscribing_again_keeps_the_old_one_until_the_last_page)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_request *request = open_paged(&fixture, &client);
    struct ss_session_handle handle = request->handle;
    reply_page(&fixture, request, 100, false);
    expect_page(&client, 1);
    ws_test_expect(&client, SUBSCRIBED);

    ws_test_send_text(&client, PAGED);
    request = take_subscribe(&fixture);
    reply_page(&fixture, request, 100, true);
    expect_page(&client, 1);
    take_back(&fixture, request);
    post_frame(&fixture, handle, 6);
    expect_frame(&client, 6);
    /* A third one takes the second one's place, whose pages end. */
    ws_test_send_text(&client, PAGED);
    struct ss_request *third = take_subscribe(&fixture);
    reply_page(&fixture, request, 100, true);
    struct ss_request *back = take_subscribe(&fixture);
    ss_check(back == request && back->withdrawn);
    end_request(&fixture, request);
    ss__request_fail(third, SS_E_CORRUPT, "on purpose");
    fixture_reply(&fixture, third);
    ws_test_expect_part(&client, "on purpose");
    post_frame(&fixture, handle, 7);
    expect_frame(&client, 7);
    /* An error in the middle as well leaves what was there. */
    ws_test_send_text(&client, PAGED);
    request = take_subscribe(&fixture);
    reply_page(&fixture, request, 100, true);
    expect_page(&client, 1);
    take_back(&fixture, request);
    request->more = false;
    ss__request_fail(request, SS_E_NOMEM, NULL);
    fixture_reply(&fixture, request);
    ws_test_expect_part(&client, "\"error\":");
    post_frame(&fixture, handle, 8);
    expect_frame(&client, 8);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    take_uninterested(&fixture);
    fixture_close(&fixture);
}

static void post_resync(struct fixture *fixture, struct ss_session_handle handle)
{
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    ss_check(resync != NULL);
    resync->handle = handle;
    fixture_post(fixture, &resync->base);
}

SS_TEST(pages, a_resync_asks_for_pages_as_the_subscription_did)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_request *request = open_paged(&fixture, &client);
    struct ss_session_handle handle = request->handle;
    reply_page(&fixture, request, 100, false);
    expect_page(&client, 1);
    ws_test_expect(&client, SUBSCRIBED);
    post_resync(&fixture, handle);
    request = take_subscribe(&fixture);
    ss_check(request->page_bytes == 65536);
    reply_page(&fixture, request, 100, true);
    post_frame(&fixture, handle, 6);    /* it is in none of the pages, and comes with the answer */
    expect_page(&client, 1);
    take_back(&fixture, request);
    request->frames = calloc(1, sizeof *request->frames);
    request->frames[0] = frame_v2(&fixture, 6);
    request->frames_count = 1;
    reply_page(&fixture, request, 100, false);
    expect_page(&client, 2);
    expect_frame(&client, 6);
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"end\"}}");
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"end\"}}");    /* and no subscribed */
    fixture_await(&fixture.stats.resyncs, 1);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, an_answer_that_missed_frames_comes_behind_a_resync)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_request *request = open_paged(&fixture, &client);
    struct ss_session_handle handle = request->handle;
    request->missed = true;
    reply_page(&fixture, request, 100, false);
    post_frame(&fixture, handle, 900);
    expect_page(&client, 1);
    request = take_subscribe(&fixture);
    ss_check(request->page_bytes == 65536 && !request->resuming);
    request->place = (struct ss_cursor){ 9, 900, 0, 0 };
    reply_page(&fixture, request, 100, false);
    post_frame(&fixture, handle, 901);
    expect_page(&client, 1);
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"9:900\"}}");
    expect_frame(&client, 901);
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, a_resync_that_does_not_fit_into_a_frame_ends_the_subscription_with_a_word)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle other = fixture_follow(&fixture, &client, "t", 1);
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    /* Asked for by the client: what is there stays. */
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    struct ss_request *request = take_subscribe(&fixture);
    ss__request_fail(request, SS_E_SNAPSHOT_SIZE, "ask for pages");
    fixture_reply(&fixture, request);
    ws_test_expect(&client, "{\"error\":{\"code\":\"snapshot_too_large\",\"message\":\"ask for "
                            "pages\",\"sessionId\":\"s\"}}");
    fixture_post_frame(&fixture, handle, "s", 2, "still");
    ws_test_expect_part(&client, "still");
    /* Without it the frames after it would be a gap. */
    post_resync(&fixture, handle);
    request = take_subscribe(&fixture);
    ss__request_fail(request, SS_E_SNAPSHOT_SIZE, "ask for pages");
    fixture_reply(&fixture, request);
    ws_test_expect_part(&client, "snapshot_too_large");
    take_uninterested(&fixture);
    fixture_post_frame(&fixture, other, "t", 2, "undisturbed");
    ws_test_expect_part(&client, "undisturbed");
    fixture_close_with(&fixture, &client);
}

SS_TEST(pages, a_shard_that_has_ended_is_an_error)
{
    struct fixture fixture;
    struct ws_test_client client;
    atomic_store(&freed, 0);
    struct ss_request *request = open_paged(&fixture, &client);
    ss__inbox_close(fixture.shard);
    reply_page(&fixture, request, 100, true);
    expect_page(&client, 1);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"stopping\"");
    ss_check(atomic_load(&freed) == 1);
    fixture_close_with(&fixture, &client);
}
