#include "http/chunked.h"

#include <string.h>

#include <sessionstream/error.h>

#define SIZE_DIGITS_MAX 8u    /* 4 GiB: far over every body limit */

enum { SIZE, EXTENSION, NAME, VALUE, TOKEN, QUOTED, ESCAPED, UNQUOTED, SIZE_LF, DATA, DATA_CR,
       DATA_LF, END_CR, END_LF };

void ss__http_chunked_init(struct ss_http_chunked *chunked)
{
    *chunked = (struct ss_http_chunked){ .state = SIZE };
}

static int hex_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

static int take_size(struct ss_http_chunked *chunked, uint8_t byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0) {
        chunked->left = chunked->left * 16 + (unsigned)digit;
        return ++chunked->digits > SIZE_DIGITS_MAX ? SS_E_PROTO : 0;
    }
    if (chunked->digits == 0) {
        return SS_E_PROTO;
    }
    chunked->state = byte == '\r' ? SIZE_LF : EXTENSION;
    return byte == '\r' || byte == ';' ? 0 : SS_E_PROTO;
}

static bool is_token(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static int go(struct ss_http_chunked *chunked, bool allowed, unsigned state)
{
    chunked->state = state;
    return allowed ? 0 : SS_E_PROTO;
}

/* What ends a name or value: another extension, or the line. */
static int end_part(struct ss_http_chunked *chunked, uint8_t byte)
{
    return go(chunked, byte == ';' || byte == '\r', byte == ';' ? EXTENSION : SIZE_LF);
}

/* Another reader may look for the end of a quoted string beyond the end of the line, so what is
 * skipped is read as it is meant. */
static int take_extension(struct ss_http_chunked *chunked, uint8_t byte)
{
    bool text = (byte >= 0x20 && byte != 0x7F) || byte == '\t';
    if (byte != '\r' && ++chunked->extension > SS_HTTP_CHUNK_EXTENSION_BYTES_MAX) {
        return SS_E_PROTO;
    }
    switch (chunked->state) {
    case EXTENSION:
        return go(chunked, is_token(byte), NAME);
    case NAME:
        return is_token(byte) ? 0 : byte == '=' ? go(chunked, true, VALUE)
                                                : end_part(chunked, byte);
    case VALUE:
        return go(chunked, is_token(byte) || byte == '"', byte == '"' ? QUOTED : TOKEN);
    case TOKEN:
        return is_token(byte) ? 0 : end_part(chunked, byte);
    case QUOTED:
        return go(chunked, text, byte == '"' ? UNQUOTED : byte == '\\' ? ESCAPED : QUOTED);
    case ESCAPED:
        return go(chunked, text, QUOTED);
    default:
        return end_part(chunked, byte);
    }
}

static void begin_chunk(struct ss_http_chunked *chunked)
{
    chunked->state = chunked->left == 0 ? END_CR : DATA;
    chunked->digits = 0;
    chunked->extension = 0;
}

/* One byte of framing: everything but the data itself. */
static int take_framing(struct ss_http_chunked *chunked, uint8_t byte)
{
    switch (chunked->state) {
    case SIZE:
        return take_size(chunked, byte);
    case EXTENSION:
    case NAME:
    case VALUE:
    case TOKEN:
    case QUOTED:
    case ESCAPED:
    case UNQUOTED:
        return take_extension(chunked, byte);
    case SIZE_LF:
        begin_chunk(chunked);
        return byte == '\n' ? 0 : SS_E_PROTO;
    case DATA_CR:
        chunked->state = DATA_LF;
        return byte == '\r' ? 0 : SS_E_PROTO;
    case DATA_LF:
        chunked->state = SIZE;
        return byte == '\n' ? 0 : SS_E_PROTO;
    case END_CR:
        chunked->state = END_LF;
        return byte == '\r' ? 0 : SS_E_PROTO;    /* anything else would be a trailer */
    default:
        chunked->done = byte == '\n';
        return byte == '\n' ? 0 : SS_E_PROTO;
    }
}

int ss__http_chunked_feed(struct ss_http_chunked *chunked, const uint8_t *data, size_t len,
                          struct ss_bytes *body, size_t *ret_consumed)
{
    size_t at = 0;
    int err = 0;
    while (err == 0 && at < len && !chunked->done) {
        if (chunked->state != DATA) {
            err = take_framing(chunked, data[at++]);
            continue;
        }
        if (chunked->left > body->max - body->len) {
            err = SS_E_TOOBIG;
            break;
        }
        size_t take = len - at < chunked->left ? len - at : (size_t)chunked->left;
        ss__bytes_append(body, data + at, take);
        err = body->err;
        at += take;
        chunked->left -= take;
        if (chunked->left == 0) {
            chunked->state = DATA_CR;
        }
    }
    *ret_consumed = at;
    return err;
}
