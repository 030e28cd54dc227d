/* heap.h - how the C library's allocator treats memory that comes back. */
#ifndef SS_CORE_HEAP_H
#define SS_CORE_HEAP_H

/* Keeps freed memory in the process instead of giving pages back and faulting them in again with
 * every burst: up to 64 MiB per arena of the allocator. For programs, once at their start, before
 * they have threads; the library leaves its host's allocator alone. Only glibc takes note. */
void ss__heap_keep(void);

#endif
