#include "schema/json_text.h"

#include "schema/json.h"

/* True if one of 16 bytes needs an escape: a compiler makes a few vector instructions of it. */
static bool has_escape(const uint8_t *text)
{
    uint8_t bytes __attribute__((vector_size(16)));
    uint64_t found[2];
    memcpy(&bytes, text, sizeof bytes);
    int8_t needs __attribute__((vector_size(16))) =
        (bytes == '"') | (bytes == '\\') | (bytes < 0x20);
    memcpy(found, &needs, sizeof found);
    return (found[0] | found[1]) != 0;
}

/* Bytes of @text before the first one that needs an escape. */
static size_t plain_len(const uint8_t *text, size_t len)
{
    size_t at = 0;
    while (len - at >= 16 && !has_escape(text + at)) {
        at += 16;
    }
    if (at > 0 && len - at < 16 && !has_escape(text + len - 16)) {
        return len;    /* some bytes are looked at twice */
    }
    while (at < len && text[at] >= 0x20 && text[at] != '"' && text[at] != '\\') {
        at++;
    }
    return at;
}

static void append_escape(struct ss_bytes *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                     ['\r'] = 'r' };
    char escape[6] = { '\\', (char)byte, '0', '0', '0', '0' };
    size_t len = 2;
    if (byte < 0x20 && shorts[byte] != 0) {
        escape[1] = shorts[byte];
    } else if (byte < 0x20) {
        escape[1] = 'u';
        escape[4] = hex[byte >> 4];
        escape[5] = hex[byte & 15];
        len = 6;
    }
    ss__bytes_append(out, escape, len);
}

void ss__json_string(struct ss_bytes *out, struct ss_str text)
{
    const uint8_t *data = (const uint8_t *)text.data;
    size_t plain = plain_len(data, text.len);
    if (plain == text.len) {
        uint8_t *to = ss__bytes_extend(out, text.len + 2);
        if (to == NULL) {
            return;
        }
        to[0] = '"';
        if (text.len > 0) {
            memcpy(to + 1, data, text.len);
        }
        to[text.len + 1] = '"';
        return;
    }
    ss__bytes_byte(out, '"');
    size_t at = 0;
    while (at < text.len) {
        ss__bytes_append(out, data + at, plain);
        at += plain;
        if (at < text.len) {
            append_escape(out, data[at++]);
        }
        plain = plain_len(data + at, text.len - at);
    }
    ss__bytes_byte(out, '"');
}

void ss__json_long(struct ss_bytes *out, const char *before, uint64_t number)
{
    ss__bytes_text(out, before);
    ss__bytes_byte(out, '"');
    ss__bytes_u64(out, number);
    ss__bytes_byte(out, '"');
}

void ss__json_base64(struct ss_bytes *out, struct ss_str data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = (const uint8_t *)data.data;
    ss__bytes_byte(out, '"');
    for (size_t at = 0; at < data.len; at += 3) {
        size_t left = data.len - at;
        uint32_t bits = (uint32_t)from[at] << 16;
        bits |= left > 1 ? (uint32_t)from[at + 1] << 8 : 0;
        bits |= left > 2 ? from[at + 2] : 0;
        char quad[4] = { digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63],
                         digits[bits & 63] };
        if (left < 3) {
            quad[3] = '=';
        }
        if (left < 2) {
            quad[2] = '=';
        }
        ss__bytes_append(out, quad, sizeof quad);
    }
    ss__bytes_byte(out, '"');
}

/* Value of a digit, or -1. @alphabets collects which alphabets own the digits seen. */
static int base64_value(char digit, unsigned *alphabets)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    if (digit == '+' || digit == '/') {
        *alphabets |= 1;
        return digit == '+' ? 62 : 63;
    }
    if (digit == '-' || digit == '_') {
        *alphabets |= 2;
        return digit == '-' ? 62 : 63;
    }
    return -1;
}

bool ss__json_unbase64(struct ss_bytes *out, struct ss_str text)
{
    size_t len = text.len;
    if (len % 4 == 0) {
        for (int padding = 0; padding < 2 && len > 0 && text.data[len - 1] == '='; padding++) {
            len--;
        }
    }
    if (len % 4 == 1) {
        return false;
    }
    unsigned alphabets = 0;
    uint32_t bits = 0;
    for (size_t at = 0; at < len; at++) {
        int value = base64_value(text.data[at], &alphabets);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        if (at % 4 != 0) {
            ss__bytes_byte(out, (uint8_t)(bits >> (6 - 2 * (at % 4))));
        }
    }
    return alphabets != 3;
}
