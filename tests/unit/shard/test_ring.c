#include "shard/ring.h"

#include <string.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

/* Room that no ring of a test fills. */
static struct ss_rings *plenty(void)
{
    static struct ss_rings rings;
    if (rings.bytes_max == 0) {
        ss__rings_init(&rings, SS_RINGS_BYTES_MAX);
    }
    return &rings;
}

/* Pushes a frame of @bytes bytes in encodings 0 and 2 and gives the test's references back. */
static void push(struct ss_ring *ring, uint64_t ordinal, size_t bytes)
{
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { ss__buf_new(bytes), NULL, ss__buf_new(bytes) };
    ss_check(bufs[0] != NULL && bufs[2] != NULL);
    memset(bufs[0]->data, (int)ordinal, bytes);
    memset(bufs[2]->data, (int)ordinal, bytes);
    ss__ring_push(ring, ordinal, bufs);
    ss__buf_unref(bufs[0]);
    ss__buf_unref(bufs[2]);
}

static uint32_t reach(const struct ss_ring *ring, uint64_t ordinal)
{
    uint32_t count = 0;
    ss_check(ss__ring_reaches(ring, ordinal, 0, &count));
    return count;
}

static bool is_out_of_reach(const struct ss_ring *ring, uint64_t ordinal, uint8_t encoding)
{
    uint32_t count = 77;
    return !ss__ring_reaches(ring, ordinal, encoding, &count) && count == 77;
}

SS_TEST(ring, an_empty_one_reaches_back_to_where_it_began)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 5);
    ss_check(ring != NULL);
    ss_check(reach(ring, 5) == 0 && reach(ring, 9) == 0);
    ss_check(is_out_of_reach(ring, 4, 0));
    ss__ring_free(ring);
    ss__ring_free(NULL);
}

SS_TEST(ring, gives_the_frames_after_an_ordinal_oldest_first)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 0);
    for (uint64_t ordinal = 1; ordinal <= 20; ordinal++) {
        push(ring, ordinal, 10);
    }
    ss_check(reach(ring, 17) == 3 && reach(ring, 20) == 0 && reach(ring, 0) == 20);
    struct ss_buf *out[3];
    ss__ring_copy(ring, 2, 3, out);
    for (unsigned i = 0; i < 3; i++) {
        ss_check(out[i]->data[0] == 18 + i);
        ss__buf_unref(out[i]);
    }
    ss__ring_free(ring);
}

SS_TEST(ring, several_frames_of_one_event_go_and_stay_together)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 0);
    push(ring, 1, 1);
    push(ring, 2, 1);
    push(ring, 2, 1);
    push(ring, 2, 1);
    ss_check(reach(ring, 1) == 3 && reach(ring, 2) == 0);
    /* The first frame of event 2 falls out: then the event is no longer whole. */
    for (unsigned i = 0; i < SS_RING_FRAMES_MAX - 2; i++) {
        push(ring, 3 + i, 1);
    }
    ss_check(ring->count == SS_RING_FRAMES_MAX);
    ss_check(is_out_of_reach(ring, 1, 0) && reach(ring, 2) == SS_RING_FRAMES_MAX - 2);
    ss__ring_free(ring);
}

SS_TEST(ring, is_bounded_in_frames)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 0);
    for (uint64_t ordinal = 1; ordinal <= 3 * SS_RING_FRAMES_MAX + 7; ordinal++) {
        push(ring, ordinal, 1);
    }
    uint64_t first = 2 * SS_RING_FRAMES_MAX + 7;
    ss_check(ring->count == SS_RING_FRAMES_MAX && ring->slots == SS_RING_FRAMES_MAX);
    ss_check(reach(ring, first) == SS_RING_FRAMES_MAX && is_out_of_reach(ring, first - 1, 0));
    ss__ring_free(ring);
}

SS_TEST(ring, is_bounded_in_bytes)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 0);
    for (uint64_t ordinal = 1; ordinal <= 8; ordinal++) {
        push(ring, ordinal, SS_RING_BYTES_MAX / 8);    /* twice, for two encodings */
    }
    ss_check(ring->bytes <= SS_RING_BYTES_MAX && ring->count == 4);
    ss_check(reach(ring, 4) == 4 && is_out_of_reach(ring, 3, 0));
    push(ring, 9, SS_RING_BYTES_MAX);    /* alone over the limit: nothing is kept */
    ss_check(ring->count == 0 && ring->bytes == 0);
    ss_check(reach(ring, 9) == 0 && is_out_of_reach(ring, 8, 0));
    ss__ring_free(ring);
}

SS_TEST(ring, does_not_reach_where_an_encoding_was_not_wanted)
{
    struct ss_ring *ring = ss__ring_new(plenty(), 0);
    push(ring, 1, 1);
    push(ring, 2, 1);
    ss_check(is_out_of_reach(ring, 1, 1));
    uint32_t count = 9;
    ss_check(ss__ring_reaches(ring, 2, 1, &count) && count == 0);
    ss__ring_free(ring);
}

SS_TEST(ring, i6_all_rings_together_are_bounded_and_the_idle_ones_lose_first)
{
    enum { RINGS = 100, LIMIT = 256 << 10 };
    struct ss_rings rings;
    struct ss_ring *all[RINGS];
    ss__rings_init(&rings, LIMIT);
    for (unsigned i = 0; i < RINGS; i++) {
        all[i] = ss__ring_new(&rings, 0);
        ss_check(all[i] != NULL);
    }
    for (uint64_t ordinal = 1; ordinal <= 60; ordinal++) {
        push(all[0], ordinal, 500);
    }
    ss_check(reach(all[0], 0) == 60);
    for (uint64_t ordinal = 1; ordinal <= 40; ordinal++) {
        for (unsigned i = 1; i < RINGS; i++) {
            push(all[i], ordinal, 100);
            ss_check(rings.bytes <= LIMIT);
        }
    }
    ss_check(is_out_of_reach(all[0], 59, 0));    /* nothing is left of the idle one */
    ss_check(reach(all[0], 60) == 0);
    unsigned frames = 0;
    for (unsigned i = 1; i < RINGS; i++) {
        frames += all[i]->count;
        ss_check(all[i]->count == 0 || reach(all[i], 40 - all[i]->count) == all[i]->count);
    }
    ss_check(frames * 200 > LIMIT / 4);
    for (unsigned i = 0; i < RINGS; i++) {
        ss__ring_free(all[i]);
    }
    ss_check(rings.bytes == 0 && ss__list_empty(&rings.recent));
}
