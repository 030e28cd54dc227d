#include "wire/ws_decoder.h"

#include <stdlib.h>

#include <wslay/wslay.h>

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/utf8.h"

/* Message memory that a spare decoder keeps. */
#define KEPT_BYTES 16384

static ssize_t on_want_bytes(uint8_t *buf, size_t len, int flags, void *user_data)
{
    (void)flags;
    struct ss_ws_decoder *decoder = user_data;
    size_t part = len < decoder->in_len ? len : decoder->in_len;
    if (part == 0) {
        return -1;
    }
    memcpy(buf, decoder->in, part);
    decoder->in += part;
    decoder->in_len -= part;
    decoder->fed_bytes += part;
    return (ssize_t)part;
}

static struct ss_ws_decoder *make_decoder(void)
{
    static const struct wslay_frame_callbacks callbacks = { .recv_callback = on_want_bytes };
    struct ss_ws_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return NULL;
    }
    ss__bytes_init(&decoder->message, 0);
    if (wslay_frame_context_init(&decoder->frames, &callbacks, decoder) != 0) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

static void free_decoder(struct ss_ws_decoder *decoder)
{
    wslay_frame_context_free(decoder->frames);
    ss__bytes_deinit(&decoder->message);
    free(decoder);
}

void ss__ws_decoder_pool_init(struct ss_ws_decoder_pool *pool, size_t held_bytes_max)
{
    *pool = (struct ss_ws_decoder_pool){ .held_bytes_max = held_bytes_max };
}

void ss__ws_decoder_pool_deinit(struct ss_ws_decoder_pool *pool)
{
    SS_REQUIRE(pool->lent_count == 0);
    while (pool->spare != NULL) {
        struct ss_ws_decoder *decoder = pool->spare;
        pool->spare = decoder->next;
        free_decoder(decoder);
    }
    pool->spare_count = 0;
}

struct ss_ws_decoder *ss__ws_decoder_lend(struct ss_ws_decoder_pool *pool)
{
    struct ss_ws_decoder *decoder = pool->spare;
    if (decoder == NULL) {
        decoder = make_decoder();
        if (decoder == NULL) {
            return NULL;
        }
    } else {
        pool->spare = decoder->next;
        pool->spare_count--;
    }
    pool->lent_count++;
    return decoder;
}

void ss__ws_decoder_take_back(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder,
                              bool reusable)
{
    pool->lent_count--;
    pool->held_bytes -= decoder->message.len;
    if (!reusable || pool->spare_count >= SS_WS_SPARE_DECODERS_MAX) {
        free_decoder(decoder);
        return;
    }
    if (decoder->message.cap > KEPT_BYTES) {
        ss__bytes_deinit(&decoder->message);
    }
    ss__bytes_clear(&decoder->message);
    *decoder = (struct ss_ws_decoder){ .frames = decoder->frames,
                                       .message = decoder->message,
                                       .next = pool->spare };
    pool->spare = decoder;
    pool->spare_count++;
}

int ss__ws_decoder_next(struct ss_ws_decoder *decoder, struct ss_ws_piece *ret_piece)
{
    struct wslay_frame_iocb iocb = { 0 };
    ssize_t len = wslay_frame_recv(decoder->frames, &iocb);
    if (len == WSLAY_ERR_WANT_READ) {
        return 0;
    }
    if (len < 0) {
        return SS_E_PROTO;
    }
    *ret_piece = (struct ss_ws_piece){
        .fin = iocb.fin != 0,
        .reserved = iocb.rsv,
        .opcode = iocb.opcode,
        .masked = iocb.mask != 0,
        .payload_len = iocb.payload_length,
        .data = iocb.data,
        .len = iocb.data_length
    };
    return 1;
}

/* Bytes that the character begun by @lead has, 0 for a byte that begins none. */
static size_t char_size(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* True if some bytes behind the @len at @data would make one whole character. A second byte is
 * restricted at one end only, so the lowest and the highest continuation decide. */
static bool is_char_start(const uint8_t *data, size_t len)
{
    uint8_t low[4] = { 0x80, 0x80, 0x80, 0x80 };
    uint8_t high[4] = { 0xBF, 0xBF, 0xBF, 0xBF };
    memcpy(low, data, len);
    memcpy(high, data, len);
    return ss__utf8_char_len(low, 4) > len || ss__utf8_char_len(high, 4) > len;
}

bool ss__ws_utf8_advance(const uint8_t *data, size_t len, size_t *checked)
{
    size_t cut = len;
    for (size_t back = 1; back <= 3 && back <= len - *checked; back++) {
        size_t size = char_size(data[len - back]);
        if (size > back) {
            cut = len - back;
        }
        if (size != 0) {
            break;
        }
    }
    if (!ss__utf8_valid(data + *checked, cut - *checked)) {
        return false;
    }
    *checked = cut;
    return cut == len || is_char_start(data + cut, len - cut);
}
