/* ring.h - the last released frames of a followed session, for late joiners.
 *
 * At most SS_RING_FRAMES_MAX frames and SS_RING_BYTES_MAX bytes; drops whole events, oldest first.
 * All rings of a shard together hold at most SS_RINGS_BYTES_MAX: beyond that those that were pushed
 * to least recently lose the older half of what they have. Shard thread. */
#ifndef SS_SHARD_RING_H
#define SS_SHARD_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/list.h"
#include "message/message.h"

/* The rings of a shard. */
struct ss_rings {
    struct ss_list recent;      /* least recently pushed to first */
    size_t bytes;
    size_t bytes_max;
};

struct ss_ring_frame {
    uint64_t ordinal;
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS];
};

struct ss_ring {
    struct ss_rings *rings;
    struct ss_list link;        /* in rings->recent */
    uint64_t complete_after;    /* every frame of events after this ordinal is here */
    uint64_t newest;            /* ordinal of the newest released event seen by the ring */
    uint32_t first;
    uint32_t count;
    uint32_t slots;             /* of frames: a power of two, grown as needed */
    size_t bytes;
    struct ss_ring_frame *frames;
};

void ss__rings_init(struct ss_rings *rings, size_t bytes_max);

/* An empty ring that begins after @ordinal; NULL when out of memory. */
struct ss_ring *ss__ring_new(struct ss_rings *rings, uint64_t ordinal);
void ss__ring_free(struct ss_ring *ring);

/* Appends one frame; takes references of its own. Without memory the ring just reaches less far. */
void ss__ring_push(struct ss_ring *ring, uint64_t ordinal,
                   struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS]);

/* True if every frame after @ordinal is here in @encoding; then their number is in @ret_count. */
bool ss__ring_reaches(const struct ss_ring *ring, uint64_t ordinal, uint8_t encoding,
                      uint32_t *ret_count);

/* New references to the newest @count frames, oldest first, in @out[@count]. */
void ss__ring_copy(const struct ss_ring *ring, uint8_t encoding, uint32_t count,
                   struct ss_buf **out);

#endif
