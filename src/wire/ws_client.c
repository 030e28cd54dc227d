#include "wire/ws_client.h"

#include <string.h>
#include <strings.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "wire/ws_close.h"

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

void ss__ws_client_key(const uint8_t random[SS_WS_KEY_BYTES],
                       char ret_key[SS_WS_KEY_CHARS + 1])
{
    uint8_t padded[SS_WS_KEY_BYTES + 2] = { 0 };
    char *out = ret_key;
    memcpy(padded, random, SS_WS_KEY_BYTES);
    for (size_t i = 0; i < sizeof padded; i += 3) {
        unsigned group = (unsigned)padded[i] << 16 | (unsigned)padded[i + 1] << 8 | padded[i + 2];
        for (unsigned j = 0; j < 4; j++) {
            *out++ = base64_alphabet[group >> (18 - 6 * j) & 63];
        }
    }
    out[-1] = '=';    /* 16 bytes leave two places of padding */
    out[-2] = '=';
    *out = '\0';
}

void ss__ws_client_request(struct ss_bytes *out, struct ss_str host, struct ss_str target,
                           struct ss_str subprotocols, struct ss_str key)
{
    ss__bytes_text(out, "GET ");
    ss__bytes_str(out, target);
    ss__bytes_text(out, " HTTP/1.1\r\nHost: ");
    ss__bytes_str(out, host);
    ss__bytes_text(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    ss__bytes_str(out, key);
    if (subprotocols.len > 0) {
        ss__bytes_text(out, "\r\nSec-WebSocket-Protocol: ");
        ss__bytes_str(out, subprotocols);
    }
    ss__bytes_text(out, "\r\n\r\n");
}

/* ---- the answer to the handshake ---- */

static bool same_nocase(struct ss_str text, const char *name)
{
    return text.len == strlen(name) && strncasecmp(text.data, name, text.len) == 0;
}

static struct ss_str trim(struct ss_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = ss_str_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 &&
           (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Cuts the part before the next @separator off @rest; false when nothing is left. */
static bool next_part(struct ss_str *rest, const char *separator, struct ss_str *ret_part)
{
    size_t width = strlen(separator);
    if (rest->len == 0) {
        return false;
    }
    const char *end = memmem(rest->data, rest->len, separator, width);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    size_t skip = end == NULL ? len : len + width;
    *ret_part = ss_str_of(rest->data, len);
    *rest = ss_str_of(rest->data + skip, rest->len - skip);
    return true;
}

/* Names and list members of the handshake; only subprotocols mind the case (section 4.1). */
static bool list_has(struct ss_str list, struct ss_str member, bool any_case)
{
    struct ss_str part;
    while (next_part(&list, ",", &part)) {
        part = trim(part);
        if (part.len == member.len && part.len > 0 &&
            (any_case ? strncasecmp(part.data, member.data, part.len)
                      : memcmp(part.data, member.data, part.len)) == 0) {
            return true;
        }
    }
    return false;
}

struct answer {
    bool upgrade;
    bool connection;
    bool extensions;
    unsigned accepts;
    unsigned subprotocols;
    struct ss_str accept;
    struct ss_str subprotocol;
};

static void read_field(struct answer *answer, struct ss_str line)
{
    struct ss_str name;
    if (!next_part(&line, ":", &name)) {
        return;
    }
    struct ss_str value = trim(line);
    if (same_nocase(name, "upgrade")) {
        answer->upgrade = answer->upgrade || list_has(value, ss_str("websocket"), true);
    } else if (same_nocase(name, "connection")) {
        answer->connection = answer->connection || list_has(value, ss_str("upgrade"), true);
    } else if (same_nocase(name, "sec-websocket-accept")) {
        answer->accepts++;
        answer->accept = value;
    } else if (same_nocase(name, "sec-websocket-protocol")) {
        answer->subprotocols++;
        answer->subprotocol = value;
    } else if (same_nocase(name, "sec-websocket-extensions")) {
        answer->extensions = answer->extensions || value.len > 0;
    }
}

/* What is wrong with the fields, or NULL. */
static const char *flaw_of(const struct answer *answer, struct ss_str accept,
                           struct ss_str offered)
{
    if (!answer->upgrade) {
        return "the answer lacks Upgrade: websocket";
    }
    if (!answer->connection) {
        return "the answer lacks Connection: Upgrade";
    }
    if (answer->accepts != 1 || !ss_str_equal(answer->accept, accept)) {
        return "Sec-WebSocket-Accept does not answer our key";
    }
    if (answer->extensions) {
        return "the server chose an extension that we did not offer";
    }
    if (answer->subprotocols > 1 ||
        (answer->subprotocols == 1 && !list_has(offered, answer->subprotocol, false))) {
        return "the server chose a subprotocol that we did not offer";
    }
    return NULL;
}

ptrdiff_t ss__ws_client_response(struct ss_str in, struct ss_str accept,
                                 struct ss_str subprotocols, struct ss_str *ret_subprotocol,
                                 struct ss_failure *failure)
{
    const char *end = in.len == 0 ? NULL : memmem(in.data, in.len, "\r\n\r\n", 4);
    size_t len = end == NULL ? in.len : (size_t)(end - in.data);
    if (len > SS_WS_RESPONSE_BYTES_MAX) {
        return ss__fail(failure, SS_E_PROTO, "the answer is no HTTP response");
    }
    if (end == NULL) {
        return 0;
    }
    struct ss_str head = ss_str_of(in.data, len);
    struct ss_str line = { "", 0 };
    struct answer answer = { .accept = { "", 0 }, .subprotocol = { "", 0 } };
    static const char switched[] = "HTTP/1.1 101";
    if (!next_part(&head, "\r\n", &line) || line.len < sizeof switched - 1 ||
        memcmp(line.data, switched, sizeof switched - 1) != 0 ||
        (line.len > sizeof switched - 1 && line.data[sizeof switched - 1] != ' ')) {
        return ss__fail(failure, SS_E_PROTO, "the server refused the websocket: %.*s",
                        (int)(line.len > 120 ? 120 : line.len), line.data);
    }
    while (next_part(&head, "\r\n", &line)) {
        read_field(&answer, line);
    }
    const char *flaw = flaw_of(&answer, accept, subprotocols);
    if (flaw != NULL) {
        return ss__fail(failure, SS_E_PROTO, "%s", flaw);
    }
    *ret_subprotocol = answer.subprotocol;
    return end + 4 - in.data;
}

/* ---- frames ---- */

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
    struct ss_ws_header header;
    struct ss_str payload;
};

/* Section 5.2; not what depends on the frames before it. */
static bool is_well_formed(const struct ss_ws_header *header)
{
    if (header->masked || header->reserved != 0 || header->payload_len >> 63 != 0 ||
        ss__ws_header_size(header->payload_len) != header->size) {
        return false;
    }
    if (ss__ws_is_control(header->opcode)) {
        return header->final && header->payload_len <= SS_WS_CONTROL_PAYLOAD_BYTES_MAX &&
               header->opcode <= SS_WS_PONG;
    }
    return header->opcode <= SS_WS_BINARY;
}

/* 1 and a frame, 0 if it is incomplete, or an error. */
static int next_frame(const struct ss_ws_client *client, struct frame *ret_frame)
{
    size_t left = client->in.len - client->taken;
    if (left == 0) {
        return 0;
    }
    const uint8_t *at = client->in.data + client->taken;
    struct ss_ws_header header;
    size_t size = ss__ws_header_read(at, left, &header);
    if (size == 0) {
        return 0;
    }
    if (!is_well_formed(&header)) {
        return SS_E_PROTO;
    }
    size_t before = header.opcode == SS_WS_CONTINUATION ? client->message.len : 0;
    if (header.payload_len > client->message.max - before) {
        return SS_E_TOOBIG;
    }
    if (left - size < header.payload_len) {
        return 0;
    }
    *ret_frame = (struct frame){ header, ss_str_of(at + size, (size_t)header.payload_len) };
    return 1;
}

static int take_control(const struct frame *frame, struct ss_ws_client_message *ret_message)
{
    struct ss_ws_client_message message = { (enum ss_ws_opcode)frame->header.opcode,
                                            frame->payload, SS_WS_STATUS_NONE };
    if (message.opcode == SS_WS_CLOSE &&
        ss__ws_close_read(frame->payload, &message.status, &message.bytes) != 0) {
        return SS_E_PROTO;
    }
    *ret_message = message;
    return 1;
}

/* 1 when the frame completes a message. */
static int take_data(struct ss_ws_client *client, const struct frame *frame,
                     struct ss_ws_client_message *ret_message)
{
    enum ss_ws_opcode opcode = (enum ss_ws_opcode)frame->header.opcode;
    bool open = client->opcode != SS_WS_CONTINUATION;
    struct ss_str bytes = frame->payload;
    if ((opcode == SS_WS_CONTINUATION) != open) {
        return SS_E_PROTO;
    }
    if (open || !frame->header.final) {
        if (!open) {
            client->opcode = opcode;
            ss__bytes_clear(&client->message);
        }
        ss__bytes_str(&client->message, frame->payload);
        if (client->message.err != 0) {
            return client->message.err;
        }
        if (!frame->header.final) {
            return 0;
        }
        opcode = client->opcode;
        client->opcode = SS_WS_CONTINUATION;
        bytes = ss__bytes_view(&client->message);
    }
    if (opcode == SS_WS_TEXT && !ss__utf8_valid(bytes.data, bytes.len)) {
        return SS_E_PROTO;
    }
    *ret_message = (struct ss_ws_client_message){ opcode, bytes, SS_WS_STATUS_NONE };
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
        client->taken += frame.header.size + frame.payload.len;
        got = ss__ws_is_control(frame.header.opcode)
                  ? take_control(&frame, ret_message)
                  : take_data(client, &frame, ret_message);
        if (got != 0) {
            return got;
        }
    }
}
