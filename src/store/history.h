/* history.h - what a session was as of an earlier event: a base, and the events after it.
 *
 * A base is either what database `checkpoint` keeps of an earlier event (a past), or the entities
 * on disk, if they are old enough; without one the events are read from the first on. Each read is
 * one short transaction of LMDB, so that a long history holds up neither the shard nor the reuse of
 * pages: what the owner writes between two reads is seen, what it had promised before is there.
 *
 * Threads: new, free and stage belong to the owner; the reads to any one thread, between open and
 * close. */
#ifndef SS_STORE_HISTORY_H
#define SS_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>

#include "store/store.h"

/* About so many bytes of events are brought by one read, one event at least. */
#define SS_HISTORY_READ_BYTES (256u << 10)

struct ss_history;
struct ss_past;

struct ss_history_query {
    uint64_t at;           /* the last event wanted; committed */
    uint64_t code;         /* names the projections: a past of other ones is none */
    uint64_t base_max;     /* no base newer than this; 0: none, every event */
    uint64_t after;        /* not 0: no base either, and only events after this one */
    size_t tail_max;       /* not 0: it ends early rather than hold more bytes of the log */
    uint32_t timelines;    /* of these entities are wanted: bit per index */
};

/* What a history begins with. */
struct ss_history_base {
    uint64_t ordinal;                      /* events after this one are read; 0: all of them */
    uint64_t shown[SS_PROJECTIONS_MAX];    /* by its entities, of each projection */
    uint64_t first_retained;
};

/* Takes a reference to @session, and along what is only in the log. SS_E_CLOSED, SS_E_CORRUPT (set
 * aside), SS_E_NOMEM. */
int ss__history_new(struct ss_store *store, struct ss_store_session *session,
                    const struct ss_history_query *query, struct ss_history **ret_history);
void ss__history_free(struct ss_store *store, struct ss_history *history);

/* Finds the base, once and first, and shows its entities; what @visit returns other than 0 ends it
 * and is returned. What @visit is given lasts as long as its call. Errors: SS_E_GONE (the first
 * events have been removed and no base bridges that: @ret_base is set all the same), SS_E_NOTFOUND
 * (the session has been removed), SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
int ss__history_base(struct ss_history *history,
                     int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx,
                     struct ss_history_base *ret_base);

/* The next events, ascending and without gaps; none when all have been read. They last until the
 * next call. Errors: those of ss__history_base. */
int ss__history_read(struct ss_history *history, const struct ss_record **ret_records,
                     size_t *ret_count);

/* The first event that was there when it was last read; 0: it has not been. */
uint64_t ss__history_first(const struct ss_history *history);

/* ---- keeping one ---- */

/* As of the event that @history was asked for, still without entities. NULL: out of memory. Any
 * thread. */
struct ss_past *ss__past_new(const struct ss_history *history);

/* The same for ss__store_stage_cut, which needs it: larger ones are kept too. */
struct ss_past *ss__past_new_base(const struct ss_history *history);

/* SS_E_NOMEM, SS_E_TOOBIG (over SS_PAST_BYTES_MAX: it is not worth keeping). Any thread. */
int ss__past_add(struct ss_past *past, const struct ss_entity_row *row);
void ss__past_free(struct ss_past *past);

/* Has the next flush write it, unless the session's entities have been made anew since the history
 * began or too many wait already. Takes it, before the history is freed; that it is not written
 * costs no more than the time to make it again. */
void ss__store_stage_past(struct ss_store *store, struct ss_past *past);

#endif
