#include "server/columns.h"

#include <stdbool.h>

size_t ss__columns_width(struct ss_str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += ((uint8_t)text.data[i] & 0xc0) != 0x80;
    }
    return width;
}

/* C0, DEL, and C1, which UTF-8 writes as c2 80 to c2 9f. */
static bool is_control(struct ss_str text, size_t at)
{
    uint8_t byte = (uint8_t)text.data[at];
    bool second = at > 0 && (uint8_t)text.data[at - 1] == 0xc2;
    return byte < 0x20 || byte == 0x7f || (second && byte >= 0x80 && byte < 0xa0);
}

void ss__columns_cell(struct ss_bytes *out, struct ss_str text, size_t width)
{
    size_t written = ss__columns_width(text);
    for (size_t i = 0; i < text.len; i++) {
        bool lead = (uint8_t)text.data[i] == 0xc2 && i + 1 < text.len && is_control(text, i + 1);
        if (!lead) {
            ss__bytes_byte(out, is_control(text, i) ? '?' : (uint8_t)text.data[i]);
        }
    }
    size_t end = width > written ? width : written;
    for (; width > 0 && written < end + 2; written++) {
        ss__bytes_byte(out, ' ');
    }
}
