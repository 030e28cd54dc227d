#include "core/arena.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"

#define ALIGNMENT ((size_t)16)

/* Chunks that a reset keeps: a batch finds its memory warm, and a rare giant gives it back. */
#define SPARE_CHUNKS_MAX 16

struct ss_arena_chunk {
    struct ss_arena_chunk *older;
    size_t bytes;    /* of data */
    _Alignas(16) uint8_t data[];
};

/* Rounded up and with its chunk it still fits the size of an object. */
#define LEN_MAX ((size_t)PTRDIFF_MAX - sizeof(struct ss_arena_chunk) - ALIGNMENT)

void ss__arena_init(struct ss_arena *arena, size_t chunk_bytes)
{
    SS_REQUIRE(chunk_bytes >= 256);
    *arena = (struct ss_arena){ .chunk_bytes = chunk_bytes };
}

static void free_list(struct ss_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct ss_arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void ss__arena_deinit(struct ss_arena *arena)
{
    free_list(arena->newest);
    free_list(arena->spare);
    ss__arena_init(arena, arena->chunk_bytes);
}

void ss__arena_reset(struct ss_arena *arena)
{
    while (arena->newest != NULL) {
        struct ss_arena_chunk *chunk = arena->newest;
        arena->newest = chunk->older;
        if (arena->spare_count < SPARE_CHUNKS_MAX && chunk->bytes == arena->chunk_bytes) {
            chunk->older = arena->spare;
            arena->spare = chunk;
            arena->spare_count++;
        } else {
            arena->total_bytes -= chunk->bytes;
            free(chunk);
        }
    }
    arena->at = arena->end = NULL;
}

static struct ss_arena_chunk *new_chunk(struct ss_arena *arena, size_t bytes)
{
    struct ss_arena_chunk *chunk = arena->spare;
    if (chunk != NULL && bytes == arena->chunk_bytes) {
        arena->spare = chunk->older;
        arena->spare_count--;
        return chunk;
    }
    chunk = malloc(sizeof *chunk + bytes);
    if (chunk != NULL) {
        chunk->bytes = bytes;
        arena->total_bytes += bytes;
    }
    return chunk;
}

static void *alloc_in_new_chunk(struct ss_arena *arena, size_t len)
{
    size_t bytes = len > arena->chunk_bytes / 4 ? len : arena->chunk_bytes;
    struct ss_arena_chunk *chunk = new_chunk(arena, bytes);
    if (chunk == NULL) {
        return NULL;
    }
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
    if (len > LEN_MAX || SS_FAULT_MEMORY()) {
        return NULL;
    }
    /* An empty value has an address, too: NULL would mean out of memory. */
    len = len == 0 ? ALIGNMENT : (len + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
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
