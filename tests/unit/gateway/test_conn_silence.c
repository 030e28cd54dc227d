/* Clients that say nothing, or finish nothing, and a gateway that was late itself. */
#include "gateway_fixture.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "gateway/reader.h"
#include "gateway/sweep.h"
#include "ss_test.h"

/* Longer than a busy machine keeps this process waiting. */
#define DEAD_MS 1500

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

SS_TEST(conn_silence, a_gateway_that_was_late_gives_up_nobody)
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

SS_TEST(conn_silence, a_silent_client_is_closed_and_one_that_answers_pings_is_not)
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
    fixture_close_with(&fixture, &idle);
}

/* It has the dead timeout, however steadily its bytes come. */
SS_TEST(conn_silence, a_message_that_trickles_in_is_ended)
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
    fixture_close_with(&fixture, &client);
}

/* ---- a process that stood still ---- */

static void look_now(struct fixture *fixture, struct ss_conn *conn)
{
    ss__conn_wake_at(conn, ss__gateway_now_ms(fixture->gateway));
    (void)ss__sweep(fixture->gateway);
}

SS_TEST(conn_silence, a_request_is_not_late_while_bytes_of_it_wait_that_nobody_read_in_time)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_HTTP, &fd);
    ss_check(write(fd, "GET", 3) == 3);
    conn->deadline_ms = ss__gateway_now_ms(fixture.gateway) - 1000;
    look_now(&fixture, conn);
    ss_check(conn->state == SS_CONN_HTTP);
    ss_check_msg(conn->deadline_ms <= ss__gateway_now_ms(fixture.gateway) + SS_GRACE_MS,
                 "the next look is in time");
    conn->deadline_ms -= SS_GRACE_MS;    /* as if it was then */
    look_now(&fixture, conn);
    ss_check_msg(conn->state != SS_CONN_HTTP, "it is late all the same");
    fixture_close_still(&fixture, conn, fd);
}

SS_TEST(conn_silence, a_request_whose_time_ends_is_told_whatever_comes_just_then)
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

SS_TEST(conn_silence, a_message_is_not_late_while_bytes_of_it_wait_that_nobody_read_in_time)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_WEBSOCKET, &fd);
    fixture.gateway->options.dead_timeout_ms = 2000;
    ss_check(write(fd, "x", 1) == 1);
    conn->in.unfinished_ms = ss__gateway_now_ms(fixture.gateway) - 5000;
    look_now(&fixture, conn);
    ss_check(conn->state == SS_CONN_WEBSOCKET);
    conn->in.unfinished_ms -= SS_GRACE_MS;    /* as if it was then */
    look_now(&fixture, conn);
    ss_check_msg(conn->state != SS_CONN_WEBSOCKET, "it is late all the same");
    fixture_close_still(&fixture, conn, fd);
}

/* However long it is not looked at for other reasons. */
SS_TEST(conn_silence, a_message_is_looked_at_when_its_time_ends)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_WEBSOCKET, &fd);
    uint64_t now = ss__gateway_now_ms(fixture.gateway);
    ss_check(ss__reader_start(conn) == 0);
    ss_check(write(fd, "\x81", 1) == 1);
    fixture_turn(&fixture);
    ss_check(conn->in.unfinished_ms != 0);
    ss_check(conn->timing && conn->timer.due_ms == conn->in.unfinished_ms + SS_UNFINISHED_MS);
    ss__conn_pause(conn, SS_PAUSE_REQUESTS);
    ss__timers_cancel(&fixture.gateway->timers, &conn->timer);
    conn->timing = false;
    look_now(&fixture, conn);
    ss_check(conn->timer.due_ms > now + SS_UNFINISHED_MS);    /* the delay is ours */
    ss__conn_unpause(conn, SS_PAUSE_REQUESTS);
    ss_check(conn->timer.due_ms == conn->in.unfinished_ms + SS_UNFINISHED_MS);
    fixture_close_still(&fixture, conn, fd);
}

/* There are always bytes of it to be read, and it mostly waits for its turn. */
SS_TEST(conn_silence, one_that_never_stops_to_send_has_no_longer_for_a_message)
{
    struct fixture fixture;
    int fd;
    struct ss_conn *conn = fixture_open_still(&fixture, SS_CONN_WEBSOCKET, &fd);
    fixture.gateway->options.dead_timeout_ms = 2000;
    ss_check(write(fd, "x", 1) == 1);
    uint64_t now = ss__gateway_now_ms(fixture.gateway);
    conn->in.unfinished_ms = now - 2000;
    conn->pause = SS_PAUSE_TURN;
    conn->paused_ms = (uint32_t)now;
    look_now(&fixture, conn);
    ss_check(conn->state != SS_CONN_WEBSOCKET);
    fixture_close_still(&fixture, conn, fd);
}
