#include "ws_test_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "http/upgrade.h"
#include "ss_test.h"

uint64_t ws_test_now_ms(void)
{
    return ss__clock_monotonic_ns(&ss__system_clock) / 1000000;
}

void ws_test_connect(struct ws_test_client *client, uint16_t port, int receive_buffer)
{
    *client = (struct ws_test_client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    ss_check(client->fd >= 0);
    if (receive_buffer > 0) {
        ss_check(setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                            sizeof receive_buffer) == 0);
    }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ss_check(connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0);
    ss__bytes_init(&client->in, 0);
    ss__ws_client_init(&client->ws, 0);
}

void ws_test_close(struct ws_test_client *client)
{
    (void)close(client->fd);
    ss__bytes_deinit(&client->in);
    ss__ws_client_deinit(&client->ws);
}

void ws_test_send_raw(struct ws_test_client *client, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t sent = send(client->fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return;    /* what the server says first is for the receiver to judge */
        }
        ss_check(sent > 0);
        at += sent;
        len -= (size_t)sent;
    }
}

/* Reads something; 0 at the end of the connection. */
static size_t read_some(struct ws_test_client *client, uint8_t *data, size_t cap)
{
    struct pollfd wait = { .fd = client->fd, .events = POLLIN };
    int ready;
    do {    /* libFuzzer has a timer of its own */
        ready = poll(&wait, 1, SS_TEST_DEADLINE_MS);
    } while (ready < 0 && errno == EINTR);
    ss_check_msg(ready == 1, "nothing received in time");
    ssize_t got = recv(client->fd, data, cap, 0);
    return got > 0 ? (size_t)got : 0;
}

static size_t body_len(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at == NULL ? 0 : strtoul(at + strlen("\r\nContent-Length:"), NULL, 10);
}

/* Bytes of the response at the start of the input; 0 while it is incomplete. */
static size_t response_len(struct ws_test_client *client, bool no_body)
{
    ss__bytes_byte(&client->in, '\0');
    client->in.len--;
    if (client->in.len == 0) {
        return 0;
    }
    const char *text = (const char *)client->in.data;
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t len = (size_t)(end - text) + 4 + (no_body ? 0 : body_len(text));
    return len <= client->in.len ? len : 0;
}

static void take_in(struct ws_test_client *client, size_t len)
{
    memmove(client->in.data, client->in.data + len, client->in.len - len);
    client->in.len -= len;
}

int ws_test_http_response(struct ws_test_client *client, bool no_body, struct ss_bytes *out)
{
    size_t len;
    while ((len = response_len(client, no_body)) == 0) {
        uint8_t data[4096];
        size_t got = read_some(client, data, sizeof data);
        if (got == 0) {
            ss_check_msg(client->in.len == 0, "connection ended inside a response");
            return 0;
        }
        ss__bytes_append(&client->in, data, got);
    }
    int status = atoi((const char *)client->in.data + strlen("HTTP/1.1 "));
    if (out != NULL) {
        ss__bytes_clear(out);
        ss__bytes_append(out, client->in.data, len);
        ss__bytes_byte(out, '\0');
    }
    take_in(client, len);
    return status;
}

void ws_test_upgrade(struct ws_test_client *client, const char *path, const char *subprotocols)
{
    static const uint8_t random[SS_WS_KEY_BYTES] = "0123456789abcde";
    char key[SS_WS_KEY_CHARS + 1];
    char accept[SS_HTTP_ACCEPT_BYTES + 1];
    struct ss_bytes request;
    ss__bytes_init(&request, 0);
    ss__ws_client_key(random, key);
    ss__http_accept_key(ss_str(key), accept);
    ss__ws_client_request(&request, ss_str("localhost"), ss_str(path), ss_str(subprotocols),
                          ss_str(key));
    ws_test_send_raw(client, request.data, request.len);
    ss__bytes_deinit(&request);
    ptrdiff_t used = 0;
    while (used == 0) {
        uint8_t data[4096];
        size_t got = read_some(client, data, sizeof data);
        ss_check_msg(got > 0, "connection ended during the handshake");
        ss__bytes_append(&client->in, data, got);
        struct ss_str subprotocol;
        struct ss_failure failure = { .text = "" };
        used = ss__ws_client_response(ss__bytes_view(&client->in), ss_str(accept),
                                      ss_str(subprotocols), &subprotocol, &failure);
        ss_check_msg(used >= 0, "%s", failure.text);
    }
    ss_check(ss__ws_client_feed(&client->ws, client->in.data + used,
                                client->in.len - (size_t)used) == 0);
    ss__bytes_clear(&client->in);
    client->websocket = true;
}

void ws_test_open(struct ws_test_client *client, uint16_t port, const char *subprotocols)
{
    ws_test_connect(client, port, 0);
    ws_test_upgrade(client, "/ws", subprotocols);
    struct ss_ws_client_message hello;
    ss_check(ws_test_receive(client, &hello));
}

void ws_test_send(struct ws_test_client *client, enum ss_ws_opcode opcode, const void *data,
                  size_t len)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 0x12, 0x34, 0x56, 0x78 };
    struct ss_bytes frame;
    ss__bytes_init(&frame, 0);
    ss__ws_client_frame(&frame, opcode, ss_str_of(data, len), mask);
    ws_test_send_raw(client, frame.data, frame.len);
    ss__bytes_deinit(&frame);
}

void ws_test_send_text(struct ws_test_client *client, const char *text)
{
    ws_test_send(client, SS_WS_TEXT, text, strlen(text));
}

/* The next message of any kind. */
static bool receive_any(struct ws_test_client *client, struct ss_ws_client_message *ret_message)
{
    for (;;) {
        int taken = ss__ws_client_take(&client->ws, ret_message);
        ss_check(taken >= 0);
        if (taken == 1) {
            return true;
        }
        uint8_t data[16384];
        size_t got = read_some(client, data, sizeof data);
        if (got == 0) {
            return false;
        }
        ss_check(ss__ws_client_feed(&client->ws, data, got) == 0);
    }
}

static void answer_ping(struct ws_test_client *client, const struct ss_ws_client_message *ping)
{
    ws_test_send(client, SS_WS_PONG, ping->bytes.data, ping->bytes.len);
}

bool ws_test_receive(struct ws_test_client *client, struct ss_ws_client_message *ret_message)
{
    while (receive_any(client, ret_message)) {
        if (ret_message->opcode != SS_WS_PING) {
            return true;
        }
        answer_ping(client, ret_message);
    }
    return false;
}

void ws_test_answer_pings(struct ws_test_client *client, unsigned count)
{
    struct ss_ws_client_message message;
    for (unsigned i = 0; i < count; i++) {
        ss_check(receive_any(client, &message));
        ss_check(message.opcode == SS_WS_PING);
        answer_ping(client, &message);
    }
}

static struct ss_str receive_text(struct ws_test_client *client)
{
    struct ss_ws_client_message message;
    ss_check_msg(ws_test_receive(client, &message), "connection ended");
    ss_check_msg(message.opcode == SS_WS_TEXT, "opcode %d status %d", (int)message.opcode,
                 (int)message.status);
    return message.bytes;
}

void ws_test_expect(struct ws_test_client *client, const char *text)
{
    struct ss_str got = receive_text(client);
    ss_check_msg(ss_str_equal(got, ss_str(text)), "got %.*s want %s", (int)got.len, got.data,
                 text);
}

void ws_test_expect_part(struct ws_test_client *client, const char *part)
{
    struct ss_str got = receive_text(client);
    ss_check_msg(memmem(got.data, got.len, part, strlen(part)) != NULL, "got %.*s want %s",
                 (int)got.len, got.data, part);
}

void ws_test_expect_close(struct ws_test_client *client, uint16_t status)
{
    struct ss_ws_client_message message;
    do {
        ss_check_msg(ws_test_receive(client, &message), "ended without a close frame");
    } while (message.opcode != SS_WS_CLOSE);
    ss_check_msg(message.status == status, "close status %d", (int)message.status);
    ss_check(!ws_test_receive(client, &message));
}

void ws_test_expect_http(struct ws_test_client *client, int status, const char *part)
{
    struct ss_bytes response;
    ss__bytes_init(&response, 0);
    int got = ws_test_http_response(client, false, &response);
    ss_check_msg(got == status && strstr((const char *)response.data, part) != NULL,
                 "status %d, want %d with %s: %s", got, status, part,
                 (const char *)response.data);
    ss__bytes_deinit(&response);
}
