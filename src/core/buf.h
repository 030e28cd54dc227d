/* buf.h - immutable, reference-counted bytes that may cross threads.
 *
 * Life: new -> fill by the maker -> share with ref -> unref by every holder; the last one frees.
 * After the first share nobody writes. ref and unref may be called on any thread. */
#ifndef SS_CORE_BUF_H
#define SS_CORE_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ss_buf {
    atomic_uint refs;
    uint32_t len;    /* bytes in use */
    uint8_t data[];
};

/* A buffer of @len bytes with one reference, contents undefined; NULL when out of memory or
 * @len exceeds UINT32_MAX. */
struct ss_buf *ss__buf_new(size_t len);

/* The same with a copy of @data. */
struct ss_buf *ss__buf_copy(const void *data, size_t len);

/* Returns @buf with one more reference. */
struct ss_buf *ss__buf_ref(struct ss_buf *buf);

/* Gives one reference back; NULL is fine. */
void ss__buf_unref(struct ss_buf *buf);

#endif
