/* handler.h - what runs for a session on its shard thread: command handlers, tasks, hooks.
 *
 * All of it must not block: a handler over 5 ms delays the other sessions of its shard and is
 * logged. A struct ss_context is valid only during the call that received it. Whatever a call
 * causes (events, frames, tasks) is an effect that leaves after the commit of its batch; if that
 * commit fails nothing of it happens, and tasks of the session get on_cancel(SS_E_COMMIT).
 * Using a context on another thread, after its call or inside a projection is a programmer's error
 * that builds with SS_DEV_CHECKS abort on. */
#ifndef SS_HANDLER_H
#define SS_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_context;
struct ss_task;
struct ss_view;

struct ss_command {
    struct ss_str session_id;
    struct ss_str name;
    const ProtobufCMessage *payload;    /* of the registered type; lives during the call */
    struct ss_str packed;               /* the same, as validated bytes */
};

/* Returns 0, or a negative code that the caller of the command receives; ss_fail gives it a
 * sentence. An error does not undo what was published before. */
typedef int ss_command_fn(struct ss_context *context, const struct ss_command *command, void *ctx);

/* The session the call runs for. */
SS_API struct ss_str ss_context_session_id(const struct ss_context *context);

/* Wall clock of the batch, microseconds since 1970 UTC. */
SS_API uint64_t ss_context_time_us(const struct ss_context *context);

/* Ordinal of the session's newest event, those of this call included; 0 if there is none. */
SS_API uint64_t ss_context_ordinal(const struct ss_context *context);

/* The session's entities with everything published so far applied. Valid during the call. */
SS_API const struct ss_view *ss_context_view(struct ss_context *context);

/* Gives the error of a command its sentence for the client; returns @code. */
SS_API int ss_fail(struct ss_context *context, int code, const char *format, ...) SS_PRINTF(3, 4);

/* Publishes one event of the session: checks name, type and payload, gives it the next ordinal,
 * runs the projections and stages all of it. 0 says nothing about the commit yet. The message may
 * be freed afterwards. Errors:
 *   SS_E_UNKNOWN_EVENT, SS_E_TYPE  @event is not registered, or for another type
 *   SS_E_PAYLOAD    bad UTF-8 in a string, missing required field
 *   SS_E_TOOBIG     payload over SS_PAYLOAD_BYTES_MAX
 *   SS_E_LIMIT      more than SS_HANDLER_EVENTS_MAX events or SS_HANDLER_BYTES_MAX in this call
 *   SS_E_PROJECTION a projection failed: the event is stored; docs/projections.md says what follows
 *   SS_E_STOREFULL, SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM */
SS_API int ss_publish(struct ss_context *context, const char *event,
                      const ProtobufCMessage *payload);

/* The same from packed bytes, which are validated. */
SS_API int ss_publish_packed(struct ss_context *context, const char *event, struct ss_str payload);

/* Sends a UI event to the session's followers that is not stored: behind everything published
 * before, after its commit, in order, and never to somebody who follows later. It has no ordinal
 * of its own; nobody should need it to know the session's state. The pattern: a durable "started",
 * any number of live-only deltas, a durable "ended" with the full value. @payload NULL: a frame
 * without payload. Counts towards the limits of the call. Errors: SS_E_UNKNOWN_UI, SS_E_TYPE,
 * SS_E_PAYLOAD, SS_E_TOOBIG, SS_E_LIMIT, SS_E_NOMEM, and those of an entity that could not be read
 * before. */
SS_API int ss_publish_live(struct ss_context *context, const char *name,
                           const ProtobufCMessage *payload);

/* The same from packed bytes, which are validated. */
SS_API int ss_publish_live_packed(struct ss_context *context, const char *name,
                                  struct ss_str payload);

/* Appends bytes to a string or bytes field (proto name) of an entity, in memory only: snapshots
 * show the field with them, followers get them with their offset, and the next durable change of
 * the entity takes their place. A crash, a failed commit and an eviction lose them, views and
 * projections do not see them. So a text that grows is shown to who joins late without being stored
 * with every piece. An entity has them behind one field; a session at most
 * SS_APPENDED_ENTITIES_MAX entities and SS_APPENDED_BYTES_MAX bytes. Counts towards the limits of
 * the call. Errors: SS_E_UNKNOWN_KIND, SS_E_NOTFOUND (no such entity), SS_E_TYPE (no such field, or
 * it is repeated or of a oneof), SS_E_PAYLOAD (a string: not whole characters of UTF-8, or NUL),
 * SS_E_LIMIT, SS_E_TOOBIG, SS_E_NOMEM, SS_E_STOREIO, SS_E_CORRUPT. */
SS_API int ss_append(struct ss_context *context, const char *kind, struct ss_str id,
                     const char *field, struct ss_str bytes);

struct ss_batch_event {
    const char *event;
    const ProtobufCMessage *payload;
};

/* Publishes several events that belong together, in order: all of them are checked before the first
 * is staged, and all of them are stored or none, also over a crash. An event whose projection fails
 * is stored as ss_publish stores it, and the others go on. Errors: those of ss_publish, of which
 * only SS_E_PROJECTION means that something was stored. One of SS_E_STOREIO, SS_E_CORRUPT and
 * SS_E_NOMEM that comes half-way fails the commit of the whole batch of the shard. */
SS_API int ss_publish_batch(struct ss_context *context, const struct ss_batch_event *events,
                            size_t count);

/* Sends a command to another session (or the same), after the commit of this batch and not without
 * it. Nobody hears of its result: the other handler has to send something back. Commands from one
 * session to another are handled in the order sent. At most once: one that was sent is lost when
 * the process ends before it is handled. Counts towards the limits of the call. Errors:
 *   SS_E_SESSION_ID, SS_E_UNKNOWN_COMMAND, SS_E_TYPE, SS_E_PAYLOAD, SS_E_TOOBIG, SS_E_LIMIT
 *   SS_E_BUSY      the shard of the other session is behind; nothing was sent, send it later
 *   SS_E_STOPPING  the engine stops
 *   SS_E_NOMEM, and those of an entity that could not be read before */
SS_API int ss_send(struct ss_context *context, struct ss_str session_id, const char *command,
                   const ProtobufCMessage *payload);

/* Says whether the session is working: followers are told when it changes, and snapshots show it.
 * Kept with the next event that is published; an application
 * learns through the recover hook that the process died in between. */
SS_API void ss_set_running(struct ss_context *context, bool running);

/* A pointer of the application's, kept in memory with the session until it is set to NULL; while
 * set, the session is not evicted. Not stored. */
SS_API void *ss_context_data(const struct ss_context *context);
SS_API void ss_context_set_data(struct ss_context *context, void *data);

/* ---- tasks ---- */

struct ss_task_ops {
    /* Runs once when due, on the session's shard. Its return value is only counted. */
    int (*run)(struct ss_context *context, void *arg);
    /* The task will never run: SS_E_COMMIT (its batch failed), SS_E_CANCELED (ss_task_cancel),
     * SS_E_DELETED (the session was deleted), SS_E_STOPPING. No context: nothing can be published from here. Exactly one of run and
     * on_cancel is called. */
    void (*on_cancel)(void *arg, int reason);
};

/* Runs @ops->run with @arg after @delay_ms, not before the commit of this batch. @ret_task (may be
 * NULL) is for ss_task_cancel and is valid until run or on_cancel was called. Errors: SS_E_NOMEM,
 * SS_E_LIMIT (10,000 tasks of one session). */
SS_API int ss_after(struct ss_context *context, uint64_t delay_ms, const struct ss_task_ops *ops,
                    void *arg, struct ss_task **ret_task);

/* Cancels a waiting task of the same session; its on_cancel is called before this returns. */
SS_API void ss_task_cancel(struct ss_context *context, struct ss_task *task);

/* ---- session hooks ---- */

struct ss_session_hooks {
    /* Called for a session with events of an earlier process, before its first snapshot or command
     * in this one; and again after a commit of the session failed, which cancels its tasks.
     * @was_running: the newest event had said so. May publish and start tasks, for example to end
     * what a crash cut off. Sessions that were running are recovered without waiting for a client.
     * NULL: none. */
    void (*recover)(struct ss_context *context, bool was_running, void *ctx);
    /* The session has come into memory, one without events included: before recover and before
     * whatever needs it. May publish, but then merely reading a session writes to it. NULL: none. */
    void (*load)(struct ss_context *context, void *ctx);
    /* The session leaves memory, once for each load: idle, closed, deleted, after a failed commit,
     * at the end. No context. @data is what ss_context_set_data left, to be freed here; it is NULL
     * afterwards. Without this hook the data stays, except that a deleted session leaves none.
     * NULL: none. */
    void (*unload)(struct ss_str session_id, void *data, void *ctx);
};

#ifdef __cplusplus
}
#endif
#endif
