/* Nchan on nginx: followers are websockets on /sub/SESSION, messages are POST requests to
 * /pub/SESSION on a connection that is kept. Sources: RFC 6455, RFC 9112; the paths are those of
 * the server's configuration. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sessionstream/error.h>

#include "load/peer_body.h"
#include "load/websocket.h"

#define HEAD_BYTES_MAX 16384u
#define ANSWER_BYTES_MAX 65536u

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    char path[128];
    link->publishes = purpose->session_id.len == 0;
    if (link->publishes) {    /* whatever it answers, it takes requests */
        ss__bytes_text(out, "GET / HTTP/1.1\r\nHost: ");
        ss__bytes_str(out, purpose->authority);
        ss__bytes_text(out, "\r\n\r\n");
        return;
    }
    int len = snprintf(path, sizeof path, "/sub/%.*s", (int)purpose->session_id.len,
                       purpose->session_id.data);
    ss__load_ws_greet(link, purpose, ss_str_of(path, (size_t)len), ss_str(""), out);
}

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    struct ss_load_peer_body body;
    ss__load_peer_body(message, &body);
    ss__bytes_text(out, "POST /pub/");
    ss__bytes_str(out, message->session_id);
    ss__bytes_text(out, " HTTP/1.1\r\nHost: peer\r\nContent-Length: ");
    ss__bytes_u64(out, body.len);
    ss__bytes_text(out, "\r\n\r\n");
    ss__load_peer_body_append(&body, out);
}

/* ---- followers ---- */

static void take_message(struct ss_load_link *link, struct ss_str message,
                         ss_load_item_fn *on_item, void *ctx)
{
    (void)link;
    if (!ss__load_peer_deliver(message, on_item, ctx)) {
        on_item(ctx, &(struct ss_load_item){ .kind = SS_LOAD_ERROR, .text = ss_str("foreign") });
    }
}

/* ---- publishers ---- */

struct answer {
    unsigned status;
    uint64_t body_bytes;
    bool sized;
};

static bool is_field(struct ss_str line, const char *name, struct ss_str *ret_value)
{
    size_t len = strlen(name);
    if (line.len < len + 1 || strncasecmp(line.data, name, len) != 0 || line.data[len] != ':') {
        return false;
    }
    size_t at = len + 1;
    while (at < line.len && line.data[at] == ' ') {
        at++;
    }
    *ret_value = ss_str_of(line.data + at, line.len - at);
    return true;
}

/* "HTTP/1.1 201 Created" */
static bool read_status(struct ss_str line, unsigned *ret_status)
{
    static const char version[] = "HTTP/1.1 ";
    size_t len = sizeof version - 1;
    uint64_t status;
    if (line.len < len + 3 || memcmp(line.data, version, len) != 0 ||
        !ss__load_peer_number(ss_str_of(line.data + len, 3), &status)) {
        return false;
    }
    *ret_status = (unsigned)status;
    return true;
}

/* Returns the offset behind the answer at @at, 0 if it is incomplete, or SS_E_PROTO. */
static ptrdiff_t read_answer(struct ss_str in, size_t at, struct answer *ret_answer)
{
    const char *end = memmem(in.data + at, in.len - at, "\r\n\r\n", 4);
    if (end == NULL) {
        return in.len - at > HEAD_BYTES_MAX ? SS_E_PROTO : 0;
    }
    struct answer answer = { 0 };
    struct ss_str line;
    struct ss_str value;
    size_t head_end = (size_t)(end - in.data) + 4;
    size_t next = ss__load_peer_line(in, at, &line);
    bool good = read_status(line, &answer.status);
    while (good && (next = ss__load_peer_line(in, next, &line)) < head_end) {
        if (is_field(line, "Content-Length", &value)) {
            answer.sized = ss__load_peer_number(value, &answer.body_bytes);
        } else if (is_field(line, "Connection", &value) && value.len == 5) {
            return SS_E_PROTO;    /* close */
        }
    }
    if (!good || !answer.sized || answer.body_bytes > ANSWER_BYTES_MAX) {
        return SS_E_PROTO;
    }
    *ret_answer = answer;
    return in.len - head_end < answer.body_bytes ? 0 : (ptrdiff_t)(head_end + answer.body_bytes);
}

static void tell_answer(struct ss_load_link *link, unsigned status, ss_load_item_fn *on_item,
                        void *ctx)
{
    struct ss_load_item item = { .kind = SS_LOAD_OPEN, .text = ss_str("") };
    char text[24];
    if (link->open && status / 100 == 2) {
        item.kind = SS_LOAD_ACK;
    } else if (link->open) {
        int len = snprintf(text, sizeof text, "HTTP %u", status);
        item.kind = SS_LOAD_ERROR;
        item.text = ss_str_of(text, (size_t)len);
    }
    link->open = true;
    on_item(ctx, &item);
}

static ptrdiff_t take_answers(struct ss_load_link *link, struct ss_str in,
                              ss_load_item_fn *on_item, void *ctx, const char **ret_flaw)
{
    size_t at = 0;
    while (at < in.len) {
        struct answer answer;
        ptrdiff_t end = read_answer(in, at, &answer);
        if (end < 0) {
            *ret_flaw = "an answer that is no HTTP, has no length or ends the connection";
            return end;
        }
        if (end == 0) {
            break;
        }
        tell_answer(link, answer.status, on_item, ctx);
        at = (size_t)end;
    }
    return (ptrdiff_t)at;
}

static ptrdiff_t take(struct ss_load_link *link, const uint8_t *in, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw)
{
    if (link->publishes) {
        return take_answers(link, ss_str_of(in, len), on_item, ctx, ret_flaw);
    }
    struct ss_load_ws ws = { link, ss_str(""), take_message, true };
    return ss__load_ws_take(&ws, in, len, on_item, ctx, out, ret_flaw);
}

const struct ss_load_dialect ss__load_nchan = {
    .name = "nchan", .follows = true, .acks = SS_LOAD_ACKS_IN_ORDER, .greet = greet,
    .take = take, .pack_payload = ss__load_peer_pack, .publish = publish,
};
