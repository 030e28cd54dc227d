#include "core/arena.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"

#define ALIGNMENT ((size_t)16)

struct ss_arena_chunk {
    struct ss_arena_chunk *older;
    size_t bytes;    /* of data */
    _Alignas(16) uint8_t data[];
};

void ss__arena_init(struct ss_arena *arena, size_t chunk_bytes)
{
    SS_REQUIRE(chunk_bytes >= 256);
    *arena = (struct ss_arena){ .chunk_bytes = chunk_bytes };
}

void ss__arena_deinit(struct ss_arena *arena)
{
    while (arena->newest != NULL) {
        struct ss_arena_chunk *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    ss__arena_init(arena, arena->chunk_bytes);
}

void ss__arena_reset(struct ss_arena *arena)
{
    struct ss_arena_chunk *keep = NULL;
    while (arena->newest != NULL) {
        struct ss_arena_chunk *chunk = arena->newest;
        arena->newest = chunk->older;
        if (keep == NULL && chunk->bytes == arena->chunk_bytes) {
            keep = chunk;
        } else {
            arena->total_bytes -= chunk->bytes;
            free(chunk);
        }
    }
    arena->at = arena->end = NULL;
    if (keep != NULL) {
        keep->older = NULL;
        arena->newest = keep;
        arena->at = keep->data;
        arena->end = keep->data + keep->bytes;
    }
}

static void *alloc_in_new_chunk(struct ss_arena *arena, size_t len)
{
    size_t bytes = len > arena->chunk_bytes / 4 ? len : arena->chunk_bytes;
    struct ss_arena_chunk *chunk = malloc(sizeof *chunk + bytes);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->bytes = bytes;
    arena->total_bytes += bytes;
    if (bytes != arena->chunk_bytes && arena->newest != NULL) {
        /* A big value gets a chunk of its own behind the open one. */
        chunk->older = arena->newest->older;
        arena->newest->older = chunk;
        return chunk->data;
    }
    chunk->older = arena->newest;
    arena->newest = chunk;
    arena->at = chunk->data + len;
    arena->end = chunk->data + bytes;
    return chunk->data;
}

void *ss__arena_alloc(struct ss_arena *arena, size_t len)
{
    if (len > SIZE_MAX - ALIGNMENT) {
        return NULL;
    }
    len = (len + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (len <= (size_t)(arena->end - arena->at)) {
        void *value = arena->at;
        arena->at += len;
        return value;
    }
    return alloc_in_new_chunk(arena, len);
}

void *ss__arena_calloc(struct ss_arena *arena, size_t len)
{
    void *value = ss__arena_alloc(arena, len);
    if (value != NULL) {
        memset(value, 0, len);
    }
    return value;
}

struct ss_str ss__arena_str(struct ss_arena *arena, struct ss_str text)
{
    char *copy = ss__arena_alloc(arena, text.len + 1);
    if (copy == NULL) {
        return (struct ss_str){ NULL, 0 };
    }
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = '\0';
    return ss_str_of(copy, text.len);
}
