#include "shard/ring.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"

#define SLOTS_MIN 8u

_Static_assert((SS_RING_FRAMES_MAX & (SS_RING_FRAMES_MAX - 1)) == 0, "slots are masked");

void ss__rings_init(struct ss_rings *rings, size_t bytes_max)
{
    *rings = (struct ss_rings){ .bytes_max = bytes_max };
    ss__list_init(&rings->recent);
}

struct ss_ring *ss__ring_new(struct ss_rings *rings, uint64_t ordinal)
{
    struct ss_ring *ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->rings = rings;
        ring->complete_after = ring->newest = ordinal;
        ss__list_push_back(&rings->recent, &ring->link);
    }
    return ring;
}

static void account(struct ss_ring *ring, ptrdiff_t more)
{
    ring->bytes = (size_t)((ptrdiff_t)ring->bytes + more);
    ring->rings->bytes = (size_t)((ptrdiff_t)ring->rings->bytes + more);
}

static struct ss_ring_frame *frame_at(const struct ss_ring *ring, uint32_t index)
{
    return &ring->frames[(ring->first + index) & (ring->slots - 1)];
}

static void drop_oldest(struct ss_ring *ring)
{
    struct ss_ring_frame *frame = frame_at(ring, 0);
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        if (frame->bufs[i] != NULL) {
            account(ring, -(ptrdiff_t)frame->bufs[i]->len);
            ss__buf_unref(frame->bufs[i]);
            frame->bufs[i] = NULL;
        }
    }
    if (frame->ordinal > ring->complete_after) {
        ring->complete_after = frame->ordinal;
    }
    ring->first = (ring->first + 1) & (ring->slots - 1);
    ring->count--;
}

static bool grow(struct ss_ring *ring)
{
    uint32_t slots = ring->slots == 0 ? SLOTS_MIN : ring->slots * 2;
    struct ss_ring_frame *frames = calloc(slots, sizeof *frames);
    if (frames == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ring->count; i++) {
        frames[i] = *frame_at(ring, i);
    }
    free(ring->frames);
    ring->rings->bytes += (slots - ring->slots) * sizeof *frames;
    ring->frames = frames;
    ring->slots = slots;
    ring->first = 0;
    return true;
}

static void empty(struct ss_ring *ring)
{
    while (ring->count > 0) {
        drop_oldest(ring);
    }
    free(ring->frames);
    ring->rings->bytes -= ring->slots * sizeof *ring->frames;
    ring->frames = NULL;
    ring->slots = ring->first = 0;
}

/* The older half of the frames, and their places if hardly any are left. */
static void halve(struct ss_ring *ring)
{
    uint32_t kept = ring->count / 2;
    if (kept < SLOTS_MIN) {
        empty(ring);
        return;
    }
    while (ring->count > kept) {
        drop_oldest(ring);
    }
}

static void make_room(struct ss_rings *rings)
{
    while (rings->bytes > rings->bytes_max && !ss__list_empty(&rings->recent)) {
        struct ss_ring *ring =
            ss__container_of(rings->recent.next, struct ss_ring, link);
        halve(ring);
        ss__list_remove(&ring->link);
        ss__list_push_back(&rings->recent, &ring->link);
    }
}

void ss__ring_free(struct ss_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    empty(ring);
    ss__list_remove(&ring->link);
    free(ring);
}

void ss__ring_push(struct ss_ring *ring, uint64_t ordinal,
                   struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS])
{
    if (ring->count == SS_RING_FRAMES_MAX) {
        drop_oldest(ring);
    }
    ss__list_remove(&ring->link);
    ss__list_push_back(&ring->rings->recent, &ring->link);
    if (ring->count == ring->slots && !grow(ring)) {
        empty(ring);
        ring->complete_after = ring->newest = ordinal;
        return;
    }
    struct ss_ring_frame *frame = frame_at(ring, ring->count);
    frame->ordinal = ordinal;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        frame->bufs[i] = bufs[i] == NULL ? NULL : ss__buf_ref(bufs[i]);
        account(ring, bufs[i] == NULL ? 0 : (ptrdiff_t)bufs[i]->len);
    }
    ring->count++;
    ring->newest = ordinal;
    while (ring->bytes > SS_RING_BYTES_MAX && ring->count > 0) {
        drop_oldest(ring);
    }
    make_room(ring->rings);
}

bool ss__ring_reaches(const struct ss_ring *ring, uint64_t ordinal, uint8_t encoding,
                      uint32_t *ret_count)
{
    if (ordinal < ring->complete_after) {
        return false;
    }
    uint32_t count = 0;
    while (count < ring->count) {
        const struct ss_ring_frame *frame = frame_at(ring, ring->count - 1 - count);
        if (frame->ordinal <= ordinal) {
            break;
        }
        if (frame->bufs[encoding] == NULL) {
            return false;
        }
        count++;
    }
    *ret_count = count;
    return true;
}

void ss__ring_copy(const struct ss_ring *ring, uint8_t encoding, uint32_t count,
                   struct ss_buf **out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = ss__buf_ref(frame_at(ring, ring->count - count + i)->bufs[encoding]);
    }
}
