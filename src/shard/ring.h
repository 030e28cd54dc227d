/* ring.h - the last released frames of a followed session, for late joiners and those who resume.
 *
 * When the last follower is gone a ring may linger for SS_RING_LINGER_NS: its session's frames go
 * on being encoded, so that somebody whose connection broke finds them. At most
 * SS_RINGS_LINGERING_MAX of a shard do.
 *
 * At most SS_RING_FRAMES_MAX frames and SS_RING_BYTES_MAX bytes, and SS_RING_PAGED_FRAMES_MAX and
 * SS_RING_PAGED_BYTES_MAX while a snapshot of the session is sent in pages; drops whole events,
 * oldest first. All rings of a shard together hold at most SS_RINGS_BYTES_MAX: beyond that those
 * that were pushed to least recently lose the older half of what they have. Shard thread. */
#ifndef SS_SHARD_RING_H
#define SS_SHARD_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/list.h"
#include "message/message.h"

#define SS_RING_LINGER_NS UINT64_C(30000000000)
#define SS_RINGS_LINGERING_MAX 4096

/* A place among the frames of one session: a durable event, or the live-only event with a number
 * from 1 behind it. */
struct ss_place {
    uint64_t ordinal;
    uint64_t live;
};

static inline bool ss__place_is_after(struct ss_place place, struct ss_place other)
{
    return place.ordinal != other.ordinal ? place.ordinal > other.ordinal
                                          : place.live > other.live;
}

struct ss_channel;

/* The rings of a shard. */
struct ss_rings {
    struct ss_list recent;      /* least recently pushed to first */
    struct ss_list lingering;   /* first to end first */
    uint32_t lingering_count;
    size_t bytes;
    size_t bytes_max;
};

struct ss_ring_frame {
    uint64_t ordinal;
    uint32_t live;
    uint8_t skips;              /* bit per encoding that has no such frame */
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS];
};

struct ss_ring {
    struct ss_rings *rings;
    struct ss_list link;        /* in rings->recent */
    struct ss_list lingering;   /* in rings->lingering, or to itself */
    struct ss_channel *channel; /* of one that lingers */
    uint64_t linger_until_ns;
    struct ss_place complete_after;    /* every frame after this place is here */
    struct ss_place newest;     /* newest released frame seen by the ring */
    bool paged;                 /* until the next push: more of them are kept */
    uint8_t linger_encodings;   /* wanted while it lingers: bit per encoding */
    uint32_t first;
    uint32_t count;
    uint32_t slots;             /* of frames: a power of two, grown as needed */
    size_t bytes;
    struct ss_ring_frame *frames;
};

void ss__rings_init(struct ss_rings *rings, size_t bytes_max);

/* An empty ring that begins after @after; NULL when out of memory. */
struct ss_ring *ss__ring_new(struct ss_rings *rings, struct ss_place after);
void ss__ring_free(struct ss_ring *ring);

/* Appends one frame; takes references of its own. @skips: bits of the encodings that have none on
 * purpose. Without memory the ring just reaches less far. */
void ss__ring_push(struct ss_ring *ring, struct ss_place place, uint8_t skips,
                   struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS]);

/* Forgets the frames, and the live-only events behind the newest durable one. */
void ss__ring_restart(struct ss_ring *ring);

/* True if every frame after @after is here in @encoding; then their number is in @ret_count. */
bool ss__ring_reaches(const struct ss_ring *ring, struct ss_place after, uint8_t encoding,
                      uint32_t *ret_count);

/* New references to the newest @count frames in @encoding, oldest first, in @out[@count]. */
void ss__ring_copy(const struct ss_ring *ring, uint8_t encoding, uint32_t count,
                   struct ss_buf **out);

/* Nobody follows @channel any more: its ring stays until @until_ns. */
void ss__ring_linger(struct ss_ring *ring, struct ss_channel *channel, uint8_t encodings,
                     uint64_t until_ns);

/* Somebody does again, or the ring is about to go; harmless if it does not linger. */
void ss__ring_stay(struct ss_ring *ring);

/* The channel whose lingering is over, or one too many; NULL: none. */
struct ss_channel *ss__rings_expired(const struct ss_rings *rings, uint64_t now_ns);

static inline bool ss__ring_lingers(const struct ss_ring *ring)
{
    return ring != NULL && ring->channel != NULL;
}

#endif
