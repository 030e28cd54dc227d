#include "wire/ws_decoder.h"

#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/utf8.h"

/* Message memory that a spare decoder keeps: what one read of a socket may bring. */
#define KEPT_BYTES 65536

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Copies payload bytes unmasked, from byte @offset of the payload on. Returns the OR of all. */
static uint64_t unmask(uint8_t *out, const uint8_t *in, size_t len,
                       const uint8_t key[SS_WS_MASK_BYTES], uint64_t offset)
{
    uint8_t turned[8];
    uint64_t mask;
    uint64_t all = 0;
    size_t at = 0;
    for (size_t i = 0; i < sizeof turned; i++) {
        turned[i] = key[(offset + i) % SS_WS_MASK_BYTES];
    }
    memcpy(&mask, turned, sizeof mask);
    for (; len - at >= sizeof mask; at += sizeof mask) {
        uint64_t word;
        memcpy(&word, in + at, sizeof word);
        word ^= mask;
        memcpy(out + at, &word, sizeof word);
        all |= word;
    }
    for (size_t i = 0; at < len; at++, i++) {
        out[at] = in[at] ^ turned[i];
        all |= out[at];
    }
    return all;
}

/* Gives wslay the header without its key, then the payload unmasked, never beyond the frame. */
static ssize_t on_want_bytes(uint8_t *buf, size_t len, int flags, void *user)
{
    (void)flags;
    struct ss_ws_decoder *decoder = user;
    const struct ss_ws_header *header = &decoder->header;
    size_t head_left = header->size - SS_WS_MASK_BYTES - (size_t)decoder->head_given;
    if (head_left > 0) {
        size_t take = head_left < len ? head_left : len;
        memcpy(buf, decoder->head + decoder->head_given, take);
        decoder->head_given += (uint8_t)take;
        return (ssize_t)take;
    }
    if (!decoder->in_frame) {
        return -1;
    }
    uint64_t payload_left = header->payload_len - decoder->payload_given;
    size_t take = decoder->in_len < len ? decoder->in_len : len;
    take = payload_left < take ? (size_t)payload_left : take;
    if (take == 0) {
        return -1;
    }
    decoder->high_bits |= unmask(buf, decoder->in, take, decoder->key, decoder->payload_given);
    decoder->in += take;
    decoder->in_len -= take;
    decoder->payload_given += take;
    return (ssize_t)take;
}

/* ---- lending ---- */

static void free_decoder(struct ss_ws_decoder *decoder)
{
    wslay_frame_context_free(decoder->frames);
    ss__bytes_deinit(&decoder->message);
    free(decoder);
}

static struct ss_ws_decoder *new_decoder(void)
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

void ss__ws_decoder_pool_init(struct ss_ws_decoder_pool *pool, size_t held_bytes_max)
{
    *pool = (struct ss_ws_decoder_pool){ .held_bytes_max = held_bytes_max };
}

void ss__ws_decoder_pool_deinit(struct ss_ws_decoder_pool *pool)
{
    SS_REQUIRE(pool->lent_count == 0);
    while (pool->spare != NULL) {
        struct ss_ws_decoder *decoder = pool->spare;
        pool->spare = decoder->next_spare;
        free_decoder(decoder);
    }
    pool->spare_count = 0;
}

struct ss_ws_decoder *ss__ws_decoder_lend(struct ss_ws_decoder_pool *pool)
{
    struct ss_ws_decoder *decoder = pool->spare;
    if (decoder != NULL) {
        pool->spare = decoder->next_spare;
        pool->spare_count--;
    } else {
        decoder = SS_FAULT("ws.lend") != 0 ? NULL : new_decoder();
    }
    if (decoder == NULL) {
        return NULL;
    }
    decoder->held_bytes = decoder->message.cap;
    pool->held_bytes += decoder->held_bytes;
    pool->lent_count++;
    return decoder;
}

bool ss__ws_decoder_idle(const struct ss_ws_decoder *decoder)
{
    return decoder->head_len == 0 && !decoder->in_frame && !decoder->message_open;
}

void ss__ws_decoder_take_back(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder)
{
    pool->lent_count--;
    pool->held_bytes -= decoder->held_bytes;
    if (!ss__ws_decoder_idle(decoder) || pool->spare_count >= SS_WS_SPARE_DECODERS_MAX) {
        free_decoder(decoder);
        return;
    }
    if (decoder->message.cap > KEPT_BYTES) {
        ss__bytes_deinit(&decoder->message);
    }
    decoder->replies_len = 0;
    decoder->next_spare = pool->spare;
    pool->spare = decoder;
    pool->spare_count++;
}

/* ---- frames ---- */

/* True once the header is complete. */
static bool take_header(struct ss_ws_decoder *decoder)
{
    size_t had = decoder->head_len;
    size_t take = sizeof decoder->head - had;
    take = decoder->in_len < take ? decoder->in_len : take;
    memcpy(decoder->head + had, decoder->in, take);
    size_t size = ss__ws_header_read(decoder->head, had + take, &decoder->header);
    take = size > 0 ? size - had : take;
    decoder->head_len = (uint8_t)(had + take);
    decoder->in += take;
    decoder->in_len -= take;
    return size > 0;
}

int ss__ws_decoder_begin(struct ss_ws_decoder *decoder)
{
    if (!take_header(decoder)) {
        return 0;
    }
    struct ss_ws_header *header = &decoder->header;
    if (!header->masked) {
        return SS_E_PROTO;
    }
    memcpy(decoder->key, decoder->head + header->size - SS_WS_MASK_BYTES, SS_WS_MASK_BYTES);
    decoder->head[1] &= 0x7F;
    decoder->head_given = 0;
    decoder->payload_given = 0;
    struct wslay_frame_iocb iocb = { 0 };
    ssize_t got = wslay_frame_recv(decoder->frames, &iocb);
    decoder->in_frame = true;
    return got >= 0 || got == WSLAY_ERR_WANT_READ ? 1 : SS_E_PROTO;
}

int ss__ws_decoder_next(struct ss_ws_decoder *decoder, struct ss_ws_piece *ret_piece)
{
    struct wslay_frame_iocb iocb = { 0 };
    decoder->high_bits = 0;
    if (decoder->header.payload_len > 0) {    /* else wslay has the whole frame already */
        ssize_t got = wslay_frame_recv(decoder->frames, &iocb);
        if (got < 0) {
            return got == WSLAY_ERR_WANT_READ ? 0 : SS_E_PROTO;
        }
    }
    bool last = decoder->payload_given == decoder->header.payload_len;
    if (last) {
        decoder->in_frame = false;
        decoder->head_len = 0;
    }
    *ret_piece = (struct ss_ws_piece){ .data = iocb.data,
                                       .len = iocb.data_length,
                                       .ascii = (decoder->high_bits & HIGH_BITS) == 0,
                                       .last = last };
    return 1;
}

int ss__ws_decoder_append(struct ss_ws_decoder_pool *pool, struct ss_ws_decoder *decoder,
                          const struct ss_ws_piece *piece)
{
    struct ss_bytes *message = &decoder->message;
    bool grows = piece->len > message->cap - message->len;
    if (grows && SS_FAULT("ws.append") != 0) {
        return SS_E_NOMEM;
    }
    ss__bytes_append(message, piece->data, piece->len);
    if (message->err != 0) {
        return SS_E_NOMEM;
    }
    pool->held_bytes += message->cap - decoder->held_bytes;
    decoder->held_bytes = message->cap;
    return grows && pool->held_bytes > pool->held_bytes_max ? SS_E_BUSY : 0;
}

/* ---- UTF-8 ---- */

/* Bytes of the character that begins with @lead; 0 if none does. */
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

/* True if the @len bytes (1-3) at @data begin a character. What may follow a lead byte is
 * restricted at one end only, so the lowest and the highest continuation decide. */
static bool begins_char(const uint8_t *data, size_t len)
{
    uint8_t low[4] = { 0x80, 0x80, 0x80, 0x80 };
    uint8_t high[4] = { 0xBF, 0xBF, 0xBF, 0xBF };
    memcpy(low, data, len);
    memcpy(high, data, len);
    return ss__utf8_char_len(low, sizeof low) > len || ss__utf8_char_len(high, sizeof high) > len;
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
    return cut == len || begins_char(data + cut, len - cut);
}
