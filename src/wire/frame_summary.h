/* frame_summary.h - what a frame says of itself, read back from its bytes: for observers, who are
 * seldom there, so that nobody else has to carry it along. Pure; any thread. */
#ifndef SS_WIRE_FRAME_SUMMARY_H
#define SS_WIRE_FRAME_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "wire/encoding.h"

/* Strings borrow the frame; escapes of JSON stay in them as they are. */
struct ss_frame_summary {
    const char *type;            /* "hello", "snapshot" ... "unknown"; static */
    struct ss_str session_id;
    bool session_escaped;        /* it holds escapes of JSON */
    struct ss_str event;         /* uiEvent: its name */
    struct ss_str payload_type;  /* full name */
    uint64_t ordinal;            /* uiEvent: of its event; snapshot: of the session */
    uint64_t since;              /* subscribe, subscribed */
    uint32_t entities;           /* snapshot */
};

/* Reads the body of a message of either side. What is malformed is left out. */
void ss__frame_summary(enum ss_encoding encoding, struct ss_str body,
                       struct ss_frame_summary *ret_summary);

#endif
