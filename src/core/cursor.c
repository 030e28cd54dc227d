#include "core/cursor.h"

#include <stdbool.h>

#include "core/decimal.h"

#define SHOWN_BYTES_MAX 100

size_t ss__cursor_write(const struct ss_cursor *cursor, char out[SS_CURSOR_BYTES_MAX])
{
    size_t len = ss__decimal_write(cursor->epoch, out);
    out[len++] = ':';
    len += ss__decimal_write(cursor->ordinal, out + len);
    if (cursor->live != 0 || cursor->run != 0) {
        out[len++] = '.';
        len += ss__decimal_write(cursor->live, out + len);
    }
    if (cursor->run != 0) {
        out[len++] = '~';
        len += ss__decimal_write(cursor->run, out + len);
    }
    return len;
}

/* Takes a number without needless zeros off the front. */
static bool take_number(struct ss_str *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t len = 0;
    while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9') {
        uint64_t digit = (uint64_t)(text->data[len] - '0');
        if (value > (UINT64_MAX - digit) / 10 || (len == 1 && value == 0)) {
            return false;
        }
        value = value * 10 + digit;
        len++;
    }
    *text = ss_str_of(text->data + len, text->len - len);
    *ret_value = value;
    return len > 0;
}

static bool take_mark(struct ss_str *text, char mark)
{
    if (text->len == 0 || text->data[0] != mark) {
        return false;
    }
    *text = ss_str_of(text->data + 1, text->len - 1);
    return true;
}

int ss__cursor_parse(struct ss_str text, struct ss_cursor *ret_cursor, struct ss_failure *failure)
{
    struct ss_cursor cursor = { 0 };
    struct ss_str rest = text;
    bool good = take_number(&rest, &cursor.epoch) && take_mark(&rest, ':') &&
                take_number(&rest, &cursor.ordinal);
    if (good && take_mark(&rest, '.')) {
        good = take_number(&rest, &cursor.live);
        if (good && take_mark(&rest, '~')) {
            good = take_number(&rest, &cursor.run);
        }
    }
    if (!good || rest.len > 0) {
        return ss__fail(failure, SS_E_INVAL,
                        "\"%.*s\" is no cursor: send back one that a frame brought, like "
                        "\"epoch:ordinal\"", ss__shown(text, SHOWN_BYTES_MAX),
                        text.data == NULL ? "" : text.data);
    }
    *ret_cursor = cursor;
    return 0;
}
