/* outcome.h - which projections failed at an event, or had stopped: an item of the header section
 * of its record, so that it survives whatever is registered later. Pure functions.
 *
 * The item is there only if there is something to say. Its bytes: per projection u32 type id
 * (little-endian), u8 enum ss_outcome. */
#ifndef SS_STORE_OUTCOME_H
#define SS_STORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>

#include "store/store.h"

enum ss_outcome {
    SS_OUTCOME_NONE = 0,      /* it has taken the event, or was not there */
    SS_OUTCOME_FAILED = 1,
    SS_OUTCOME_HALTED = 2,    /* it had stopped, or stopped here */
    SS_OUTCOME_ADVANCED = 3,  /* it failed, and the policy was to go on */
};

/* Of all projections of a process, UI and timeline. */
struct ss_outcome_item {
    uint8_t len;
    uint8_t bytes[2 + 2 * SS_PROJECTIONS_MAX * 5];    /* tag and length first */
};

/* Adds one to an item whose length was 0 at first. */
void ss__outcome_add(struct ss_outcome_item *item, uint32_t projection, enum ss_outcome outcome);

/* As it goes into a header section; empty if nothing was added. */
static inline struct ss_str ss__outcome_header(const struct ss_outcome_item *item)
{
    return item->len == 0 ? (struct ss_str){ NULL, 0 } : ss_str_of(item->bytes, item->len);
}

/* What the record says of a timeline projection. */
enum ss_outcome ss__outcome_of(const struct ss_record *record, uint32_t projection);

#endif
