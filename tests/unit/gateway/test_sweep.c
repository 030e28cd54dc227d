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
    ws_test_close(&other);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

SS_TEST(sweep, a_stale_session_that_cannot_be_read_ends_with_its_error)
{
    struct fixture fixture;
    struct ws_test_client client;
    char asked;
    fixture_open(&fixture);
    ws_test_open(&client, fixture.port, "");
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* Holds the gateway thread while it looks at a ping of a client. */
struct hold {
    sem_t begun;
    sem_t over;
    atomic_bool once;
};

static void on_ping(const struct ss_transport_record *record, void *ctx)
{
    struct hold *hold = ctx;
    if (record->stage == SS_TRANSPORT_CLIENT_FRAME_DECODED &&
        ss_str_equal(record->frame_type, ss_str("ping")) && !atomic_exchange(&hold->once, true)) {
        (void)sem_post(&hold->begun);
        while (sem_wait(&hold->over) != 0) {
            /* interrupted */
        }
    }
}

/* Takes what the kernel has of it. */
static void drain(struct ws_test_client *client, size_t bytes)
{
    static uint8_t sink[65536];
    while (bytes > 0) {
        ssize_t got = recv(client->fd, sink, bytes < sizeof sink ? bytes : sizeof sink, 0);
        ss_check(got > 0);
        bytes -= (size_t)got;
    }
}

SS_TEST(sweep, a_gateway_that_was_late_gives_up_nobody)
{
    enum { BYTES = 2 << 20, TAKEN = SS_UNSENT_BYTES_MAX / 4 * 3 };
    struct fixture fixture;
    struct ws_test_client reader;
    struct ws_test_client talker;
    struct hold hold = { .once = false };
    ss_check(sem_init(&hold.begun, 0, 0) == 0 && sem_init(&hold.over, 0, 0) == 0);
    fixture_prepare(&fixture);
    fixture.registry->observers[0] =
        (struct ss_observer){ .transport = on_ping, .ctx = &hold, .sample = 1 };
    fixture.registry->observers_count = 1;
    fixture.registry->observes_transport = true;
    fixture.options.dead_timeout_ms = DEAD_MS;
    fixture.options.ping_interval_ms = 10000;
    fixture_start(&fixture);
    ws_test_connect(&reader, fixture.port, 8192);
    static const char get[] = "GET /v1/sessions/s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n";
    ws_test_send_raw(&reader, get, sizeof get - 1);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "s");
    ws_test_open(&talker, fixture.port, "");
    request->snapshot = ss__buf_new(BYTES);
    ss_check(request->snapshot != NULL);
    memset(request->snapshot->data, 'x', BYTES);
    fixture_reply(&fixture, request);
    fixture_await(&fixture.stats.bytes_out, SS_UNSENT_BYTES_MAX);
    ws_test_send_text(&talker, "{\"ping\":{\"nonce\":\"1\"}}");
    while (sem_wait(&hold.begun) != 0) {
        /* interrupted */
    }
    ws_test_send_text(&talker, "{\"ping\":{\"nonce\":\"2\"}}");
    size_t out = atomic_load(&fixture.stats.bytes_out);
    drain(&reader, TAKEN);
    uint64_t until = ws_test_now_ms() + DEAD_MS + 200;
    while (ws_test_now_ms() < until) {
        (void)poll(NULL, 0, 10);
    }
    (void)sem_post(&hold.over);
    drain(&reader, BYTES - TAKEN);
    ss_check(out < BYTES / 2);
    ws_test_expect_part(&talker, "\"1\"");
    ws_test_expect_part(&talker, "\"2\"");
    ss_check(atomic_load(&fixture.stats.dead_clients) == 0);
    ws_test_close(&reader);
    ws_test_close(&talker);
    fixture_close(&fixture);
    ss_check(sem_destroy(&hold.begun) == 0 && sem_destroy(&hold.over) == 0);
}

SS_TEST(sweep, a_silent_client_is_closed_and_one_that_answers_pings_is_not)
{
    struct fixture fixture;
    struct ws_test_client silent;
    struct ws_test_client idle;
    fixture_prepare(&fixture);
    fixture.options.dead_timeout_ms = DEAD_MS;
    fixture.options.ping_interval_ms = 60;
    fixture_start(&fixture);
    ws_test_open(&silent, fixture.port, "");
    ws_test_open(&idle, fixture.port, "");
    while (atomic_load(&fixture.stats.dead_clients) == 0) {
        ws_test_answer_pings(&idle, 1);
    }
    ws_test_answer_pings(&idle, 3);
    ss_check(atomic_load(&fixture.stats.dead_clients) == 1);
    ss_check(atomic_load(&fixture.stats.websockets) == 1);
    ws_test_close(&silent);
    ws_test_close(&idle);
    fixture_close(&fixture);
}

/* It has the dead timeout, however steadily its bytes come. */
SS_TEST(sweep, a_message_that_trickles_in_is_ended)
{
    struct fixture fixture;
    struct ws_test_client client;
    static const uint8_t begin[] = { 0x01, 0x81, 0, 0, 0, 0, 'x' };    /* text, more follows */
    static const uint8_t more[] = { 0x00, 0x81, 0, 0, 0, 0, 'x' };
    fixture_prepare(&fixture);
    fixture.options.dead_timeout_ms = DEAD_MS;
    fixture.options.ping_interval_ms = 60;
    fixture_start(&fixture);
    ws_test_open(&client, fixture.port, "");
    uint64_t began = ws_test_now_ms();
    ws_test_send_raw(&client, begin, sizeof begin);
    while (atomic_load(&fixture.stats.websockets) > 0) {
        struct pollfd wait = { .fd = -1 };
        ss_check_msg(ws_test_now_ms() < began + SS_TEST_DEADLINE_MS, "it is not ended");
        (void)send(client.fd, more, sizeof more, MSG_NOSIGNAL);    /* it may be over */
        (void)poll(&wait, 1, 10);
    }
    ss_check(ws_test_now_ms() >= began + DEAD_MS - 50);
    ss_check(atomic_load(&fixture.stats.dead_clients) == 0);    /* it was not silent */
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
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
    ws_test_close(&none);
    fixture_close(&fixture);
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
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* More requests for a page of some kilobytes than any answers on the way find room. */
static void ask_and_not_read(struct ws_test_client *client, uint16_t port, unsigned count)
{
    static const char get[] = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
    struct ss_bytes all;
    ss__bytes_init(&all, 0);
    for (unsigned i = 0; i < count; i++) {
        ss__bytes_append(&all, get, sizeof get - 1);
    }
    ws_test_connect(client, port, 8192);
    ws_test_send_raw(client, all.data, all.len);
    ss__bytes_deinit(&all);
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
    ask_and_not_read(&client, fixture.port, 4000);
    /* The kernel takes some 128 KiB at a time, so it is not dead; an eighth is 2 MiB. */
    ss_check(drips(&fixture, &client, 512));
    fixture_await_gauge(&fixture.stats.connections, 0);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    ws_test_close(&client);
    fixture_close(&fixture);
}

/* The status of an answer that is read at once. */
static int status_of(struct ws_test_client *client, const char *path)
{
    char get[64];
    struct ss_bytes body;
    ss__bytes_init(&body, 0);
    int len = snprintf(get, sizeof get, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    ws_test_send_raw(client, get, (size_t)len);
    int status = ws_test_http_response(client, false, &body);
    ss_check(status == 200 ||
             memmem(body.data, body.len, "too many answers wait", 21) != NULL);
    ss__bytes_deinit(&body);
    return status;
}

SS_TEST(sweep, answers_that_nobody_reads_have_one_budget)
{
    enum { HOARDERS = 60 };
    struct fixture fixture;
    struct ws_test_client hoarders[HOARDERS];
    struct ws_test_client other;
    fixture_prepare(&fixture);
    fixture.options.answers_bytes_max = 256u << 10;
    fixture_start(&fixture);
    ws_test_connect(&other, fixture.port, 0);
    ss_check(status_of(&other, "/large") == 200);
    for (int i = 0; i < HOARDERS; i++) {
        ask_and_not_read(&hoarders[i], fixture.port, 300);
    }
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    while (status_of(&other, "/large") == 200) {
        ss_check(ws_test_now_ms() < until);
    }
    /* Whoever looks after it is told why. */
    ss_check(status_of(&other, "/metrics") == 200);
    ss_check(status_of(&other, "/readyz") == 200);
    ss_check(status_of(&other, "/healthz") == 200);
    while (status_of(&other, "/large") == 200) {    /* the kernel has taken some more */
        ss_check(ws_test_now_ms() < until);
    }
    uint64_t held = atomic_load(&fixture.stats.answer_bytes);
    ss_check_msg(held < (256u << 10) + HOARDERS * 1024, "%lu bytes", (unsigned long)held);
    for (int i = 0; i < HOARDERS; i++) {
        ws_test_close(&hoarders[i]);
    }
    fixture_await_gauge(&fixture.stats.connections, 1);
    ss_check(status_of(&other, "/large") == 200);
    ws_test_close(&other);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close(&fixture);
}

struct hoarder {
    struct ws_test_client client;
    size_t at;    /* in the pings that it sends over and over */
};

static void open_hoarder(struct hoarder *hoarder, uint16_t port)
{
    int few = 16 << 10;    /* for there is little to fill */
    ws_test_connect(&hoarder->client, port, 8192);
    ss_check(setsockopt(hoarder->client.fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof few) == 0);
    ws_test_upgrade(&hoarder->client, "/", "");
    hoarder->at = 0;
}

/* A run of pings. */
static void make_pings(struct ss_bytes *out)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 1, 2, 3, 4 };
    char ping[2048];
    int len = snprintf(ping, sizeof ping, "{\"ping\":{\"nonce\":\"%01900d\"}}", 0);
    ss__bytes_init(out, 0);
    for (unsigned i = 0; i < 16; i++) {
        ss__ws_client_frame(out, SS_WS_TEXT, ss_str_of(ping, (size_t)len), mask);
    }
}

/* Sends pings whose answers it does not read; false: it may send none. */
static bool ping_on(struct hoarder *hoarder, const struct ss_bytes *pings)
{
    ssize_t sent = send(hoarder->client.fd, pings->data + hoarder->at, pings->len - hoarder->at,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    ss_check(sent > 0 || (sent < 0 && errno == EAGAIN));
    hoarder->at = sent > 0 ? (hoarder->at + (size_t)sent) % pings->len : hoarder->at;
    return sent > 0;
}

SS_TEST(sweep, connections_share_the_budget_of_answers)
{
    enum { HOARDERS = 24, BUDGET = 512 << 10, FULL = BUDGET / 8 };
    struct fixture fixture;
    struct hoarder hoarders[HOARDERS];
    struct ss_bytes pings;
    make_pings(&pings);
    fixture_prepare(&fixture);
    fixture.options.answers_bytes_max = BUDGET;
    fixture_start(&fixture);
    for (int i = 0; i < HOARDERS; i++) {
        open_hoarder(&hoarders[i], fixture.port);
    }
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    uint64_t held = 0;
    for (bool more = true; more || held < FULL;) {
        ss_check_msg(ws_test_now_ms() < until, "%lu bytes", (unsigned long)held);
        more = false;
        for (int i = 0; i < HOARDERS; i++) {
            more |= ping_on(&hoarders[i], &pings);
        }
        held = atomic_load(&fixture.stats.answer_bytes);
        ss_check_msg(held < BUDGET / 2, "%lu bytes", (unsigned long)held);
    }
    for (int i = 0; i < HOARDERS; i++) {
        ws_test_close(&hoarders[i].client);
    }
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close(&fixture);
    ss__bytes_deinit(&pings);
}

/* ---- a process that stood still ---- */

static void look_now(struct fixture *fixture, struct ss_conn *conn)
{
    ss__conn_wake_at(conn, ss__gateway_now_ms(fixture->gateway));
    (void)ss__sweep(fixture->gateway);
}

static void read_off(const struct ss_conn *conn)
{
    uv_os_fd_t fd;
    char bytes[8];
    ss_check(uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0);
    ss_check(read(fd, bytes, sizeof bytes) > 0);
}

SS_TEST(sweep, a_request_is_not_late_while_bytes_of_it_wait_that_nobody_read_in_time)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_HTTP, &fd);
    ss_check(write(fd, "GET", 3) == 3);
    conn->deadline_ms = ss__gateway_now_ms(fixture.gateway) - 1000;
    look_now(&fixture, conn);
    ss_check(conn->state == SS_CONN_HTTP);
    read_off(conn);
    look_now(&fixture, conn);
    ss_check_msg(conn->state != SS_CONN_HTTP, "it is late all the same");
    fixture_close_still(&fixture, conn, fd);
}

SS_TEST(sweep, a_request_whose_time_ends_is_told_whatever_comes_just_then)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_HTTP, &fd);
    ss_check(write(fd, "GET", 3) == 3);
    conn->deadline_ms = ss__gateway_now_ms(fixture.gateway);
    look_now(&fixture, conn);
    ss_check(conn->state != SS_CONN_HTTP);
    fixture_close_still(&fixture, conn, fd);
}

SS_TEST(sweep, a_message_is_not_late_while_bytes_of_it_wait_that_nobody_read_in_time)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_WEBSOCKET, &fd);
    fixture.gateway->options.dead_timeout_ms = 2000;
    ss_check(write(fd, "x", 1) == 1);
    conn->in.unfinished_ms = ss__gateway_now_ms(fixture.gateway) - 5000;
    look_now(&fixture, conn);
    ss_check(conn->state == SS_CONN_WEBSOCKET);
    read_off(conn);
    look_now(&fixture, conn);
    ss_check_msg(conn->state != SS_CONN_WEBSOCKET, "it is late all the same");
    fixture_close_still(&fixture, conn, fd);
}
