/* snapshot.h - the entities of a session, now or as they were after an earlier event. */
#ifndef SS_SNAPSHOT_H
#define SS_SNAPSHOT_H

#include <sessionstream/engine.h>
#include <sessionstream/projection.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_snapshot {
    struct ss_str session_id;
    uint64_t ordinal;                     /* it shows the events up to here */
    const struct ss_entity *entities;     /* in order of creation, last change, kind and id; one
                                             that this application cannot read has no payload */
    size_t count;
};

/* result->err 0 and @snapshot, or why not and NULL. Everything lasts as long as the call. On the
 * shard thread; must not block. */
typedef void ss_snapshot_fn(const struct ss_result *result, const struct ss_snapshot *snapshot,
                            void *ctx);

/* The entities of a session, after everything posted to it before; none of one that does not exist.
 * Errors, without @done: SS_E_SESSION_ID, SS_E_BUSY, SS_E_STOPPING, SS_E_NOMEM. With it also
 * SS_E_STOREIO, SS_E_CORRUPT. */
SS_API int ss_engine_snapshot(struct ss_engine *engine, struct ss_str session_id,
                              ss_snapshot_fn *done, void *ctx);

/* The entities as they were after event @at, labelled with it; for 0, and from the position of the
 * present snapshot on, that one, labelled with its own position. It is made from the events, under
 * the present code, without appended bytes; the session goes on meanwhile. As ss_engine_snapshot;
 * with @done also SS_E_GONE (the events it takes have been removed: the text names the first that
 * is there), SS_E_PROJECTION (an event that is in the timeline fails now: the text names it). */
SS_API int ss_engine_snapshot_at(struct ss_engine *engine, struct ss_str session_id, uint64_t at,
                                 ss_snapshot_fn *done, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
