/* NATS core: at most once, no answers to a publish. Source: the client protocol in the NATS
 * documentation. A PING behind CONNECT and behind SUB tells by its PONG that they took effect. */
#include <string.h>

#include <sessionstream/error.h>

#include "load/peer_body.h"

#define LINE_BYTES_MAX 65536u    /* INFO is long */
#define MESSAGE_BYTES_MAX (1u << 20)

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    link->publishes = purpose->session_id.len == 0;
    ss__bytes_text(out, "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true,"
                   "\"lang\":\"c\",\"name\":\"ss-load\",\"version\":\"1\"}\r\nPING\r\n");
}

static void subscribe(struct ss_str session_id, struct ss_bytes *out)
{
    ss__bytes_text(out, "SUB ");
    ss__bytes_str(out, session_id);
    ss__bytes_text(out, " 1\r\nPING\r\n");
}

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    struct ss_load_peer_body body;
    ss__load_peer_body(message, &body);
    ss__bytes_text(out, "PUB ");
    ss__bytes_str(out, message->session_id);
    ss__bytes_byte(out, ' ');
    ss__bytes_u64(out, body.len);
    ss__bytes_text(out, "\r\n");
    ss__load_peer_body_append(&body, out);
    ss__bytes_text(out, "\r\n");
}

static bool begins(struct ss_str line, const char *word)
{
    size_t len = strlen(word);
    return line.len >= len && memcmp(line.data, word, len) == 0;
}

/* The message behind its @line: "MSG subject sid [reply-to] bytes". Returns the offset behind it,
 * 0 if it is incomplete, or SS_E_PROTO. */
static ptrdiff_t take_message(struct ss_str in, size_t at, struct ss_str line,
                              ss_load_item_fn *on_item, void *ctx)
{
    const char *space = memrchr(line.data, ' ', line.len);
    size_t skip = (size_t)(space - line.data) + 1;
    uint64_t size;
    if (!ss__load_peer_number(ss_str_of(line.data + skip, line.len - skip), &size) ||
        size > MESSAGE_BYTES_MAX) {
        return SS_E_PROTO;
    }
    if (in.len - at < 2 || in.len - at - 2 < size) {
        return 0;
    }
    struct ss_str body = ss_str_of(in.data + at, (size_t)size);
    bool good = memcmp(body.data + body.len, "\r\n", 2) == 0 &&
                ss__load_peer_deliver(body, on_item, ctx);
    return good ? (ptrdiff_t)(at + body.len + 2) : SS_E_PROTO;
}

static void take_line(struct ss_load_link *link, struct ss_str line, ss_load_item_fn *on_item,
                      void *ctx, struct ss_bytes *out)
{
    struct ss_load_item item = { .kind = SS_LOAD_OPEN, .text = ss_str("") };
    if (begins(line, "PING")) {
        ss__bytes_text(out, "PONG\r\n");
    } else if (begins(line, "PONG")) {
        item.kind = link->open ? SS_LOAD_SUBSCRIBED : SS_LOAD_OPEN;
        link->open = true;
        on_item(ctx, &item);
    } else if (begins(line, "-ERR ")) {
        item.kind = SS_LOAD_ERROR;
        item.text = ss_str_of(line.data + 5, line.len - 5);
        on_item(ctx, &item);
    }
}

static ptrdiff_t take(struct ss_load_link *link, const uint8_t *bytes, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw)
{
    struct ss_str in = ss_str_of(bytes, len);
    struct ss_str line;
    size_t at = 0;
    for (size_t end; (end = ss__load_peer_line(in, at, &line)) != 0;) {
        if (!begins(line, "MSG ")) {
            take_line(link, line, on_item, ctx, out);
            at = end;
            continue;
        }
        ptrdiff_t taken = take_message(in, end, line, on_item, ctx);
        if (taken < 0) {
            *ret_flaw = "a message that is not one of this generator";
            return taken;
        }
        if (taken == 0) {
            return (ptrdiff_t)at;
        }
        at = (size_t)taken;
    }
    if (len - at > LINE_BYTES_MAX) {
        *ret_flaw = "a line without end";
        return SS_E_PROTO;
    }
    return (ptrdiff_t)at;
}

const struct ss_load_dialect ss__load_nats = {
    .name = "nats", .follows = true, .acks = SS_LOAD_ACKS_NONE, .greet = greet, .take = take,
    .subscribe = subscribe, .pack_payload = ss__load_peer_pack, .publish = publish,
};
