/* trace.h - the newest pipeline or transport records of one thread, in slots of one size, for
 * GET /debug/sessions/{id}.
 *
 * A ring belongs to its thread. Numbers are shared by all rings of an engine: they rise in the
 * order in which records were made, so that one number says what a reader has seen of all. */
#ifndef SS_MESSAGE_TRACE_H
#define SS_MESSAGE_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/observer.h>

#define SS_TRACE_CONNECTION_BYTES 40u
#define SS_TRACE_FRAME_TYPE_BYTES 16u

struct ss_trace_slot {
    uint64_t number;
    uint64_t time_us;
    uint64_t session_hash;                         /* ss__map_hash of its id */
    uint64_t ordinal;
    const char *step;                              /* pipeline: that failed; static, NULL: none */
    int32_t err;
    uint32_t ui_events;                            /* pipeline */
    uint32_t entities;
    uint32_t applied;
    uint32_t fanout;                               /* or targets */
    uint32_t queue_len;                            /* transport */
    uint32_t raw_bytes;
    bool is_transport;
    bool appended;
    bool cursor_advanced;
    uint8_t word;                                  /* mode, or stage */
    uint8_t direction;
    char event[SS_NAME_BYTES_MAX + 1];             /* texts end with NUL */
    char connection[SS_TRACE_CONNECTION_BYTES];
    char frame_type[SS_TRACE_FRAME_TYPE_BYTES];
};

struct ss_trace {
    uint32_t size;
    uint64_t written;                   /* slot @written % @size comes next */
    atomic_uint_fast64_t *numbers;      /* the newest number; borrowed */
    struct ss_trace_slot slots[];
};

/* NULL when out of memory. @size > 0. */
struct ss_trace *ss__trace_new(uint32_t size, atomic_uint_fast64_t *numbers);

/* The owner notes a record of the session with this hash. */
void ss__trace_pipeline(struct ss_trace *trace, uint64_t session_hash,
                        const struct ss_pipeline_record *record);
void ss__trace_transport(struct ss_trace *trace, uint64_t session_hash,
                         const struct ss_transport_record *record);

/* Copies the oldest of the records of this session with after < number <= until to @out[@max].
 * Returns how many. Owner. */
uint32_t ss__trace_copy(const struct ss_trace *trace, uint64_t session_hash, uint64_t after,
                        uint64_t until, struct ss_trace_slot *out, uint32_t max);

#endif
