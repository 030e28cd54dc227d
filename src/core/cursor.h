/* cursor.h - a place in the stream of a session, and its text.
 *
 *   epoch:ordinal                  after every frame of that durable event
 *   epoch:ordinal.live~run         and after the live-only event with that number behind it
 *
 * Live-only events are kept in memory, so their numbers mean something only together with the run
 * that counted them; without one they name no place. "0:0" is before the first event, whatever
 * epoch the session will have. All numbers are decimal. */
#ifndef SS_CORE_CURSOR_H
#define SS_CORE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/failure.h"

/* Four numbers of 20 digits and what stands between them. */
#define SS_CURSOR_BYTES_MAX 83

struct ss_cursor {
    uint64_t epoch;
    uint64_t ordinal;
    uint64_t live;    /* 0: none of the live-only events after the durable one */
    uint64_t run;     /* 0: nothing in here depends on what is only in memory */
};

/* Writes the text, without NUL, and returns its length. */
size_t ss__cursor_write(const struct ss_cursor *cursor, char out[SS_CURSOR_BYTES_MAX]);

/* Reads it. Errors: SS_E_INVAL; @failure says what a cursor looks like, not where it stood. */
int ss__cursor_parse(struct ss_str text, struct ss_cursor *ret_cursor, struct ss_failure *failure);

#endif
