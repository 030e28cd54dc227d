/* Appends to Redis streams, XADD in RESP2: an answer to each, in order. How durable what it
 * answers is depends on the server's appendfsync. Source: the RESP specification of Redis. */
#include <string.h>

#include <sessionstream/error.h>

#include "load/peer_body.h"

#define REPLY_BYTES_MAX 4096u

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    link->publishes = purpose->session_id.len == 0;
    ss__bytes_text(out, "*1\r\n$4\r\nPING\r\n");
}

static void bulk(struct ss_bytes *out, struct ss_str text)
{
    ss__bytes_byte(out, '$');
    ss__bytes_u64(out, text.len);
    ss__bytes_text(out, "\r\n");
    ss__bytes_str(out, text);
    ss__bytes_text(out, "\r\n");
}

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    struct ss_load_peer_body body;
    ss__load_peer_body(message, &body);
    ss__bytes_text(out, "*5\r\n$4\r\nXADD\r\n");
    bulk(out, message->session_id);
    ss__bytes_text(out, "$1\r\n*\r\n$1\r\nf\r\n$");
    ss__bytes_u64(out, body.len);
    ss__bytes_text(out, "\r\n");
    ss__load_peer_body_append(&body, out);
    ss__bytes_text(out, "\r\n");
}

/* Returns the offset behind the reply at @at, 0 if it is incomplete, or SS_E_PROTO. *ret_text is
 * what a simple string or an error says. */
static ptrdiff_t read_reply(struct ss_str in, size_t at, struct ss_str *ret_text)
{
    struct ss_str line;
    uint64_t size;
    size_t end = ss__load_peer_line(in, at, &line);
    if (end == 0) {
        return in.len - at > REPLY_BYTES_MAX ? SS_E_PROTO : 0;
    }
    if (line.len == 0 || memchr("+-$", line.data[0], 3) == NULL) {
        return SS_E_PROTO;
    }
    *ret_text = ss_str_of(line.data + 1, line.len - 1);
    if (line.data[0] != '$') {
        return (ptrdiff_t)end;
    }
    if (!ss__load_peer_number(*ret_text, &size) || size > REPLY_BYTES_MAX) {
        return SS_E_PROTO;
    }
    return in.len - end < size + 2 ? 0 : (ptrdiff_t)(end + size + 2);
}

static ptrdiff_t take(struct ss_load_link *link, const uint8_t *bytes, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw)
{
    (void)out;
    struct ss_str in = ss_str_of(bytes, len);
    size_t at = 0;
    for (ptrdiff_t end; at < len;) {
        struct ss_load_item item = { .text = ss_str("") };
        struct ss_str text = ss_str("");
        end = read_reply(in, at, &text);
        if (end < 0) {
            *ret_flaw = "a reply that XADD does not give";
            return end;
        }
        if (end == 0) {
            break;
        }
        bool refused = in.data[at] == '-';
        if (!link->open && refused) {
            *ret_flaw = "the server refuses the connection";
            return SS_E_PROTO;
        }
        item.kind = !link->open ? SS_LOAD_OPEN : refused ? SS_LOAD_ERROR : SS_LOAD_ACK;
        item.text = refused ? text : item.text;
        link->open = true;
        on_item(ctx, &item);
        at = (size_t)end;
    }
    return (ptrdiff_t)at;
}

const struct ss_load_dialect ss__load_redis = {
    .name = "redis", .acks = SS_LOAD_ACKS_IN_ORDER, .greet = greet, .take = take,
    .pack_payload = ss__load_peer_pack, .publish = publish,
};
