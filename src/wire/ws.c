#include "wire/ws.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/utf8.h"
#include "wire/ws_close.h"
#include "wire/ws_decoder.h"

/* What one call of feed works on. */
struct feed {
    struct ss_ws *ws;
    struct ss_ws_decoder_pool *pool;
    struct ss_ws_decoder *decoder;
    const struct ss_ws_callbacks *callbacks;
    void *ctx;
};

void ss__ws_init(struct ss_ws *ws, uint32_t message_bytes_max)
{
    *ws = (struct ss_ws){ .message_bytes_max = message_bytes_max };
}

static bool at_boundary(const struct ss_ws_decoder *decoder)
{
    return decoder->fed_bytes == decoder->framed_bytes && !decoder->in_frame;
}

static void give_decoder_back(struct ss_ws *ws, struct ss_ws_decoder_pool *pool)
{
    struct ss_ws_decoder *decoder = ws->decoder;
    ws->decoder = NULL;
    ss__ws_decoder_take_back(pool, decoder, at_boundary(decoder));
}

void ss__ws_deinit(struct ss_ws *ws, struct ss_ws_decoder_pool *pool)
{
    if (ws->decoder != NULL) {
        give_decoder_back(ws, pool);
    }
    ws->closed = true;
}

static int close_connection(struct feed *feed, bool by_peer, uint16_t status, struct ss_str reason)
{
    uint8_t frame[SS_WS_CLOSE_FRAME_BYTES_MAX];
    size_t len;
    ss__ws_close_frame(status, by_peer ? ss_str("") : reason, frame, &len);
    feed->ws->closed = true;
    feed->callbacks->on_reply(feed->ctx, ss_str_of(frame, len));
    feed->callbacks->on_close(feed->ctx, by_peer, status, reason);
    return SS_E_CLOSED;
}

static int refuse(struct feed *feed, uint16_t status, const char *reason)
{
    return close_connection(feed, false, status, ss_str(reason));
}

static int check_data_frame(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    bool continuation = piece->opcode == SS_WS_CONTINUATION;
    if (continuation != decoder->message_open) {
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR,
                      continuation ? "a continuation without a message"
                                   : "a new message inside a fragmented one");
    }
    if (piece->payload_len > feed->ws->message_bytes_max - decoder->message.len) {
        return refuse(feed, SS_WS_STATUS_TOO_BIG, "the message is too large");
    }
    if (!continuation) {
        decoder->message_opcode = (enum ss_ws_opcode)piece->opcode;
        decoder->message_open = true;
        decoder->fragments = 0;
        decoder->checked = 0;
    }
    if (++decoder->fragments > SS_WS_FRAGMENTS_MAX) {
        return refuse(feed, SS_WS_STATUS_POLICY, "the message has too many fragments");
    }
    return 0;
}

/* Judges the header of a frame with its first piece (RFC 6455 sections 5.1, 5.2, 5.4). wslay has
 * refused long or fragmented control frames and lengths that are not minimal. */
static int begin_frame(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (!piece->masked) {
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "client frames must be masked");
    }
    if (piece->reserved != 0) {
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "reserved bits are set");
    }
    decoder->in_frame = true;
    decoder->frame_opcode = (enum ss_ws_opcode)piece->opcode;
    decoder->frame_fin = piece->fin;
    decoder->frame_len = piece->payload_len;
    decoder->frame_taken = 0;
    switch (piece->opcode) {
    case SS_WS_CONTINUATION:
    case SS_WS_TEXT:
    case SS_WS_BINARY:
        return check_data_frame(feed, piece);
    case SS_WS_CLOSE:
    case SS_WS_PING:
    case SS_WS_PONG:
        decoder->control_len = 0;
        return 0;
    default:
        return refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "unknown opcode");
    }
}

static int deliver(struct feed *feed, struct ss_str bytes)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    int err = feed->callbacks->on_message(feed->ctx, decoder->message_opcode, bytes);
    decoder->message_open = false;
    feed->pool->held_bytes -= decoder->message.len;
    ss__bytes_clear(&decoder->message);
    if (err != 0) {
        feed->ws->closed = true;
    }
    return err;
}

static int bad_text(struct feed *feed)
{
    return refuse(feed, SS_WS_STATUS_BAD_DATA, "the text is not UTF-8");
}

static int append_piece(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    struct ss_bytes *message = &decoder->message;
    if (piece->len > feed->pool->held_bytes_max - feed->pool->held_bytes) {
        return refuse(feed, SS_WS_STATUS_TRY_AGAIN, "too many unfinished messages");
    }
    size_t before = message->len;
    ss__bytes_append(message, piece->data, piece->len);
    feed->pool->held_bytes += message->len - before;
    if (message->err != 0) {
        return refuse(feed, SS_WS_STATUS_INTERNAL, "out of memory");
    }
    if (decoder->message_opcode == SS_WS_TEXT &&
        !ss__ws_utf8_advance(message->data, message->len, &decoder->checked)) {
        return bad_text(feed);
    }
    return 0;
}

/* @last: the piece ends its frame. */
static int take_data_piece(struct feed *feed, const struct ss_ws_piece *piece, bool last)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    bool text = decoder->message_opcode == SS_WS_TEXT;
    bool whole = last && piece->fin && decoder->message.len == 0;
    if (whole) {
        struct ss_str bytes = ss_str_of(piece->data, piece->len);
        if (text && !ss__utf8_valid(bytes.data, bytes.len)) {
            return bad_text(feed);
        }
        return deliver(feed, bytes);
    }
    if (piece->len > 0) {
        int err = append_piece(feed, piece);
        if (err != 0) {
            return err;
        }
    }
    if (!last || !piece->fin) {
        return 0;
    }
    if (text && decoder->checked != decoder->message.len) {
        return bad_text(feed);
    }
    return deliver(feed, ss__bytes_view(&decoder->message));
}

static void send_pong(struct feed *feed, struct ss_str payload)
{
    uint8_t frame[2 + SS_WS_CONTROL_PAYLOAD_BYTES_MAX];
    frame[0] = 0x80 | SS_WS_PONG;
    frame[1] = (uint8_t)payload.len;
    memcpy(frame + 2, payload.data, payload.len);
    feed->callbacks->on_reply(feed->ctx, ss_str_of(frame, 2 + payload.len));
}

static int take_control_piece(struct feed *feed, const struct ss_ws_piece *piece, bool last)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (piece->len > 0) {
        memcpy(decoder->control + decoder->control_len, piece->data, piece->len);
        decoder->control_len += piece->len;
    }
    if (!last) {
        return 0;
    }
    struct ss_str payload = ss_str_of(decoder->control, decoder->control_len);
    if (piece->opcode == SS_WS_PING) {
        send_pong(feed, payload);
        return 0;
    }
    if (piece->opcode == SS_WS_PONG) {
        if (feed->callbacks->on_pong != NULL) {
            feed->callbacks->on_pong(feed->ctx, payload);
        }
        return 0;
    }
    uint16_t status;
    struct ss_str reason;
    uint16_t refused = ss__ws_close_read(payload, &status, &reason);
    if (refused != 0) {
        return refuse(feed, refused, refused == SS_WS_STATUS_BAD_DATA
                                         ? "the close reason is not UTF-8"
                                         : "the close status is not valid");
    }
    return close_connection(feed, true, status, reason);
}

static int take_piece(struct feed *feed, const struct ss_ws_piece *piece)
{
    struct ss_ws_decoder *decoder = feed->decoder;
    if (!decoder->in_frame) {
        int err = begin_frame(feed, piece);
        if (err != 0) {
            return err;
        }
    }
    decoder->frame_taken += piece->len;
    bool last = decoder->frame_taken == decoder->frame_len;
    if (last) {
        decoder->in_frame = false;
        decoder->framed_bytes += ss__ws_header_size(decoder->frame_len) + 4 + decoder->frame_len;
    }
    bool control = (piece->opcode & 8) != 0;
    return control ? take_control_piece(feed, piece, last) : take_data_piece(feed, piece, last);
}

static int take_pieces(struct feed *feed)
{
    for (;;) {
        struct ss_ws_piece piece;
        int got = ss__ws_decoder_next(feed->decoder, &piece);
        if (got == 0) {
            return 0;
        }
        int err = got < 0 ? refuse(feed, SS_WS_STATUS_PROTOCOL_ERROR, "malformed frame header")
                          : take_piece(feed, &piece);
        if (err != 0) {
            return err;
        }
    }
}

int ss__ws_feed(struct ss_ws *ws, struct ss_ws_decoder_pool *pool, const uint8_t *in, size_t len,
                const struct ss_ws_callbacks *callbacks, void *ctx)
{
    if (ws->closed) {
        return SS_E_CLOSED;
    }
    if (len == 0) {
        return 0;
    }
    struct feed feed = { ws, pool, ws->decoder, callbacks, ctx };
    if (feed.decoder == NULL) {
        feed.decoder = ss__ws_decoder_lend(pool);
        if (feed.decoder == NULL) {
            return refuse(&feed, SS_WS_STATUS_INTERNAL, "out of memory");
        }
        ws->decoder = feed.decoder;
    }
    feed.decoder->in = in;
    feed.decoder->in_len = len;
    int err = take_pieces(&feed);
    if (err != 0 || (at_boundary(feed.decoder) && !feed.decoder->message_open)) {
        give_decoder_back(ws, pool);
    }
    return err;
}
