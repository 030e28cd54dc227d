#include "apps/chat/text.h"

#include <stdbool.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0u) == 0x80u;
}

/* White_Space of the Unicode character database beyond ASCII. */
static const char *const wide_spaces[] = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
};

static bool is_space(struct ss_str character)
{
    if (character.len == 1) {
        char c = character.data[0];
        return c == ' ' || (c >= '\t' && c <= '\r');
    }
    for (size_t i = 0; i < sizeof wide_spaces / sizeof *wide_spaces; i++) {
        if (ss_str_equal(character, ss_str(wide_spaces[i]))) {
            return true;
        }
    }
    return false;
}

static struct ss_str first_character(struct ss_str text)
{
    size_t len = 1;
    while (len < text.len && is_continuation(text.data[len])) {
        len++;
    }
    return ss_str_of(text.data, len);
}

static struct ss_str last_character(struct ss_str text)
{
    size_t start = text.len - 1;
    while (start > 0 && is_continuation(text.data[start])) {
        start--;
    }
    return ss_str_of(text.data + start, text.len - start);
}

struct ss_str ss__chat_trim(struct ss_str text)
{
    while (text.len > 0) {
        struct ss_str first = first_character(text);
        if (!is_space(first)) {
            break;
        }
        text = ss_str_of(text.data + first.len, text.len - first.len);
    }
    while (text.len > 0) {
        struct ss_str last = last_character(text);
        if (!is_space(last)) {
            break;
        }
        text.len -= last.len;
    }
    return text;
}

size_t ss__chat_chunk_len(struct ss_str text, size_t chunk_bytes)
{
    if (text.len <= chunk_bytes) {
        return text.len;
    }
    size_t cut = chunk_bytes;
    while (cut > 0 && is_continuation(text.data[cut])) {
        cut--;
    }
    return cut > 0 ? cut : first_character(text).len;
}
