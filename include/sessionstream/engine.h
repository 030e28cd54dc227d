/* engine.h - shards, gateways and their life; commands and events from outside a handler.
 *
 * Life: options_init -> new -> start -> submit, publish ... -> stop -> free. */
#ifndef SS_ENGINE_H
#define SS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/durability.h>
#include <sessionstream/error.h>
#include <sessionstream/limits.h>
#include <sessionstream/policy.h>
#include <sessionstream/registry.h>
#include <sessionstream/types.h>
#include <sessionstream/verify.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_engine;

/* Every field is set by ss_engine_options_init; strings are copied by ss_engine_new. */
struct ss_engine_options {
    const char *data_dir;               /* created if absent; "./data" */
    uint32_t shard_count;               /* 0: the recorded count, or by cores for a new directory */
    uint32_t gateway_count;             /* 1 */
    const char *listen_host;            /* "127.0.0.1"; NULL: no gateway, in-process use only */
    uint16_t listen_port;               /* 8080; 0: any free port, see ss_engine_port */
    enum ss_durability durability;      /* SS_DURABILITY_FSYNC */
    uint32_t durability_interval_ms;    /* of SS_DURABILITY_INTERVAL; 100 */
    uint64_t store_map_bytes;           /* per shard; 0: by free disk */
    uint64_t log_window_bytes;          /* per shard; 512 MiB */
    uint64_t min_free_bytes;            /* publishes are refused below; 256 MiB */
    uint64_t session_cache_bytes;       /* per shard: idle sessions beyond are evicted; 1 GiB */
    uint32_t client_queue_bytes;        /* per connection; SS_CLIENT_QUEUE_BYTES_MAX */
    uint32_t slow_client_rounds;        /* resyncs of a slow client before it is closed; 30 */
    uint32_t client_frame_bytes;        /* largest message of a client; SS_CLIENT_FRAME_BYTES_MAX */
    uint32_t snapshot_frame_bytes;      /* one frame; SS_SNAPSHOT_FRAME_BYTES_MAX */
    uint32_t connections_max;           /* per gateway; SS_CONNECTIONS_MAX */
    uint32_t subscriptions_max;         /* per connection; SS_SUBSCRIPTIONS_MAX */
    uint32_t handshake_timeout_ms;      /* 10,000 */
    uint32_t ping_interval_ms;          /* 25,000 */
    uint32_t dead_timeout_ms;           /* 60,000: nothing received for so long closes */
    enum ss_projection_policy ui_policy;          /* SS_POLICY_FAIL; not SS_POLICY_HALT */
    enum ss_projection_policy timeline_policy;    /* SS_POLICY_FAIL */
    uint32_t idempotency_ttl_ms;        /* 86,400,000: how long results of keyed commands are kept */
    const char *backup_dir;             /* for ss_engine_backup (sessionstream/backup.h); NULL: none */
    uint32_t debug_ring;                /* records each thread keeps for /debug/; 0: none */
    /* Events that nobody has to keep are dropped (docs/retention.md); each 0: no bound. */
    uint64_t retain_age_ms;             /* events older than this */
    uint64_t retain_events;             /* of a session: all but so many */
    uint64_t retain_bytes;              /* of a session, as stored: the oldest, down to this */
    uint64_t retain_total_bytes;        /* of the data directory, likewise; shards share it */
    uint32_t retain_sweep_ms;           /* 60,000: every session is looked at so often */
    enum ss_verify verify;              /* what is checked at the start; SS_VERIFY_NONE */
    uint32_t stop_timeout_ms;           /* 4,000: what ss_engine_stop waits for clients and flushes */
};

SS_API void ss_engine_options_init(struct ss_engine_options *options);

/* Checks the options and freezes @registry, which must outlive the engine. Nothing is opened yet.
 * Errors: SS_E_INVAL, SS_E_SCHEMA, SS_E_NOMEM, with the sentence in ss_registry_error; SS_E_FROZEN:
 * another engine has the registry. */
SS_API int ss_engine_new(const struct ss_engine_options *options, struct ss_registry *registry,
                         struct ss_engine **ret_engine);

/* Opens and recovers the store, starts the threads and listens. Returns when commands are
 * accepted. Once; again only after a failure. Errors: SS_E_LOCKED, SS_E_SHARDS, SS_E_VERSION,
 * SS_E_CORRUPT, SS_E_STOREIO, SS_E_ADDRESS, SS_E_IO, SS_E_NOMEM; ss_engine_error gives the
 * sentence. Blocks: on the disk. */
SS_API int ss_engine_start(struct ss_engine *engine);

/* Stops in order: listeners, reading, outside work, shards (drain, cancel tasks, commit, flush),
 * connections (close 1001), threads. Blocks up to stop_timeout_ms, a commit, and while an ss_work
 * runs. A backup is canceled; one whose disk hangs is left with its thread, which ends when the disk
 * answers. Idempotent. */
SS_API void ss_engine_stop(struct ss_engine *engine);

/* After stop, or for an engine that never started. NULL is fine. */
SS_API void ss_engine_free(struct ss_engine *engine);

/* What made ss_engine_start fail, for a person. */
SS_API const char *ss_engine_error(const struct ss_engine *engine);

/* After start: the port listened on (0 without gateway), sessions found, recovery time. */
SS_API uint16_t ss_engine_port(const struct ss_engine *engine);
SS_API uint32_t ss_engine_shard_count(const struct ss_engine *engine);
SS_API uint64_t ss_engine_sessions_found(const struct ss_engine *engine);
SS_API uint64_t ss_engine_recovery_us(const struct ss_engine *engine);

struct ss_result {
    int err;                /* 0, or why; SS_E_COMMIT: the outcome is unknown */
    const char *message;    /* for a person; "" on success; valid during the call */
    uint64_t ordinal;       /* highest ordinal published, 0 if none */
    bool replayed;          /* by an earlier command with the same idempotency key */
};

/* Called once per accepted call, on the shard thread after the commit; must not block. */
typedef void ss_done_fn(const struct ss_result *result, void *ctx);

/* Sends a command to a session; its id is 1 to SS_SESSION_ID_BYTES_MAX bytes of UTF-8 without NUL.
 * Any thread, never blocks. 0: @done (may be NULL) will be called.
 * Errors, without @done: SS_E_SESSION_ID, SS_E_UNKNOWN_COMMAND, SS_E_TYPE, SS_E_PAYLOAD,
 * SS_E_TOOBIG, SS_E_BUSY (shed load, retry after a pause), SS_E_STOPPING, SS_E_NOMEM. */
SS_API int ss_engine_submit(struct ss_engine *engine, struct ss_str session_id,
                            const char *command, const ProtobufCMessage *payload,
                            ss_done_fn *done, void *ctx);

/* The same with an idempotency key, 1 to SS_IDEMPOTENCY_KEY_BYTES_MAX bytes of UTF-8 without NUL: of
 * the commands of a session with one key the handler runs for the first, and the others get its
 * result, for idempotency_ttl_ms and across restarts (docs/commands.md). @done may get SS_E_CONFLICT:
 * the key was used for another command or payload. Also SS_E_INVAL: no such key is possible. */
SS_API int ss_engine_submit_keyed(struct ss_engine *engine, struct ss_str session_id,
                                  const char *command, const ProtobufCMessage *payload,
                                  struct ss_str key, ss_done_fn *done, void *ctx);

/* Publishes an event past any handler. As ss_engine_submit, with SS_E_UNKNOWN_EVENT. */
SS_API int ss_engine_publish(struct ss_engine *engine, struct ss_str session_id,
                             const char *event, const ProtobufCMessage *payload,
                             ss_done_fn *done, void *ctx);

/* Puts an event at its ordinal of a session: behind the newest it is appended like a published one,
 * with the time it is given (0: now); where there is one already the two have to have the same name
 * and the same payload by meaning, and then nothing happens. @done gets the ordinal, or
 * SS_E_CONFLICT (another event is there: the message names both), SS_E_INVAL (a gap: the message
 * names the ordinal that is next), and what a publish may give. @payload is packed, and validated
 * here. As ss_engine_publish, with SS_E_INVAL (ordinal 0). */
SS_API int ss_engine_import(struct ss_engine *engine, struct ss_str session_id, uint64_t ordinal,
                            uint64_t time_us, const char *event, struct ss_str payload,
                            ss_done_fn *done, void *ctx);

/* Calls @done with err 0 after everything posted to the session before has been handled and, in
 * fsync mode, committed. As ss_engine_submit. */
SS_API int ss_engine_barrier(struct ss_engine *engine, struct ss_str session_id, ss_done_fn *done,
                             void *ctx);

/* Where one timeline projection of a session stands. */
struct ss_projection_cursor {
    const char *projection;       /* its name */
    uint32_t version;             /* of the code that runs */
    uint64_t timeline;            /* as in struct ss_cursors, from here on */
    uint64_t halted_at;
    uint64_t failed_total;
    uint32_t failed_count;
    uint64_t failed[SS_FAILED_ORDINALS_MAX];
};

/* Where the timelines of a session stand; with several, the fields before the list are of the one
 * that is furthest behind. */
struct ss_cursors {
    uint64_t ordinal;             /* of the newest event */
    uint64_t timeline;            /* watermark: every event up to here is in the entities */
    uint64_t halted_at;           /* the event the timeline stopped at, 0: it goes on */
    uint64_t failed_total;        /* events that are not in the entities, though later ones are */
    uint32_t failed_count;        /* of these in @failed: the oldest, ascending */
    uint64_t failed[SS_FAILED_ORDINALS_MAX];
    uint32_t projections_count;   /* in order of registration */
    struct ss_projection_cursor projections[SS_PROJECTIONS_MAX];
};

/* @err 0 and @cursors, or why not (SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM, SS_E_COMMIT, SS_E_BUSY)
 * and NULL. On the shard thread, after the commit; must not block. */
typedef void ss_cursors_fn(int err, const struct ss_cursors *cursors, void *ctx);

/* Asks for the cursors of a session, after everything posted to it before. Errors, without @done:
 * SS_E_SESSION_ID, SS_E_BUSY, SS_E_STOPPING, SS_E_NOMEM. */
SS_API int ss_engine_cursors(struct ss_engine *engine, struct ss_str session_id,
                             ss_cursors_fn *done, void *ctx);

/* Tries the events again that failed in the timeline projection of this name, or in all (NULL), in
 * order and under the present code, and ends a halt: the timeline is made again from its first
 * event, or only from the halt on if nothing failed before. Other projections are left alone.
 * Requests to the session wait meanwhile. @done is called when the result is on disk: err 0, or
 * SS_E_PROJECTION if events still fail; the result's ordinal is the watermark. SS_E_VERSION: the
 * first events are gone. Followers get a snapshot if the timeline changed. As ss_engine_barrier,
 * with SS_E_NOTFOUND: there is no such projection. */
SS_API int ss_engine_retry(struct ss_engine *engine, struct ss_str session_id,
                           const char *projection, ss_done_fn *done, void *ctx);

/* Makes the entities of the timeline projection of this name, or of all (NULL), again from the
 * events, under the present code: those behind event @from, beginning with the entities as they
 * were after it (0: from nothing, or from what retention has left of dropped events). It is done beside the present ones while the session goes on;
 * then all are replaced at once, in memory and on disk, and followers get a snapshot if something
 * is different. Every event behind @from that is there when it begins is tried, failed ones too; if
 * one fails nothing changes. @done is called when the result is on disk; its ordinal is the
 * watermark. SS_E_PROJECTION: the text names the event. SS_E_NOTFOUND: the session has no events.
 * SS_E_INVAL: @from is not there, or not before a halt. SS_E_BUSY: one is under way. SS_E_GONE:
 * events it takes have been removed; the ordinal is the first that is there. SS_E_TYPE: an entity it begins with cannot be read. SS_E_COMMIT:
 * it may not have been written. SS_E_DELETED, SS_E_LIMIT, SS_E_STOREIO, SS_E_CORRUPT. As
 * ss_engine_barrier, with SS_E_NOTFOUND: there is no such projection. */
SS_API int ss_engine_rebuild(struct ss_engine *engine, struct ss_str session_id,
                             const char *projection, uint64_t from, ss_done_fn *done, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
