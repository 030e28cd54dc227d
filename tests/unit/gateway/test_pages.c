/* Snapshots in pages: one in flight, all of them before the frames after them, and every early end. */
#include "gateway_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "ss_test.h"
#include "wire/ws_header.h"

#define V2 "sessionstream.v2.json"
#define PAGED "{\"subscribe\":{\"sessionId\":\"s\",\"pageBytes\":65536}}"
#define SUBSCRIBED "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"0:0\"}}"
#define UNSUBSCRIBE "{\"unsubscribe\":{\"sessionId\":\"s\"}}"
#define UNSUBSCRIBED "{\"unsubscribed\":{\"sessionId\":\"s\"}}"

/* What a shard would be holding for the request. */
struct source {
    struct ss_page_source base;
    atomic_uint *freed;
};

static void unref_source(struct ss_page_source *base)
{
    struct source *source = (struct source *)(void *)base;
    (void)atomic_fetch_add(source->freed, 1);
    free(source);
}

static atomic_uint freed;

static struct ss_request *take_subscribe(struct fixture *fixture)
{
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, "s");
}

static struct ss_buf *text_message(const char *text, size_t bytes)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t header_len = ss__ws_header_write(SS_WS_TEXT, bytes, header);
    struct ss_buf *buf = ss__buf_new(header_len + bytes);
    ss_check(buf != NULL);
    memcpy(buf->data, header, header_len);
    memset(buf->data + header_len, ' ', bytes);
    memcpy(buf->data + header_len, text, strlen(text));
    return buf;
}

/* The next page, of @bytes bytes; @more: others follow. */
static void reply_page(struct fixture *fixture, struct ss_request *request, size_t bytes, bool more)
{
    char text[32];
    if (request->pages == NULL) {
        struct source *source = calloc(1, sizeof *source);
        ss_check(source != NULL);
        source->base.unref = unref_source;
        source->freed = &freed;
        request->pages = &source->base;
    }
    (void)snprintf(text, sizeof text, "{\"page\":%u}", ++request->page);
    request->snapshot = text_message(text, bytes);
    request->more = more;
    request->ordinal = 5;
    fixture_reply(fixture, request);
}

static void expect_page(struct ws_test_client *client, unsigned page)
{
    char text[32];
    (void)snprintf(text, sizeof text, "{\"page\":%u}", page);
    ws_test_expect_part(client, text);
}

/* The request that comes back is the same one, not withdrawn, and asks for the next page. */
static void take_back(struct fixture *fixture, const struct ss_request *request)
{
    struct ss_request *back = take_subscribe(fixture);
    ss_check(back == request && !back->withdrawn && back->snapshot == NULL);
}

static void open_v2(struct fixture *fixture, struct ws_test_client *client)
{
    ws_test_open(client, fixture->port, V2);
}

static void end_request(struct fixture *fixture, struct ss_request *request)
{
    request->more = false;
    ss__request_fail(request, SS_E_CANCELED, NULL);
    fixture_reply(fixture, request);
}

static void take_uninterested(struct fixture *fixture)
{
    struct ss_msg *msg = fixture_take(fixture);
    ss_check(msg->kind == SS_MSG_UNINTERESTED);
    ss__msg_free(msg);
}

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
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* A shard ends when nobody asks it for anything: clients that read fast would keep it. */
SS_TEST(pages, a_stop_does_not_wait_for_the_rest_of_them)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
    ss__gateway_stop_listening(fixture.gateway);
    reply_page(&fixture, request, 1000, true);
    expect_page(&client, 1);
    struct ss_request *back = take_subscribe(&fixture);
    ss_check(back == request && back->withdrawn);
    ws_test_expect_part(&client, "\"code\":\"stopping\"");
    end_request(&fixture, back);
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(pages, the_next_one_is_asked_for_when_the_last_is_written)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_ws_client_message message;
    fixture_prepare(&fixture);
    fixture.options.ping_interval_ms = 3600000;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 65536);
    ws_test_upgrade(&client, "/", V2);
    ws_test_expect_part(&client, "hello");
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_connect(&client, fixture.port, 65536);
    ws_test_upgrade(&client, "/", V2);
    ws_test_expect_part(&client, "hello");
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
    reply_page(&fixture, request, 16u << 20, true);
    fixture_await(&fixture.stats.frames_out, 2);
    ws_test_send_text(&client, UNSUBSCRIBE);
    struct ss_request *back = take_subscribe(&fixture);
    ss_check(back == request && back->withdrawn);
    end_request(&fixture, request);
    take_uninterested(&fixture);
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(pages, w40_subscribing_again_keeps_the_old_one_until_the_last_page)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
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
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(pages, an_answer_that_missed_frames_comes_behind_a_resync)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(pages, a_resync_that_does_not_fit_into_a_frame_ends_the_subscription_with_a_word)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(pages, a_shard_that_has_ended_is_an_error)
{
    struct fixture fixture;
    struct ws_test_client client;
    atomic_store(&freed, 0);
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    struct ss_request *request = take_subscribe(&fixture);
    ss__inbox_close(fixture.shard);
    reply_page(&fixture, request, 100, true);
    expect_page(&client, 1);
    ws_test_expect_part(&client, "{\"error\":{\"code\":\"stopping\"");
    ss_check(atomic_load(&freed) == 1);
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* The next request; farewells are passed over. */
static struct ss_request *take_any(struct fixture *fixture)
{
    for (;;) {
        struct ss_msg *msg = fixture_take(fixture);
        if (msg->kind == SS_MSG_REQUEST) {
            return (struct ss_request *)(void *)msg;
        }
        ss__msg_free(msg);
    }
}

static void subscribe_paged(struct ws_test_client *client, const char *session, unsigned page_bytes)
{
    char text[96];
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\",\"pageBytes\":%u}}",
                   session, page_bytes);
    ws_test_send_text(client, text);
}

static struct ss_request *take_page(struct fixture *fixture, const char *session, unsigned page)
{
    struct ss_request *request = take_any(fixture);
    ss_check_msg(ss_str_equal(request->session_id, ss_str(session)) && request->page == page,
                 "page %u of %.*s is asked for", request->page, (int)request->session_id.len,
                 request->session_id.data);
    return request;
}

/* The request for the second page, after a small first one. */
static struct ss_request *begin_pages(struct fixture *fixture, struct ws_test_client *client,
                                      const char *session, unsigned page_bytes)
{
    subscribe_paged(client, session, page_bytes);
    reply_page(fixture, take_page(fixture, session, 0), 100, true);
    expect_page(client, 1);
    return take_page(fixture, session, 1);
}

/* A request of another connection is the next one that the shard gets: so the first asks for
 * nothing more. */
static void check_that_nothing_is_asked(struct fixture *fixture, struct ws_test_client *other)
{
    end_request(fixture, begin_pages(fixture, other, "o", 1u << 20));
    ws_test_expect_part(other, "\"error\"");
}

/* Pages that are asked for count as if they were held, so one connection with many sessions leaves
 * the others their part. */
SS_TEST(pages, a_connection_asks_for_no_more_pages_than_its_share)
{
    enum { PAGE = 1u << 20, WHOLE = SS_SNAPSHOT_SHARE_BYTES / PAGE - 1 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client other;
    struct ss_request *asked[WHOLE + 2];
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    open_v2(&fixture, &other);
    for (unsigned i = 0; i < WHOLE; i++) {
        char session[8];
        (void)snprintf(session, sizeof session, "s%u", i);
        asked[i] = begin_pages(&fixture, &client, session, PAGE);
    }
    asked[WHOLE] = begin_pages(&fixture, &client, "half", PAGE / 2);
    subscribe_paged(&client, "page", PAGE);    /* half of one has room */
    reply_page(&fixture, take_page(&fixture, "page", 0), 100, true);
    expect_page(&client, 1);
    check_that_nothing_is_asked(&fixture, &other);
    end_request(&fixture, asked[0]);
    asked[0] = take_page(&fixture, "page", 1);
    ws_test_expect_part(&client, "\"error\"");
    asked[WHOLE + 1] = begin_pages(&fixture, &client, "full", PAGE / 2);
    subscribe_paged(&client, "late", PAGE);    /* waits, and is not refused */
    check_that_nothing_is_asked(&fixture, &other);
    end_request(&fixture, asked[1]);
    asked[1] = take_page(&fixture, "late", 0);
    ws_test_close(&other);
    ws_test_close(&client);
    for (unsigned i = 0; i < WHOLE + 2; i++) {
        end_request(&fixture, asked[i]);
    }
    fixture_close(&fixture);
}

SS_TEST(pages, a_first_one_beyond_the_budget_is_told_as_that)
{
    static const char get[] = "GET /v1/sessions/big/snapshot HTTP/1.1\r\nHost: h\r\n\r\n";
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&greedy, fixture.port, 4096);
    ws_test_send_raw(&greedy, get, sizeof get - 1);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "big");
    request->snapshot = ss__buf_new(SS_SNAPSHOT_BUDGET_BYTES);
    ss_check(request->snapshot != NULL);
    fixture_reply(&fixture, request);
    fixture_await(&fixture.stats.requests, 1);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    reply_page(&fixture, take_subscribe(&fixture), 1000, true);
    ws_test_expect_part(&client, "\"message\":\"too many snapshots wait");
    request = take_subscribe(&fixture);
    ss_check(request->withdrawn);
    end_request(&fixture, request);
    take_uninterested(&fixture);
    ws_test_close(&client);
    ws_test_close(&greedy);
    fixture_close(&fixture);
}

/* An HTTP client that reads nothing of a snapshot of @bytes. */
static void hoard(struct fixture *fixture, struct ws_test_client *client, const char *session,
                  size_t bytes)
{
    char get[128];
    uint64_t before = atomic_load(&fixture->stats.requests);
    (void)snprintf(get, sizeof get, "GET /v1/sessions/%s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n",
                   session);
    ws_test_connect(client, fixture->port, 4096);
    ws_test_send_raw(client, get, strlen(get));
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_SNAPSHOT, session);
    request->snapshot = ss__buf_new(bytes);
    ss_check(request->snapshot != NULL);
    fixture_reply(fixture, request);
    fixture_await(&fixture->stats.requests, before + 1);
}

/* The next page waits for room in the budget when the subscribe after it is refused. */
SS_TEST(pages, w40_a_refused_subscribe_leaves_what_is_being_sent)
{
    /* Both are more than the kernel takes. */
    enum { PAGE = 1 << 20, HELD = PAGE / 2, OTHER = PAGE / 16 * 7 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client hoarders[2];
    struct ss_inbox_node load = { .bytes = SS_INBOX_BYTES_MAX };
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 8192);
    ws_test_upgrade(&client, "/", V2);
    ws_test_expect_part(&client, "hello");
    struct ss_request *request = begin_pages(&fixture, &client, "s", PAGE);
    hoard(&fixture, &hoarders[0], "a", SS_SNAPSHOT_BUDGET_BYTES - PAGE);
    reply_page(&fixture, request, HELD, true);
    hoard(&fixture, &hoarders[1], "b", OTHER);
    expect_page(&client, 2);
    ss__inbox_charge(fixture.shard, &load);
    ws_test_send_text(&client, PAGED);
    ws_test_expect_part(&client, "overloaded");
    ss__inbox_discharge(fixture.shard, &load);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&hoarders[0]);
    take_back(&fixture, request);
    reply_page(&fixture, request, 1000, false);
    expect_page(&client, 3);
    ws_test_expect_part(&client, "\"subscribed\"");
    ws_test_close(&hoarders[1]);
    ws_test_close(&client);
    fixture_close(&fixture);
}
