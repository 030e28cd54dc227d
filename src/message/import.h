/* import.h - events with their ordinals, on the way to a session. One owner at a time. */
#ifndef SS_MESSAGE_IMPORT_H
#define SS_MESSAGE_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"

struct ss_import_event {
    const void *name;      /* struct ss_name of an event, from the registry */
    uint64_t time_us;      /* 0: when it is imported */
    size_t at;             /* of the packed and validated payload in payloads */
    size_t len;
};

/* Events with consecutive ordinals. */
struct ss_import {
    uint64_t first;        /* ordinal of the first; 0 while there is none */
    uint64_t compared;     /* the shard: those up to here are known to be what is stored */
    uint32_t count;
    uint32_t slots;
    struct ss_import_event *events;
    struct ss_bytes payloads;
};

/* Empty; NULL when out of memory. */
struct ss_import *ss__import_new(void);

/* NULL is fine. */
void ss__import_free(struct ss_import *import);

/* Adds a copy of the event. Errors: SS_E_INVAL (ordinal 0, or not the one after the last),
 * SS_E_LIMIT (more than SS_IMPORT_EVENTS_MAX events or SS_IMPORT_BYTES_MAX), SS_E_NOMEM. */
int ss__import_add(struct ss_import *import, uint64_t ordinal, uint64_t time_us, const void *name,
                   struct ss_str payload, struct ss_failure *failure);

/* Memory held. */
size_t ss__import_bytes(const struct ss_import *import);

static inline uint64_t ss__import_last(const struct ss_import *import)
{
    return import->first + import->count - 1;
}

static inline struct ss_str ss__import_payload(const struct ss_import *import, uint32_t index)
{
    const struct ss_import_event *event = &import->events[index];
    return ss_str_of(import->payloads.data + event->at, event->len);
}

#endif
