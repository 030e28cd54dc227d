/* types.h - plain values of the public API. */
#ifndef SS_TYPES_H
#define SS_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes, not terminated; may hold NUL. Whoever hands it over states its life. */
struct ss_str {
    const char *data;
    size_t len;
};

/* View of a NUL-terminated string; the empty view for NULL. */
static inline struct ss_str ss_str(const char *text)
{
    struct ss_str view = { text, text == NULL ? 0 : strlen(text) };
    return view;
}

static inline struct ss_str ss_str_of(const void *data, size_t len)
{
    struct ss_str view = { (const char *)data, len };
    return view;
}

static inline int ss_str_equal(struct ss_str a, struct ss_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
