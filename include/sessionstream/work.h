/* work.h - what must not run on a shard thread: calls that block. And publishing from threads of
 * the application's own.
 *
 * ss_work runs one function on a pool of SS_WORK_THREADS threads and comes back to the session.
 * An application with threads of its own takes a publisher of the session instead. */
#ifndef SS_WORK_H
#define SS_WORK_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/engine.h>
#include <sessionstream/handler.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- blocking work ---- */

struct ss_work_ops {
    /* On a thread of the pool; may block. No context, and nothing of the session but what @arg
     * holds. Not called when the work is cancelled before its turn. */
    void (*run)(void *arg);
    /* On the session's shard after run, with a context of its own, as a task has one. Its return
     * value is only counted. */
    int (*done)(struct ss_context *context, void *arg);
    /* On the shard instead of done, never while run is still busy with @arg. No context. @reason:
     *   SS_E_COMMIT    its batch failed, or a later commit of the session
     *   SS_E_DELETED   the session was deleted
     *   SS_E_STOPPING  the engine stops
     *   SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM  the session could not be read for done
     * May be NULL. Exactly one of done and on_cancel is called. */
    void (*on_cancel)(void *arg, int reason);
};

/* Runs @ops->run with @arg on the pool, after the commit of this batch and not without it. The
 * order in which works of a session come back is not the order in which they were started. A stop
 * waits for those that run: long ones look at ss_work_canceled. Thread: the call of @context.
 * Errors: SS_E_LIMIT (SS_SHARD_WORKS_MAX of one shard under way, or SS_SESSION_TASKS_MAX tasks and
 * works of the session), SS_E_NOMEM. */
SS_API int ss_work(struct ss_context *context, const struct ss_work_ops *ops, void *arg);

/* Inside run: whether on_cancel will be called whatever run does, so that it may give up. Inside a
 * metadata factory: whether the engine stops. False anywhere else. Any thread. */
SS_API bool ss_work_canceled(void);

/* ---- publishing from other threads ---- */

struct ss_publisher;

/* A publisher of the session, which may be used on any thread and for as long as one likes, also
 * after the engine is gone. Belongs to the caller: ss_publisher_unref. NULL: out of memory.
 * Thread: the call of @context. */
SS_API struct ss_publisher *ss_publisher_ref(struct ss_context *context);

/* One reference more, for another owner; returns @publisher. Any thread. */
SS_API struct ss_publisher *ss_publisher_share(struct ss_publisher *publisher);

/* Gives a reference back. What was published is not affected. Any thread; NULL is fine. */
SS_API void ss_publisher_unref(struct ss_publisher *publisher);

/* Publishes one event of the session, behind what this thread published before. Any thread, never
 * blocks; the payload is copied. 0: @done (may be NULL) is called once, on the shard thread after
 * the commit, with the ordinal or with an error of ss_publish (the name and the payload are checked
 * there), SS_E_COMMIT or SS_E_CORRUPT. Errors, without @done:
 *   SS_E_UNKNOWN_EVENT  the name is NULL, empty or over SS_NAME_BYTES_MAX
 *   SS_E_PAYLOAD        @payload is NULL
 *   SS_E_TOOBIG         over SS_PAYLOAD_BYTES_MAX
 *   SS_E_BUSY           shed load, retry after a pause
 *   SS_E_STOPPING       the engine stops or has stopped; also when it is long gone
 *   SS_E_NOMEM */
SS_API int ss_publisher_publish(struct ss_publisher *publisher, const char *event,
                                const ProtobufCMessage *payload, ss_done_fn *done, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
