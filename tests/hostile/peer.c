#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "wire/ws_client.h"

#define PATIENCE_MS 120000     /* slow machines have it as well */
#define SEGMENT_BYTES 536

const char upgrade_request[] =
    "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"
    "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n\r\n";

/* ---- text ---- */

bool begins_with(struct ss_str text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

struct ss_str text_behind(struct ss_str text, const char *key)
{
    const char *at = memmem(text.data, text.len, key, strlen(key));
    if (at == NULL) {
        return ss_str_of("", 0);
    }
    at += strlen(key);
    size_t left = text.len - (size_t)(at - text.data);
    const char *end = memchr(at, '"', left);
    return ss_str_of(at, end == NULL ? left : (size_t)(end - at));
}

uint64_t number_behind(struct ss_str text, const char *key)
{
    struct ss_str digits = text_behind(text, key);
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len && digits.data[i] >= '0' && digits.data[i] <= '9'; i++) {
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return value;
}

static void keep_code(struct peer *peer, struct ss_str text)
{
    struct ss_str code = text_behind(text, "\"code\":\"");
    if (code.len > 0 && code.len < sizeof peer->code) {
        memcpy(peer->code, code.data, code.len);
        peer->code[code.len] = '\0';
    }
}

/* ---- frames to the server ---- */

void frame_raw(struct ss_bytes *out, uint8_t first_byte, const void *payload, size_t len)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 0x37, 0xfa, 0x21, 0x3d };
    ss__ws_client_raw_frame(out, first_byte, ss_str_of(payload, len), mask);
}

void frame_text(struct ss_bytes *out, const char *text)
{
    frame_raw(out, 0x81, text, strlen(text));
}

static _Thread_local struct ss_bytes submit_text;

void frame_release(void)
{
    ss__bytes_deinit(&submit_text);
}

void frame_submit(struct ss_bytes *out, const char *session, uint64_t id, uint32_t payload,
                  uint32_t entity)
{
    struct ss_bytes *text = &submit_text;
    char tail[64];
    ss__bytes_clear(text);
    text->max = SIZE_MAX;
    ss__bytes_text(text, "{\"submit\":{\"requestId\":\"");
    ss__bytes_u64(text, id);
    ss__bytes_text(text, "\",\"sessionId\":\"");
    ss__bytes_text(text, session);
    ss__bytes_text(text, "\",\"name\":\"BenchPublish\",\"payload\":{\"@type\":"
                   "\"type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand\","
                   "\"payload\":\"");
    uint8_t *raw = ss__bytes_extend(text, payload / 3 * 4);
    if (raw != NULL) {
        memset(raw, 'A', payload / 3 * 4);
    }
    (void)snprintf(tail, sizeof tail, "\",\"sentNs\":\"%llu\",\"entity\":%u}}}",
                   (unsigned long long)id, entity);
    ss__bytes_text(text, tail);
    frame_raw(out, 0x81, text->data, text->len);
}

/* ---- the socket ---- */

static void end(struct peer *peer)
{
    if (!peer->ended) {
        peer->ended = true;
        peer->ended_ns = now_ns();
    }
}

bool peer_connect(struct peer *peer, uint16_t port, int rcvbuf)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    *peer = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    ss__bytes_init(&peer->in, 0);
    if (peer->fd < 0) {
        return false;
    }
    if (rcvbuf > 0) {
        int segment = SEGMENT_BYTES;
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
        (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer->began_ns = now_ns();    /* before: the server's clock for it may begin at once */
    return connect(peer->fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

bool peer_upgrade(struct peer *peer, uint16_t port, int rcvbuf)
{
    if (!peer_connect(peer, port, rcvbuf) ||
        !peer_send_all(peer, upgrade_request, strlen(upgrade_request))) {
        return false;
    }
    for (unsigned i = 0; i < 1000 && !peer->ended && !peer->websocket && peer->status == 0; i++) {
        struct pollfd wait = { peer->fd, POLLIN, 0 };
        (void)poll(&wait, 1, PATIENCE_MS);
        peer_read(peer, SIZE_MAX);
    }
    return peer->websocket;
}

size_t peer_send(struct peer *peer, const void *data, size_t len)
{
    ssize_t sent = peer->fd < 0 ? -1 : send(peer->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : (size_t)sent;
}

bool peer_send_all(struct peer *peer, const void *data, size_t len)
{
    uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000);
    size_t at = 0;
    while (at < len && now_ns() < until) {
        ssize_t sent = send(peer->fd, (const char *)data + at, len - at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd wait = { peer->fd, POLLOUT, 0 };
            (void)poll(&wait, 1, 100);
        } else {
            return false;
        }
    }
    return at == len;
}

bool peer_send_text(struct peer *peer, const char *text)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    frame_text(&out, text);
    bool sent = peer_send_all(peer, out.data, out.len);
    ss__bytes_deinit(&out);
    return sent;
}

size_t peer_flood(struct peer *peer, const struct ss_bytes *pattern, size_t len)
{
    size_t total = 0;
    while (total < len) {
        size_t part = pattern->len - peer->at;
        part = part < len - total ? part : len - total;
        size_t sent = peer_send(peer, pattern->data + peer->at, part);
        peer->at = (peer->at + sent) % pattern->len;
        total += sent;
        if (sent < part) {
            break;
        }
    }
    return total;
}

bool peer_vanish(struct peer *peer)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { 1, &nothing };
    return setsockopt(peer->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

void peer_close(struct peer *peer, bool reset)
{
    if (peer->fd >= 0) {
        struct linger now = { 1, 0 };
        if (reset) {
            (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        (void)close(peer->fd);
        peer->fd = -1;
    }
    ss__bytes_deinit(&peer->in);
}

/* ---- bytes from the server ---- */

static void take_message(struct peer *peer, struct ss_str text)
{
    peer->frames++;
    if (begins_with(text, "{\"error\"")) {
        peer->errors++;
        keep_code(peer, text);
    } else if (begins_with(text, "{\"accepted\"")) {
        peer->accepted++;
    } else if (begins_with(text, "{\"snapshot\"")) {
        peer->snapshots++;
    } else if (begins_with(text, "{\"subscribed\"")) {
        peer->subscribed++;
    } else if (begins_with(text, "{\"unsubscribed\"")) {
        peer->unsubscribed++;
    } else if (begins_with(text, "{\"pong\"")) {
        peer->pongs++;
    }
    if (peer->on_frame != NULL) {
        peer->on_frame(peer, text);
    }
}

/* A frame that is partly sent must not be cut in two by a pong. */
static void answer_ping(struct peer *peer, const uint8_t *payload, size_t len)
{
    struct ss_bytes pong = { .max = SIZE_MAX };
    if (peer->out != NULL && peer->out->len > 0) {
        frame_raw(peer->out, 0x8a, payload, len);
        return;
    }
    frame_raw(&pong, 0x8a, payload, len);
    (void)peer_send(peer, pong.data, pong.len);
    ss__bytes_deinit(&pong);
}

/* Returns the bytes of the first whole frame, taken; 0: it is not there. */
static size_t take_frame(struct peer *peer, const uint8_t *in, size_t len)
{
    size_t head = 2;
    uint64_t size;
    if (len < 2) {
        return 0;
    }
    size = in[1] & 0x7f;
    unsigned wide = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (len < head + wide) {
        return 0;
    }
    size = wide == 0 ? size : 0;
    for (unsigned i = 0; i < wide; i++) {
        size = size << 8 | in[head + i];
    }
    head += wide;
    if (len - head < size) {
        return 0;
    }
    unsigned opcode = in[0] & 0x0f;
    if (opcode == 8) {
        unsigned code = (unsigned)in[head] << 8 | (size > 1 ? in[head + 1] : 0);
        peer->close_code = size < 2 ? 1005 : (uint16_t)code;
    } else if (opcode == 9 && peer->polite) {
        answer_ping(peer, in + head, (size_t)size);
    } else if (opcode == 10) {
        peer->pongs++;
    } else if (opcode == 1 || opcode == 2) {
        take_message(peer, ss_str_of((const char *)in + head, (size_t)size));
    }
    return head + (size_t)size;
}

/* The same of an HTTP answer. */
static size_t take_answer(struct peer *peer, const uint8_t *in, size_t len)
{
    const char *text = (const char *)in;
    const char *blank = memmem(text, len, "\r\n\r\n", 4);
    if (blank == NULL) {
        return 0;
    }
    size_t head = (size_t)(blank - text) + 4;
    int status = head > 12 ? atoi(text + 9) : 0;
    if (status == 101) {
        peer->websocket = true;
        return head;
    }
    static const char field[] = "Content-Length: ";
    const char *length = memmem(text, head, field, sizeof field - 1);
    size_t body = length == NULL ? 0 : strtoul(length + sizeof field - 1, NULL, 10);
    if (len - head < body) {
        return 0;
    }
    peer->status = status;
    peer->answers++;
    if (status >= 400) {
        keep_code(peer, ss_str_of(text + head, body));
    }
    if (peer->on_frame != NULL) {
        peer->on_frame(peer, ss_str_of(text + head, body));
    }
    return head + body;
}

static void take_all(struct peer *peer)
{
    size_t at = 0;
    for (size_t taken = 1; taken > 0 && at < peer->in.len; at += taken) {
        const uint8_t *in = peer->in.data + at;
        size_t left = peer->in.len - at;
        taken = peer->websocket ? take_frame(peer, in, left) : take_answer(peer, in, left);
    }
    memmove(peer->in.data, peer->in.data + at, peer->in.len - at);
    peer->in.len -= at;
}

void peer_read(struct peer *peer, size_t max)
{
    static _Thread_local uint8_t buffer[1 << 16];
    while (max > 0 && peer->fd >= 0 && !peer->ended) {
        size_t want = max < sizeof buffer ? max : sizeof buffer;
        ssize_t got = recv(peer->fd, buffer, want, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            end(peer);
            return;
        }
        if (got < 0) {
            return;
        }
        size_t room = sizeof peer->head - peer->head_len;
        size_t keep = (size_t)got < room ? (size_t)got : room;
        memcpy(peer->head + peer->head_len, buffer, keep);
        peer->head_len += keep;
        peer->bytes_in += (uint64_t)got;
        max -= (size_t)got;
        ss__bytes_append(&peer->in, buffer, (size_t)got);
        take_all(peer);
    }
}
