#include "core/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sessionstream/types.h>

#include "ss_test.h"

#define CHUNK 1024
#define SPARE_CHUNKS 16

static bool aligned(const void *value)
{
    return (uintptr_t)value % 16 == 0;
}

/* Opens @count ordinary chunks: one value fills a quarter. */
static void fill_chunks(struct ss_arena *arena, int count)
{
    for (int i = 0; i < 4 * count; i++) {
        ss_check(ss__arena_alloc(arena, CHUNK / 4) != NULL);
    }
}

SS_TEST(arena, values_of_every_length_are_aligned_and_keep_their_bytes)
{
    enum { COUNT = 1500 };
    static uint8_t *values[COUNT];
    struct ss_arena arena;
    ss__arena_init(&arena, 1000);    /* no multiple of the alignment */
    for (int i = 0; i < COUNT; i++) {
        size_t len = (size_t)(i * 7 % COUNT);
        values[i] = ss__arena_alloc(&arena, len);
        ss_check(values[i] != NULL && aligned(values[i]));
        memset(values[i], i & 0xFF, len);
    }
    for (int i = 0; i < COUNT; i++) {
        for (int at = 0; at < i * 7 % COUNT; at++) {
            ss_check_msg(values[i][at] == (i & 0xFF), "value %d", i);
        }
    }
    ss__arena_deinit(&arena);
}

SS_TEST(arena, a_value_without_bytes_is_not_out_of_memory)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    void *first = ss__arena_alloc(&arena, 0);
    void *second = ss__arena_alloc(&arena, 0);
    ss_check(first != NULL && second != NULL && aligned(first) && aligned(second));
    ss__arena_reset(&arena);
    ss_check(ss__arena_calloc(&arena, 0) != NULL);
    ss__arena_deinit(&arena);
}

SS_TEST(arena, lengths_that_no_memory_holds_are_refused)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    for (size_t less = 0; less < 64; less++) {
        ss_check(ss__arena_alloc(&arena, SIZE_MAX - less) == NULL);
        ss_check(ss__arena_alloc(&arena, (size_t)PTRDIFF_MAX - less / 2) == NULL);
    }
    ss_check(ss__arena_calloc(&arena, SIZE_MAX) == NULL);
    ss_check(arena.total_bytes == 0 && ss__arena_alloc(&arena, 1) != NULL);
    ss__arena_deinit(&arena);
}

SS_TEST(arena, nothing_is_held_before_the_first_value_and_after_the_end)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    ss_check(arena.total_bytes == 0);
    ss__arena_reset(&arena);
    ss_check(arena.total_bytes == 0);
    fill_chunks(&arena, 3);
    ss_check(arena.total_bytes == 3 * CHUNK);
    ss__arena_deinit(&arena);
    ss_check(arena.total_bytes == 0 && arena.chunk_bytes == CHUNK);
    ss_check(ss__arena_alloc(&arena, 1) != NULL);    /* usable again */
    ss__arena_deinit(&arena);
}

SS_TEST(arena, a_reset_keeps_sixteen_chunks_and_uses_them_again)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    fill_chunks(&arena, 3);
    ss__arena_reset(&arena);
    ss_check(arena.total_bytes == 3 * CHUNK && arena.spare_count == 3);
    fill_chunks(&arena, 3);
    ss_check(arena.total_bytes == 3 * CHUNK && arena.spare_count == 0);
    fill_chunks(&arena, 37);
    ss_check(arena.total_bytes == 40 * CHUNK);
    ss__arena_reset(&arena);
    ss_check(arena.total_bytes == SPARE_CHUNKS * CHUNK && arena.spare_count == SPARE_CHUNKS);
    ss__arena_reset(&arena);
    ss_check(arena.total_bytes == SPARE_CHUNKS * CHUNK);
    ss__arena_deinit(&arena);
}

SS_TEST(arena, a_big_value_leaves_the_open_chunk_in_use)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    uint8_t *before = ss__arena_alloc(&arena, 16);
    uint8_t *big = ss__arena_alloc(&arena, 5 * CHUNK);
    uint8_t *after = ss__arena_alloc(&arena, 16);
    ss_check(big != NULL && after == before + 16);
    ss_check(arena.total_bytes == 6 * CHUNK);
    memset(big, 0xFF, 5 * CHUNK);
    ss__arena_deinit(&arena);
}

SS_TEST(arena, a_reset_gives_giants_back)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    ss_check(ss__arena_alloc(&arena, 9 * CHUNK) != NULL);    /* the first value of all */
    fill_chunks(&arena, 2);
    ss_check(ss__arena_alloc(&arena, CHUNK / 4 + 1) != NULL);
    ss_check(ss__arena_alloc(&arena, 300 * CHUNK) != NULL);
    ss__arena_reset(&arena);
    ss_check(arena.total_bytes == 2 * CHUNK && arena.spare_count == 2);
    ss__arena_deinit(&arena);
}

SS_TEST(arena, zeroed_values_are_zero_in_used_memory_too)
{
    struct ss_arena arena;
    ss__arena_init(&arena, CHUNK);
    for (int round = 0; round < 3; round++) {
        uint8_t *value = ss__arena_calloc(&arena, 200);
        for (int at = 0; at < 200; at++) {
            ss_check(value[at] == 0);
        }
        memset(value, 0xEE, 200);
        ss__arena_reset(&arena);
    }
    ss__arena_deinit(&arena);
}

SS_TEST(arena, a_text_is_copied_with_an_end_for_debuggers)
{
    struct ss_arena arena;
    char source[] = "a\0b";
    ss__arena_init(&arena, CHUNK);
    struct ss_str copy = ss__arena_str(&arena, ss_str_of(source, 3));
    source[0] = 'x';
    ss_check(copy.len == 3 && memcmp(copy.data, "a\0b", 4) == 0);
    copy = ss__arena_str(&arena, ss_str(NULL));
    ss_check(copy.len == 0 && copy.data != NULL && copy.data[0] == '\0');
    ss__arena_deinit(&arena);
}
