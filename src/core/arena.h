/* arena.h - bump allocator for values that die together (one batch, one frame).
 *
 * One owner thread. reset keeps up to 16 ordinary chunks for the next round. */
#ifndef SS_CORE_ARENA_H
#define SS_CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

struct ss_arena_chunk;

struct ss_arena {
    uint8_t *at;                     /* next free byte of the newest chunk */
    uint8_t *end;
    struct ss_arena_chunk *newest;
    struct ss_arena_chunk *spare;    /* ordinary ones, kept by a reset */
    uint32_t spare_count;
    size_t chunk_bytes;              /* size of an ordinary chunk */
    size_t total_bytes;              /* memory held */
};

/* Allocates nothing yet. @chunk_bytes is the size of an ordinary chunk. */
void ss__arena_init(struct ss_arena *arena, size_t chunk_bytes);
void ss__arena_deinit(struct ss_arena *arena);

/* Forgets all values; keeps some memory for those to come. */
void ss__arena_reset(struct ss_arena *arena);

/* @len bytes (0 is fine) aligned to 16, contents undefined; NULL when out of memory. Lives until
 * reset. */
void *ss__arena_alloc(struct ss_arena *arena, size_t len);

/* The same, zeroed. */
void *ss__arena_calloc(struct ss_arena *arena, size_t len);

/* A copy of @text in the arena, NUL-terminated for debuggers; data is NULL when out of memory. */
struct ss_str ss__arena_str(struct ss_arena *arena, struct ss_str text);

#endif
