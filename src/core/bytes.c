#include "core/bytes.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/decimal.h"

void ss__bytes_init(struct ss_bytes *bytes, size_t max)
{
    *bytes = (struct ss_bytes){ .max = max == 0 ? SIZE_MAX : max };
}

void ss__bytes_deinit(struct ss_bytes *bytes)
{
    free(bytes->data);
    ss__bytes_init(bytes, bytes->max);
}

void ss__bytes_clear(struct ss_bytes *bytes)
{
    bytes->len = 0;
    bytes->err = 0;
}

/* From here on every append takes the slow path, where the error stands. */
static int fail(struct ss_bytes *bytes, int err)
{
    bytes->err = err;
    bytes->cap = bytes->len;
    return -1;
}

int ss__bytes_grow(struct ss_bytes *bytes, size_t more)
{
    if (bytes->err != 0) {
        return -1;
    }
    if (more > bytes->max - bytes->len) {
        return fail(bytes, SS_E_TOOBIG);
    }
    size_t want = bytes->len + more;
    size_t cap = bytes->cap == 0 ? 256 : bytes->cap;
    while (cap < want) {
        cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    }
    cap = cap < bytes->max ? cap : bytes->max;    /* the inline appends look at cap alone */
    uint8_t *data = realloc(bytes->data, cap);
    if (data == NULL) {
        return fail(bytes, SS_E_NOMEM);
    }
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

void ss__bytes_u64(struct ss_bytes *bytes, uint64_t value)
{
    char digits[SS_DECIMAL_BYTES_MAX];
    ss__bytes_append(bytes, digits, ss__decimal_write(value, digits));
}

void ss__bytes_i64(struct ss_bytes *bytes, int64_t value)
{
    if (value < 0) {
        ss__bytes_byte(bytes, '-');
        ss__bytes_u64(bytes, (uint64_t)0 - (uint64_t)value);
    } else {
        ss__bytes_u64(bytes, (uint64_t)value);
    }
}

void ss__bytes_varint(struct ss_bytes *bytes, uint64_t value)
{
    uint8_t out[10];
    size_t len = 0;
    while (value >= 0x80) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    ss__bytes_append(bytes, out, len);
}
