#include "core/heap.h"

#include <malloc.h>

#define KEPT_BYTES (64 << 20)
#define GROWN_BYTES (1 << 20)
#define MAPPED_BYTES (4 << 20)    /* values from this size on get a mapping of their own */

void ss__heap_keep(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);    /* a refusal only costs speed */
    (void)mallopt(M_TOP_PAD, GROWN_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
#endif
}
