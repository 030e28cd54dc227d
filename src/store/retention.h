/* retention.h - removing the first events of sessions, a segment at a time.
 *
 * What is there:  row.first_retained names the first event that is left. It only rises, in the
 *                 transaction of a flush. Segments before it that are still there are leftovers,
 *                 which no read looks at and later flushes take out, SS_RETENTION_KEYS_MAX each.
 * The base:       entities as of the last event that was removed, so that everything behind it can
 *                 be made again: a past (past.h) of event first_retained - 1, or, as long as no
 *                 checkpoint of a later event has been written, the entities on disk themselves. A
 *                 flush that writes such a checkpoint copies them first.
 * Other code:     a projection whose version changed, or that is new, begins with the base, whoever
 *                 made it.
 * Who decides:    the shard. It looks at sessions with ss__retention_scan, on any thread, makes
 *                 bases where they are needed, and stages cuts for the next flush. A cut that is
 *                 not written is found again by the next scan. Nothing is kept of the policy. */
#ifndef SS_STORE_RETENTION_H
#define SS_STORE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "store/layout.h"
#include "store/store.h"

struct ss_past;

/* Segments that one flush removes, sessions that it cuts, and those that one slice of a scan
 * proposes. */
#define SS_RETENTION_KEYS_MAX 256u
#define SS_RETENTION_CUTS_MAX 128u

/* The largest base: what a session may hold, and what its encoding adds. */
#define SS_BASE_BYTES_MAX (2 * (size_t)SS_SESSION_STATE_BYTES_MAX)

/* The same of one that is copied from what is stored already, whatever a session was allowed to
 * hold then: as much as a past can name. */
#define SS_BASE_COPY_BYTES_MAX UINT32_MAX

/* Each 0: no bound. */
struct ss_retention_policy {
    uint64_t age_us;         /* events older than this go */
    uint64_t events;         /* of a session: its newest ones stay */
    uint64_t bytes;          /* of the segments of a session; its newest segment stays */
    uint64_t total_bytes;    /* of the segments of the store: the oldest go */
};

/* What a session may lose. */
struct ss_retention_cut {
    struct ss_str session_id;
    uint64_t through;        /* the last event that goes: the last one of its segment */
    bool leftovers;          /* they are gone already, but for some segments */
};

#define SS_RETENTION_AGES 512u

/* Within a session that has more segments than one slice looks at. */
struct ss_retention_place {
    uint64_t sid;            /* 0: none is under way */
    uint64_t first_retained; /* when it was begun */
    uint64_t next;           /* the segments from that event on have not been counted */
    uint64_t bytes;
    uint32_t leftovers;
};

/* A pass over all sessions, in slices. */
struct ss_retention_scan {
    struct ss_retention_policy policy;
    uint64_t now_us;
    uint64_t older_us;       /* not 0: events before it go, until @excess bytes are found */
    uint64_t excess;
    bool measure;            /* fills @ages */

    uint64_t next_sid;       /* where the next slice begins; 0: from the first on */
    struct ss_retention_place place;
    bool end;                /* all have been seen */
    uint64_t sessions;
    uint64_t bytes;          /* of the segments that stay */
    uint64_t ages[SS_RETENTION_AGES];    /* bytes by age: see retention_ages.h */

    struct ss_arena arena;   /* of the slice */
    struct ss_retention_cut cuts[SS_RETENTION_CUTS_MAX];
    uint32_t cuts_count;
};

/* Looks at some sessions more; blocks on the disk for some milliseconds. Any thread, between open
 * and close. SS_E_STOREIO, SS_E_NOMEM; sessions that are damaged, or in pages that are damaged or
 * cannot be read, are passed over. */
int ss__retention_scan(struct ss_store *store, struct ss_retention_scan *scan);

/* Before which time events go so that about @bytes of the measured ones do; 0: none. */
uint64_t ss__retention_older(const struct ss_retention_scan *scan, uint64_t bytes);

/* ---- owner thread ---- */

enum ss_cut_state {
    SS_CUT_STALE,     /* not now: the session has gone, changes, or has lost them already */
    SS_CUT_READY,     /* the entities on disk are the base */
    SS_CUT_FOLD,      /* a base has to be made: a past of that event */
    SS_CUT_BEHIND,    /* the entities on disk are older than that: first a checkpoint */
};

enum ss_cut_state ss__store_cut_state(const struct ss_store *store,
                                      const struct ss_store_session *session, uint64_t through);

/* Has the next flush remove events up to @through, unless it is stale or not ready by then.
 * SS_E_NOMEM; SS_E_BUSY: enough wait. */
int ss__store_stage_cut(struct ss_store *store, struct ss_store_session *session,
                        uint64_t through);

/* The same with a base (ss__past_new_base), of its event. Takes it, before its history is freed. */
void ss__store_stage_base(struct ss_store *store, struct ss_past *base);

/* Has flushes take out the segments of a session before @first, which is retained. SS_E_NOMEM. */
int ss__store_stage_leftovers(struct ss_store *store, uint64_t sid, uint64_t first);

/* Whether a backup is under way: what goes now would only make the data file grow. */
bool ss__store_cuts_rest(const struct ss_store *store);

/* Whether a flush has something to do for all this. */
bool ss__store_cuts_wait(const struct ss_store *store);

/* ---- for src/store ---- */

struct ss_staged_cut {
    struct ss_staged_cut *next;
    struct ss_store_session *session;    /* a reference */
    uint64_t through;
    struct ss_past *base;
};

struct ss_leftovers {
    uint64_t sid;
    uint64_t first;          /* segments before it go */
};

/* Part of the store, and of a flush. */
struct ss_cuts {
    struct ss_staged_cut *staged;
    uint32_t staged_count;
    struct ss_leftovers *leftovers;
    uint32_t leftovers_count;
    uint32_t leftovers_slots;
};

struct ss_flush;
struct ss_flush_item;
struct ss_env;

/* Whether entities on disk are the base of a session with events removed that has no past of it. */
bool ss__retained_in_entities(const struct ss_row_value *row);

/* Takes the staged cuts into the plan. SS_E_NOMEM. */
int ss__cuts_plan(struct ss_store *store, struct ss_flush *flush);

/* Owner: what came of them; frees the plan's part. */
void ss__cuts_settle(struct ss_store *store, struct ss_flush *flush, int err);

void ss__cuts_free(struct ss_store *store);

#endif
