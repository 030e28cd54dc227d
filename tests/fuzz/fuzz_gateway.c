/* A connection to a real gateway on the loopback, whose only shard refuses everything. The first
 * byte picks how the bytes are cut.
 *
 * What reaches the shard is within its limits and valid. The gateway stays well, answers nothing that is not HTTP (or, after a handshake, frames that our
 * client takes) and never 500. The same bytes, cut or whole, get the same HTTP answers; what a
 * websocket gets depends on whether the shard was faster than the end. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/utf8.h"
#include "gateway/gateway_fixture.h"
#include "message/import.h"
#include "message/message.h"
#include "runtime/inbox.h"
#include "schema/registry.h"
#include "schema/validate.h"

#define FAILED "HTTP/1.1 500"
#define SWITCHED "HTTP/1.1 101 "
#define ANSWER_BYTES_MAX (1u << 20)

static struct fixture fixture;
static struct ws_test_client probe;

static void stop(void)
{
    ws_test_close(&probe);
    fixture_close(&fixture);
}

static void start(void)
{
    if (fixture.gateway == NULL) {
        fixture_prepare(&fixture);
        fixture.options.client_frame_bytes = 8192;
        fixture_start(&fixture);
        ws_test_connect(&probe, fixture.port, 0);
        ss_check(atexit(stop) == 0);
    }
}

/* When this is over, the gateway has done what was there to do before: a turn may begin with the
 * probe, and may leave something for the next one. */
static void await_turns(void)
{
    static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int i = 0; i < 3; i++) {
        ws_test_send_raw(&probe, ask, sizeof ask - 1);
        ss_check(ws_test_http_response(&probe, false, NULL) == 200);
    }
}

static bool is_text(struct ss_str text, size_t most)
{
    return text.len <= most && ss__utf8_valid(text.data, text.len) &&
           (text.len == 0 || memchr(text.data, '\0', text.len) == NULL);
}

/* What a shard relies on. */
static void check_request(const struct ss_request *request)
{
    bool any_session = request->request == SS_REQUEST_LIST || request->request == SS_REQUEST_ERRORS;
    ss_check(any_session || request->session_id.len > 0);
    ss_check(is_text(request->session_id, SS_SESSION_ID_BYTES_MAX));
    ss_check(is_text(request->key, SS_IDEMPOTENCY_KEY_BYTES_MAX));
    ss_check(is_text(request->request_id, SS_REQUEST_ID_BYTES_MAX));
    ss_check(request->request != SS_REQUEST_EVENTS || request->limit > 0);
    ss_check(request->request != SS_REQUEST_IMPORT || request->import->count > 0);
    if (request->request == SS_REQUEST_SUBMIT) {
        const struct ss_name *name = request->name;
        ss_check(name != NULL && ss__registry_find(fixture.registry, SS_SPACE_COMMAND,
                                                   name->name) == name);
        ss_check(ss__validate(name->type, request->payload, NULL) == 0);
    }
}

/* The shard refuses. True if there was something to refuse. */
static bool answer_shard(void)
{
    struct ss_inbox_node *node;
    bool any = false;
    while ((node = ss__inbox_take(fixture.shard)) != NULL) {
        struct ss_msg *msg = ss__msg_of(node);
        any = true;
        if (msg->kind == SS_MSG_REQUEST) {
            struct ss_request *request = (struct ss_request *)(void *)msg;
            check_request(request);
            ss__request_fail(request, SS_E_NOTFOUND, "the shard of this test has nothing");
            fixture_reply(&fixture, request);
        } else {
            ss__msg_free(msg);
        }
    }
    return any;
}

/* True while the connection is open and something came. */
static bool receive(int fd, struct ss_bytes *out, bool *open)
{
    bool any = false;
    char bytes[16384];
    while (*open) {
        ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0) {
            ss__bytes_append(out, bytes, (size_t)len);
            any = true;
        } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
            *open = false;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    return any;
}

static int open_connection(void)
{
    int one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(fixture.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ss_check(fd >= 0);
    ss_check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    ss_check(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void settle(int fd, struct ss_bytes *out, bool *open)
{
    bool more = true;
    while (more) {
        await_turns();
        more = answer_shard();
        more = receive(fd, out, open) || more;
    }
}

static void exchange(struct ss_str stream, size_t pieces, struct ss_bytes *out)
{
    int fd = open_connection();
    bool open = true;
    size_t at = 0;
    for (size_t i = 0; i < pieces && open; i++) {
        size_t to = i + 1 == pieces ? stream.len : stream.len * (i + 1) / pieces;
        if (to > at && send(fd, stream.data + at, to - at, MSG_NOSIGNAL) < 0) {
            open = receive(fd, out, &open) && open;
        }
        at = to;
        settle(fd, out, &open);
    }
    ss_check(close(fd) == 0);
    await_turns();
    (void)answer_shard();    /* what the end of the connection says to the shard */
    await_turns();
}

/* Answers say what they do not understand: these words may then be the client's. */
static bool may_be_quoted(struct ss_str stream)
{
    return memmem(stream.data, stream.len, FAILED, strlen(FAILED)) != NULL ||
           memmem(stream.data, stream.len, SWITCHED, strlen(SWITCHED)) != NULL;
}

/* Every head is well-formed and no answer is 500; *ret_rest: behind a 101, else empty. */
static void check_answers(struct ss_str answers, struct ss_str *ret_rest)
{
    *ret_rest = ss_str_of(answers.data + answers.len, 0);
    if (answers.len == 0) {
        return;
    }
    ss_check_msg(answers.len > 12 && memcmp(answers.data, "HTTP/1.1 ", 9) == 0, "%.*s\n",
                 (int)answers.len, answers.data);
    ss_check_msg(memmem(answers.data, answers.len, FAILED, strlen(FAILED)) == NULL, "%.*s\n",
                 (int)answers.len, answers.data);
    const char *switched = memmem(answers.data, answers.len, SWITCHED, strlen(SWITCHED));
    if (switched != NULL) {
        const char *end = memmem(switched, (size_t)(answers.data + answers.len - switched),
                                 "\r\n\r\n", 4);
        ss_check(end != NULL);
        *ret_rest = ss_str_of(end + 4, (size_t)(answers.data + answers.len - end - 4));
    }
}

static void check_frames(struct ss_str frames)
{
    struct ss_ws_client client;
    struct ss_ws_client_message message;
    bool closed = false;
    int got;
    ss__ws_client_init(&client, 1 << 20);
    ss_check(ss__ws_client_feed(&client, frames.data, frames.len) == 0);
    while ((got = ss__ws_client_take(&client, &message)) == 1) {
        ss_check(!closed);    /* nothing comes behind the close */
        closed = message.opcode == SS_WS_CLOSE;
    }
    ss_check(got == 0);
    ss__ws_client_deinit(&client);
}

static void play(struct ss_str stream, size_t pieces, struct ss_bytes *log)
{
    struct ss_bytes answers;
    struct ss_str frames;
    ss__bytes_init(&answers, ANSWER_BYTES_MAX);
    exchange(stream, pieces, &answers);
    ss_check(answers.err == 0);
    struct ss_str all = ss__bytes_view(&answers);
    if (may_be_quoted(stream)) {
        ss__bytes_deinit(&answers);
        return;
    }
    check_answers(all, &frames);
    ss__bytes_append(log, all.data, all.len - frames.len);
    if (frames.len > 0) {
        check_frames(frames);
    }
    ss__bytes_deinit(&answers);
}

/* What these answer depends on what came before. */
static bool is_comparable(struct ss_str stream)
{
    static const char *const words[] = { "metrics", "debug", "connections" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (memmem(stream.data, stream.len, words[i], strlen(words[i])) != NULL) {
            return false;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ss_bytes whole;
    struct ss_bytes cut;
    if (len < 2) {
        return 0;
    }
    start();
    struct ss_str stream = ss_str_of(data + 1, len - 1);
    ss__bytes_init(&whole, 0);
    ss__bytes_init(&cut, 0);
    play(stream, 1, &whole);
    play(stream, 2 + data[0] % 3u, &cut);
    ss_check_msg(!is_comparable(stream) ||
                     ss_str_equal(ss__bytes_view(&whole), ss__bytes_view(&cut)),
                 "%.*s\n----\n%.*s\n", (int)whole.len, (const char *)whole.data, (int)cut.len,
                 (const char *)cut.data);
    ss__bytes_deinit(&cut);
    ss__bytes_deinit(&whole);
    return 0;
}
