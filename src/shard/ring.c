#include "shard/ring.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"

#define SLOTS_MIN 8u

_Static_assert((SS_RING_FRAMES_MAX & (SS_RING_FRAMES_MAX - 1)) == 0 &&
                   (SS_RING_PAGED_FRAMES_MAX & (SS_RING_PAGED_FRAMES_MAX - 1)) == 0,
               "slots are masked");

void ss__rings_init(struct ss_rings *rings, size_t bytes_max)
{
    *rings = (struct ss_rings){ .bytes_max = bytes_max };
    ss__list_init(&rings->recent);
    ss__list_init(&rings->lingering);
}

struct ss_ring *ss__ring_new(struct ss_rings *rings, struct ss_place after)
{
    struct ss_ring *ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->rings = rings;
        ring->complete_after = ring->newest = after;
        ss__list_init(&ring->lingering);
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

static struct ss_place place_of(const struct ss_ring_frame *frame)
{
    return (struct ss_place){ frame->ordinal, frame->live };
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
    if (ss__place_is_after(place_of(frame), ring->complete_after)) {
        ring->complete_after = place_of(frame);
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
    ss__ring_stay(ring);
    ss__list_remove(&ring->link);
    free(ring);
}

void ss__ring_push(struct ss_ring *ring, struct ss_place place, uint8_t skips,
                   struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS])
{
    uint32_t frames_max = ring->paged ? SS_RING_PAGED_FRAMES_MAX : SS_RING_FRAMES_MAX;
    size_t bytes_max = ring->paged ? SS_RING_PAGED_BYTES_MAX : SS_RING_BYTES_MAX;
    while (ring->count >= frames_max) {
        drop_oldest(ring);
    }
    ss__list_remove(&ring->link);
    ss__list_push_back(&ring->rings->recent, &ring->link);
    if (ring->count == ring->slots && !grow(ring)) {
        empty(ring);
        ring->complete_after = ring->newest = place;
        return;
    }
    struct ss_ring_frame *frame = frame_at(ring, ring->count);
    frame->ordinal = place.ordinal;
    frame->live = (uint32_t)place.live;
    frame->skips = skips;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        frame->bufs[i] = bufs[i] == NULL ? NULL : ss__buf_ref(bufs[i]);
        account(ring, bufs[i] == NULL ? 0 : (ptrdiff_t)bufs[i]->len);
    }
    ring->count++;
    ring->newest = place;
    while (ring->bytes > bytes_max && ring->count > 0) {
        drop_oldest(ring);
    }
    make_room(ring->rings);
}

void ss__ring_restart(struct ss_ring *ring)
{
    empty(ring);
    ring->newest.live = 0;
    ring->complete_after = ring->newest;
}

static bool skips(const struct ss_ring_frame *frame, uint8_t encoding)
{
    return (frame->skips >> encoding & 1) != 0;
}

bool ss__ring_reaches(const struct ss_ring *ring, struct ss_place after, uint8_t encoding,
                      uint32_t *ret_count)
{
    if (ss__place_is_after(ring->complete_after, after)) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = ring->count; i > 0; i--) {
        const struct ss_ring_frame *frame = frame_at(ring, i - 1);
        if (!ss__place_is_after(place_of(frame), after)) {
            break;
        }
        if (skips(frame, encoding)) {
            continue;
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
    for (uint32_t i = ring->count; i > 0 && count > 0; i--) {
        const struct ss_ring_frame *frame = frame_at(ring, i - 1);
        if (!skips(frame, encoding)) {
            out[--count] = ss__buf_ref(frame->bufs[encoding]);
        }
    }
}

void ss__ring_linger(struct ss_ring *ring, struct ss_channel *channel, uint8_t encodings,
                     uint64_t until_ns)
{
    SS_REQUIRE(channel != NULL && ring->channel == NULL);
    ring->channel = channel;
    ring->linger_encodings = encodings;
    ring->linger_until_ns = until_ns;
    ss__list_push_back(&ring->rings->lingering, &ring->lingering);
    ring->rings->lingering_count++;
}

void ss__ring_stay(struct ss_ring *ring)
{
    if (ring != NULL && ring->channel != NULL) {
        ring->channel = NULL;
        ring->linger_encodings = 0;
        ss__list_remove(&ring->lingering);
        ring->rings->lingering_count--;
    }
}

struct ss_channel *ss__rings_expired(const struct ss_rings *rings, uint64_t now_ns)
{
    if (ss__list_empty(&rings->lingering)) {
        return NULL;
    }
    const struct ss_ring *first =
        ss__container_of(rings->lingering.next, struct ss_ring, lingering);
    bool over = first->linger_until_ns <= now_ns ||
                rings->lingering_count > SS_RINGS_LINGERING_MAX;
    return over ? first->channel : NULL;
}
