#include "wire/ws_client.h"

#include <string.h>

#include <sessionstream/error.h>

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ss__ws_client_init(struct ss_ws_client *client, size_t message_bytes_max)
{
    *client = (struct ss_ws_client){ .opcode = SS_WS_CONTINUATION };
    ss__bytes_init(&client->in, 0);
    ss__bytes_init(&client->message, message_bytes_max);
}

void ss__ws_client_deinit(struct ss_ws_client *client)
{
    ss__bytes_deinit(&client->in);
    ss__bytes_deinit(&client->message);
}

static void append_key(struct ss_bytes *out, const uint8_t key[SS_WS_KEY_BYTES])
{
    for (size_t i = 0; i < SS_WS_KEY_BYTES; i += 3) {
        unsigned group = (unsigned)key[i] << 16;
        group |= i + 1 < SS_WS_KEY_BYTES ? (unsigned)key[i + 1] << 8 : 0;
        group |= i + 2 < SS_WS_KEY_BYTES ? (unsigned)key[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            bool padding = i + j > SS_WS_KEY_BYTES;
            ss__bytes_byte(out, padding ? (uint8_t)'='
                                        : (uint8_t)base64_alphabet[group >> (18 - 6 * j) & 63]);
        }
    }
}

void ss__ws_client_request(struct ss_bytes *out, struct ss_str host, struct ss_str target,
                           struct ss_str subprotocols, const uint8_t key[SS_WS_KEY_BYTES])
{
    ss__bytes_text(out, "GET ");
    ss__bytes_str(out, target);
    ss__bytes_text(out, " HTTP/1.1\r\nHost: ");
    ss__bytes_str(out, host);
    ss__bytes_text(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    append_key(out, key);
    if (subprotocols.len > 0) {
        ss__bytes_text(out, "\r\nSec-WebSocket-Protocol: ");
        ss__bytes_str(out, subprotocols);
    }
    ss__bytes_text(out, "\r\n\r\n");
}

static bool same_nocase(const char *text, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (c != name[i]) {
            return false;
        }
    }
    return true;
}

/* Value of a header field in the lines of @head; @name in lower case with its colon. */
static struct ss_str header_value(struct ss_str head, const char *name)
{
    size_t len = strlen(name);
    const char *at = memmem(head.data, head.len, "\r\n", 2);
    const char *end = head.data + head.len;
    while (at != NULL && (size_t)(end - at) > 2 + len) {
        const char *line = at + 2;
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        const char *stop = next == NULL ? end : next;
        if ((size_t)(stop - line) >= len && same_nocase(line, name, len)) {
            line += len;
            while (line < stop && *line == ' ') {
                line++;
            }
            return ss_str_of(line, (size_t)(stop - line));
        }
        at = next;
    }
    return (struct ss_str){ "", 0 };
}

ptrdiff_t ss__ws_client_response(struct ss_str in, const uint8_t key[SS_WS_KEY_BYTES],
                                 struct ss_str *ret_subprotocol, struct ss_failure *failure)
{
    (void)key;    /* the accept value guards against caches, which stand in nobody's way here */
    const char *end = in.len == 0 ? NULL : memmem(in.data, in.len, "\r\n\r\n", 4);
    if (end == NULL) {
        return in.len > 16384 ? ss__fail(failure, SS_E_PROTO, "the answer is no HTTP response")
                              : 0;
    }
    struct ss_str head = ss_str_of(in.data, (size_t)(end - in.data));
    if (head.len < 12 || memcmp(head.data, "HTTP/1.1 101", 12) != 0) {
        const char *line = memmem(head.data, head.len, "\r\n", 2);
        size_t len = line == NULL ? head.len : (size_t)(line - head.data);
        return ss__fail(failure, SS_E_PROTO, "the server refused the websocket: %.*s",
                        (int)(len > 120 ? 120 : len), head.data);
    }
    if (header_value(head, "sec-websocket-accept:").len != 28) {
        return ss__fail(failure, SS_E_PROTO, "the answer lacks Sec-WebSocket-Accept");
    }
    *ret_subprotocol = header_value(head, "sec-websocket-protocol:");
    return end + 4 - in.data;
}

void ss__ws_client_raw_frame(struct ss_bytes *out, uint8_t first_byte, struct ss_str payload,
                             const uint8_t mask[SS_WS_MASK_BYTES])
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t len = ss__ws_header_write(SS_WS_TEXT, payload.len, header);
    header[0] = first_byte;
    header[1] |= 0x80;
    ss__bytes_append(out, header, len);
    ss__bytes_append(out, mask, SS_WS_MASK_BYTES);
    uint8_t *at = payload.len == 0 ? NULL : ss__bytes_extend(out, payload.len);
    for (size_t i = 0; at != NULL && i < payload.len; i++) {
        at[i] = (uint8_t)payload.data[i] ^ mask[i % SS_WS_MASK_BYTES];
    }
}

void ss__ws_client_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload,
                         const uint8_t mask[SS_WS_MASK_BYTES])
{
    ss__ws_client_raw_frame(out, (uint8_t)(0x80u | (unsigned)opcode), payload, mask);
}

int ss__ws_client_feed(struct ss_ws_client *client, const void *data, size_t len)
{
    if (client->taken > 0) {
        memmove(client->in.data, client->in.data + client->taken, client->in.len - client->taken);
        client->in.len -= client->taken;
        client->taken = 0;
    }
    ss__bytes_append(&client->in, data, len);
    return client->in.err;
}

struct frame {
    uint8_t first;
    struct ss_str payload;
    size_t size;
};

/* 1 and a frame, 0 if it is incomplete, or an error. */
static int next_frame(const struct ss_ws_client *client, struct frame *ret_frame)
{
    const uint8_t *at = client->in.data + client->taken;
    size_t left = client->in.len - client->taken;
    if (left < 2) {
        return 0;
    }
    if ((at[1] & 0x80) != 0 || (at[0] & 0x70) != 0) {
        return SS_E_PROTO;    /* masked, or reserved bits */
    }
    size_t header = at[1] < 126 ? 2 : at[1] == 126 ? 4 : 10;
    if (left < header) {
        return 0;
    }
    uint64_t len = at[1] & 0x7F;
    if (header > 2) {
        len = 0;
        for (size_t i = 2; i < header; i++) {
            len = len << 8 | at[i];
        }
    }
    if (len > client->message.max) {
        return SS_E_TOOBIG;
    }
    if (left - header < len) {
        return 0;
    }
    *ret_frame = (struct frame){ at[0], ss_str_of(at + header, (size_t)len),
                                 header + (size_t)len };
    return 1;
}

static int take_control(const struct frame *frame, struct ss_ws_client_message *message)
{
    if ((frame->first & 0x80) == 0 || frame->payload.len > SS_WS_CONTROL_PAYLOAD_BYTES_MAX) {
        return SS_E_PROTO;
    }
    *message = (struct ss_ws_client_message){ (enum ss_ws_opcode)(frame->first & 0xF),
                                              frame->payload, SS_WS_STATUS_NONE };
    if (message->opcode == SS_WS_CLOSE && frame->payload.len >= 2) {
        const uint8_t *bytes = (const uint8_t *)frame->payload.data;
        message->status = (uint16_t)(bytes[0] << 8 | bytes[1]);
        message->bytes = ss_str_of(frame->payload.data + 2, frame->payload.len - 2);
    }
    return 1;
}

int ss__ws_client_take(struct ss_ws_client *client, struct ss_ws_client_message *ret_message)
{
    for (;;) {
        struct frame frame;
        int got = next_frame(client, &frame);
        if (got <= 0) {
            return got;
        }
        client->taken += frame.size;
        enum ss_ws_opcode opcode = (enum ss_ws_opcode)(frame.first & 0xF);
        bool final = (frame.first & 0x80) != 0;
        if ((opcode & 0x8) != 0) {
            return take_control(&frame, ret_message);
        }
        bool open = client->opcode != SS_WS_CONTINUATION;
        if ((opcode == SS_WS_CONTINUATION) != open) {
            return SS_E_PROTO;
        }
        if (!open && final) {
            *ret_message = (struct ss_ws_client_message){ opcode, frame.payload,
                                                          SS_WS_STATUS_NONE };
            return 1;
        }
        if (!open) {
            client->opcode = opcode;
            ss__bytes_clear(&client->message);
        }
        ss__bytes_str(&client->message, frame.payload);
        if (client->message.err != 0) {
            return client->message.err;
        }
        if (final) {
            *ret_message = (struct ss_ws_client_message){ client->opcode,
                                                          ss__bytes_view(&client->message),
                                                          SS_WS_STATUS_NONE };
            client->opcode = SS_WS_CONTINUATION;
            return 1;
        }
    }
}
