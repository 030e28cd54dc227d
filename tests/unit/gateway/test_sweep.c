/* Clients that read slowly, never, or say nothing. */
#include "gateway_fixture.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "gateway/sweep.h"
#include "ss_test.h"

#define QUEUE_BYTES (64u << 10)
#define FRAMES 2000u

/* Where a client that is there must not be taken for dead: longer than a busy machine keeps this
 * process waiting. */
#define DEAD_MS 1500

static char name[8192];

static void post_big_frame(struct fixture *fixture, struct ss_session_handle handle,
                           uint64_t ordinal)
{
    if (name[0] == '\0') {
        memset(name, 'n', sizeof name - 1);
    }
    fixture_post_frame(fixture, handle, "s", ordinal, name);
}

static void await_empty_inbox(struct fixture *fixture)
{
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    while (ss__inbox_depth(ss__gateway_inbox(fixture->gateway)) > 0) {
        ss_check(ws_test_now_ms() < until);
        (void)poll(NULL, 0, 1);
    }
}

static void open_slow(struct fixture *fixture, struct ws_test_client *client)
{
    fixture_prepare(fixture);
    fixture->options.client_queue_bytes = QUEUE_BYTES;
    fixture_start(fixture);
    ws_test_connect(client, fixture->port, 4096);
    ws_test_upgrade(client, "/", "");
    ws_test_expect_part(client, "hello");
}

/* Receives the next frame, which must follow *ordinal without a gap; false: a snapshot instead. */
static bool receive_next(struct ws_test_client *client, uint64_t *ordinal)
{
    struct ss_ws_client_message message;
    char want[64];
    ss_check(ws_test_receive(client, &message));
    if (memmem(message.bytes.data, message.bytes.len, "snapshot", 8) != NULL) {
        return false;
    }
    (*ordinal)++;
    (void)snprintf(want, sizeof want, "\"eventOrdinal\":\"%lu\"", (unsigned long)*ordinal);
    ss_check_msg(memmem(message.bytes.data, message.bytes.len, want, strlen(want)) != NULL,
                 "gap at %lu", (unsigned long)*ordinal);
    return true;
}

/* Reads frames until the shard is asked again. */
static struct ss_request *read_until_asked(struct fixture *fixture, struct ws_test_client *client,
                                           uint64_t *ordinal)
{
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    while (fixture_is_quiet(fixture)) {
        ss_check(ws_test_now_ms() < until);
        struct pollfd wait = { .fd = client->fd, .events = POLLIN };
        if (poll(&wait, 1, 5) == 1) {
            ss_check(receive_next(client, ordinal));
        }
    }
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, "s");
}

SS_TEST(sweep, a_slow_follower_converges_to_a_fresh_snapshot)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client other;
    open_slow(&fixture, &client);
    ws_test_open(&other, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    struct ss_session_handle quick = fixture_follow(&fixture, &other, "q", 1);
    for (uint64_t ordinal = 2; ordinal <= FRAMES; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    fixture_post_frame(&fixture, quick, "q", 2, "unharmed");
    ws_test_expect_part(&other, "unharmed");
    await_empty_inbox(&fixture);
    ss_check(atomic_load(&fixture.stats.slow_clients) == 1);
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"kept\"}}");
    /* The pong waits behind what was written, not behind what was dropped. */
    struct ss_ws_client_message message;
    do {
        ss_check(ws_test_receive(&client, &message));
    } while (memmem(message.bytes.data, message.bytes.len, "kept", 4) == NULL);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    ss_check(request->since == 0);
    fixture_reply_snapshot(&fixture, request, FRAMES);
    fixture_post_frame(&fixture, handle, "s", FRAMES + 1, "fresh");
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"2000\"}}");
    ws_test_expect_part(&client, "\"eventOrdinal\":\"2001\",\"name\":\"fresh\"");
    ss_check(atomic_load(&fixture.stats.resyncs) == 1);
    ws_test_close(&client);
    fixture_close_with(&fixture, &other);
}

SS_TEST(sweep, frames_are_dropped_only_behind_a_gapless_run)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_slow(&fixture, &client);
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    for (uint64_t ordinal = 2; ordinal <= FRAMES; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    await_empty_inbox(&fixture);
    uint64_t ordinal = 1;
    struct ss_request *request = read_until_asked(&fixture, &client, &ordinal);
    ss__request_fail(request, SS_E_BUSY, NULL);
    fixture_reply(&fixture, request);
    /* A refused resync comes again by itself and the client hears nothing of it. */
    request = read_until_asked(&fixture, &client, &ordinal);
    fixture_reply_snapshot(&fixture, request, FRAMES);
    while (receive_next(&client, &ordinal)) {
    }
    ss_check(ordinal > 1 && ordinal < FRAMES);
    fixture_close_with(&fixture, &client);
}

static void post_resync(struct fixture *fixture, struct ss_session_handle handle)
{
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    ss_check(resync != NULL);
    resync->handle = handle;
    fixture_post(fixture, &resync->base);
}

/* The next resync that the shard is asked for; its session has a name of one letter. */
static struct ss_request *take_resync(struct fixture *fixture, char *ret_session)
{
    struct ss_msg *msg = fixture_take(fixture);
    ss_check(msg->kind == SS_MSG_REQUEST);
    struct ss_request *request = (struct ss_request *)(void *)msg;
    ss_check(request->request == SS_REQUEST_SUBSCRIBE && request->session_id.len == 1);
    *ret_session = request->session_id.data[0];
    return request;
}

SS_TEST(sweep, a_stale_session_that_must_wait_does_not_hold_up_the_others)
{
    struct fixture fixture;
    struct ws_test_client client;
    char asked[3];
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle a = fixture_follow(&fixture, &client, "a", 1);
    struct ss_session_handle b = fixture_follow(&fixture, &client, "b", 1);
    post_resync(&fixture, a);
    struct ss_request *request = take_resync(&fixture, &asked[0]);
    post_resync(&fixture, b);
    await_empty_inbox(&fixture);
    static const int passing[2] = { SS_E_BUSY, SS_E_NOMEM };
    for (unsigned i = 0; i < 2; i++) {
        ss__request_fail(request, passing[i], NULL);
        fixture_reply(&fixture, request);
        request = take_resync(&fixture, &asked[i + 1]);
    }
    ss_check_msg(memcmp(asked, "aba", 3) == 0, "asked for %.3s", asked);
    fixture_reply_snapshot(&fixture, request, 2);    /* the client has heard of no failure */
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"a\",\"snapshotOrdinal\":\"2\"}}");
    fixture_reply_snapshot(&fixture, take_resync(&fixture, &asked[0]), 2);
    ws_test_expect(&client, "{\"snapshot\":{\"sessionId\":\"b\",\"snapshotOrdinal\":\"2\"}}");
    ss_check(atomic_load(&fixture.stats.resyncs) == 2);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_stale_session_that_cannot_be_read_ends_with_its_error)
{
    struct fixture fixture;
    struct ws_test_client client;
    char asked;
    fixture_open_with(&fixture, &client, "");
    struct ss_session_handle a = fixture_follow(&fixture, &client, "a", 1);
    struct ss_session_handle b = fixture_follow(&fixture, &client, "b", 1);
    post_resync(&fixture, a);
    post_resync(&fixture, b);
    await_empty_inbox(&fixture);
    struct ss_request *request = take_resync(&fixture, &asked);
    char ended = asked;
    ss__request_fail(request, SS_E_CORRUPT, "row 7");
    fixture_reply(&fixture, request);
    struct ss_msg *farewell = fixture_take(&fixture);
    ss_check(farewell->kind == SS_MSG_UNINTERESTED);
    ss__msg_free(farewell);
    char text[96];
    (void)snprintf(text, sizeof text, "load snapshot for \\\"%c\\\": row 7", ended);
    ws_test_expect_part(&client, text);
    fixture_reply_snapshot(&fixture, take_resync(&fixture, &asked), 2);
    ss_check(asked != ended);
    ws_test_expect_part(&client, "\"snapshotOrdinal\":\"2\"");
    ss_check(atomic_load(&fixture.stats.followers) == 1);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_burst_larger_than_the_queue_is_no_reason_while_the_client_reads)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.client_queue_bytes = QUEUE_BYTES;
    fixture_start(&fixture);
    ws_test_open(&client, fixture.port, "");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    for (uint64_t ordinal = 2; ordinal <= 21; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    for (uint64_t ordinal = 2; ordinal <= 21; ordinal++) {
        ws_test_expect_part(&client, "uiEvent");
    }
    ss_check(atomic_load(&fixture.stats.slow_clients) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_slow_follower_is_closed_where_that_is_the_policy)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ss_ws_client_message message;
    fixture_prepare(&fixture);
    fixture.options.client_queue_bytes = QUEUE_BYTES;
    fixture.options.slow_client_rounds = 0;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 4096);
    ws_test_upgrade(&client, "/", "");
    ws_test_expect_part(&client, "hello");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    for (uint64_t ordinal = 2; ordinal <= FRAMES; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    struct ss_msg *msg = fixture_take(&fixture);    /* of its own accord, unread */
    ss_check(msg->kind == SS_MSG_UNINTERESTED);
    ss__msg_free(msg);
    uint64_t ordinal = 1;
    uint16_t status = 0;
    while (ws_test_receive(&client, &message)) {
        ordinal++;
        status = message.opcode == SS_WS_CLOSE ? message.status : status;
    }
    ss_check_msg(status == SS_WS_STATUS_TRY_AGAIN, "closed with %d", status);
    ss_check(ordinal < FRAMES && atomic_load(&fixture.stats.resyncs) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_client_that_never_reads_is_closed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.client_queue_bytes = QUEUE_BYTES;
    fixture.options.dead_timeout_ms = DEAD_MS;
    fixture.options.ping_interval_ms = 100;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 4096);
    ws_test_upgrade(&client, "/", "");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    struct ss_session_handle handle = request->handle;
    fixture_reply_snapshot(&fixture, request, 1);
    for (uint64_t ordinal = 2; ordinal <= FRAMES; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    while (atomic_load(&fixture.stats.dead_clients) == 0) {
        ss_check(ws_test_now_ms() < until);
        ws_test_send_text(&client, "{\"pong\":{}}");    /* it is not silent */
        (void)poll(NULL, 0, 5);
    }
    fixture_await_gauge(&fixture.stats.connections, 0);
    fixture_close_with(&fixture, &client);
}

/* Reads a little every millisecond; true if it was given up. */
static bool drips(struct fixture *fixture, struct ws_test_client *client, size_t bytes_per_look)
{
    static uint8_t sink[4096];
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    ss_check(bytes_per_look <= sizeof sink);
    while (atomic_load(&fixture->stats.dead_clients) == 0) {
        ss_check(ws_test_now_ms() < until);
        (void)recv(client->fd, sink, bytes_per_look, MSG_DONTWAIT);
        (void)poll(NULL, 0, 1);
    }
    return atomic_load(&fixture->stats.dead_clients) == 1;
}

/* What a client that reads steadily may take now; who was kept from it reads the more. */
static size_t due_bytes(uint64_t began, size_t bytes_per_ms, size_t taken, size_t max)
{
    size_t due = (size_t)(ws_test_now_ms() - began) * bytes_per_ms;
    size_t left = due > taken ? due - taken : 0;
    return left < max ? left : max;
}

static void open_with_snapshot(struct fixture *fixture, struct ws_test_client *client,
                               size_t bytes)
{
    fixture_prepare(fixture);
    fixture->options.dead_timeout_ms = DEAD_MS;
    fixture_start(fixture);
    ws_test_connect(client, fixture->port, 65536);
    static const char get[] = "GET /v1/sessions/s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n";
    ws_test_send_raw(client, get, sizeof get - 1);
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_SNAPSHOT, "s");
    request->snapshot = ss__buf_new(bytes);
    ss_check(request->snapshot != NULL);
    fixture_reply(fixture, request);
}

SS_TEST(sweep, a_client_that_drips_a_snapshot_is_closed)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_with_snapshot(&fixture, &client, 128u << 20);
    ss_check(drips(&fixture, &client, 4096));    /* 4 MiB a second; it takes 16 */
    fixture_await_gauge(&fixture.stats.connections, 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_client_that_reads_a_snapshot_is_not_closed)
{
    enum { BYTES = 32 << 20 };
    static uint8_t sink[64u << 10];
    struct fixture fixture;
    struct ws_test_client client;
    open_with_snapshot(&fixture, &client, BYTES);
    uint64_t began = ws_test_now_ms();
    for (size_t taken = 0; taken < BYTES;) {
        ss_check_msg(ws_test_now_ms() - began < SS_TEST_DEADLINE_MS, "%zu bytes", taken);
        size_t max = due_bytes(began, 16u << 10, taken, sizeof sink);
        ssize_t got = max == 0 ? -1 : recv(client.fd, sink, max, MSG_DONTWAIT);
        ss_check_msg(got > 0 || (got < 0 && (max == 0 || errno == EAGAIN)),
                     "closed after %zu bytes", taken);
        taken += got > 0 ? (size_t)got : 0;
        (void)poll(NULL, 0, got <= 0);
    }
    ss_check(atomic_load(&fixture.stats.dead_clients) == 0);
    ss_check(atomic_load(&fixture.stats.connections) == 1);
    fixture_close_with(&fixture, &client);
}

/* Reads at a steady pace, and says nothing, until a ping comes; returns the bytes read. */
static size_t read_until_pinged(struct ws_test_client *client, size_t bytes_per_ms)
{
    static uint8_t sink[64u << 10];
    uint64_t began = ws_test_now_ms();
    size_t total = 0;
    for (;;) {
        uint64_t elapsed = ws_test_now_ms() - began;
        ss_check_msg(elapsed < SS_TEST_DEADLINE_MS, "%zu bytes, no ping", total);
        size_t max = due_bytes(began, bytes_per_ms, total, sizeof sink);
        ssize_t got = max == 0 ? -1 : recv(client->fd, sink, max, MSG_DONTWAIT);
        ss_check_msg(got > 0 || (got < 0 && (max == 0 || errno == EAGAIN)),
                     "closed after %zu bytes", total);
        if (got <= 0) {
            (void)poll(NULL, 0, 1);
            continue;
        }
        total += (size_t)got;
        ss_check(ss__ws_client_feed(&client->ws, sink, (size_t)got) == 0);
        struct ss_ws_client_message message;
        while (ss__ws_client_take(&client->ws, &message) > 0) {
            if (message.opcode == SS_WS_PING) {
                return total;
            }
        }
    }
}

/* A browser says nothing of its own accord, and it can answer a ping only when it has got one: that
 * waits while the write does, and goes out right behind it. */
SS_TEST(sweep, a_client_that_reads_a_snapshot_is_not_silent)
{
    struct fixture fixture;
    struct ws_test_client client;
    const size_t bytes = 16u << 20;
    fixture_prepare(&fixture);
    fixture.options.dead_timeout_ms = 1000;    /* at most an eighth of it in such a time */
    fixture.options.ping_interval_ms = 1500;
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 65536);
    ws_test_upgrade(&client, "/", "");
    ws_test_expect_part(&client, "hello");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    request->snapshot = ss__buf_new(bytes);
    ss_check(request->snapshot != NULL);
    memset(request->snapshot->data, 'x', bytes);
    size_t head = ss__ws_header_write(SS_WS_TEXT, bytes - 10, request->snapshot->data);
    ss_check(head == 10);
    request->ordinal = 1;
    fixture_reply(&fixture, request);
    ss_check(read_until_pinged(&client, 5000) > bytes);    /* 3 s; 8 are allowed */
    ss_check(atomic_load(&fixture.stats.dead_clients) == 0);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, the_kernel_holds_little_for_a_client_that_never_reads)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_slow(&fixture, &client);
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    for (uint64_t ordinal = 2; ordinal <= FRAMES; ordinal++) {
        post_big_frame(&fixture, handle, ordinal);
    }
    await_empty_inbox(&fixture);
    uint64_t out = atomic_load(&fixture.stats.bytes_out);
    ss_check_msg(out < 3 * SS_UNSENT_BYTES_MAX, "the kernel took %lu bytes", (unsigned long)out);
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, half_a_request_is_408_and_none_is_closed_silently)
{
    struct fixture fixture;
    struct ws_test_client half;
    struct ws_test_client none;
    fixture_prepare(&fixture);
    fixture.options.handshake_timeout_ms = 1000;
    fixture_start(&fixture);
    ws_test_connect(&half, fixture.port, 0);
    ws_test_connect(&none, fixture.port, 0);
    ws_test_send_raw(&half, "GET / HT", 8);
    ss_check(ws_test_http_response(&half, false, NULL) == 408);
    ss_check(ws_test_http_response(&half, false, NULL) == 0);
    ss_check(ws_test_http_response(&none, false, NULL) == 0);
    ws_test_close(&half);
    fixture_close_with(&fixture, &none);
}

SS_TEST(sweep, answers_that_are_not_read_stop_the_reading_of_requests)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_slow(&fixture, &client);
    static char ping[4096];
    (void)snprintf(ping, sizeof ping, "{\"ping\":{\"nonce\":\"%04000d\"}}", 0);
    /* More than all buffers on the way hold: the gateway must stop, so sending would block. */
    struct pollfd wait = { .fd = client.fd, .events = POLLOUT };
    unsigned sent = 0;
    while (sent < 20000 && poll(&wait, 1, 500) == 1) {
        ws_test_send_text(&client, ping);
        sent++;
    }
    ss_check(sent < 20000);
    for (unsigned i = 0; i < sent; i++) {
        ws_test_expect_part(&client, "pong");
    }
    fixture_close_with(&fixture, &client);
}

SS_TEST(sweep, a_client_that_drips_its_answers_is_closed)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.dead_timeout_ms = DEAD_MS;
    fixture.options.client_queue_bytes = 16u << 20;
    fixture.options.answers_bytes_max = UINT64_C(1) << 30;
    fixture_start(&fixture);
    fixture_ask_and_not_read(&client, fixture.port, 4000);
    /* The kernel takes some 128 KiB at a time, so it is not dead; an eighth is 2 MiB. */
    ss_check(drips(&fixture, &client, 512));
    fixture_await_gauge(&fixture.stats.connections, 0);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close_with(&fixture, &client);
}
