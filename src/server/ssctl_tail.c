/* tail: follows one session over the websocket, connection after connection. */
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "http/upgrade.h"
#include "schema/json.h"
#include "server/client_socket.h"
#include "server/json_members.h"
#include "server/ssctl.h"
#include "wire/ws_client.h"

/* The server pings every 25 s unless told otherwise; more silence means the network is gone. */
#define SILENCE_MS 90000
#define CONNECT_MS 10000
#define PAUSE_MS_MIN 250
#define PAUSE_MS_MAX 5000
#define HANDSHAKE_BYTES_MAX 65536
#define MESSAGE_BYTES_MAX (256u << 20)
#define SUBPROTOCOL "sessionstream.v2.json"

enum outcome {
    TAIL_LOST,       /* the connection ended: try again */
    TAIL_DONE,       /* --count is reached */
    TAIL_REFUSED     /* the subscription is refused for good, or we cannot print: give up */
};

struct tail {
    const struct ss_ctl *ctl;
    int fd;
    struct ss_ws_client ws;
    struct ss_bytes line;
    uint64_t printed;        /* uiEvent frames */
    bool subscribed;         /* on this connection */
    struct ss_failure failure;
};

static int send_frame(struct tail *tail, enum ss_ws_opcode opcode, struct ss_str payload)
{
    uint8_t mask[SS_WS_MASK_BYTES];
    struct ss_bytes out;
    int err = ss__random_bytes(mask, sizeof mask);
    if (err != 0) {
        return ss__fail(&tail->failure, err, "no random numbers");
    }
    ss__bytes_init(&out, 0);
    ss__ws_client_frame(&out, opcode, payload, mask);
    err = out.err != 0 ? ss__fail(&tail->failure, out.err, "out of memory")
                       : ss__client_send(tail->fd, ss__bytes_view(&out),
                                         SS_CTL_ANSWER_TIMEOUT_MS, &tail->failure);
    ss__bytes_deinit(&out);
    return err;
}

static int send_subscribe(struct tail *tail)
{
    struct ss_bytes json;
    ss__bytes_init(&json, 0);
    ss__bytes_text(&json, "{\"subscribe\":{\"sessionId\":");
    ss__json_string(&json, ss_str(tail->ctl->args[0]));
    ss__bytes_text(&json, ",\"sinceSnapshotOrdinal\":\"");
    ss__bytes_u64(&json, tail->ctl->since);
    ss__bytes_text(&json, "\"}}");
    int err = json.err != 0 ? ss__fail(&tail->failure, json.err, "out of memory")
                            : send_frame(tail, SS_WS_TEXT, ss__bytes_view(&json));
    ss__bytes_deinit(&json);
    return err;
}

static int receive(struct tail *tail, void *chunk, size_t cap, size_t *ret_len)
{
    ptrdiff_t len = ss__client_receive(tail->fd, chunk, cap, SILENCE_MS, &tail->failure);
    if (len == 0) {
        return ss__fail(&tail->failure, SS_E_CLOSED, "the server closed the connection");
    }
    if (len < 0) {
        return (int)len;
    }
    *ret_len = (size_t)len;
    return 0;
}

/* Receives the answer to the handshake; what follows it goes to the frame decoder. */
static int finish_handshake(struct tail *tail, const char *key)
{
    char accept[SS_HTTP_ACCEPT_BYTES + 1];
    struct ss_bytes in;
    uint8_t chunk[4096];
    ptrdiff_t used = 0;
    int err = 0;
    ss__http_accept_key(ss_str(key), accept);
    ss__bytes_init(&in, HANDSHAKE_BYTES_MAX);
    while (err == 0 && used == 0) {
        size_t len = 0;
        err = receive(tail, chunk, sizeof chunk, &len);
        if (err == 0) {
            struct ss_str protocol;
            ss__bytes_append(&in, chunk, len);
            used = in.err != 0 ? ss__fail(&tail->failure, in.err, "the answer is too large")
                               : ss__ws_client_response(ss__bytes_view(&in), ss_str(accept),
                                                        ss_str(SUBPROTOCOL), &protocol,
                                                        &tail->failure);
        }
    }
    if (used < 0) {
        err = (int)used;
    } else if (used > 0) {
        err = ss__ws_client_feed(&tail->ws, in.data + used, in.len - (size_t)used);
    }
    ss__bytes_deinit(&in);
    return err;
}

static int handshake(struct tail *tail)
{
    uint8_t random[SS_WS_KEY_BYTES];
    char key[SS_WS_KEY_CHARS + 1];
    struct ss_bytes out;
    int err = ss__random_bytes(random, sizeof random);
    if (err != 0) {
        return ss__fail(&tail->failure, err, "no random numbers");
    }
    ss__bytes_init(&out, 0);
    ss__ws_client_key(random, key);
    ss__ws_client_request(&out, ss_str(tail->ctl->url.authority), ss_str("/v1/ws"),
                          ss_str(SUBPROTOCOL), ss_str(key));
    err = out.err != 0 ? ss__fail(&tail->failure, out.err, "out of memory")
                       : ss__client_send(tail->fd, ss__bytes_view(&out),
                                         SS_CTL_ANSWER_TIMEOUT_MS, &tail->failure);
    ss__bytes_deinit(&out);
    return err != 0 ? err : finish_handshake(tail, key);
}

static enum outcome give_up(struct tail *tail, int err, const char *sentence)
{
    (void)ss__fail(&tail->failure, err, "%s", sentence);
    (void)ss__ctl_fail(tail->ctl, &tail->failure);
    return TAIL_REFUSED;
}

/* What a later attempt may meet no longer: 0 if the error is none of these. */
static int find_passing(struct ss_str error)
{
    static const int passing[] = { SS_E_BUSY, SS_E_STOPPING, SS_E_TIMEOUT, SS_E_COMMIT,
                                   SS_E_NOMEM };
    static const char *const members[] = { "code", "detail" };
    int found = 0;
    struct ss_bytes name;
    ss__bytes_init(&name, 0);
    for (size_t i = 0; i < 2 && found == 0; i++) {
        ss__bytes_clear(&name);
        (void)ss__json_string_member(error, members[i], &name);
        for (size_t k = 0; k < sizeof passing / sizeof *passing && found == 0; k++) {
            bool same = ss_str_equal(ss__bytes_view(&name),
                                     ss_str(ss_error_wire_name(passing[k])));
            found = same ? passing[k] : 0;
        }
    }
    ss__bytes_deinit(&name);
    return found;
}

/* An error before "subscribed" answers our subscribe; a later one of the session ends it, and
 * nothing would come any more. */
static bool ends_following(const struct tail *tail, struct ss_str error)
{
    struct ss_str id;
    return !tail->subscribed || ss__json_member(error, "sessionId", &id);
}

static enum outcome refuse_subscription(struct tail *tail, struct ss_str error, int *ret_err)
{
    struct ss_bytes text;
    int passing = find_passing(error);
    ss__bytes_init(&text, 0);
    if (passing != 0) {
        (void)ss__json_string_member(error, "message", &text);
        *ret_err = ss__fail(&tail->failure, passing, "%.*s", (int)text.len,
                            text.len > 0 ? (const char *)text.data : "");
        ss__bytes_deinit(&text);
        return TAIL_LOST;
    }
    if (!ss__json_string_member(error, "code", &text)) {
        ss__bytes_text(&text, "error");
    }
    ss__bytes_text(&text, ": ");
    (void)ss__json_string_member(error, "message", &text);    /* without one the code must do */
    fprintf(tail->ctl->err, "ssctl: %.*s\n", (int)text.len, (const char *)text.data);
    ss__bytes_deinit(&text);
    return TAIL_REFUSED;
}

/* TAIL_LOST and *ret_err 0: go on. */
static enum outcome take_frame(struct tail *tail, struct ss_str json, int *ret_err)
{
    struct ss_str member;
    FILE *out = tail->ctl->out;
    ss__bytes_clear(&tail->line);
    ss__json_line(&tail->line, json);
    ss__bytes_byte(&tail->line, '\n');
    if (tail->line.err != 0) {
        return give_up(tail, tail->line.err, "a frame does not fit into memory");
    }
    if (fwrite(tail->line.data, 1, tail->line.len, out) != tail->line.len || fflush(out) != 0) {
        return give_up(tail, SS_E_IO, "cannot write to standard output");
    }
    if (ss__json_member(json, "subscribed", &member)) {
        tail->subscribed = true;
    } else if (ss__json_member(json, "error", &member) && ends_following(tail, member)) {
        return refuse_subscription(tail, member, ret_err);
    } else if (ss__json_member(json, "uiEvent", &member)) {
        tail->printed++;
    }
    return tail->ctl->count != 0 && tail->printed >= tail->ctl->count ? TAIL_DONE : TAIL_LOST;
}

/* The same. */
static enum outcome take_message(struct tail *tail, const struct ss_ws_client_message *message,
                                 int *ret_err)
{
    *ret_err = 0;
    switch (message->opcode) {
    case SS_WS_TEXT:
        return take_frame(tail, message->bytes, ret_err);
    case SS_WS_PING:
        *ret_err = send_frame(tail, SS_WS_PONG, message->bytes);
        break;
    case SS_WS_CLOSE:
        *ret_err = ss__fail(&tail->failure, SS_E_CLOSED, "the server closed the connection (%u)",
                            message->status);
        break;
    default:
        break;
    }
    return TAIL_LOST;
}

/* Takes all whole messages received so far. */
static enum outcome take_messages(struct tail *tail, int *ret_err)
{
    for (;;) {
        struct ss_ws_client_message message;
        int taken = ss__ws_client_take(&tail->ws, &message);
        if (taken <= 0) {
            *ret_err = taken == 0 ? 0
                                  : ss__fail(&tail->failure, taken, "unusable frame: %s",
                                             ss_error_text(taken));
            return TAIL_LOST;
        }
        enum outcome outcome = take_message(tail, &message, ret_err);
        if (outcome != TAIL_LOST || *ret_err != 0) {
            return outcome;
        }
    }
}

static enum outcome follow_connected(struct tail *tail)
{
    static uint8_t chunk[65536];
    int err = handshake(tail);
    if (err == 0) {
        err = send_subscribe(tail);
    }
    while (err == 0) {
        size_t len = 0;
        enum outcome outcome = take_messages(tail, &err);
        if (outcome != TAIL_LOST) {
            return outcome;
        }
        if (err == 0) {
            err = receive(tail, chunk, sizeof chunk, &len);
        }
        if (err == 0) {
            err = ss__ws_client_feed(&tail->ws, chunk, len);
        }
    }
    return TAIL_LOST;
}

/* One connection from start to end; the reason is in tail->failure. */
static enum outcome follow(struct tail *tail)
{
    enum outcome outcome = TAIL_LOST;
    tail->subscribed = false;
    tail->failure = (struct ss_failure){ .code = SS_E_NOMEM, .text = "out of memory" };
    if (ss__client_connect(&tail->ctl->url, CONNECT_MS, &tail->fd, &tail->failure) == 0) {
        ss__ws_client_init(&tail->ws, MESSAGE_BYTES_MAX);
        outcome = follow_connected(tail);
        ss__ws_client_deinit(&tail->ws);
        (void)close(tail->fd);    /* nothing more to learn from it */
    }
    return outcome;
}

/* Up to half as much again, so that many clients do not return at the same moment. */
static uint32_t add_jitter(uint32_t pause_ms)
{
    uint32_t random = 0;
    (void)ss__random_bytes(&random, sizeof random);    /* without it there is no jitter */
    return pause_ms + random % (pause_ms / 2);
}

int ss__ctl_tail(const struct ss_ctl *ctl)
{
    struct tail tail = { .ctl = ctl };
    uint32_t pause_ms = PAUSE_MS_MIN;
    enum outcome outcome;
    ss__bytes_init(&tail.line, 0);
    while ((outcome = follow(&tail)) == TAIL_LOST) {
        (void)ss__ctl_fail(ctl, &tail.failure);
        if (ctl->no_reconnect) {
            break;
        }
        if (tail.subscribed) {
            pause_ms = PAUSE_MS_MIN;
        }
        uint32_t wait_ms = add_jitter(pause_ms);
        fprintf(ctl->err, "ssctl: connecting again in %u ms\n", wait_ms);
        ss__client_pause(wait_ms);
        pause_ms = pause_ms * 2 > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause_ms * 2;
    }
    ss__bytes_deinit(&tail.line);
    return outcome == TAIL_DONE ? SS_CTL_OK : SS_CTL_FAILED;
}
