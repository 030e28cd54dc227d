#include "http/chunked.h"

#include <sessionstream/error.h>

/* 15 digits keep the size below 2^60: no overflow, and far above any body limit. */
#define SIZE_DIGITS_MAX 15

enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LAST_CR,
    LAST_LF
};

void ss__http_chunked_init(struct ss_http_chunked *chunked)
{
    *chunked = (struct ss_http_chunked){ .state = SIZE };
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static int take_size_byte(struct ss_http_chunked *chunked, uint8_t byte)
{
    int digit = hex_value(byte);
    if (digit >= 0) {
        if (++chunked->digits > SIZE_DIGITS_MAX) {
            return SS_E_PROTO;
        }
        chunked->left = chunked->left * 16 + (unsigned)digit;
        return 0;
    }
    if (chunked->digits == 0 || (byte != '\r' && byte != ';')) {
        return SS_E_PROTO;
    }
    chunked->extension = 0;
    chunked->state = byte == ';' ? EXTENSION : SIZE_LF;
    return 0;
}

static int take_extension_byte(struct ss_http_chunked *chunked, uint8_t byte)
{
    if (byte == '\r') {
        chunked->state = SIZE_LF;
        return 0;
    }
    bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
    if (control || ++chunked->extension > SS_HTTP_CHUNK_EXTENSION_BYTES_MAX) {
        return SS_E_PROTO;
    }
    return 0;
}

/* One byte of framing, outside chunk data. */
static int take_framing_byte(struct ss_http_chunked *chunked, uint8_t byte)
{
    static const struct {
        uint8_t want;
        uint8_t next;
    } fixed[] = { [DATA_CR] = { '\r', DATA_LF }, [DATA_LF] = { '\n', SIZE },
                  [LAST_CR] = { '\r', LAST_LF }, [LAST_LF] = { '\n', LAST_LF } };
    if (chunked->state == SIZE) {
        return take_size_byte(chunked, byte);
    }
    if (chunked->state == EXTENSION) {
        return take_extension_byte(chunked, byte);
    }
    if (chunked->state == SIZE_LF) {
        chunked->state = chunked->left == 0 ? LAST_CR : DATA;
        return byte == '\n' ? 0 : SS_E_PROTO;
    }
    if (byte != fixed[chunked->state].want) {
        return SS_E_PROTO;
    }
    chunked->done = chunked->state == LAST_LF;
    chunked->state = fixed[chunked->state].next;
    if (chunked->state == SIZE) {
        chunked->digits = 0;
        chunked->left = 0;
    }
    return 0;
}

int ss__http_chunked_feed(struct ss_http_chunked *chunked, const uint8_t *data, size_t len,
                          struct ss_bytes *body, size_t *ret_consumed)
{
    size_t at = 0;
    while (at < len && !chunked->done) {
        if (chunked->state != DATA) {
            if (take_framing_byte(chunked, data[at]) != 0) {
                return SS_E_PROTO;
            }
            at++;
            if (chunked->state == DATA && chunked->left > body->max - body->len) {
                return SS_E_TOOBIG;
            }
            continue;
        }
        size_t part = len - at < chunked->left ? len - at : (size_t)chunked->left;
        ss__bytes_append(body, data + at, part);
        if (body->err != 0) {
            return body->err;
        }
        at += part;
        chunked->left -= part;
        chunked->state = chunked->left == 0 ? DATA_CR : DATA;
    }
    *ret_consumed = at;
    return 0;
}
