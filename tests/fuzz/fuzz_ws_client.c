/* What a server sends to our websocket client. The first byte picks how the bytes are cut; below
 * 128 they are frames, else the answer to the handshake.
 *
 * Whatever the cuts, the same messages come out with the same end, and each of them, framed as the
 * server does, comes out again. An answer is judged the same whatever comes behind it. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "wire/ws_client.h"
#include "wire/ws_close.h"

#define MESSAGE_BYTES_MAX 1024u

static void check_message(const struct ss_ws_client_message *message)
{
    size_t most = ss__ws_is_control(message->opcode) ? SS_WS_CONTROL_PAYLOAD_BYTES_MAX
                                                     : MESSAGE_BYTES_MAX;
    ss_check(message->bytes.len <= most);
    ss_check(message->opcode == SS_WS_TEXT || message->opcode == SS_WS_BINARY ||
             message->opcode == SS_WS_CLOSE || message->opcode == SS_WS_PING ||
             message->opcode == SS_WS_PONG);
    if (message->opcode == SS_WS_TEXT || message->opcode == SS_WS_CLOSE) {
        ss_check(ss__utf8_valid(message->bytes.data, message->bytes.len));
    }
    ss_check(message->opcode == SS_WS_CLOSE ? message->status == SS_WS_STATUS_NONE ||
                                                  ss__ws_status_sendable(message->status)
                                            : message->status == SS_WS_STATUS_NONE);
}

/* Framed anew, it is the same message. */
static void send_again(const struct ss_ws_client_message *message)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    struct ss_ws_client client;
    struct ss_ws_client_message again;
    ss__ws_client_init(&client, MESSAGE_BYTES_MAX);
    if (message->opcode == SS_WS_CLOSE) {
        uint8_t frame[SS_WS_CLOSE_FRAME_BYTES_MAX];
        size_t size;
        ss__ws_close_frame(message->status, message->bytes, frame, &size);
        ss_check(ss__ws_client_feed(&client, frame, size) == 0);
    } else {
        size_t size = ss__ws_header_write(message->opcode, message->bytes.len, header);
        ss_check(ss__ws_client_feed(&client, header, size) == 0);
        ss_check(ss__ws_client_feed(&client, message->bytes.data, message->bytes.len) == 0);
    }
    ss_check(ss__ws_client_take(&client, &again) == 1);
    ss_check(again.opcode == message->opcode && again.status == message->status);
    ss_check(ss_str_equal(again.bytes, message->bytes));
    ss_check(ss__ws_client_take(&client, &again) == 0);
    ss__ws_client_deinit(&client);
}

static void note(struct ss_bytes *log, const struct ss_ws_client_message *message)
{
    char head[48];
    (void)snprintf(head, sizeof head, "%u %u %zu ", message->opcode, message->status,
                   message->bytes.len);    /* it fits */
    ss__bytes_text(log, head);
    ss__bytes_str(log, message->bytes);
    ss__bytes_byte(log, '\n');
}

static void feed(struct ss_str stream, size_t step, struct ss_bytes *log)
{
    struct ss_ws_client client;
    struct ss_ws_client_message message;
    int got = 0;
    ss__ws_client_init(&client, MESSAGE_BYTES_MAX);
    for (size_t at = 0; at < stream.len && got >= 0;) {
        size_t len = step == 0 || step > stream.len - at ? stream.len - at : step;
        ss_check(ss__ws_client_feed(&client, stream.data + at, len) == 0);
        at += len;
        while ((got = ss__ws_client_take(&client, &message)) == 1) {
            check_message(&message);
            note(log, &message);
            if (step == 0) {
                send_again(&message);
            }
        }
        ss_check(got == 0 || got == SS_E_PROTO || got == SS_E_TOOBIG);
    }
    ss__bytes_text(log, got == 0 ? "more" : got == SS_E_PROTO ? "bad" : "big");
    ss__ws_client_deinit(&client);
}

static void check_frames(struct ss_str stream, size_t step)
{
    struct ss_bytes whole;
    struct ss_bytes cut;
    ss__bytes_init(&whole, 0);
    ss__bytes_init(&cut, 0);
    feed(stream, 0, &whole);
    feed(stream, step, &cut);
    ss_check_msg(ss_str_equal(ss__bytes_view(&whole), ss__bytes_view(&cut)), "%.*s----\n%.*s",
                 (int)whole.len, (const char *)whole.data, (int)cut.len, (const char *)cut.data);
    ss__bytes_deinit(&cut);
    ss__bytes_deinit(&whole);
}

static void check_answer(struct ss_str stream)
{
    static const struct ss_str accept = { "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28 };
    static const struct ss_str offered = { "sessionstream.v1.json, b", 24 };
    struct ss_str chosen = { "untouched", 9 };
    struct ss_failure failure = { 0 };
    ptrdiff_t used = ss__ws_client_response(stream, accept, offered, &chosen, &failure);
    if (used <= 0) {
        ss_check(ss_str_equal(chosen, ss_str("untouched")));
        ss_check(used == 0 || (used == SS_E_PROTO && failure.code == SS_E_PROTO &&
                               failure.text[0] != '\0'));
        return;
    }
    ss_check((size_t)used <= stream.len && memcmp(stream.data, "HTTP/1.1 101", 12) == 0);
    ss_check(memmem(stream.data, (size_t)used, accept.data, accept.len) != NULL);
    ss_check(chosen.len == 0 || ss_str_equal(chosen, ss_str("sessionstream.v1.json")) ||
             ss_str_equal(chosen, ss_str("b")));
    for (size_t len = 0; len <= (size_t)used; len++) {
        struct ss_str part = ss_str_of(stream.data, len);
        ptrdiff_t again = ss__ws_client_response(part, accept, offered, &chosen, NULL);
        ss_check(again == (len == (size_t)used ? used : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str stream = ss_str_of(data + 1, len - 1);
    if (data[0] >= 128) {
        check_answer(stream);
    } else {
        check_frames(stream, 1 + data[0] % 16u);
    }
    return 0;
}
