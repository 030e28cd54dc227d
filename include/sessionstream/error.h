/* error.h - the one error space of sessionstream.
 *
 * Every function that can fail returns 0 (or a non-negative result) on success and one of these
 * negative codes otherwise. Codes of libuv, LMDB, wslay and errno are translated where they
 * appear and never pass through. The numbers lie outside every foreign range, so that a code that
 * slipped through is visible. The wire name is what clients see as `code`: it is stable.
 *
 * X(name, number, wire name, text)
 */
#ifndef SS_ERROR_H
#define SS_ERROR_H

#include <sessionstream/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SS_ERROR_MAP(X)                                                                          \
    X(NOMEM,           -10001, "out_of_memory",      "out of memory")                            \
    X(INVAL,           -10002, "invalid_argument",   "invalid argument")                         \
    X(BUSY,            -10003, "overloaded",         "queue full, retry after a pause")          \
    X(STOPPING,        -10004, "stopping",           "the server is stopping")                   \
    X(NOTFOUND,        -10005, "not_found",          "not found")                                \
    X(EXISTS,          -10006, "already_exists",     "already exists")                           \
    X(TOOBIG,          -10007, "too_large",          "a limit on size is exceeded")              \
    X(PROTO,           -10008, "protocol_error",     "protocol error")                           \
    X(BADFRAME,        -10009, "bad_client_frame",   "malformed client frame")                   \
    X(UNKNOWN_COMMAND, -10010, "unknown_command",    "unknown command")                          \
    X(UNKNOWN_EVENT,   -10011, "unknown_event",      "unknown event")                            \
    X(UNKNOWN_UI,      -10012, "unknown_ui_event",   "unknown UI event")                         \
    X(UNKNOWN_KIND,    -10013, "unknown_entity_kind","unknown entity kind")                      \
    X(UNKNOWN_TYPE,    -10014, "unknown_type",       "unknown protobuf type")                    \
    X(TYPE,            -10015, "type_mismatch",      "payload type mismatch")                    \
    X(PAYLOAD,         -10016, "invalid_payload",    "payload is not valid for its type")        \
    X(SESSION_ID,      -10017, "invalid_session_id", "invalid session id")                       \
    X(SCHEMA,          -10018, "invalid_schema",     "descriptor set cannot be used")            \
    X(FROZEN,          -10019, "registry_frozen",    "the registry is frozen")                   \
    X(JSON,            -10020, "invalid_json",       "JSON does not fit the message type")       \
    X(HANDLER,         -10021, "handler_failed",     "command handler failed")                   \
    X(PROJECTION,      -10022, "projection_failed",  "projection failed")                        \
    X(LIMIT,           -10023, "limit_exceeded",     "a configured limit is exceeded")           \
    X(COMMIT,          -10024, "outcome_unknown",    "commit failed, the outcome is unknown")    \
    X(STOREFULL,       -10025, "store_full",         "no space left for the store")              \
    X(STOREIO,         -10026, "store_io",           "store input/output error")                 \
    X(CORRUPT,         -10027, "store_corrupt",      "stored data is damaged")                   \
    X(VERSION,         -10028, "store_version",      "store format is not supported")            \
    X(LOCKED,          -10029, "store_locked",       "the data directory is in use")             \
    X(SHARDS,          -10030, "store_shards",       "the shard count does not fit the store")   \
    X(IO,              -10031, "io_error",           "input/output error")                       \
    X(CLOSED,          -10032, "closed",             "already closed")                           \
    X(CANCELED,        -10033, "canceled",           "canceled")                                 \
    X(TIMEOUT,         -10034, "timeout",            "timed out")                                \
    X(SLOW,            -10035, "slow_client",        "client reads too slowly")                  \
    X(UTF8,            -10036, "invalid_utf8",       "invalid UTF-8")                            \
    X(CONFIG,          -10037, "invalid_config",     "invalid configuration")                    \
    X(ADDRESS,         -10038, "address_unavailable","address cannot be used")                   \
    X(SUBSCRIPTIONS,   -10039, "too_many_subscriptions", "too many subscriptions")               \
    X(INTERNAL,        -10040, "internal",           "internal error")                           \
    X(TIMELINE_HALTED, -10041, "timeline_halted",    "the timeline stopped at a failed event")    \
    X(DELETED,         -10042, "session_deleted",    "the session was deleted")                  \
    X(IN_USE,          -10043, "session_in_use",     "the session is in use")                    \
    X(SNAPSHOT_SIZE,   -10044, "snapshot_too_large", "the snapshot is too large for one frame")  \
    X(CONFLICT,        -10045, "conflict",           "something else is there already")          \
    X(GONE,            -10046, "gone",               "events it takes have been removed")

enum ss_error {
    SS_OK = 0,
#define SS_ERROR_ENUM(name, number, wire, text) SS_E_##name = (number),
    SS_ERROR_MAP(SS_ERROR_ENUM)
#undef SS_ERROR_ENUM
};

/* Static English text of @err; "unknown error" for a number outside the list. Any thread. */
SS_API const char *ss_error_text(int err);

/* Constant name ("SS_E_BUSY") of @err; "SS_E_?" for a number outside the list. Any thread. */
SS_API const char *ss_error_name(int err);

/* Stable snake_case code sent to clients ("overloaded"); "internal" when unknown. Any thread. */
SS_API const char *ss_error_wire_name(int err);

#ifdef __cplusplus
}
#endif
#endif
