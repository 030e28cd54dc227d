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

static struct ss_place at(uint64_t ordinal)
{
    return (struct ss_place){ ordinal, 0 };
}

/* Pushes a frame of @bytes bytes in encodings 0 and 2 and gives the test's references back. */
static void push(struct ss_ring *ring, uint64_t ordinal, size_t bytes)
{
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { ss__buf_new(bytes), NULL, ss__buf_new(bytes) };
    ss_check(bufs[0] != NULL && bufs[2] != NULL);
    memset(bufs[0]->data, (int)ordinal, bytes);
    memset(bufs[2]->data, (int)ordinal, bytes);
    ss__ring_push(ring, at(ordinal), 0, bufs);
    ss__buf_unref(bufs[0]);
    ss__buf_unref(bufs[2]);
}

static uint32_t reach(const struct ss_ring *ring, uint64_t ordinal)
{
    uint32_t count = 0;
    ss_check(ss__ring_reaches(ring, at(ordinal), 0, &count));
    return count;
}

static bool is_out_of_reach(const struct ss_ring *ring, uint64_t ordinal, uint8_t encoding)
{
    uint32_t count = 77;
    return !ss__ring_reaches(ring, at(ordinal), encoding, &count) && count == 77;
}

SS_TEST(ring, an_empty_one_reaches_back_to_where_it_began)
{
    struct ss_ring *ring = ss__ring_new(plenty(), at(5));
    ss_check(ring != NULL);
    ss_check(reach(ring, 5) == 0 && reach(ring, 9) == 0);
    ss_check(is_out_of_reach(ring, 4, 0));
    ss__ring_free(ring);
    ss__ring_free(NULL);
}

SS_TEST(ring, gives_the_frames_after_an_ordinal_oldest_first)
{
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
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
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
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
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
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
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
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
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
    push(ring, 1, 1);
    push(ring, 2, 1);
    ss_check(is_out_of_reach(ring, 1, 1));
    uint32_t count = 9;
    ss_check(ss__ring_reaches(ring, at(2), 1, &count) && count == 0);
    ss__ring_free(ring);
}

SS_TEST(ring, i6_all_rings_together_are_bounded_and_the_idle_ones_lose_first)
{
    enum { RINGS = 100, LIMIT = 256 << 10 };
    struct ss_rings rings;
    struct ss_ring *all[RINGS];
    ss__rings_init(&rings, LIMIT);
    for (unsigned i = 0; i < RINGS; i++) {
        all[i] = ss__ring_new(&rings, at(0));
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

/* A live-only frame, in all encodings but those of @skips. */
static void push_live(struct ss_ring *ring, uint64_t ordinal, uint64_t live, uint8_t skips)
{
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { NULL };
    for (unsigned i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        if ((skips >> i & 1) == 0) {
            bufs[i] = ss__buf_new(1);
            ss_check(bufs[i] != NULL);
            bufs[i]->data[0] = (uint8_t)live;
        }
    }
    ss__ring_push(ring, (struct ss_place){ ordinal, live }, skips, bufs);
    for (unsigned i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        ss__buf_unref(bufs[i]);
    }
}

static uint32_t reach_place(const struct ss_ring *ring, uint64_t ordinal, uint64_t live,
                            uint8_t encoding)
{
    uint32_t count = 77;
    struct ss_place place = { ordinal, live };
    return ss__ring_reaches(ring, place, encoding, &count) ? count : UINT32_MAX;
}

SS_TEST(ring, live_only_frames_lie_between_the_events)
{
    struct ss_ring *ring = ss__ring_new(plenty(), (struct ss_place){ 4, 2 });
    push_live(ring, 4, 3, 0);
    push_live(ring, 4, 4, 0);
    push(ring, 5, 1);
    push_live(ring, 5, 1, 0);
    ss_check(reach_place(ring, 4, 2, 0) == 4 && reach_place(ring, 4, 3, 0) == 3);
    ss_check(reach_place(ring, 4, 4, 0) == 2 && reach_place(ring, 5, 0, 0) == 1);
    ss_check(reach_place(ring, 5, 1, 0) == 0);
    ss_check(reach_place(ring, 4, 1, 0) == UINT32_MAX && reach_place(ring, 4, 0, 0) == UINT32_MAX);
    ss__ring_free(ring);
}

SS_TEST(ring, what_an_encoding_has_not_is_no_gap_for_it)
{
    struct ss_ring *ring = ss__ring_new(plenty(), at(0));
    push_live(ring, 0, 1, 0);
    push_live(ring, 0, 2, 1);    /* not in encoding 0 */
    push_live(ring, 0, 3, 0);
    ss_check(reach_place(ring, 0, 0, 0) == 2 && reach_place(ring, 0, 0, 1) == 3);
    struct ss_buf *out[2] = { NULL, NULL };
    ss__ring_copy(ring, 0, 2, out);
    ss_check(out[0]->data[0] == 1 && out[1]->data[0] == 3);
    ss__buf_unref(out[0]);
    ss__buf_unref(out[1]);
    ss__ring_free(ring);
}

SS_TEST(ring, i6_lingering_ends_with_time_and_is_bounded_in_number)
{
    struct ss_rings rings;
    int first;
    int second;
    struct ss_channel *channels[] = { (void *)&first, (void *)&second };
    ss__rings_init(&rings, SS_RINGS_BYTES_MAX);
    struct ss_ring *a = ss__ring_new(&rings, at(0));
    struct ss_ring *b = ss__ring_new(&rings, at(0));
    ss_check(!ss__ring_lingers(NULL) && !ss__ring_lingers(a));
    ss__ring_linger(a, channels[0], 2, 100);
    ss__ring_linger(b, channels[1], 2, 200);
    ss_check(ss__rings_expired(&rings, 99) == NULL && ss__ring_lingers(a));
    ss_check(ss__rings_expired(&rings, 100) == channels[0]);
    rings.lingering_count += SS_RINGS_LINGERING_MAX;
    ss_check(ss__rings_expired(&rings, 0) == channels[0]);
    rings.lingering_count -= SS_RINGS_LINGERING_MAX;
    ss__ring_stay(a);
    ss__ring_stay(a);
    ss_check(rings.lingering_count == 1 && a->linger_encodings == 0);
    ss_check(ss__rings_expired(&rings, 100) == NULL);
    ss_check(ss__rings_expired(&rings, 200) == channels[1]);
    ss__ring_free(b);
    ss__ring_free(a);
    ss_check(rings.lingering_count == 0 && ss__rings_expired(&rings, UINT64_MAX) == NULL);
}
