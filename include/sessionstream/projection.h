/* projection.h - pure functions from (event, entities before it) to frames and entity changes.
 *
 * Projections run on the shard thread for every event and again when a session is loaded, and
 * timeline projections also on threads of the reader pool, at the same time, when the past of a
 * session is asked for: several calls with the same ctx may be under way. So they must depend on
 * nothing but their arguments and what does not change: no clock, no I/O, no state of their own.
 * All see the view before the event, a timeline projection only the kinds that belong to it. A
 * negative return value means the projection failed: nothing it emitted counts. */
#ifndef SS_PROJECTION_H
#define SS_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/error.h>
#include <sessionstream/export.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_view;
struct ss_ui;
struct ss_timeline;
struct ss_event_private;

struct ss_event {
    struct ss_str session_id;
    struct ss_str name;
    uint64_t ordinal;
    uint64_t time_us;                  /* when it was published */
    struct ss_str packed;              /* payload as stored */
    struct ss_event_private *inside;
};

struct ss_entity {
    struct ss_str kind;
    struct ss_str id;
    uint64_t created_ordinal;
    uint64_t last_ordinal;             /* event that changed it last */
    struct ss_str packed;
};

/* The event's payload as a message of the registered type (the generated struct if one is
 * attached), unpacked at the first call. Lives during the projection call. NULL: out of memory. */
SS_API const ProtobufCMessage *ss_event_payload(const struct ss_event *event);

/* Compares an event's name. */
static inline bool ss_event_is(const struct ss_event *event, const char *name)
{
    return ss_str_equal(event->name, ss_str(name));
}

typedef int ss_ui_fn(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                     void *ctx);
typedef int ss_timeline_fn(struct ss_timeline *timeline, const struct ss_event *event,
                           const struct ss_view *view, void *ctx);

/* ---- reading ---- */

/* The entity, or NULL if there is none (or its kind is not registered, or not the projection's).
 * Valid during the call. NULL too if it cannot be read (SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM;
 * SS_E_TYPE: it was stored under a schema that the present one does not fit): then the event, or
 * what the handler publishes after that, is refused with this error, so nothing is built on it. */
SS_API const struct ss_entity *ss_view_get(const struct ss_view *view, const char *kind,
                                           struct ss_str id);

/* Calls @visit for each entity of @kind (NULL: all that are seen) in order of kind and id, until it
 * returns false. Costs a read of the whole session when it is not in memory yet. Errors:
 * SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM, SS_E_TYPE (as ss_view_get). */
SS_API int ss_view_each(const struct ss_view *view, const char *kind,
                        bool (*visit)(const struct ss_entity *entity, void *ctx), void *ctx);

/* Ordinal of the newest event the view shows. */
SS_API uint64_t ss_view_ordinal(const struct ss_view *view);

/* The entity's payload as a message; unpacked at each call into memory of the batch. NULL: out of
 * memory. */
SS_API const ProtobufCMessage *ss_entity_payload(const struct ss_view *view,
                                                 const struct ss_entity *entity);

/* ---- writing ---- */

/* Sends a frame to the session's followers. @payload NULL: a frame without payload. Errors:
 * SS_E_UNKNOWN_UI, SS_E_TYPE, SS_E_PAYLOAD, SS_E_TOOBIG, SS_E_NOMEM. */
SS_API int ss_emit_ui(struct ss_ui *ui, const char *name, const ProtobufCMessage *payload);

/* The same with a payload that is packed already, as event->packed is: nothing is unpacked or
 * packed. It is checked like any other. Errors: SS_E_UNKNOWN_UI, SS_E_PAYLOAD (not a message of the
 * registered type, or one that the validator refuses), SS_E_TOOBIG, SS_E_NOMEM. */
SS_API int ss_emit_ui_packed(struct ss_ui *ui, const char *name, struct ss_str payload);

/* Creates or replaces an entity of a kind of this projection. Errors: SS_E_UNKNOWN_KIND (also of a
 * kind that belongs to another projection), SS_E_TYPE, SS_E_PAYLOAD, SS_E_TOOBIG,
 * SS_E_INVAL (id empty, over SS_ENTITY_ID_BYTES_MAX or not UTF-8), SS_E_LIMIT (entities or bytes
 * of the session), SS_E_NOMEM. */
SS_API int ss_put_entity(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                         const ProtobufCMessage *payload);

/* The same with a payload that is packed already. Errors: those of ss_put_entity but SS_E_TYPE. */
SS_API int ss_put_entity_packed(struct ss_timeline *timeline, const char *kind, struct ss_str id,
                                struct ss_str payload);

/* Removes an entity; one that does not exist is fine. Errors: SS_E_UNKNOWN_KIND, SS_E_NOMEM. */
SS_API int ss_tombstone(struct ss_timeline *timeline, const char *kind, struct ss_str id);

#ifdef __cplusplus
}
#endif
#endif
