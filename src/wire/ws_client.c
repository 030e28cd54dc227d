#include "wire/ws_client.h"

#include <sessionstream/error.h>

#include "wire/ws_close.h"

void ss__ws_client_init(struct ss_ws_client *client, size_t message_bytes_max)
{
    ss__bytes_init(&client->in, 0);
    ss__bytes_init(&client->message, message_bytes_max);
    client->taken = 0;
    client->opcode = SS_WS_CONTINUATION;
}

void ss__ws_client_deinit(struct ss_ws_client *client)
{
    ss__bytes_deinit(&client->in);
    ss__bytes_deinit(&client->message);
}

void ss__ws_client_raw_frame(struct ss_bytes *out, uint8_t first_byte, struct ss_str payload,
                             const uint8_t mask[SS_WS_MASK_BYTES])
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t header_len = ss__ws_header_write(SS_WS_CONTINUATION, payload.len, header);
    header[0] = first_byte;
    header[1] |= 0x80;
    ss__bytes_append(out, header, header_len);
    ss__bytes_append(out, mask, SS_WS_MASK_BYTES);
    uint8_t *at = ss__bytes_extend(out, payload.len);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < payload.len; i++) {
        at[i] = (uint8_t)payload.data[i] ^ mask[i % SS_WS_MASK_BYTES];
    }
}

void ss__ws_client_frame(struct ss_bytes *out, enum ss_ws_opcode opcode, struct ss_str payload,
                         const uint8_t mask[SS_WS_MASK_BYTES])
{
    ss__ws_client_raw_frame(out, (uint8_t)(0x80 | opcode), payload, mask);
}

int ss__ws_client_feed(struct ss_ws_client *client, const void *data, size_t len)
{
    if (client->taken > 0) {
        client->in.len -= client->taken;
        memmove(client->in.data, client->in.data + client->taken, client->in.len);
        client->taken = 0;
    }
    ss__bytes_append(&client->in, data, len);
    return client->in.err;
}

/* A frame at the start of the bytes not yet taken. */
struct frame {
    bool fin;
    enum ss_ws_opcode opcode;
    struct ss_str payload;
    size_t size;
};

/* 1, 0 if it is incomplete, or SS_E_PROTO. */
static int read_frame(const uint8_t *at, size_t len, struct frame *ret_frame)
{
    if (len < 2) {
        return 0;
    }
    bool control = (at[0] & 8) != 0;
    unsigned short_len = at[1];    /* with the mask bit: over 127 when masked */
    if ((at[0] & 0x70) != 0 || short_len > 127 ||
        (control && ((at[0] & 0x80) == 0 || short_len > SS_WS_CONTROL_PAYLOAD_BYTES_MAX))) {
        return SS_E_PROTO;
    }
    size_t header = short_len == 127 ? 10 : short_len == 126 ? 4 : 2;
    if (len < header) {
        return 0;
    }
    uint64_t payload_len = header == 2 ? short_len : 0;
    for (size_t i = 2; i < header; i++) {
        payload_len = payload_len << 8 | at[i];
    }
    if (payload_len >> 63 != 0 || ss__ws_header_size(payload_len) != header) {
        return SS_E_PROTO;
    }
    if (len - header < payload_len) {
        return 0;
    }
    ret_frame->fin = (at[0] & 0x80) != 0;
    ret_frame->opcode = (enum ss_ws_opcode)(at[0] & 15);
    ret_frame->payload = ss_str_of(at + header, (size_t)payload_len);
    ret_frame->size = header + (size_t)payload_len;
    return 1;
}

static int take_control(const struct frame *frame, struct ss_ws_client_message *ret_message)
{
    struct ss_ws_client_message message = { frame->opcode, frame->payload, 0 };
    if (frame->opcode == SS_WS_CLOSE &&
        ss__ws_close_read(frame->payload, &message.status, &message.bytes) != 0) {
        return SS_E_PROTO;
    }
    if (frame->opcode != SS_WS_CLOSE && frame->opcode != SS_WS_PING &&
        frame->opcode != SS_WS_PONG) {
        return SS_E_PROTO;
    }
    *ret_message = message;
    return 1;
}

/* Adds a data frame to the open message; 1 when that is complete. */
static int take_data(struct ss_ws_client *client, const struct frame *frame,
                     struct ss_ws_client_message *ret_message)
{
    bool open = client->opcode != SS_WS_CONTINUATION;
    bool continuation = frame->opcode == SS_WS_CONTINUATION;
    if (open != continuation || frame->opcode > SS_WS_BINARY) {
        return SS_E_PROTO;
    }
    if (!continuation) {
        ss__bytes_clear(&client->message);
        client->opcode = frame->opcode;
    }
    ss__bytes_str(&client->message, frame->payload);
    if (client->message.err != 0) {
        return client->message.err;
    }
    if (!frame->fin) {
        return 0;
    }
    *ret_message = (struct ss_ws_client_message){ client->opcode,
                                                  ss__bytes_view(&client->message), 0 };
    client->opcode = SS_WS_CONTINUATION;
    return 1;
}

int ss__ws_client_take(struct ss_ws_client *client, struct ss_ws_client_message *ret_message)
{
    for (;;) {
        struct frame frame;
        size_t left = client->in.len - client->taken;
        if (left == 0) {
            return 0;
        }
        int got = read_frame(client->in.data + client->taken, left, &frame);
        if (got <= 0) {
            return got;
        }
        client->taken += frame.size;
        got = (frame.opcode & 8) != 0 ? take_control(&frame, ret_message)
                                      : take_data(client, &frame, ret_message);
        if (got != 0) {
            return got;
        }
    }
}
