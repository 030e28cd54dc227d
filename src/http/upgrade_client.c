#include "http/upgrade_client.h"

#include <sessionstream/error.h>

#include "http/base64.h"
#include "http/request.h"
#include "http/upgrade.h"

#define KEY_TEXT_BYTES 24

static void append_field(struct ss_bytes *out, const char *name, struct ss_str value)
{
    ss__bytes_text(out, name);
    ss__bytes_text(out, ": ");
    ss__bytes_str(out, value);
    ss__bytes_text(out, "\r\n");
}

void ss__http_client_upgrade(struct ss_bytes *out, struct ss_str host, struct ss_str target,
                             struct ss_str subprotocols, const uint8_t key[SS_HTTP_KEY_BYTES])
{
    char key_text[KEY_TEXT_BYTES];
    size_t key_len = ss__base64_encode(key, SS_HTTP_KEY_BYTES, key_text);
    ss__bytes_text(out, "GET ");
    ss__bytes_str(out, target);
    ss__bytes_text(out, " HTTP/1.1\r\n");
    append_field(out, "Host", host);
    append_field(out, "Upgrade", ss_str("websocket"));
    append_field(out, "Connection", ss_str("Upgrade"));
    append_field(out, "Sec-WebSocket-Key", ss_str_of(key_text, key_len));
    append_field(out, "Sec-WebSocket-Version", ss_str("13"));
    if (subprotocols.len > 0) {
        append_field(out, "Sec-WebSocket-Protocol", subprotocols);
    }
    ss__bytes_text(out, "\r\n");
}

/* The line at the start of @text without CR LF, taken off @text with it. */
static struct ss_str take_line(struct ss_str *text)
{
    const char *end = memmem(text->data, text->len, "\r\n", 2);
    struct ss_str line = ss_str_of(text->data, (size_t)(end - text->data));
    *text = ss_str_of(end + 2, text->len - line.len - 2);
    return line;
}

static bool take_field(struct ss_str line, const char *name, struct ss_str *ret_value)
{
    size_t name_len = strlen(name);
    if (line.len <= name_len || line.data[name_len] != ':' ||
        !ss__http_equal_nocase(ss_str_of(line.data, name_len), ss_str(name))) {
        return false;
    }
    struct ss_str rest = ss_str_of(line.data + name_len + 1, line.len - name_len - 1);
    *ret_value = rest;
    return ss__http_list_next(&rest, ret_value);
}

ptrdiff_t ss__http_client_upgraded(struct ss_str in, const uint8_t key[SS_HTTP_KEY_BYTES],
                                   struct ss_str *ret_subprotocol, struct ss_failure *failure)
{
    const char *end = in.len == 0 ? NULL : memmem(in.data, in.len, "\r\n\r\n", 4);
    if (end == NULL) {
        return in.len <= SS_HTTP_HEADER_BYTES_MAX
                   ? 0
                   : ss__fail(failure, SS_E_PROTO, "the server's answer has no end");
    }
    struct ss_str head = ss_str_of(in.data, (size_t)(end - in.data) + 2);
    struct ss_str status = take_line(&head);
    if (status.len < 12 || memcmp(status.data, "HTTP/1.1 101", 12) != 0) {
        return ss__fail(failure, SS_E_PROTO, "the server answered: %.*s",
                        (int)(status.len < 200 ? status.len : 200), status.data);
    }
    char key_text[KEY_TEXT_BYTES];
    size_t key_len = ss__base64_encode(key, SS_HTTP_KEY_BYTES, key_text);
    char want[SS_HTTP_ACCEPT_BYTES + 1];
    ss__http_accept_key(ss_str_of(key_text, key_len), want);
    struct ss_str accept = ss_str("");
    struct ss_str upgrade = ss_str("");
    struct ss_str subprotocol = ss_str("");
    while (head.len > 0) {
        struct ss_str line = take_line(&head);
        (void)(take_field(line, "Sec-WebSocket-Accept", &accept) ||
               take_field(line, "Upgrade", &upgrade) ||
               take_field(line, "Sec-WebSocket-Protocol", &subprotocol));   /* others: skipped */
    }
    if (!ss__http_equal_nocase(upgrade, ss_str("websocket"))) {
        return ss__fail(failure, SS_E_PROTO, "the server does not upgrade to websocket");
    }
    if (!ss_str_equal(accept, ss_str(want))) {
        return ss__fail(failure, SS_E_PROTO, "Sec-WebSocket-Accept does not fit the key");
    }
    *ret_subprotocol = subprotocol;
    return end + 4 - in.data;
}
