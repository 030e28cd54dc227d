/* frozen.h - the entities of a session as they were at one place, to be sent in pages or to be
 * encoded on another thread (shard/snapshot_job.h).
 *
 * Payloads are shared with the state, which goes on; ids and appended bytes are copied. Pages are
 * cut and encoded when they are asked for; what is encoded is kept for others as far as
 * SS_PAGES_KEPT_BYTES goes. Shard thread, but for the end: the last reference may be given back by
 * any thread. */
#ifndef SS_SHARD_FROZEN_H
#define SS_SHARD_FROZEN_H

#include <stdatomic.h>

#include "core/arena.h"
#include "core/list.h"
#include "shard/session.h"
#include "wire/server_frame.h"

struct ss_frozen_page {
    uint32_t first;                        /* entity it begins with, in the snapshot's order */
    struct ss_buf *buf;                    /* NULL: not kept */
};

struct ss_frozen {
    struct ss_page_source source;          /* first: what requests hold */
    struct ss_list link;                   /* in shard->frozen, with a reference, if read */
    struct ss_channel *channel;            /* pinned while it has readers */
    uint32_t readers;                      /* requests that are sent its pages */
    uint32_t states;                       /* channel->states: of which state it is */
    uint32_t page_bytes;
    uint8_t encoding;
    uint64_t made_ns;
    struct ss_place at;
    struct ss_snapshot_frame head;         /* without entities; the session's id is copied */
    /* Entities in runs that are sorted one after the other, then merged as pages need them. */
    struct ss_snapshot_entity *entities;
    struct ss_buf **payloads;              /* references, in no order */
    uint64_t payload_bytes;
    uint32_t count;
    uint32_t sorted;                       /* so many are in sorted runs */
    uint32_t *order;
    uint32_t merged;                       /* so many of @order are known */
    uint32_t *heap;                        /* next entity of each run that has any left */
    uint32_t heap_count;
    struct ss_frozen_page *pages;
    uint32_t pages_count;
    uint32_t next;                         /* entity the next page begins with */
    uint64_t kept_bytes;
    struct ss_arena arena;
    atomic_uint refs;
    atomic_uint_fast64_t *gauge;           /* of the shard's stats: memory of all */
    uint64_t bytes;                        /* of this one in there */
};

/* Takes the state as it is. @since: only what changed after that event, removals included; NULL:
 * everything. One reference. SS_E_BUSY: too many are being sent; SS_E_NOMEM. */
int ss__frozen_new(struct ss_shard *shard, struct ss_channel *channel, const uint64_t *since,
                   uint8_t encoding, uint32_t page_bytes, struct ss_frozen **ret_frozen);

/* True if the state that it was taken from is still there, and no entity of it was made anew. */
bool ss__frozen_holds(const struct ss_frozen *frozen, const struct ss_channel *channel);

struct ss_frozen *ss__frozen_ref(struct ss_frozen *frozen);
void ss__frozen_unref(struct ss_frozen *frozen);

/* Brings all entities in order, in @entities; no page is made of it then. On any thread, while
 * nobody else looks at them. */
void ss__frozen_order(struct ss_frozen *frozen);

/* Brings about @runs more of them in order. True: all are. */
bool ss__frozen_sort(struct ss_frozen *frozen, unsigned runs);

/* Page @page, from 1, when all is sorted: one that was made before or the next one. *ret_buf: a
 * reference; *ret_kept: others share it. 1: more follow; 0: it is the last; SS_E_NOMEM. */
int ss__frozen_page(struct ss_shard *shard, struct ss_frozen *frozen, uint32_t page,
                    struct ss_buf **ret_buf, bool *ret_kept);

#endif
