#include "gateway_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "core/role.h"
#include "ss_test.h"

/* No timer of the gateway ends or asks anything that a test does not let it: a slow machine is no
 * reason. */
#define FAR_MS 3600000

static int handle_nothing(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)context;
    (void)command;
    (void)ctx;
    return 0;
}

static void make_registry(struct fixture *fixture)
{
    static const uint8_t page[] = "<h1>page</h1>";
    static const uint8_t large[8192];
    struct ss_failure failure = { .text = "" };
    fixture->registry = ss_registry_new();
    ss_check(fixture->registry != NULL);
    ss_check_msg(ss__transport_load(fixture->registry->schema, &failure) == 0, "%s",
                 failure.text);
    ss_check(ss_register_command(fixture->registry, "Note", "sessionstream.v1.PingFrame",
                                 handle_nothing, NULL) == 0);
    ss_check(ss_register_command(fixture->registry, "Other", "sessionstream.v1.PongFrame",
                                 handle_nothing, NULL) == 0);
    ss_check(ss_register_event(fixture->registry, "Noted", "sessionstream.v1.PingFrame") == 0);
    ss_check(ss_register_asset(fixture->registry, "/large", "application/octet-stream", large,
                               sizeof large) == 0);
    ss_check(ss_register_asset(fixture->registry, "/", "text/html; charset=utf-8", page,
                               sizeof page - 1) == 0);
    ss_check(ss_register_asset(fixture->registry, "/manual/", "text/html; charset=utf-8", page,
                               sizeof page - 1) == 0);
    fixture->registry->assets->policy = ss_str("default-src 'none'");
    ss_check(ss__registry_freeze(fixture->registry) == 0);
    ss_check(ss__transport_init(&fixture->transport, fixture->registry->schema, &failure) == 0);
}

void fixture_prepare(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    make_registry(fixture);
    ss_check(ss__inbox_new(SS_INBOX_MESSAGES_MAX, SS_INBOX_BYTES_MAX, &fixture->shard) == 0);
    fixture->router.shard_count = 1;
    fixture->router.shards[0] = fixture->shard;
    atomic_init(&fixture->ready, true);
    fixture->table = (struct ss_stats_table){
        .shards_count = 1,
        .gateways_count = 1,
        .shards = &fixture->shard_stats,
        .gateways = &fixture->stats,
    };
    fixture->options = (struct ss_gateway_options){
        .router = &fixture->router,
        .registry = fixture->registry,
        .transport = &fixture->transport,
        .stats = &fixture->stats,
        .stats_table = &fixture->table,
        .listen_host = "127.0.0.1",
        .ready = &fixture->ready,
        .client_queue_bytes = SS_CLIENT_QUEUE_BYTES_MAX,
        .answers_bytes_max = SS_ANSWERS_BYTES_MAX,
        .slice_us = SS_GATEWAY_SLICE_US,
        .slow_client_rounds = SS_SLOW_CLIENT_ROUNDS,
        .client_frame_bytes = SS_CLIENT_FRAME_BYTES_MAX,
        .connections_max = 1000,
        .subscriptions_max = SS_SUBSCRIPTIONS_MAX,
        .handshake_timeout_ms = FAR_MS,
        .ping_interval_ms = FAR_MS,
        .dead_timeout_ms = FAR_MS,
        .stop_timeout_ms = 4000,
    };
}

void fixture_start(struct fixture *fixture)
{
    struct ss_failure failure = { .text = "" };
    ss_check_msg(ss__gateway_new(&fixture->options, &fixture->gateway, &failure) == 0, "%s",
                 failure.text);
    ss_check(ss__gateway_start(fixture->gateway) == 0);
    fixture->port = ss__gateway_port(fixture->gateway);
}

void fixture_open(struct fixture *fixture)
{
    fixture_prepare(fixture);
    fixture_start(fixture);
}

void fixture_close(struct fixture *fixture)
{
    if (!fixture->stopped && !fixture->still) {
        ss__gateway_stop_listening(fixture->gateway);
        ss__gateway_stop(fixture->gateway, fixture->options.stop_timeout_ms);
    }
    if (!fixture->still) {
        ss__gateway_join(fixture->gateway);
    }
    ss__gateway_free(fixture->gateway);
    struct ss_inbox_node *node;
    while ((node = ss__inbox_take(fixture->shard)) != NULL) {
        ss__msg_free(ss__msg_of(node));
    }
    ss__inbox_unref(fixture->shard);
    ss_registry_free(fixture->registry);
}

void fixture_open_with(struct fixture *fixture, struct ws_test_client *client,
                       const char *subprotocols)
{
    fixture_open(fixture);
    ws_test_open(client, fixture->port, subprotocols);
}

void fixture_close_with(struct fixture *fixture, struct ws_test_client *client)
{
    ws_test_close(client);
    fixture_close(fixture);
}

void fixture_prepare_still(struct fixture *fixture)
{
    struct ss_failure failure = { .text = "" };
    fixture_prepare(fixture);
    fixture->still = true;
    ss_check(ss__gateway_new(&fixture->options, &fixture->gateway, &failure) == 0);
}

struct ss_conn *fixture_add_still(struct fixture *fixture, enum ss_conn_state state, int *ret_fd)
{
    int fds[2];
    struct ss_conn *conn;
    ss_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    ss_check(ss__conn_new(fixture->gateway, fds[0], &conn) == 0);
    if (state == SS_CONN_WEBSOCKET) {
        ss__http_parser_deinit(&conn->in.http);
        memset(&conn->in, 0, sizeof conn->in);
        ss__ws_init(&conn->in.ws, SS_CLIENT_FRAME_BYTES_MAX);
        conn->state = SS_CONN_WEBSOCKET;
        conn->encoding = SS_ENCODING_V2_JSON;
    }
    *ret_fd = fds[1];
    return conn;
}

void fixture_turn(struct fixture *fixture)
{
    ss__role_set(SS_ROLE_GATEWAY, 0);
    (void)uv_run(&fixture->gateway->loop.uv, UV_RUN_NOWAIT);
    ss__role_set(SS_ROLE_OTHER, 0);
}

struct ss_conn *fixture_open_still(struct fixture *fixture, enum ss_conn_state state, int *ret_fd)
{
    fixture_prepare_still(fixture);
    return fixture_add_still(fixture, state, ret_fd);
}

void fixture_close_still(struct fixture *fixture, struct ss_conn *conn, int fd)
{
    ss__conn_close(conn);
    (void)close(fd);
    fixture_close(fixture);
}

struct ss_msg *fixture_take(struct fixture *fixture)
{
    for (;;) {
        struct ss_inbox_node *node = ss__inbox_take(fixture->shard);
        if (node != NULL) {
            return ss__msg_of(node);
        }
        if (ss__inbox_sleep(fixture->shard)) {
            struct pollfd wait = { .fd = ss__inbox_wake_fd(fixture->shard), .events = POLLIN };
            ss_check_msg(poll(&wait, 1, SS_TEST_DEADLINE_MS) == 1, "no message for the shard");
            ss__inbox_awake(fixture->shard);
        }
    }
}

struct ss_request *fixture_take_request(struct fixture *fixture, enum ss_request_kind kind,
                                        const char *session)
{
    struct ss_msg *msg = fixture_take(fixture);
    ss_check(msg->kind == SS_MSG_REQUEST);
    struct ss_request *request = (struct ss_request *)(void *)msg;
    ss_check(request->request == kind);
    ss_check(ss_str_equal(request->session_id, ss_str(session)));
    return request;
}

bool fixture_is_quiet(struct fixture *fixture)
{
    return ss__inbox_depth(fixture->shard) == 0;
}

void fixture_post(struct fixture *fixture, struct ss_msg *msg)
{
    ss_check(ss__inbox_post(ss__gateway_inbox(fixture->gateway), &msg->node, SS_POST_INSIDE) == 0);
}

void fixture_reply(struct fixture *fixture, struct ss_request *request)
{
    request->base.kind = SS_MSG_REPLY;
    fixture_post(fixture, &request->base);
}

void fixture_reply_snapshot(struct fixture *fixture, struct ss_request *request,
                            uint64_t ordinal)
{
    struct ss_bytes scratch;
    ss__bytes_init(&scratch, 0);
    struct ss_snapshot_frame frame = { .session_id = request->session_id, .ordinal = ordinal };
    request->ordinal = ordinal;
    request->snapshot = ss__frame_snapshot(&fixture->transport,
                                           (enum ss_encoding)request->encoding, &frame, &scratch,
                                           NULL);
    ss_check(request->snapshot != NULL);
    ss__bytes_deinit(&scratch);
    fixture_reply(fixture, request);
}

struct ss_buf *fixture_frame(struct fixture *fixture, const char *session, uint64_t ordinal,
                             const char *name)
{
    struct ss_bytes scratch;
    ss__bytes_init(&scratch, 0);
    struct ss_ui_frame frame = { .session_id = ss_str(session), .place = { .ordinal = ordinal },
                                 .name = ss_str(name), .last = true };
    struct ss_buf *buf = ss__frame_ui_event(&fixture->transport, SS_ENCODING_V1_JSON, &frame,
                                            &scratch, NULL);
    ss_check(buf != NULL);
    ss__bytes_deinit(&scratch);
    return buf;
}

void fixture_post_frame(struct fixture *fixture, struct ss_session_handle handle,
                        const char *session, uint64_t ordinal, const char *name)
{
    struct ss_msg_frame *msg = ss__msg_new(SS_MSG_FRAME, sizeof *msg);
    ss_check(msg != NULL);
    msg->handle = handle;
    msg->ordinal = ordinal;
    msg->bufs[SS_ENCODING_V1_JSON] = fixture_frame(fixture, session, ordinal, name);
    fixture_post(fixture, &msg->base);
}

struct ss_session_handle fixture_follow(struct fixture *fixture, struct ws_test_client *client,
                                        const char *session, uint64_t ordinal)
{
    char text[512];
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\"}}", session);
    ws_test_send_text(client, text);
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, session);
    struct ss_session_handle handle = request->handle;
    fixture_reply_snapshot(fixture, request, ordinal);
    ws_test_expect_part(client, "{\"snapshot\":");
    (void)snprintf(text, sizeof text, "{\"subscribed\":{\"sessionId\":\"%s\"}}", session);
    ws_test_expect(client, text);
    return handle;
}

static void await(const atomic_uint_fast64_t *counter, uint64_t value, bool exactly)
{
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    for (;;) {
        uint64_t now = atomic_load(counter);
        if (exactly ? now == value : now >= value) {
            return;
        }
        ss_check_msg(ws_test_now_ms() < until, "counter is %lu, not %lu", (unsigned long)now,
                     (unsigned long)value);
        (void)poll(NULL, 0, 1);
    }
}

void fixture_await(const atomic_uint_fast64_t *counter, uint64_t value)
{
    await(counter, value, false);
}

void fixture_await_gauge(const atomic_uint_fast64_t *gauge, uint64_t value)
{
    await(gauge, value, true);
}

void fixture_ask_and_not_read(struct ws_test_client *client, uint16_t port, unsigned count)
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
