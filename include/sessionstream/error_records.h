/* error_records.h - what went wrong in an engine, kept for whoever looks later.
 *
 * Each shard keeps the newest SS_ERROR_RECORDS_MAX of its records, in memory and in its store: they
 * are written with what else is moved into the store, so a crash may lose the newest of them, and
 * are there again after a restart. */
#ifndef SS_ERROR_RECORDS_H
#define SS_ERROR_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/error.h>
#include <sessionstream/export.h>
#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_engine;

/* X(name, number, word, what it is about). The numbers are stored: never change one. */
#define SS_ERROR_KIND_MAP(X)                                                                   \
    X(DECODE,              0, "decode",              "stored or received bytes cannot be read") \
    X(ORDINAL,             1, "ordinal",             "an event cannot get its ordinal")         \
    X(UI_PROJECTION,       2, "ui-projection",       "a UI projection failed")                  \
    X(TIMELINE_PROJECTION, 3, "timeline-projection", "a timeline projection failed")            \
    X(FANOUT,              4, "fanout",              "frames were not delivered")               \
    X(STORE,               5, "store",               "the store refused or failed")

enum ss_error_kind {
#define SS_ERROR_KIND_ENUM(name, number, word, about) SS_ERROR_KIND_##name = (number),
    SS_ERROR_KIND_MAP(SS_ERROR_KIND_ENUM)
#undef SS_ERROR_KIND_ENUM
};
#define SS_ERROR_KINDS 6

/* The word of @kind ("ui-projection"); "" for a number outside the list. Any thread. */
SS_API const char *ss_error_kind_word(int kind);

/* The kind of a word, or SS_E_NOTFOUND. Any thread. */
SS_API int ss_error_kind_of(struct ss_str word);

struct ss_error_metadata {
    struct ss_str name;
    struct ss_str value;
};

struct ss_error_record {
    uint64_t number;             /* rises by one with each record of a shard, over restarts too */
    uint64_t time_us;            /* wall clock, µs since 1970 */
    uint32_t shard;
    enum ss_error_kind kind;
    int code;                    /* enum ss_error */
    uint64_t ordinal;            /* of the event, 0: none */
    struct ss_str session_id;    /* empty: it concerns no session alone */
    struct ss_str event;         /* its name; may be empty */
    struct ss_str projection;    /* the one that failed; may be empty */
    struct ss_str text;          /* UTF-8, at most SS_ERROR_TEXT_BYTES_MAX */
    struct ss_str raw;           /* DECODE, ORDINAL: the bytes, the first SS_ERROR_RAW_BYTES_MAX */
    uint32_t metadata_count;
    struct ss_error_metadata metadata[SS_ERROR_METADATA_MAX];
};

/* Which records are wanted. */
struct ss_error_query {
    struct ss_str session_id;    /* empty: of all sessions, and those of none */
    uint32_t kinds;              /* bits 1 << kind; 0: all */
    uint32_t limit;              /* the newest so many; 0: all */
};

struct ss_error_list {
    int err;                     /* 0, or why there is no list: SS_E_BUSY, SS_E_STOPPING,
                                    SS_E_NOMEM */
    const struct ss_error_record *records;    /* oldest first; those of a shard in its order */
    size_t count;
};

/* Called once per accepted call, on a shard thread; must not block. @list lasts for the call. */
typedef void ss_errors_fn(const struct ss_error_list *list, void *ctx);

/* Asks for error records. Any thread, never blocks. Errors, without @done: SS_E_SESSION_ID,
 * SS_E_INVAL (@query->kinds), SS_E_BUSY, SS_E_STOPPING, SS_E_NOMEM. */
SS_API int ss_engine_errors(struct ss_engine *engine, const struct ss_error_query *query,
                            ss_errors_fn *done, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
