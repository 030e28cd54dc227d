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

#ifdef __cplusplus
}
#endif
#endif
