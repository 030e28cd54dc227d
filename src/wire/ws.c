#include "wire/ws.h"

#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/bytes.h"
#include "core/contract.h"
#include "core/utf8.h"

#define REASON_BYTES_MAX 123u

struct ss_ws_decoder {
    struct ss_ws_decoder *next_spare;
    wslay_event_context_ptr wslay;
    /* The bytes of the running feed. */
    const uint8_t *at;
    const uint8_t *end;
    /* Over the whole loan: when both are equal no frame is open. */
    uint64_t fed;
    uint64_t in_frames;
    /* The frame and message being read. */
    uint64_t frame_payload;
    bool control;
    bool open;                        /* a fragmented message is open */
    unsigned fragments;
    enum ss_ws_opcode opcode;
    struct ss_bytes message;
    struct ss_bytes replies;
    /* Why reading stops before wslay says so. */
    uint16_t refuse_status;
    const char *refuse_reason;
    int stop;
    /* The running feed. */
    struct ss_ws *ws;
    struct ss_ws_decoder_pool *pool;
    const struct ss_ws_callbacks *callbacks;
    void *ctx;
    struct ss_bytes close_reason;
};

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags,
                       void *user)
{
    (void)flags;
    struct ss_ws_decoder *decoder = user;
    if (decoder->refuse_status != 0 || decoder->stop != 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    size_t left = (size_t)(decoder->end - decoder->at);
    if (left == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t take = left < len ? left : len;
    memcpy(buf, decoder->at, take);
    decoder->at += take;
    decoder->fed += take;
    return (ssize_t)take;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    (void)flags;
    struct ss_ws_decoder *decoder = user;
    ss__bytes_append(&decoder->replies, data, len);
    if (decoder->replies.err != 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

static void refuse(struct ss_ws_decoder *decoder, uint16_t status, const char *reason)
{
    if (decoder->refuse_status == 0) {
        decoder->refuse_status = status;
        decoder->refuse_reason = reason;
    }
}

static void on_frame_start(wslay_event_context_ptr wslay,
                           const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
    (void)wslay;
    struct ss_ws_decoder *decoder = user;
    decoder->frame_payload = arg->payload_length;
    decoder->control = (arg->opcode & 0x8) != 0;
    if (decoder->control) {
        return;
    }
    if (arg->opcode != WSLAY_CONTINUATION_FRAME) {
        decoder->opcode = (enum ss_ws_opcode)arg->opcode;
        decoder->fragments = 0;
        ss__bytes_clear(&decoder->message);
    }
    decoder->open = true;
    if (++decoder->fragments > SS_WS_FRAGMENTS_MAX) {
        refuse(decoder, SS_WS_STATUS_POLICY, "too many fragments");
    }
    if (arg->payload_length > decoder->ws->message_bytes_max - decoder->message.len) {
        refuse(decoder, SS_WS_STATUS_TOO_BIG, "message is over the limit");
    }
}

static void on_frame_chunk(wslay_event_context_ptr wslay,
                           const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
    (void)wslay;
    struct ss_ws_decoder *decoder = user;
    if (decoder->control || decoder->refuse_status != 0) {
        return;
    }
    size_t before = decoder->message.cap;
    ss__bytes_append(&decoder->message, arg->data, arg->data_length);
    if (decoder->message.err != 0) {
        refuse(decoder, SS_WS_STATUS_INTERNAL, "out of memory");
        return;
    }
    decoder->pool->held_bytes += decoder->message.cap - before;
    if (decoder->pool->held_bytes > decoder->pool->held_bytes_max) {
        refuse(decoder, SS_WS_STATUS_TRY_AGAIN, "too many unfinished messages, retry later");
    }
}

/* Header as a client must send it: masked, in the shortest form. */
static uint64_t masked_frame_size(uint64_t payload)
{
    return ss__ws_header_size(payload) + 4 + payload;
}

static void on_frame_end(wslay_event_context_ptr wslay, void *user)
{
    (void)wslay;
    struct ss_ws_decoder *decoder = user;
    decoder->in_frames += masked_frame_size(decoder->frame_payload);
}

static void send_replies(struct ss_ws_decoder *decoder)
{
    while (wslay_event_want_write(decoder->wslay) && wslay_event_send(decoder->wslay) == 0 &&
           decoder->replies.err == 0) {
    }
    if (decoder->replies.len > 0 && decoder->replies.err == 0) {
        decoder->callbacks->on_reply(decoder->ctx, ss__bytes_view(&decoder->replies));
    }
    ss__bytes_clear(&decoder->replies);
}

static void on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    (void)wslay;
    struct ss_ws_decoder *decoder = user;
    if (decoder->refuse_status != 0 || decoder->stop != 0) {
        return;
    }
    if (arg->opcode == WSLAY_TEXT_FRAME || arg->opcode == WSLAY_BINARY_FRAME) {
        decoder->open = false;
        send_replies(decoder);    /* a ping between its fragments came first */
        decoder->stop = decoder->callbacks->on_message(decoder->ctx, decoder->opcode,
                                                       ss__bytes_view(&decoder->message));
        ss__bytes_clear(&decoder->message);
    } else if (arg->opcode == WSLAY_PONG && decoder->callbacks->on_pong != NULL) {
        decoder->callbacks->on_pong(decoder->ctx, ss_str_of(arg->msg, arg->msg_length));
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE && arg->msg_length == 1) {
        refuse(decoder, SS_WS_STATUS_PROTOCOL_ERROR, "half a status code");
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE && arg->msg_length > 2) {
        ss__bytes_clear(&decoder->close_reason);
        ss__bytes_append(&decoder->close_reason, arg->msg + 2, arg->msg_length - 2);
    }
}

/* ---- lending ---- */

static void free_decoder(struct ss_ws_decoder *decoder)
{
    if (decoder->wslay != NULL) {
        wslay_event_context_free(decoder->wslay);
    }
    ss__bytes_deinit(&decoder->message);
    ss__bytes_deinit(&decoder->replies);
    ss__bytes_deinit(&decoder->close_reason);
    free(decoder);
}

static struct ss_ws_decoder *new_decoder(void)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .on_frame_recv_start_callback = on_frame_start,
        .on_frame_recv_chunk_callback = on_frame_chunk,
        .on_frame_recv_end_callback = on_frame_end,
        .on_msg_recv_callback = on_message,
    };
    struct ss_ws_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return NULL;
    }
    ss__bytes_init(&decoder->message, 0);
    ss__bytes_init(&decoder->replies, 0);
    ss__bytes_init(&decoder->close_reason, 0);
    if (wslay_event_context_server_init(&decoder->wslay, &callbacks, decoder) != 0) {
        decoder->wslay = NULL;
        free_decoder(decoder);
        return NULL;
    }
    /* Our own assembly bounds the message; wslay still checks control frames and UTF-8. */
    wslay_event_config_set_no_buffering(decoder->wslay, 1);
    return decoder;
}

static struct ss_ws_decoder *lend(struct ss_ws_decoder_pool *pool)
{
    struct ss_ws_decoder *decoder = pool->spare;
    if (decoder != NULL) {
        pool->spare = decoder->next_spare;
        pool->spare_count--;
    } else {
        decoder = new_decoder();
    }
    if (decoder != NULL) {
        pool->lent_count++;
        decoder->fed = decoder->in_frames = 0;
        decoder->open = false;
    }
    return decoder;
}

/* @reusable: between whole messages, so that wslay's state is as new. */
static void take_back(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, bool reusable)
{
    struct ss_ws_decoder *decoder = ws->decoder;
    ws->decoder = NULL;
    pool->lent_count--;
    pool->held_bytes -= decoder->message.cap;
    ss__bytes_deinit(&decoder->message);
    if (reusable && pool->spare_count < SS_WS_SPARE_DECODERS_MAX) {
        decoder->next_spare = pool->spare;
        pool->spare = decoder;
        pool->spare_count++;
    } else {
        free_decoder(decoder);
    }
}

void ss__ws_decoder_pool_init(struct ss_ws_decoder_pool *pool, size_t held_bytes_max)
{
    *pool = (struct ss_ws_decoder_pool){ .held_bytes_max = held_bytes_max };
}

void ss__ws_decoder_pool_deinit(struct ss_ws_decoder_pool *pool)
{
    SS_REQUIRE(pool->lent_count == 0);
    while (pool->spare != NULL) {
        struct ss_ws_decoder *next = pool->spare->next_spare;
        free_decoder(pool->spare);
        pool->spare = next;
    }
    pool->spare_count = 0;
}

void ss__ws_init(struct ss_ws *ws, uint32_t message_bytes_max)
{
    *ws = (struct ss_ws){ .message_bytes_max = message_bytes_max };
}

void ss__ws_deinit(struct ss_ws *ws, struct ss_ws_decoder_pool *pool)
{
    if (ws->decoder != NULL) {
        take_back(ws, pool, false);
    }
}

/* ---- feeding ---- */

/* Ends the connection with a close frame of our own. */
static void close_refused(struct ss_ws_decoder *decoder, uint16_t status, const char *reason)
{
    uint8_t frame[SS_WS_CLOSE_FRAME_BYTES_MAX];
    size_t len;
    ss__ws_close_frame(status, ss_str(reason), frame, &len);
    decoder->callbacks->on_reply(decoder->ctx, ss_str_of(frame, len));
    decoder->callbacks->on_close(decoder->ctx, false, status, ss_str(reason));
}

static const char *reason_of(uint16_t status)
{
    return status == SS_WS_STATUS_BAD_DATA  ? "invalid UTF-8"
           : status == SS_WS_STATUS_TOO_BIG ? "message is over the limit"
                                            : "protocol error";
}

/* wslay has read a close frame or found a violation; its close frame is among the replies. */
static void close_by_wslay(struct ss_ws_decoder *decoder)
{
    wslay_event_context_ptr wslay = decoder->wslay;
    if (wslay_event_get_close_received(wslay)) {
        uint16_t status = wslay_event_get_status_code_received(wslay);
        decoder->callbacks->on_close(decoder->ctx, true,
                                     status == 0 ? (uint16_t)SS_WS_STATUS_NONE : status,
                                     ss__bytes_view(&decoder->close_reason));
        return;
    }
    uint16_t status = wslay_event_get_status_code_sent(wslay);
    decoder->callbacks->on_close(decoder->ctx, false, status, ss_str(reason_of(status)));
}

static int end_connection(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, int err)
{
    ws->closed = true;
    take_back(ws, pool, false);
    return err;
}

int ss__ws_feed(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, const uint8_t *in, size_t len,
                const struct ss_ws_callbacks *callbacks, void *ctx)
{
    if (ws->closed) {
        return SS_E_CLOSED;
    }
    if (ws->decoder == NULL && (ws->decoder = lend(pool)) == NULL) {
        ws->closed = true;
        callbacks->on_close(ctx, false, SS_WS_STATUS_INTERNAL, ss_str("out of memory"));
        return SS_E_CLOSED;
    }
    struct ss_ws_decoder *decoder = ws->decoder;
    decoder->at = in;
    decoder->end = in + len;
    decoder->ws = ws;
    decoder->pool = pool;
    decoder->callbacks = callbacks;
    decoder->ctx = ctx;
    decoder->refuse_status = 0;
    decoder->stop = 0;
    int code = wslay_event_recv(decoder->wslay);
    if (decoder->stop != 0) {
        return end_connection(ws, pool, decoder->stop);
    }
    if (decoder->refuse_status != 0 || code != 0) {
        /* Our callbacks fail only with a refusal, so what else stops wslay is in the bytes. */
        bool memory = code == WSLAY_ERR_NOMEM;
        refuse(decoder, memory ? SS_WS_STATUS_INTERNAL : SS_WS_STATUS_PROTOCOL_ERROR,
               memory ? "out of memory" : "protocol error");
        close_refused(decoder, decoder->refuse_status, decoder->refuse_reason);
        return end_connection(ws, pool, SS_E_CLOSED);
    }
    send_replies(decoder);
    if (!wslay_event_want_read(decoder->wslay)) {
        close_by_wslay(decoder);
        return end_connection(ws, pool, SS_E_CLOSED);
    }
    if (decoder->fed == decoder->in_frames && !decoder->open &&
        !wslay_event_want_write(decoder->wslay)) {
        take_back(ws, pool, true);
    }
    return 0;
}

void ss__ws_close_frame(uint16_t status, struct ss_str reason,
                        uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX], size_t *ret_len)
{
    size_t len = reason.len;
    if (len > REASON_BYTES_MAX) {
        len = ss__utf8_floor(reason.data, REASON_BYTES_MAX);
    }
    size_t at = ss__ws_header_write(SS_WS_CLOSE, 2 + len, out);
    out[at++] = (uint8_t)(status >> 8);
    out[at++] = (uint8_t)status;
    if (len > 0) {
        memcpy(out + at, reason.data, len);
    }
    *ret_len = at + len;
}
