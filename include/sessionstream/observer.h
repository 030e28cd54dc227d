/* observer.h - watching an engine from inside: a record for each event that goes through the
 * pipeline, for each stage of a connection, and for each error.
 *
 * Observers are registered with the application and see every shard and gateway. They are called on
 * the thread where it happens: pipeline and error records on shard threads, transport records on
 * gateway threads, several of them at once, without a lock. So an observer must not block, and what
 * it shares between calls is its own to guard; whatever it does costs the sessions of that thread
 * the time. A record and all it points to is valid during the call and must not be changed. There
 * is nothing an observer can return: nobody depends on it. It may post to the engine
 * (ss_engine_submit and the like) but has no context to publish with.
 *
 * Without observers an event pays for one branch. */
#ifndef SS_OBSERVER_H
#define SS_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/error_records.h>
#include <sessionstream/registry.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pipeline ---- */

enum ss_pipeline_mode {
    SS_PIPELINE_LIVE,       /* published now */
    SS_PIPELINE_REBUILD,    /* replayed: a session is loaded, retried or made again */
};

struct ss_observed_ui_event {
    struct ss_str name;
    struct ss_str packed;
    bool has_payload;
};

struct ss_observed_entity {
    struct ss_str kind;
    struct ss_str id;
    struct ss_str packed;
    bool tombstone;
};

/* One event and one pass, whatever came of it. A live one is told after the commit of its batch, in
 * the order of the session's ordinals, before the publisher is answered; one that is replayed, at
 * once. An err is 0 or the enum ss_error of the step that failed; what comes after a failed step is
 * in docs/projections.md. */
struct ss_pipeline_record {
    uint32_t shard;
    enum ss_pipeline_mode mode;
    uint64_t time_us;                  /* of the event, wall clock, µs since 1970 */
    struct ss_str session_id;
    uint64_t ordinal;                  /* 0: it was refused before it got one */
    struct ss_str event;               /* its name */
    struct ss_str packed;              /* its payload */
    bool appended;                     /* it is in the log; REBUILD: it was */
    int append_err;                    /* SS_E_COMMIT and the like: the commit failed */
    int session_err;                   /* the session cannot be used */
    uint64_t view_ordinal;             /* the event that the projections' view shows */
    int view_err;                      /* an entity could not be read */
    const struct ss_observed_ui_event *ui_events;
    uint32_t ui_events_count;          /* of the UI projections that did not fail */
    int ui_err;
    struct ss_str ui_projection;       /* the first that failed, or the only one; may be empty */
    const struct ss_observed_entity *entities;
    uint32_t entities_count;           /* of the timeline projections that did not fail */
    int timeline_err;
    struct ss_str timeline_projection;
    uint32_t applied_count;            /* of them, those that are the session's now */
    int apply_err;
    bool cursor_advanced;              /* the watermark of every timeline is at this event */
    int cursor_err;
    uint32_t fanout_count;             /* UI events given to gateways; 0: nobody follows */
    int fanout_err;
};

/* ---- transport ---- */

/* X(name, word) */
#define SS_TRANSPORT_STAGE_MAP(X)                                      \
    X(UPGRADE_ERROR,              "upgrade_error")                     \
    X(CONNECTED,                  "connected")                         \
    X(DISCONNECTED,               "disconnected")                      \
    X(CLIENT_FRAME_READ,          "client_frame_read")                 \
    X(CLIENT_FRAME_DECODED,       "client_frame_decoded")              \
    X(CLIENT_FRAME_DECODE_ERROR,  "client_frame_decode_error")         \
    X(READ_ERROR,                 "read_error")                        \
    X(PROTOCOL_ERROR,             "protocol_error")                    \
    X(SUBSCRIBE_RECEIVED,         "subscribe_received")                \
    X(UNSUBSCRIBE_RECEIVED,       "unsubscribe_received")              \
    X(SNAPSHOT_LOAD_STARTED,      "snapshot_load_started")             \
    X(SNAPSHOT_LOADED,            "snapshot_loaded")                   \
    X(SNAPSHOT_SENT,              "snapshot_sent")                     \
    X(SUBSCRIPTION_REGISTERED,    "subscription_registered")           \
    X(SUBSCRIBED,                 "subscribed")                        \
    X(UNSUBSCRIBED,               "unsubscribed")                      \
    X(UI_EVENT_BUFFERED,          "ui_event_buffered")                 \
    X(UI_EVENT_SENT,              "ui_event_sent")                     \
    X(HYDRATION_BUFFER_FLUSHED,   "hydration_buffer_flushed")          \
    X(SUBSCRIPTION_LIVE,          "subscription_live")                 \
    X(HYDRATION_BUFFER_OVERFLOW,  "hydration_buffer_overflow")         \
    X(SERVER_FRAME_MARSHAL_ERROR, "server_frame_marshal_error")        \
    X(SERVER_FRAME_QUEUED,        "server_frame_queued")               \
    X(SERVER_FRAME_QUEUE_FULL,    "server_frame_queue_full")           \
    X(SERVER_FRAME_WRITTEN,       "server_frame_written")              \
    X(SERVER_FRAME_WRITE_ERROR,   "server_frame_write_error")          \
    X(FANOUT_STARTED,             "fanout_started")                    \
    X(FANOUT_NO_TARGETS,          "fanout_no_targets")                 \
    X(FANOUT_COMPLETED,           "fanout_completed")

enum ss_transport_stage {
#define SS_TRANSPORT_STAGE_ENUM(name, word) SS_TRANSPORT_##name,
    SS_TRANSPORT_STAGE_MAP(SS_TRANSPORT_STAGE_ENUM)
#undef SS_TRANSPORT_STAGE_ENUM
    SS_TRANSPORT_STAGES
};

/* The word of @stage ("ui_event_sent"). Any thread. */
SS_API const char *ss_transport_stage_word(enum ss_transport_stage stage);

enum ss_transport_direction {
    SS_TRANSPORT_NONE,
    SS_TRANSPORT_CLIENT_TO_SERVER,
    SS_TRANSPORT_SERVER_TO_CLIENT,
};

/* "", "client_to_server" or "server_to_client". Any thread. */
SS_API const char *ss_transport_direction_word(enum ss_transport_direction direction);

/* A stage of a connection. What a stage does not know is 0 or empty: docs/observing.md says which
 * stage has what. */
struct ss_transport_record {
    uint32_t gateway;
    enum ss_transport_stage stage;
    enum ss_transport_direction direction;
    uint64_t time_us;                  /* wall clock, µs since 1970 */
    struct ss_str connection_id;       /* as its hello frame says it; empty for FANOUT_* */
    struct ss_str session_id;
    struct ss_str frame_type;          /* "subscribe", "uiEvent" ... "unknown" */
    uint64_t ordinal;                  /* of the event of a frame */
    struct ss_str event;               /* name of the UI event */
    struct ss_str payload_type;        /* protobuf full name of its payload */
    uint64_t since;                    /* sinceSnapshotOrdinal */
    uint64_t snapshot_ordinal;
    uint32_t snapshot_entities;
    uint32_t fanout_events;
    uint32_t fanout_targets;
    struct ss_str frame;               /* the message as it came or goes: JSON or protobuf */
    size_t raw_bytes;                  /* of it */
    uint32_t queue_len;                /* frames of the connection that waited before this one */
    uint64_t queue_bytes;              /* and their bytes, of which it may have so many: */
    uint64_t queue_cap;
    int err;                           /* enum ss_error */
    struct ss_str text;                /* a sentence about it; may be empty */
};

/* ---- observers ---- */

typedef void ss_pipeline_observer_fn(const struct ss_pipeline_record *record, void *ctx);
typedef void ss_transport_observer_fn(const struct ss_transport_record *record, void *ctx);
typedef void ss_error_observer_fn(const struct ss_error_record *record, void *ctx);

struct ss_observer {
    ss_pipeline_observer_fn *pipeline;      /* each may be NULL */
    ss_transport_observer_fn *transport;
    ss_error_observer_fn *error;            /* sees a record after it was kept; number 0: it could
                                               not be, which the STORE record before it says, with
                                               metadata originalKind */
    void *ctx;
    uint32_t sample;                        /* of each thread's pipeline and of its transport
                                               records, the first and every so manieth after it; 0
                                               and 1: all. Error records always come all. */
};

/* Adds an observer; copied. Up to SS_OBSERVERS_MAX. SS_E_INVAL (it observes nothing), SS_E_LIMIT,
 * SS_E_FROZEN. */
SS_API int ss_register_observer(struct ss_registry *registry, const struct ss_observer *observer);

#ifdef __cplusplus
}
#endif
#endif
