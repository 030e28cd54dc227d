#include "core/utf8.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t ss__utf8_char_len(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    uint8_t first = data[0];
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return len >= 2 && is_continuation(data[1]) ? 2 : 0;
    }
    if ((first & 0xF0) == 0xE0) {
        if (len < 3 || !is_continuation(data[1]) || !is_continuation(data[2])) {
            return 0;
        }
        bool overlong = first == 0xE0 && data[1] < 0xA0;
        bool surrogate = first == 0xED && data[1] >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (len < 4 || !is_continuation(data[1]) || !is_continuation(data[2]) ||
            !is_continuation(data[3])) {
            return 0;
        }
        bool overlong = first == 0xF0 && data[1] < 0x90;
        bool beyond = first == 0xF4 && data[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

bool ss__utf8_valid(const void *data, size_t len)
{
    const uint8_t *at = data;
    const uint8_t *end = at + len;
    while (at < end) {
        while (end - at >= 32) {
            uint64_t words[4];
            memcpy(words, at, sizeof words);
            if (((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) !=
                0) {
                break;
            }
            at += 32;
        }
        while (end - at >= 8) {
            uint64_t word;
            memcpy(&word, at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) != 0) {
                break;
            }
            at += 8;
        }
        if (at == end) {
            break;
        }
        size_t n = ss__utf8_char_len(at, (size_t)(end - at));
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

size_t ss__utf8_floor(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t cut = len;
    size_t steps = 0;
    while (cut > 0 && steps < 3 && is_continuation(bytes[cut - 1])) {
        cut--;
        steps++;
    }
    if (cut == 0) {
        return len;
    }
    uint8_t first = bytes[cut - 1];
    if (first < 0x80) {
        return len;
    }
    size_t want = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    return steps + 1 >= want ? len : cut - 1;
}

void ss__utf8_mend(char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t step = ss__utf8_char_len((const uint8_t *)text + at, len - at);
        text[at] = step == 0 ? '?' : text[at];
        at += step == 0 ? 1 : step;
    }
}

size_t ss__utf8_encode(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xC0 | (code_point >> 6));
        out[1] = (uint8_t)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | (code_point >> 12));
        out[1] = (uint8_t)(0x80 | ((code_point >> 6) & 0x3F));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | (code_point >> 18));
    out[1] = (uint8_t)(0x80 | ((code_point >> 12) & 0x3F));
    out[2] = (uint8_t)(0x80 | ((code_point >> 6) & 0x3F));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3F));
    return 4;
}
