#include "gateway_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/follow.h"
#include "ss_test.h"

#define EVENT(ordinal, name) \
    "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"" ordinal "\",\"name\":\"" name "\"}}"
#define SUBSCRIBE "{\"subscribe\":{\"sessionId\":\"s\"}}"
#define UNSUBSCRIBE "{\"unsubscribe\":{\"sessionId\":\"s\"}}"
#define SUBSCRIBED "{\"subscribed\":{\"sessionId\":\"s\"}}"
#define UNSUBSCRIBED "{\"unsubscribed\":{\"sessionId\":\"s\"}}"
#define SNAPSHOT(ordinal) "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"" ordinal "\"}}"

static struct ss_request *take_subscribe(struct fixture *fixture)
{
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, "s");
}

/* The gateway has handled everything sent before. */
static void sync_client(struct ws_test_client *client)
{
    ws_test_send_text(client, "{\"ping\":{\"nonce\":\"sync\"}}");
    ws_test_expect(client, "{\"pong\":{\"nonce\":\"sync\"}}");
}

static void take_uninterested(struct fixture *fixture, struct ss_session_handle handle)
{
    struct ss_msg *msg = fixture_take(fixture);
    ss_check(msg->kind == SS_MSG_UNINTERESTED);
    const struct ss_msg_uninterested *farewell = (const void *)msg;
    ss_check(farewell->handle.slot == handle.slot &&
             farewell->handle.generation == handle.generation);
    ss_check(ss_str_equal(farewell->session_id, ss_str("s")));
    ss__msg_free(msg);
}

SS_TEST(follow, snapshot_then_frames_after_it_then_subscribed_then_live)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    request->frames = calloc(2, sizeof *request->frames);
    request->frames_count = 2;
    request->frames[0] = fixture_frame(&fixture, "s", 6, "A");
    request->frames[1] = fixture_frame(&fixture, "s", 7, "B");
    fixture_reply_snapshot(&fixture, request, 5);
    fixture_post_frame(&fixture, handle, "s", 8, "C");
    fixture_post_frame(&fixture, handle, "s", 8, "D");
    ws_test_expect(&client, SNAPSHOT("5"));
    ws_test_expect(&client, EVENT("6", "A"));
    ws_test_expect(&client, EVENT("7", "B"));
    ws_test_expect(&client, SUBSCRIBED);
    ws_test_expect(&client, EVENT("8", "C"));
    ws_test_expect(&client, EVENT("8", "D"));
    ws_test_close(&client);
    take_uninterested(&fixture, handle);
    fixture_close(&fixture);
}

SS_TEST(follow, frames_before_the_first_answer_or_inside_it_are_not_delivered)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    fixture_post_frame(&fixture, handle, "s", 4, "early");
    fixture_reply_snapshot(&fixture, request, 5);
    fixture_post_frame(&fixture, handle, "s", 5, "contained");
    fixture_post_frame(&fixture, handle, "s", 6, "new");
    ws_test_expect(&client, SNAPSHOT("5"));
    ws_test_expect(&client, SUBSCRIBED);
    ws_test_expect(&client, EVENT("6", "new"));
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, an_answer_with_an_older_number_is_dropped)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\","
                               "\"sinceSnapshotOrdinal\":\"2\"}}");
    struct ss_request *first = take_subscribe(&fixture);
    struct ss_request *second = take_subscribe(&fixture);
    ss_check(first->number != second->number);
    fixture_reply_snapshot(&fixture, first, 1);
    fixture_reply_snapshot(&fixture, second, 2);
    ws_test_expect(&client, SNAPSHOT("2"));
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\","
                            "\"sinceSnapshotOrdinal\":\"2\"}}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, an_old_subscription_stays_live_until_the_new_answer)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    ss_check(request->handle.generation == handle.generation);
    fixture_post_frame(&fixture, handle, "s", 2, "meanwhile");
    fixture_reply_snapshot(&fixture, request, 2);
    fixture_post_frame(&fixture, handle, "s", 3, "after");
    ws_test_expect(&client, EVENT("2", "meanwhile"));
    ws_test_expect(&client, SNAPSHOT("2"));
    ws_test_expect(&client, SUBSCRIBED);
    ws_test_expect(&client, EVENT("3", "after"));
    ss_check(atomic_load(&fixture.stats.followers) == 1);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, a_failed_resubscribe_leaves_the_old_one)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    ss__request_fail(request, SS_E_STOREIO, "disk");
    fixture_reply(&fixture, request);
    fixture_post_frame(&fixture, handle, "s", 2, "still");
    ws_test_expect(&client, "{\"error\":{\"code\":\"protocol_error\","
                            "\"message\":\"load snapshot for \\\"s\\\": disk\","
                            "\"sessionId\":\"s\",\"detail\":\"store_io\"}}");
    ws_test_expect(&client, EVENT("2", "still"));
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, a_failed_first_subscribe_leaves_nothing)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    ss__request_fail(request, SS_E_STOPPING, NULL);
    fixture_reply(&fixture, request);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"stopping\"");
    take_uninterested(&fixture, handle);
    ss_check(atomic_load(&fixture.stats.sessions) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, unsubscribe_cancels_a_pending_subscribe)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    ws_test_send_text(&client, UNSUBSCRIBE);
    ws_test_expect(&client, UNSUBSCRIBED);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    ss_check(fixture_is_quiet(&fixture));    /* not before the answer: it may come after us */
    fixture_reply_snapshot(&fixture, request, 1);
    take_uninterested(&fixture, handle);
    sync_client(&client);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, unsubscribe_is_always_answered_and_stops_frames)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, UNSUBSCRIBE);
    ws_test_expect(&client, UNSUBSCRIBED);
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    ws_test_send_text(&client, UNSUBSCRIBE);
    ws_test_expect(&client, UNSUBSCRIBED);
    take_uninterested(&fixture, handle);
    fixture_post_frame(&fixture, handle, "s", 2, "late");
    sync_client(&client);
    ss_check(atomic_load(&fixture.stats.followers) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, uninterested_once_when_the_last_follower_goes)
{
    struct fixture fixture;
    struct ws_test_client a;
    struct ws_test_client b;
    fixture_open_with(&fixture, &a, "");
    ws_test_open(&b, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &a, "s", 1);
    struct ss_session_handle same = fixture_follow(&fixture, &b, "s", 1);
    ss_check(handle.slot == same.slot && handle.generation == same.generation);
    fixture_post_frame(&fixture, handle, "s", 2, "both");
    ws_test_expect(&a, EVENT("2", "both"));
    ws_test_expect(&b, EVENT("2", "both"));
    ws_test_close(&a);
    fixture_await_gauge(&fixture.stats.followers, 1);
    fixture_post_frame(&fixture, handle, "s", 3, "one");
    ws_test_expect(&b, EVENT("3", "one"));
    ss_check(fixture_is_quiet(&fixture));
    ws_test_send_text(&b, UNSUBSCRIBE);
    ws_test_expect(&b, UNSUBSCRIBED);
    take_uninterested(&fixture, handle);
    ws_test_send_text(&b, UNSUBSCRIBE);
    ws_test_expect(&b, UNSUBSCRIBED);
    ws_test_close(&b);
    fixture_await_gauge(&fixture.stats.connections, 0);
    ss_check(fixture_is_quiet(&fixture));
    fixture_close(&fixture);
}

SS_TEST(follow, a_session_followed_again_has_another_generation)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle old = fixture_follow(&fixture, &client, "s", 1);
    ws_test_send_text(&client, UNSUBSCRIBE);
    ws_test_expect(&client, UNSUBSCRIBED);
    take_uninterested(&fixture, old);
    struct ss_session_handle new = fixture_follow(&fixture, &client, "s", 1);
    ss_check(new.slot == old.slot && new.generation != old.generation);
    fixture_post_frame(&fixture, old, "s", 2, "stale");
    fixture_post_frame(&fixture, new, "s", 3, "fresh");
    ws_test_expect(&client, EVENT("3", "fresh"));
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, an_answer_for_a_gone_connection_does_not_reach_its_successor)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    ws_test_close(&client);
    fixture_await_gauge(&fixture.stats.connections, 0);
    ws_test_open(&client, fixture.port, "");
    fixture_reply_snapshot(&fixture, request, 1);
    take_uninterested(&fixture, handle);
    sync_client(&client);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, one_subscription_too_many_is_an_error_only)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.subscriptions_max = 2;
    fixture_start(&fixture);
    ws_test_open(&client, fixture.port, "");
    (void)fixture_follow(&fixture, &client, "a", 1);
    (void)fixture_follow(&fixture, &client, "b", 1);
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"c\"}}");
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"too_many_subscriptions\"");
    (void)fixture_follow(&fixture, &client, "b", 2);
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, a_shard_that_stops_refuses_subscribes)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ss__inbox_refuse(fixture.shard);
    ws_test_send_text(&client, SUBSCRIBE);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"stopping\"");
    ss_check(fixture_is_quiet(&fixture));
    ss_check(atomic_load(&fixture.stats.sessions) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, resync_of_the_shard_brings_a_new_snapshot_without_subscribed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    resync->handle = handle;
    fixture_post(&fixture, &resync->base);
    fixture_post_frame(&fixture, handle, "s", 2, "skipped");
    struct ss_request *request = take_subscribe(&fixture);
    fixture_reply_snapshot(&fixture, request, 2);
    fixture_post_frame(&fixture, handle, "s", 3, "next");
    ws_test_expect(&client, SNAPSHOT("2"));
    ws_test_expect(&client, EVENT("3", "next"));
    ss_check(atomic_load(&fixture.stats.resyncs) == 1);
    ws_test_close(&client);
    take_uninterested(&fixture, handle);
    fixture_close(&fixture);
}

SS_TEST(follow, enough_unanswered_requests_stop_the_reading)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_request *requests[SS_CONNECTION_REQUESTS_MAX];
    for (int i = 0; i < SS_CONNECTION_REQUESTS_MAX; i++) {
        ws_test_send_text(&client, SUBSCRIBE);
        requests[i] = take_subscribe(&fixture);
    }
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"waits\"}}");
    fixture_post_frame(&fixture, requests[0]->handle, "s", 1, "nobody");
    ss_check(atomic_load(&fixture.stats.frames_in) == SS_CONNECTION_REQUESTS_MAX);
    for (int i = 0; i < SS_CONNECTION_REQUESTS_MAX; i++) {
        fixture_reply_snapshot(&fixture, requests[i], 9);
    }
    /* The ping is read as soon as one is answered; only the newest answer is delivered. */
    struct ss_ws_client_message message;
    bool ponged = false;
    for (int i = 0; i < 3; i++) {
        ss_check(ws_test_receive(&client, &message));
        ponged = ponged || memmem(message.bytes.data, message.bytes.len, "waits", 5) != NULL;
    }
    ss_check(ponged);
    fixture_close_with(&fixture, &client);
}

/* ---- one snapshot in flight ---- */

/* A text message that is no JSON: only its size matters. Memory nobody reads costs nothing. */
static struct ss_buf *big_message(size_t bytes, bool filled)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t header_len = ss__ws_header_write(SS_WS_TEXT, bytes, header);
    struct ss_buf *buf = ss__buf_new(header_len + bytes);
    ss_check(buf != NULL);
    memcpy(buf->data, header, header_len);
    if (filled) {
        memset(buf->data + header_len, 'x', bytes);
    }
    return buf;
}

static void reply_big(struct fixture *fixture, struct ss_request *request, size_t bytes,
                      bool filled)
{
    request->ordinal = 1;
    request->snapshot = big_message(bytes, filled);
    fixture_reply(fixture, request);
}

static void open_small(struct fixture *fixture, struct ws_test_client *client)
{
    ws_test_connect(client, fixture->port, 65536);
    ws_test_upgrade(client, "/", "");
    ws_test_expect_part(client, "hello");
}

/* What @client has sent is handled, though it does not read; its @count-th message is the pong. */
static void sync_by_count(struct fixture *fixture, struct ws_test_client *client, uint64_t count)
{
    ws_test_send_text(client, "{\"ping\":{\"nonce\":\"sync\"}}");
    fixture_await(&fixture->stats.frames_out, count);
}

/* An error was sent to somebody, or is about to be. */
static void await_error(struct fixture *fixture, int err)
{
    static atomic_uint_fast64_t counted[SS_STATS_ERRORS];
    size_t index = 0;
    ss__count_error(counted, err);
    while (atomic_load(&counted[index]) == 0) {
        index++;
    }
    fixture_await(&fixture->stats.errors[index], 1);
}

SS_TEST(follow, a_subscribe_waits_until_the_last_snapshot_of_its_session_is_written)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_ws_client_message message;
    fixture_prepare(&fixture);
    fixture.options.ping_interval_ms = 3600000;    /* nothing but the write wakes the connection */
    fixture_start(&fixture);
    open_small(&fixture, &client);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    reply_big(&fixture, request, 16u << 20, true);
    fixture_await(&fixture.stats.frames_out, 3);    /* hello, snapshot, subscribed */
    ws_test_send_text(&client, SUBSCRIBE);
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\","
                               "\"sinceSnapshotOrdinal\":\"2\"}}");
    sync_by_count(&fixture, &client, 4);
    ss_check(fixture_is_quiet(&fixture));
    fixture_post_frame(&fixture, handle, "s", 2, "meanwhile");
    ss_check(ws_test_receive(&client, &message) && message.bytes.len == 16u << 20);
    ws_test_expect(&client, SUBSCRIBED);
    ws_test_expect(&client, "{\"pong\":{\"nonce\":\"sync\"}}");
    ws_test_expect(&client, EVENT("2", "meanwhile"));
    request = take_subscribe(&fixture);
    ss_check(request->since == 2 && request->handle.generation == handle.generation);
    fixture_reply_snapshot(&fixture, request, 3);
    ws_test_expect(&client, SNAPSHOT("3"));
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\","
                            "\"sinceSnapshotOrdinal\":\"2\"}}");
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    take_uninterested(&fixture, handle);
    fixture_close(&fixture);
}

/* ---- without a thread, so that nothing comes between two steps ---- */

static void queue_snapshot(struct ss_conn *conn, struct ss_str session)
{
    struct ss_buf *buf = ss__buf_new(8);
    ss_check(buf != NULL && ss__conn_hold_snapshot(conn, buf) == 0);
    memset(buf->data, 0, buf->len);
    ss__conn_send_snapshot(conn, buf, (uint32_t)ss__map_hash(session));
}

/* Its answer would be taken for that of the newer one: a client that asked for a snapshot would be
 * told `recovered`, and never get one. */
SS_TEST(follow, a_subscribe_that_waits_is_superseded_by_one_that_need_not)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_WEBSOCKET, &fd);
    const struct ss_follow_wish older = { .since = 1, .resuming = true };
    const struct ss_follow_wish newer = { .since = 2 };
    queue_snapshot(conn, ss_str("s"));
    ss__follow_subscribe(conn, ss_str("s"), &older);
    ss_check(conn->deferred_count == 1 && fixture_is_quiet(&fixture));
    ss__conn_flush_all(fixture.gateway);    /* the snapshot is written */
    ss__follow_subscribe(conn, ss_str("s"), &newer);
    struct ss_request *request = take_subscribe(&fixture);
    ss_check(request->since == 2 && !request->resuming);
    (void)ss__follow_catch_up(conn);
    ss_check(fixture_is_quiet(&fixture) && conn->deferred_count == 0);
    ss_check(conn->subscriptions[0].number == request->number);
    ss__msg_free(&request->base);
    fixture_close_still(&fixture, conn, fd);
}

SS_TEST(follow, following_anew_does_not_get_round_the_wait)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client other;
    fixture_open(&fixture);
    open_small(&fixture, &client);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    struct ss_session_handle handle = request->handle;
    reply_big(&fixture, request, 16u << 20, false);
    fixture_await(&fixture.stats.frames_out, 3);
    ws_test_send_text(&client, UNSUBSCRIBE);
    take_uninterested(&fixture, handle);
    ws_test_send_text(&client, SUBSCRIBE);
    sync_by_count(&fixture, &client, 5);
    ss_check(fixture_is_quiet(&fixture));
    /* Another one comes and goes; the one that waits keeps the session. */
    ws_test_open(&other, fixture.port, "");
    handle = fixture_follow(&fixture, &other, "s", 1);
    ws_test_send_text(&other, UNSUBSCRIBE);
    ws_test_expect(&other, UNSUBSCRIBED);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&client);
    take_uninterested(&fixture, handle);
    sync_client(&other);
    fixture_close_with(&fixture, &other);
}

SS_TEST(follow, a_connection_has_a_share_of_the_snapshot_budget)
{
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client other;
    fixture_open(&fixture);
    open_small(&fixture, &greedy);
    ws_test_send_text(&greedy, "{\"subscribe\":{\"sessionId\":\"a\"}}");
    ws_test_send_text(&greedy, "{\"subscribe\":{\"sessionId\":\"b\"}}");
    struct ss_request *first = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "a");
    struct ss_request *second = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "b");
    reply_big(&fixture, first, 40u << 20, false);
    reply_big(&fixture, second, 40u << 20, false);
    await_error(&fixture, SS_E_BUSY);
    struct ss_msg *msg = fixture_take(&fixture);
    ss_check(msg->kind == SS_MSG_UNINTERESTED);    /* in "b" */
    ss__msg_free(msg);
    ws_test_open(&other, fixture.port, "");
    (void)fixture_follow(&fixture, &other, "c", 1);
    /* With its share used up by one snapshot, which is always allowed, even the asking waits. */
    ws_test_close(&greedy);
    open_small(&fixture, &greedy);
    ws_test_send_text(&greedy, "{\"subscribe\":{\"sessionId\":\"d\"}}");
    while ((msg = fixture_take(&fixture))->kind == SS_MSG_UNINTERESTED) {
        ss__msg_free(msg);
    }
    uint64_t before = atomic_load(&fixture.stats.frames_out);
    reply_big(&fixture, (struct ss_request *)(void *)msg, 100u << 20, false);
    fixture_await(&fixture.stats.frames_out, before + 2);
    ws_test_send_text(&greedy, "{\"subscribe\":{\"sessionId\":\"e\"}}");
    sync_by_count(&fixture, &greedy, before + 3);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&greedy);
    fixture_close_with(&fixture, &other);
}

/* ---- the end of a session ---- */

#define DELETED "{\"error\":{\"code\":\"session_deleted\",\"sessionId\":\"s\"}}"

static void post_end(struct fixture *fixture, struct ss_session_handle handle)
{
    struct ss_bytes scratch;
    struct ss_msg_frame *msg = ss__msg_new(SS_MSG_FRAME, sizeof *msg);
    ss_check(msg != NULL);
    ss__bytes_init(&scratch, 0);
    struct ss_error_frame frame = { .code = ss_str("session_deleted"), .session_id = ss_str("s") };
    msg->ends = true;
    msg->handle = handle;
    msg->bufs[SS_ENCODING_V1_JSON] =
        ss__frame_error(&fixture->transport, SS_ENCODING_V1_JSON, &frame, &scratch);
    ss_check(msg->bufs[SS_ENCODING_V1_JSON] != NULL);
    ss__bytes_deinit(&scratch);
    fixture_post(fixture, &msg->base);
}

SS_TEST(follow, who_follows_a_session_that_ends_is_told_and_follows_no_longer)
{
    struct fixture fixture;
    struct ws_test_client one;
    struct ws_test_client two;
    fixture_open_with(&fixture, &one, "");
    ws_test_open(&two, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &one, "s", 1);
    (void)fixture_follow(&fixture, &two, "s", 1);
    struct ss_session_handle other = fixture_follow(&fixture, &two, "t", 1);
    post_end(&fixture, handle);
    fixture_post_frame(&fixture, handle, "s", 2, "late");
    ws_test_expect(&one, DELETED);
    ws_test_expect(&two, DELETED);
    take_uninterested(&fixture, handle);
    fixture_await_gauge(&fixture.stats.followers, 1);
    fixture_post_frame(&fixture, other, "t", 2, "goes on");
    ws_test_expect_part(&two, "goes on");
    sync_client(&one);
    ws_test_close(&one);
    fixture_close_with(&fixture, &two);
}

/* The client has asked again before it learns of the end: the answer is of the next life, and
 * nothing comes between, whatever its ordinal. */
SS_TEST(follow, a_resubscribe_that_meets_the_end_is_answered_with_the_next_life)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    ss_check(request->handle.generation == handle.generation);
    post_end(&fixture, handle);
    fixture_post_frame(&fixture, handle, "s", 9, "of a life not shown");
    fixture_reply_snapshot(&fixture, request, 0);
    fixture_post_frame(&fixture, handle, "s", 1, "first");
    ws_test_expect(&client, DELETED);
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s\"}}");
    ws_test_expect(&client, SUBSCRIBED);
    ws_test_expect(&client, EVENT("1", "first"));
    ss_check(atomic_load(&fixture.stats.followers) == 1);
    fixture_close_with(&fixture, &client);
}

SS_TEST(follow, a_resubscribe_that_meets_the_end_and_fails_leaves_nothing)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    post_end(&fixture, handle);
    ss__request_fail(request, SS_E_STOREIO, "disk");
    fixture_reply(&fixture, request);
    ws_test_expect(&client, DELETED);
    ws_test_expect_part(&client, "load snapshot");
    take_uninterested(&fixture, handle);
    fixture_close_with(&fixture, &client);
}
