/* Subscribes with a cursor, and frames without an ordinal of their own. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway_fixture.h"

#include "ss_test.h"

#define EVENT(ordinal, name) \
    "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"" ordinal "\",\"name\":\"" name "\"}}"
#define SUBSCRIBE "{\"subscribe\":{\"sessionId\":\"s\"}}"
#define RESUME(cursor) "{\"subscribe\":{\"sessionId\":\"s\",\"resume\":\"" cursor "\"}}"
#define RECOVERED(cursor) \
    "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"" cursor "\",\"recovered\":true}}"
#define TOO_OLD(cursor) \
    "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"" cursor "\",\"reason\":\"too_old\"}}"

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
    fixture_open_with(&fixture, &client, "");
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, a_malformed_cursor_is_an_error_that_names_the_field)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, the_reason_for_a_snapshot_comes_with_subscribed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    ws_test_send_text(&client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(&fixture);
    request->reason = SS_RESUME_TOO_OLD;
    request->place = (struct ss_cursor){ 9, 300, 0, 0 };
    fixture_reply_snapshot(&fixture, request, 300);
    ws_test_expect_part(&client, "{\"snapshot\":");
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"9:300\","
                            "\"reason\":\"too_old\"}}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, a_client_that_follows_already_gets_no_frame_twice)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
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
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, a_live_only_frame_is_not_held_back_by_the_ordinal_of_the_snapshot)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 5);
    post_live(&fixture, handle, 5, "delta");
    fixture_post_frame(&fixture, handle, "s", 5, "contained");
    post_live(&fixture, handle, 5, "another");
    fixture_post_frame(&fixture, handle, "s", 6, "durable");
    ws_test_expect(&client, EVENT("5", "delta"));
    ws_test_expect(&client, EVENT("5", "another"));
    ws_test_expect(&client, EVENT("6", "durable"));
    fixture_close_with(&fixture, &client);
}

/* Follows s, and resumes it; the session becomes stale before the answer, in which event 6 would
 * be. Returns our own request for a snapshot. */
static struct ss_request *resume_stale(struct fixture *fixture, struct ws_test_client *client)
{
    struct ss_session_handle handle = fixture_follow(fixture, client, "s", 5);
    ws_test_send_text(client, RESUME("9:5"));
    struct ss_request *request = take_subscribe(fixture);
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    ss_check(resync != NULL);
    resync->handle = handle;
    fixture_post(fixture, &resync->base);
    reply_recovered(fixture, request, 6);
    request = take_subscribe(fixture);
    ss_check(!request->resuming);
    return request;
}

SS_TEST(resume, a_stale_follower_gets_the_answer_behind_its_snapshot)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_request *request = resume_stale(&fixture, &client);
    struct ss_session_handle handle = request->handle;
    request->place = (struct ss_cursor){ 9, 8, 0, 0 };
    fixture_reply_snapshot(&fixture, request, 8);
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"8\"}}");
    ws_test_expect(&client, TOO_OLD("9:8"));
    fixture_post_frame(&fixture, handle, "s", 9, "after");
    ws_test_expect(&client, EVENT("9", "after"));
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, a_newer_subscribe_takes_the_place_of_an_answer_that_is_owed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
    struct ss_request *own = resume_stale(&fixture, &client);
    ws_test_send_text(&client, SUBSCRIBE);
    struct ss_request *request = take_subscribe(&fixture);
    fixture_reply_snapshot(&fixture, own, 7);    /* too late */
    fixture_reply_snapshot(&fixture, request, 8);
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"8\"}}");
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"s\"}}");
    ws_test_send_text(&client, "{\"unsubscribe\":{\"sessionId\":\"s\"}}");
    ws_test_expect(&client, "{\"unsubscribed\":{\"sessionId\":\"s\"}}");
    fixture_close_with(&fixture, &client);
}

/* More than a queue holds: half of the sessions are resumed, the others begin with a snapshot. */
enum { SESSIONS = 4, EACH = 30, FIRST = 6 };

struct seen {
    unsigned frames;
    unsigned snapshots;
    unsigned told;
};

static void ask_and_answer(struct fixture *fixture, struct ws_test_client *client, unsigned i)
{
    static char name[8000];
    char id[8];
    char text[128];
    bool resuming = i % 2 == 0;
    memset(name, 'n', sizeof name - 1);
    (void)snprintf(id, sizeof id, "s%u", i);
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\",%s}}", id,
                   resuming ? "\"resume\":\"9:5\"" : "\"sinceSnapshotOrdinal\":\"42\"");
    ws_test_send_text(client, text);
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, id);
    request->frames = calloc(EACH, sizeof *request->frames);
    ss_check(request->frames != NULL);
    for (unsigned k = 0; k < EACH; k++) {
        request->frames[k] = fixture_frame(fixture, id, FIRST + k, name);
    }
    request->frames_count = EACH;
    request->place = (struct ss_cursor){ 9, FIRST + EACH - 1, 0, 0 };
    request->recovered = resuming;
    if (resuming) {
        request->ordinal = request->resume.ordinal;
        fixture_reply(fixture, request);
    } else {
        fixture_reply_snapshot(fixture, request, FIRST - 1);
    }
}

/* Its frames are all there, or it says that they were not and has got a snapshot in their place. */
static void check_told(const struct seen *seen, unsigned i, const char *text)
{
    char whole[128];
    char anew[128];
    bool resuming = i % 2 == 0;
    unsigned first = resuming ? 0 : 1;
    (void)snprintf(whole, sizeof whole, resuming ? "{\"subscribed\":{\"sessionId\":\"s%u\","
                   "\"cursor\":\"9:35\",\"recovered\":true}}"
                   : "{\"subscribed\":{\"sessionId\":\"s%u\",\"sinceSnapshotOrdinal\":\"42\"}}", i);
    (void)snprintf(anew, sizeof anew, "{\"subscribed\":{\"sessionId\":\"s%u\","
                   "\"cursor\":\"9:40\",\"reason\":\"too_old\"}}", i);
    const char *want = resuming && seen->snapshots > 0 ? anew : whole;
    ss_check_msg(strcmp(text, want) == 0, "got %s want %s", text, want);
    ss_check_msg(seen->told == 0 && (seen->snapshots == first + 1 ||
                                     (seen->snapshots == first && seen->frames == EACH)),
                 "%u snapshots and %u frames, then %s", seen->snapshots, seen->frames, text);
}

static void note(struct seen seen[SESSIONS], const struct ss_ws_client_message *message)
{
    char *text = strndup(message->bytes.data, message->bytes.len);
    ss_check(text != NULL);
    const char *at = strstr(text, "\"sessionId\":\"s");
    unsigned i = at == NULL ? SESSIONS : (unsigned)atoi(at + strlen("\"sessionId\":\"s"));
    ss_check_msg(i < SESSIONS, "%.100s", text);
    if (strncmp(text, "{\"uiEvent\"", 10) == 0) {
        char want[64];
        (void)snprintf(want, sizeof want, "\"eventOrdinal\":\"%u\"", FIRST + seen[i].frames++);
        ss_check_msg(strstr(text, want) != NULL, "s%u misses %s", i, want);
    } else if (strncmp(text, "{\"snapshot\"", 11) == 0) {
        seen[i].snapshots++;
    } else {
        check_told(&seen[i], i, text);
        seen[i].told++;
    }
    free(text);
}

static void read_what_came(struct ws_test_client *client, struct seen seen[SESSIONS])
{
    static uint8_t bytes[16384];
    struct pollfd wait = { .fd = client->fd, .events = POLLIN };
    if (poll(&wait, 1, 5) == 1) {
        ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
        ss_check(got > 0 && ss__ws_client_feed(&client->ws, bytes, (size_t)got) == 0);
    }
    struct ss_ws_client_message message;
    while (ss__ws_client_take(&client->ws, &message) > 0) {
        if (message.opcode == SS_WS_TEXT) {
            note(seen, &message);
        }
    }
}

SS_TEST(resume, subscribed_comes_once_and_never_without_the_frames_it_stands_for)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct seen seen[SESSIONS] = { 0 };
    fixture_prepare(&fixture);
    fixture.options.client_queue_bytes = 400u << 10;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 65536);
    ws_test_upgrade(&client, "/", "");
    ws_test_expect_part(&client, "hello");
    for (unsigned i = 0; i < SESSIONS; i++) {
        ask_and_answer(&fixture, &client, i);
    }
    fixture_await(&fixture.stats.slow_clients, 1);
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    for (unsigned told = 0; told < SESSIONS;) {
        ss_check(ws_test_now_ms() < until);
        if (!fixture_is_quiet(&fixture)) {
            struct ss_request *request = (struct ss_request *)(void *)fixture_take(&fixture);
            ss_check(request->base.kind == SS_MSG_REQUEST && !request->resuming);
            request->place = (struct ss_cursor){ 9, 40, 0, 0 };
            fixture_reply_snapshot(&fixture, request, 40);
        }
        read_what_came(&client, seen);
        told = 0;
        for (unsigned i = 0; i < SESSIONS; i++) {
            told += seen[i].told;
        }
    }
    ss_check(atomic_load(&fixture.stats.resyncs) >= 1);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(resume, a_subscribed_that_is_not_read_is_in_the_budget_of_answers)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.answers_bytes_max = 1u << 20;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 8192);
    ws_test_upgrade(&client, "/", "");
    ws_test_expect_part(&client, "hello");
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    /* It is read until it holds 16 KiB, so each gets its answer before it subscribes again. */
    for (unsigned i = 0; atomic_load(&fixture.stats.answer_bytes) < 8u << 10; i++) {
        char text[SS_SESSION_ID_BYTES_MAX + 96];
        char session[SS_SESSION_ID_BYTES_MAX + 1];
        ss_check(ws_test_now_ms() < until);
        /* Names as long as they may be: the buffers of the kernel are full sooner. */
        (void)snprintf(session, sizeof session, "%0*u", SS_SESSION_ID_BYTES_MAX, i % SESSIONS);
        (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\",\"resume\":"
                       "\"9:5\"}}", session);
        ws_test_send_text(&client, text);
        struct ss_request *request =
            fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, session);
        request->recovered = true;    /* nothing was missed */
        request->place = request->resume;
        fixture_reply(&fixture, request);
    }
    ws_test_close(&client);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close(&fixture);
}

SS_TEST(resume, w40_a_failed_one_leaves_every_subscription_as_it_was)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open_with(&fixture, &client, "");
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
    fixture_close_with(&fixture, &client);
}
