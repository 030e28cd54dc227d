/* sessions.h - the sessions of an engine as a whole: which there are, and the end of one. */
#ifndef SS_SESSIONS_H
#define SS_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/engine.h>
#include <sessionstream/export.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A session as of some moment while it was listed; only what is committed is shown. */
struct ss_session_info {
    struct ss_str id;
    uint64_t ordinal;       /* of the newest event; 0: none */
    uint64_t created_us;    /* wall clock, µs since 1970 */
    uint64_t updated_us;
    bool running;           /* said by the newest event */
    uint64_t first_retained;    /* 1, unless retention has dropped its first events */
};

/* Which sessions are wanted. */
struct ss_session_query {
    struct ss_str prefix;    /* of their ids; empty: all. At most SS_SESSION_ID_BYTES_MAX bytes */
    struct ss_str after;     /* only ids after this one; empty: from the first on */
    uint32_t limit;          /* 1 to SS_LIST_MAX; 0: SS_LIST_DEFAULT */
};

struct ss_session_list {
    int err;                 /* 0, or why there is no list: SS_E_STOREIO, SS_E_CORRUPT (a catalog
                                entry or row: see `ssctl store check`), SS_E_BUSY, SS_E_STOPPING,
                                SS_E_NOMEM */
    const struct ss_session_info *sessions;    /* by the bytes of their ids, ascending */
    size_t count;
    bool more;               /* there are sessions after the last one: ask again after it */
};

/* Called once per accepted call, on a shard thread; must not block. @list lasts for the call. */
typedef void ss_list_fn(const struct ss_session_list *list, void *ctx);

/* Lists sessions of all shards. A session that exists from before the call until after its answer
 * is in it; one that comes or goes in between may be. Reads on the engine's reader threads. Any
 * thread, never blocks. Errors, without @done: SS_E_INVAL (@query), SS_E_BUSY, SS_E_STOPPING,
 * SS_E_NOMEM. */
SS_API int ss_engine_list(struct ss_engine *engine, const struct ss_session_query *query,
                          ss_list_fn *done, void *ctx);

/* Deletes a session with everything it has: its events and entities; its tasks and works, which are
 * cancelled with SS_E_DELETED; and what ss_context_set_data left, which the unload hook gets, or
 * nobody if there is none. Followers get an error frame with the code session_deleted and follow it
 * no longer. The id is free at once; a session that takes it begins with ordinal 1 and has another
 * epoch, so that cursors of the old one are answered as stale_epoch. Publishers and commands name
 * the session by its id: what they bring after this goes to the next one.
 *
 * @done is called after the commit, and the deletion is as lasting as an event of that moment: with
 * durability fsync it survives a power failure, otherwise one may bring the session back. It gets
 * the ordinal of the newest event; SS_E_NOTFOUND; SS_E_CORRUPT, if not even the session's number
 * can be read. A session that is set aside as damaged can be deleted. Otherwise as
 * ss_engine_barrier. */
SS_API int ss_engine_delete(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                            void *ctx);

/* Has a session leave memory now rather than when it is short: writes its checkpoint if it lacks
 * something, then calls the unload hook. Nothing else changes: the session comes back when somebody
 * needs it, and who follows it notices nothing. @done gets the ordinal of the newest event once the
 * session is not in memory, also if it was not before; or
 *   SS_E_IN_USE    it is running, has tasks, works or appended bytes, or was used meanwhile: it stays
 *   SS_E_NOTFOUND  no event of it is stored
 *   SS_E_STOREFULL, SS_E_STOREIO  the checkpoint cannot be written: it stays
 * Otherwise as ss_engine_barrier. */
SS_API int ss_engine_close(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                           void *ctx);

#ifdef __cplusplus
}
#endif
#endif
