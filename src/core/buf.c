#include "core/buf.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"

struct ss_buf *ss__buf_new(size_t len)
{
    if (len > UINT32_MAX) {
        return NULL;
    }
    struct ss_buf *buf = malloc(sizeof *buf + len);
    if (buf == NULL) {
        return NULL;
    }
    atomic_init(&buf->refs, 1);
    buf->len = (uint32_t)len;
    return buf;
}

struct ss_buf *ss__buf_copy(const void *data, size_t len)
{
    struct ss_buf *buf = ss__buf_new(len);
    if (buf != NULL && len > 0) {
        memcpy(buf->data, data, len);
    }
    return buf;
}

struct ss_buf *ss__buf_ref(struct ss_buf *buf)
{
    atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

void ss__buf_unref(struct ss_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    /* Release: our reads happen before the free; acquire: the freer sees them all. */
    unsigned before = atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel);
    SS_INSIST(before != 0);
    if (before == 1) {
        free(buf);
    }
}
