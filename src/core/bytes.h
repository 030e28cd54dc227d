/* bytes.h - a growing byte string for encoders, with a sticky first error.
 *
 * Appending to a failed one does nothing, so an encoder is a plain list of appends and the caller
 * looks at @err once at the end. Not shared between threads. */
#ifndef SS_CORE_BYTES_H
#define SS_CORE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sessionstream/types.h>

struct ss_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;    /* bytes; growing beyond is SS_E_TOOBIG */
    int err;       /* 0, SS_E_NOMEM or SS_E_TOOBIG */
};

/* Empty; allocates nothing. @max 0 means SIZE_MAX. */
void ss__bytes_init(struct ss_bytes *bytes, size_t max);

/* Frees the memory; @bytes is empty afterwards. */
void ss__bytes_deinit(struct ss_bytes *bytes);

/* Forgets contents and error, keeps the memory. */
void ss__bytes_clear(struct ss_bytes *bytes);

/* Slow path of the appends: room for @more bytes, or a sticky error and -1. */
int ss__bytes_grow(struct ss_bytes *bytes, size_t more);

/* Returns @len writable bytes at the end and counts them as used; NULL once failed. */
static inline uint8_t *ss__bytes_extend(struct ss_bytes *bytes, size_t len)
{
    if (len > bytes->cap - bytes->len && ss__bytes_grow(bytes, len) != 0) {
        return NULL;
    }
    uint8_t *at = bytes->data + bytes->len;
    bytes->len += len;
    return at;
}

static inline void ss__bytes_append(struct ss_bytes *bytes, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    uint8_t *at = ss__bytes_extend(bytes, len);
    if (at != NULL) {
        memcpy(at, data, len);
    }
}

static inline void ss__bytes_byte(struct ss_bytes *bytes, uint8_t byte)
{
    uint8_t *at = ss__bytes_extend(bytes, 1);
    if (at != NULL) {
        *at = byte;
    }
}

static inline void ss__bytes_str(struct ss_bytes *bytes, struct ss_str text)
{
    ss__bytes_append(bytes, text.data, text.len);
}

static inline void ss__bytes_text(struct ss_bytes *bytes, const char *text)
{
    ss__bytes_append(bytes, text, strlen(text));
}

/* Decimal digits of @value. */
void ss__bytes_u64(struct ss_bytes *bytes, uint64_t value);
void ss__bytes_i64(struct ss_bytes *bytes, int64_t value);

/* Base-128 varint of @value (protobuf wire format). */
void ss__bytes_varint(struct ss_bytes *bytes, uint64_t value);

static inline struct ss_str ss__bytes_view(const struct ss_bytes *bytes)
{
    return ss_str_of(bytes->data, bytes->len);
}

#endif
