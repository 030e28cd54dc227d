#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runs.h"
#include "verdict.h"

void text_add(struct text *text, const void *bytes, size_t len)
{
    if (text->len + len + 1 > text->cap) {
        text->cap = (text->len + len + 1) * 2;
        text->bytes = realloc(text->bytes, text->cap);
        if (text->bytes == NULL) {
            abort();    /* the client's own memory does not fail */
        }
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){ NULL, 0, 0 };
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;    /* it shows at the next receive */
        }
        data += sent;
        len -= (size_t)sent;
    }
}

/* False at the end of the connection. */
static bool receive(int fd, struct text *in)
{
    char data[65536];
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    if (poll(&wait, 1, CLIENT_DEADLINE_MS) != 1) {
        broken("a client waits for an answer that does not come");
        return false;
    }
    ssize_t got = recv(fd, data, sizeof data, 0);
    if (got <= 0) {
        return false;
    }
    text_add(in, data, (size_t)got);
    return true;
}

/* The status of a whole response, whose body is left in @in; 0. */
static int take_response(struct text *in, struct text *ret_body)
{
    char *end = in->bytes == NULL ? NULL : strstr(in->bytes, "\r\n\r\n");
    char *length = in->bytes == NULL ? NULL : strcasestr(in->bytes, "\r\nContent-Length:");
    if (end == NULL || length == NULL || length > end) {
        return 0;
    }
    size_t len = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    size_t head = (size_t)(end - in->bytes) + 4;
    if (in->len < head + len) {
        return 0;
    }
    if (ret_body != NULL) {
        ret_body->len = 0;
        text_add(ret_body, in->bytes + head, len);
    }
    return atoi(in->bytes + strlen("HTTP/1.1 "));
}

int http_ask(uint16_t port, const char *method, const char *path, const char *more,
             const char *body, struct text *ret_body)
{
    struct text in = { NULL, 0, 0 };
    struct text out = { NULL, 0, 0 };
    char head[1024];
    int fd = connect_to(port);
    if (fd < 0) {
        return 0;
    }
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                       method, path, more, strlen(body));
    text_add(&out, head, (size_t)len);
    text_add(&out, body, strlen(body));
    send_all(fd, out.bytes, out.len);
    while (receive(fd, &in)) {
    }
    (void)close(fd);
    int status = take_response(&in, ret_body);
    text_free(&out);
    text_free(&in);
    return status;
}

/* ---- websocket ---- */

bool ws_connect(struct ws *ws, uint16_t port)
{
    *ws = (struct ws){ .fd = connect_to(port) };
    return ws->fd >= 0;
}

bool ws_open(struct ws *ws, uint16_t port)
{
    return ws_connect(ws, port) && ws_upgrade(ws);
}

bool ws_upgrade(struct ws *ws)
{
    static const char request[] =
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n\r\n";
    send_all(ws->fd, request, sizeof request - 1);
    char *end = NULL;
    while (end == NULL && receive(ws->fd, &ws->in)) {
        end = strstr(ws->in.bytes, "\r\n\r\n");
    }
    if (end == NULL || strncmp(ws->in.bytes, "HTTP/1.1 101", 12) != 0) {
        ws_close(ws);
        return false;
    }
    ws->taken = (size_t)(end - ws->in.bytes) + 4;
    return true;
}

void ws_close(struct ws *ws)
{
    if (ws->fd >= 0) {
        (void)close(ws->fd);
    }
    text_free(&ws->in);
    *ws = (struct ws){ .fd = -1 };
}

void ws_send(struct ws *ws, const char *text)
{
    size_t len = strlen(text);
    uint8_t head[8] = { 0x81, 0x80 };    /* final text, masked with zeros */
    size_t head_len = 6;
    if (ws->fd < 0) {
        return;
    }
    if (len < 126) {
        head[1] = (uint8_t)(0x80 | len);
    } else {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        head_len = 8;
    }
    struct text out = { NULL, 0, 0 };
    text_add(&out, head, head_len);
    text_add(&out, text, len);
    send_all(ws->fd, out.bytes, out.len);
    text_free(&out);
}

/* Bytes of the frame at the front, header included; 0: not all of it is there. */
static size_t frame_bytes(const struct ws *ws, size_t *ret_head)
{
    const uint8_t *at = (const uint8_t *)ws->in.bytes + ws->taken;
    size_t left = ws->in.len - ws->taken;
    if (left < 2) {
        return 0;
    }
    uint64_t len = at[1] & 127u;
    size_t head = len == 126 ? 4 : len == 127 ? 10 : 2;
    if (left < head) {
        return 0;
    }
    if (len >= 126) {
        len = 0;
        for (size_t i = 2; i < head; i++) {
            len = len << 8 | at[i];
        }
    }
    *ret_head = head;
    return left < head + len ? 0 : head + (size_t)len;
}

char *ws_next(struct ws *ws)
{
    static struct text frame;
    while (ws->fd >= 0) {
        size_t head = 0;
        size_t len = frame_bytes(ws, &head);
        if (len == 0) {
            if (!receive(ws->fd, &ws->in)) {
                break;
            }
            continue;
        }
        const char *at = ws->in.bytes + ws->taken;
        unsigned opcode = (uint8_t)at[0] & 15u;
        ws->taken += len;
        if (opcode == 1) {
            frame.len = 0;
            text_add(&frame, at + head, len - head);
            return frame.bytes;
        }
        if (opcode == 8) {
            break;
        }
    }
    ws_close(ws);
    return NULL;
}
