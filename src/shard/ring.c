#include "shard/ring.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#define SLOTS_MIN 8u

_Static_assert((SS_RING_FRAMES_MAX & (SS_RING_FRAMES_MAX - 1)) == 0, "slots are masked");

struct ss_ring *ss__ring_new(uint64_t ordinal)
{
    struct ss_ring *ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->complete_after = ring->newest = ordinal;
    }
    return ring;
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
            ring->bytes -= frame->bufs[i]->len;
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
    ring->frames = frames;
    ring->slots = slots;
    ring->first = 0;
    return true;
}

void ss__ring_free(struct ss_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    while (ring->count > 0) {
        drop_oldest(ring);
    }
    free(ring->frames);
    free(ring);
}

void ss__ring_push(struct ss_ring *ring, uint64_t ordinal,
                   struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS])
{
    if (ring->count == SS_RING_FRAMES_MAX) {
        drop_oldest(ring);
    }
    if (ring->count == ring->slots && !grow(ring)) {
        while (ring->count > 0) {
            drop_oldest(ring);
        }
        ring->complete_after = ring->newest = ordinal;
        return;
    }
    struct ss_ring_frame *frame = frame_at(ring, ring->count);
    frame->ordinal = ordinal;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        frame->bufs[i] = bufs[i] == NULL ? NULL : ss__buf_ref(bufs[i]);
        ring->bytes += bufs[i] == NULL ? 0 : bufs[i]->len;
    }
    ring->count++;
    ring->newest = ordinal;
    while (ring->bytes > SS_RING_BYTES_MAX && ring->count > 0) {
        drop_oldest(ring);
    }
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
