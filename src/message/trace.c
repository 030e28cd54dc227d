#include "message/trace.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

struct ss_trace *ss__trace_new(uint32_t size, atomic_uint_fast64_t *numbers)
{
    struct ss_trace *trace = calloc(1, sizeof *trace + (size_t)size * sizeof trace->slots[0]);
    if (trace != NULL) {
        trace->size = size;
        trace->numbers = numbers;
    }
    return trace;
}

static void put_text(char *out, size_t cap, struct ss_str text)
{
    size_t len = text.len < cap ? text.len : ss__utf8_floor(text.data, cap - 1);
    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

static struct ss_trace_slot *next_slot(struct ss_trace *trace, uint64_t session_hash)
{
    struct ss_trace_slot *slot = &trace->slots[trace->written++ % trace->size];
    slot->number = atomic_fetch_add_explicit(trace->numbers, 1, memory_order_relaxed) + 1;
    slot->session_hash = session_hash;
    return slot;
}

/* The step that failed, if any did, and its error. */
static const char *failed_step(const struct ss_pipeline_record *record, int32_t *ret_err)
{
    const struct {
        const char *step;
        int err;
    } steps[] = {
        { "session", record->session_err },   { "append", record->append_err },
        { "view", record->view_err },         { "ui", record->ui_err },
        { "timeline", record->timeline_err }, { "apply", record->apply_err },
        { "cursor", record->cursor_err },     { "fanout", record->fanout_err },
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].err != 0) {
            *ret_err = steps[i].err;
            return steps[i].step;
        }
    }
    *ret_err = 0;
    return NULL;
}

void ss__trace_pipeline(struct ss_trace *trace, uint64_t session_hash,
                        const struct ss_pipeline_record *record)
{
    struct ss_trace_slot *slot = next_slot(trace, session_hash);
    slot->is_transport = false;
    slot->time_us = record->time_us;
    slot->ordinal = record->ordinal;
    slot->step = failed_step(record, &slot->err);
    slot->ui_events = record->ui_events_count;
    slot->entities = record->entities_count;
    slot->applied = record->applied_count;
    slot->fanout = record->fanout_count;
    slot->appended = record->appended;
    slot->cursor_advanced = record->cursor_advanced;
    slot->word = (uint8_t)record->mode;
    put_text(slot->event, sizeof slot->event, record->event);
}

void ss__trace_transport(struct ss_trace *trace, uint64_t session_hash,
                         const struct ss_transport_record *record)
{
    struct ss_trace_slot *slot = next_slot(trace, session_hash);
    slot->is_transport = true;
    slot->time_us = record->time_us;
    slot->ordinal = record->ordinal;
    slot->step = NULL;
    slot->err = record->err;
    slot->fanout = record->fanout_targets;
    slot->queue_len = record->queue_len;
    slot->raw_bytes = (uint32_t)(record->raw_bytes < UINT32_MAX ? record->raw_bytes : UINT32_MAX);
    slot->word = (uint8_t)record->stage;
    slot->direction = (uint8_t)record->direction;
    put_text(slot->event, sizeof slot->event, record->event);
    put_text(slot->connection, sizeof slot->connection, record->connection_id);
    put_text(slot->frame_type, sizeof slot->frame_type, record->frame_type);
}

uint32_t ss__trace_copy(const struct ss_trace *trace, uint64_t session_hash, uint64_t after,
                        uint64_t until, struct ss_trace_slot *out, uint32_t max)
{
    uint64_t first = trace->written > trace->size ? trace->written - trace->size : 0;
    uint32_t count = 0;
    for (uint64_t at = first; at < trace->written && count < max; at++) {
        const struct ss_trace_slot *slot = &trace->slots[at % trace->size];
        if (slot->session_hash == session_hash && slot->number > after &&
            slot->number <= until) {
            out[count++] = *slot;
        }
    }
    return count;
}
