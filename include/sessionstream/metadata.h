/* metadata.h - what an application keeps in memory with every session, made by itself.
 *
 * For what has to be looked up before the first command of a session can be handled: whom it belongs
 * to, a connection, a model. The factory may block: it runs on the work pool, the requests of its
 * session wait for it in their order, and other sessions go on.
 *
 * Life: made before the first command of a session in memory, or the first load or recover hook
 * that runs for it; reading a session makes none. It goes when the session leaves memory (unused,
 * memory being short; closed; deleted; at the end of the engine), but not before its tasks, its
 * works and the data of ss_context_set_data have gone: a session that is deleted while a work of
 * it runs, and is there again at once, has the same. A failed commit leaves it. So there is one per
 * session and life in memory; a session that comes back has a new one made. It is never stored, and
 * projections do not see it: they would make something else of the same events another time.
 *
 * An engine that is out of memory for sessions cannot know how large metadata is: it counts the
 * sessions that have some, not what is in it. */
#ifndef SS_METADATA_H
#define SS_METADATA_H

#include <sessionstream/handler.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_registry;
struct ss_metadata_call;

struct ss_metadata_ops {
    /* Makes the metadata of a session. Thread: one of the work pool (SS_WORK_THREADS, for all
     * sessions), never twice at once for one session. May block; a stop of the engine waits for it:
     * a long one looks at ss_work_canceled. Returns 0, or a negative code (ss_metadata_fail gives
     * it a sentence): the requests that wait are answered with it, nothing is kept, and the next
     * request tries again. On success *@ret_metadata, NULL at first, is the application's; NULL is
     * fine. */
    int (*create)(struct ss_metadata_call *call, struct ss_str session_id, void *ctx,
                  void **ret_metadata);
    /* Frees it; called once for each success of create. Thread: the session's shard, or the one
     * that ends the engine; must not block. After the unload hook. NULL: there is nothing to
     * free. */
    void (*destroy)(void *metadata, void *ctx);
};

/* One per registry. @ops is copied. Errors: see registry.h; SS_E_INVAL without create. */
SS_API int ss_register_session_metadata(struct ss_registry *registry,
                                        const struct ss_metadata_ops *ops, void *ctx);

/* Inside create: why it fails, for whoever sent the command. Returns @code, which is negative. */
SS_API int ss_metadata_fail(struct ss_metadata_call *call, int code, const char *format, ...)
    SS_PRINTF(3, 4);

/* The session's metadata; NULL without a factory. The same pointer in all handlers, tasks, works'
 * done and hooks of a life in memory; it is not locked, as all of them run on the session's shard.
 * A work may use it in run: the work keeps it. */
SS_API void *ss_context_metadata(const struct ss_context *context);

#ifdef __cplusplus
}
#endif
#endif
