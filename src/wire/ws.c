#include "wire/ws.h"

#include <string.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "wire/ws_decoder.h"

_Static_assert(sizeof(struct ss_ws) <= 16, "idle connections are many");

/* What one call of feed works on. */
struct feed {
    struct ss_ws *ws;
    struct ss_ws_decoder_pool *pool;
    struct ss_ws_decoder *decoder;
    const struct ss_ws_callbacks *callbacks;
    void *ctx;
    bool stop;                       /* a callback wants no further frame */
};

void ss__ws_init(struct ss_ws *ws, uint32_t message_bytes_max)
{
    *ws = (struct ss_ws){ .message_bytes_max = message_bytes_max };
}

void ss__ws_deinit(struct ss_ws *ws, struct ss_ws_decoder_pool *pool)
{
    if (ws->decoder != NULL) {
        ss__ws_decoder_take_back(pool, ws->decoder);
        ws->decoder = NULL;
    }
}

/* ---- replies and the end ---- */

static void reply(struct feed *feed, const uint8_t *frames, size_t len)
{
    if (!feed->callbacks->on_reply(feed->ctx, ss_str_of(frames, len))) {
        feed->stop = true;
    }
}

static void flush_replies(struct feed *feed)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (decoder != NULL && decoder->replies_len > 0) {
        size_t len = decoder->replies_len;
        decoder->replies_len = 0;
        reply(feed, decoder->replies, len);
    }
}

static void add_pong(struct feed *feed, struct ss_str payload)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    uint8_t *replies = decoder->replies;
    if (ss__ws_header_size(payload.len) + payload.len > SS_WS_REPLY_BYTES - decoder->replies_len) {
        flush_replies(feed);
    }
    decoder->replies_len +=
        ss__ws_header_write(SS_WS_PONG, payload.len, replies + decoder->replies_len);
    memcpy(replies + decoder->replies_len, payload.data, payload.len);
    decoder->replies_len += payload.len;
}

static int close_connection(struct feed *feed, bool by_peer, uint16_t status,
                            struct ss_str reason)
{
    uint8_t frame[SS_WS_CLOSE_FRAME_BYTES_MAX];
    size_t len;
    flush_replies(feed);
    ss__ws_close_frame(status, by_peer ? ss_str("") : reason, frame, &len);
    reply(feed, frame, len);
    feed->ws->closed = true;
    feed->callbacks->on_close(feed->ctx, by_peer, status, reason);
    return SS_E_CLOSED;
}

static int refuse(struct feed *feed, uint16_t status, const char *reason)
{
    return close_connection(feed, false, status, ss_str(reason));
}

/* ---- headers ---- */

/* RFC 6455 section 5.4; the header is a data frame's. */
static int begin_fragment(struct feed *feed)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    const struct ss_ws_header *header = &decoder->header;
    bool continues = header->opcode == SS_WS_CONTINUATION;
    if (continues != decoder->message_open) {
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR,
                      continues ? "a continuation of no message"
                                : "a new message inside a fragmented one");
    }
    if (!continues) {
        decoder->message_open = true;
        decoder->message_opcode = (enum ss_ws_opcode)header->opcode;
        decoder->fragments = 0;
        decoder->checked = 0;
        ss__bytes_clear(&decoder->message);
    }
    if (header->payload_len > feed->ws->message_bytes_max - decoder->message.len) {
        return refuse(feed, SS_WS_STATUS_TOO_BIG, "message is over the limit");
    }
    if (++decoder->fragments > SS_WS_FRAGMENTS_MAX) {
        return refuse(feed, SS_WS_STATUS_POLICY, "too many fragments");
    }
    return 0;
}

static int begin_frame(struct feed *feed)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (decoder->header.reserved != 0) {
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "reserved bits are set");
    }
    switch (decoder->header.opcode) {
    case SS_WS_CONTINUATION:
    case SS_WS_TEXT:
    case SS_WS_BINARY:
        return begin_fragment(feed);
    case SS_WS_CLOSE:
    case SS_WS_PING:
    case SS_WS_PONG:
        decoder->control_len = 0;
        return 0;
    default:
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "unknown opcode");
    }
}

/* ---- payload ---- */

static int bad_text(struct feed *feed)
{
    return refuse(feed, SS_WS_STATUS_BAD_DATA, "text is not UTF-8");
}

static void deliver(struct feed *feed, const void *data, size_t len)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    decoder->message_open = false;
    flush_replies(feed);
    if (!feed->callbacks->on_message(feed->ctx, decoder->message_opcode, ss_str_of(data, len))) {
        feed->stop = true;
    }
}

/* Text: what the message has so far may become UTF-8. */
static bool is_text_so_far(struct ss_ws_decoder *decoder, const struct ss_ws_piece *piece)
{
    const struct ss_bytes *message = &decoder->message;
    if (piece->ascii && decoder->checked == message->len - piece->len) {
        decoder->checked = message->len;
        return true;
    }
    return ss__ws_utf8_advance(message->data, message->len, &decoder->checked);
}

static int take_data(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    bool text = decoder->message_opcode == SS_WS_TEXT;
    bool final = piece->last && decoder->header.final;
    if (final && decoder->message.len == 0) {
        if (text && !piece->ascii && !ss__utf8_valid(piece->data, piece->len)) {
            return bad_text(feed);
        }
        deliver(feed, piece->data, piece->len);
        return 0;
    }
    int err = ss__ws_decoder_append(feed->pool, decoder, piece);
    if (err != 0) {
        return err == SS_E_BUSY ? refuse(feed, SS_WS_STATUS_TRY_AGAIN,
                                         "too many unfinished messages, retry later")
                                : refuse(feed, SS_WS_STATUS_INTERNAL, "out of memory");
    }
    if (text && !is_text_so_far(decoder, piece)) {
        return bad_text(feed);
    }
    if (final && text && decoder->checked != decoder->message.len) {
        return bad_text(feed);
    }
    if (final) {
        deliver(feed, decoder->message.data, decoder->message.len);
    } else if (piece->last && feed->callbacks->on_fragment != NULL) {
        feed->stop = !feed->callbacks->on_fragment(feed->ctx) || feed->stop;
    }
    return 0;
}

static int take_close(struct feed *feed, struct ss_str payload)
{
    uint16_t status;
    struct ss_str reason;
    uint16_t flaw = ss__ws_close_read(payload, &status, &reason);
    if (flaw != 0) {
        return refuse(feed, flaw, flaw == SS_WS_STATUS_BAD_DATA
                                      ? "close reason is not UTF-8"
                                      : "no valid close status");
    }
    return close_connection(feed, true, status, reason);
}

static int take_control(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (piece->len > 0) {
        memcpy(decoder->control + decoder->control_len, piece->data, piece->len);
        decoder->control_len += piece->len;
    }
    if (!piece->last) {
        return 0;
    }
    struct ss_str payload = ss_str_of(decoder->control, decoder->control_len);
    if (decoder->header.opcode == SS_WS_CLOSE) {
        return take_close(feed, payload);
    }
    if (decoder->header.opcode == SS_WS_PING) {
        add_pong(feed, payload);
    } else if (feed->callbacks->on_pong != NULL) {
        flush_replies(feed);
        feed->stop = !feed->callbacks->on_pong(feed->ctx, payload) || feed->stop;
    }
    return 0;
}

/* ---- feeding ---- */

static int take_frames(struct feed *feed)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    for (;;) {
        struct ss_ws_piece piece;
        bool inside = decoder->in_frame;
        if (!inside && feed->stop) {
            return 0;
        }
        int got = inside ? ss__ws_decoder_next(decoder, &piece) : ss__ws_decoder_begin(decoder);
        if (got == 0) {
            return 0;
        }
        int err;
        if (got < 0) {
            err = refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR,
                         decoder->header.masked ? "malformed frame header"
                                                : "frames of a client are masked");
        } else if (!inside) {
            err = begin_frame(feed);
        } else {
            err = ss__ws_is_control(decoder->header.opcode) ? take_control(feed, &piece)
                                                            : take_data(feed, &piece);
        }
        if (err != 0) {
            return err;
        }
    }
}

int ss__ws_feed(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, const uint8_t *in, size_t len,
                const struct ss_ws_callbacks *callbacks, void *ctx, size_t *ret_consumed)
{
    if (ws->closed) {
        return SS_E_CLOSED;
    }
    if (len == 0) {
        *ret_consumed = 0;
        return 0;
    }
    if (ws->decoder == NULL) {
        ws->decoder = ss__ws_decoder_lend(pool);
    }
    struct feed feed = { ws, pool, ws->decoder, callbacks, ctx, false };
    if (feed.decoder == NULL) {
        return refuse(&feed, SS_WS_STATUS_INTERNAL, "out of memory");
    }
    feed.decoder->in = in;
    feed.decoder->in_len = len;
    int err = take_frames(&feed);
    if (err == 0) {
        flush_replies(&feed);
        *ret_consumed = len - feed.decoder->in_len;
    }
    if (err != 0 || ss__ws_decoder_idle(feed.decoder)) {
        ss__ws_deinit(ws, pool);
    }
    return err;
}
