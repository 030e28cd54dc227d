/* debug_view.h - what a shard tells of one session for GET /debug/sessions/{id}. One block of
 * memory; its request's. */
#ifndef SS_MESSAGE_DEBUG_VIEW_H
#define SS_MESSAGE_DEBUG_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/limits.h>

#include "message/trace.h"

/* Records in one answer. */
#define SS_DEBUG_RECORDS_MAX 256

struct ss_debug_interest {
    uint16_t gateway;
    uint8_t encodings;            /* bit per enum ss_encoding */
};

struct ss_debug_view {
    uint64_t after;               /* of the asker: records behind this number */

    uint32_t shard;
    bool stored;                  /* the store has events of it */
    bool quarantined;
    bool in_memory;               /* its entities; else the numbers below @ordinal are 0 */
    bool whole;                   /* all of them */
    bool loading;
    bool retrying;
    bool running;
    uint64_t epoch;
    uint64_t ordinal;
    uint64_t timeline;            /* watermark, the lowest if there are several */
    uint64_t shown;               /* position of a snapshot */
    uint64_t halted_at;           /* the first */
    uint64_t failed_total;        /* of all timelines */
    uint32_t entities;
    uint32_t dirty;               /* entities that no checkpoint has */
    uint64_t state_bytes;
    uint64_t snapshot_bytes;
    uint32_t parked;              /* requests that wait */
    uint32_t tasks;
    bool has_frames;              /* recent frames are kept: */
    uint32_t frames;
    uint64_t frames_bytes;
    uint64_t frames_after;        /* every frame behind this event is among them */
    uint64_t frames_newest;
    uint32_t interests_count;
    struct ss_debug_interest interests[SS_GATEWAYS_MAX];

    bool tracing;
    uint64_t until;               /* all records up to this number are here, or no longer kept */
    uint32_t records_count;
    struct ss_trace_slot records[SS_DEBUG_RECORDS_MAX];    /* of the shard */
};

#endif
