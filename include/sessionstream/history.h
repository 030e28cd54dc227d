/* history.h - the stored events of a session, page by page. */
#ifndef SS_HISTORY_H
#define SS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/engine.h>
#include <sessionstream/export.h>
#include <sessionstream/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_stored_event {
    uint64_t ordinal;
    uint64_t time_us;         /* wall clock, µs since 1970 */
    struct ss_str name;       /* as it was published */
    struct ss_str type;       /* full name of its message then */
    struct ss_str payload;    /* packed */
    bool readable;            /* the event is registered, and the payload fits its type of today */
};

struct ss_event_page {
    struct ss_str session_id;
    uint64_t first_retained;
    uint64_t ordinal;         /* of the newest event of the session */
    const struct ss_stored_event *events;    /* ascending, without gaps */
    size_t count;
    bool more;                /* others follow the last one */
};

/* result->err 0 and @page, or why not and NULL. Everything lasts as long as the call. On the shard
 * thread; must not block. */
typedef void ss_events_fn(const struct ss_result *result, const struct ss_event_page *page,
                          void *ctx);

/* Reads the events after ordinal @after, at most @limit (0: SS_EVENT_PAGE_MAX) of them with
 * SS_EVENT_PAGE_BYTES_MAX of payload, but one at least: those that are stored, also when a
 * projection failed, and that were posted before. Behind the newest there is none, which is no
 * error. Reads on the engine's reader threads. Any thread, never blocks. Errors, without @done:
 * SS_E_SESSION_ID, SS_E_INVAL (@limit over SS_EVENT_PAGE_MAX), SS_E_BUSY, SS_E_STOPPING,
 * SS_E_NOMEM. With it also
 *   SS_E_NOTFOUND  no event of the session is stored
 *   SS_E_GONE      events after @after have been removed; the text names the first that is
 *                  there, and result.ordinal is it
 *   SS_E_DELETED   the session was deleted meanwhile
 *   SS_E_STOREIO, SS_E_CORRUPT */
SS_API int ss_engine_events(struct ss_engine *engine, struct ss_str session_id, uint64_t after,
                            uint32_t limit, ss_events_fn *done, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
