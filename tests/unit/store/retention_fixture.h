/* retention_fixture.h - sessions that lose their first events. */
#ifndef SS_TESTS_RETENTION_FIXTURE_H
#define SS_TESTS_RETENTION_FIXTURE_H

#include <stdbool.h>

#include "store_fixture.h"

#include "store/history.h"
#include "store/past.h"
#include "store/retention.h"

/* A whole pass: what every session may lose, "id:through ", or "id:through! " for leftovers. */
struct proposed {
    char text[4096];
    uint64_t bytes;
    uint64_t sessions;
    unsigned slices;
};

static inline struct proposed propose_with(struct fixture *f, struct ss_retention_scan *scan)
{
    struct proposed proposed = { .slices = 0 };
    size_t len = 0;
    ss__arena_init(&scan->arena, 1024);
    while (!scan->end) {
        ss_check(ss__retention_scan(f->store, scan) == 0);
        proposed.slices++;
        for (uint32_t i = 0; i < scan->cuts_count; i++) {
            const struct ss_retention_cut *cut = &scan->cuts[i];
            len += (size_t)snprintf(proposed.text + len, sizeof proposed.text - len,
                                    "%.*s:%llu%s ", (int)cut->session_id.len, cut->session_id.data,
                                    (unsigned long long)cut->through, cut->leftovers ? "!" : "");
            ss_check(len < sizeof proposed.text);
        }
    }
    proposed.bytes = scan->bytes;
    proposed.sessions = scan->sessions;
    ss__arena_deinit(&scan->arena);
    return proposed;
}

static inline struct proposed propose(struct fixture *f, struct ss_retention_policy policy,
                                      uint64_t now_us)
{
    struct ss_retention_scan scan = { .policy = policy, .now_us = now_us };
    return propose_with(f, &scan);
}

/* As fixture_checkpoint, with one entity that names @ordinal. */
static inline void entity_at(struct fixture *f, const char *id, uint64_t ordinal)
{
    static char texts[64][32];
    static struct ss_entity_row rows[64];
    static unsigned next;
    unsigned at = next++ % 64;
    (void)snprintf(texts[at], sizeof texts[at], "as of %llu", (unsigned long long)ordinal);
    rows[at] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str("x"),
                                       .created_ordinal = 1, .last_ordinal = ordinal,
                                       .type_id = f->entity_type, .payload = ss_str(texts[at]) };
    fixture_checkpoint(f, id, &rows[at], 1, ordinal);
}

static inline enum ss_cut_state state_of_cut(struct fixture *f, const char *id, uint64_t through)
{
    struct ss_store_session *session = fixture_session(f, id);
    enum ss_cut_state state = ss__store_cut_state(f->store, session, through);
    ss__store_put_session(f->store, session);
    return state;
}

static inline void stage_cut(struct fixture *f, const char *id, uint64_t through)
{
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(ss__store_stage_cut(f->store, session, through) == 0);
    ss__store_put_session(f->store, session);
}

static inline uint64_t first_of(struct fixture *f, const char *id)
{
    struct ss_store_session *session = fixture_session(f, id);
    uint64_t first = ss__store_row(session)->first_retained;
    ss__store_put_session(f->store, session);
    return first;
}

/* ---- what a replay as of an event begins with ---- */

struct base {
    int err;
    uint64_t ordinal;
    uint64_t events;       /* behind it */
    uint64_t first;
    char text[64];         /* payload of the entity */
};

static inline int note_base(const struct ss_entity_row *row, void *ctx)
{
    struct base *base = ctx;
    (void)snprintf(base->text, sizeof base->text, "%.*s", (int)row->payload.len,
                   row->payload.data);
    return 0;
}

static inline struct base base_of(struct fixture *f, const char *id, uint64_t at)
{
    struct base base = { .err = 0 };
    struct ss_history *history;
    struct ss_history_base found;
    const struct ss_record *records;
    size_t count = 1;
    struct ss_history_query query = { .at = at, .base_max = at, .code = 7, .timelines = 1 };
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(ss__history_new(f->store, session, &query, &history) == 0);
    ss__store_put_session(f->store, session);
    base.err = ss__history_base(history, note_base, &base, &found);
    base.ordinal = found.ordinal;
    while (base.err == 0 && count > 0) {
        base.err = ss__history_read(history, &records, &count);
        base.events += base.err == 0 ? count : 0;
    }
    base.first = ss__history_first(history);
    ss__history_free(f->store, history);
    return base;
}

/* Stages a base with one entity that names the event. */
static inline void stage_base(struct fixture *f, const char *id, uint64_t through)
{
    struct ss_history *history;
    struct ss_history_base found;
    struct base ignored;
    char text[32];
    struct ss_history_query query = { .at = through, .base_max = through, .code = 7,
                                      .timelines = 1 };
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(ss__history_new(f->store, session, &query, &history) == 0);
    ss__store_put_session(f->store, session);
    ss_check(ss__history_base(history, note_base, &ignored, &found) == 0);
    struct ss_past *base = ss__past_new_base(history);
    (void)snprintf(text, sizeof text, "as of %llu", (unsigned long long)through);
    struct ss_entity_row row = { .projection = FIXTURE_PROJECTION, .kind = ss_str("note"),
                                 .id = ss_str("x"), .created_ordinal = 1,
                                 .last_ordinal = through, .type_id = f->entity_type,
                                 .payload = ss_str(text) };
    ss_check(base != NULL && ss__past_add(base, &row) == 0);
    ss__store_stage_base(f->store, base);
    ss__history_free(f->store, history);
}

static inline void check_base(struct fixture *f, const char *id, uint64_t at,
                              uint64_t ordinal, const char *text)
{
    struct base base = base_of(f, id, at);
    ss_check_msg(base.err == 0 && base.ordinal == ordinal && base.events == at - ordinal &&
                     strcmp(base.text, text) == 0,
                 "as of %llu: %s, base %llu, %llu events, %s", (unsigned long long)at,
                 ss_error_name(base.err), (unsigned long long)base.ordinal,
                 (unsigned long long)base.events, base.text);
}

static inline void check_gone(struct fixture *f, const char *id, uint64_t at, uint64_t first)
{
    struct base base = base_of(f, id, at);
    ss_check_msg(base.err == SS_E_GONE && base.first == first, "as of %llu: %s, first %llu",
                 (unsigned long long)at, ss_error_name(base.err), (unsigned long long)base.first);
}

static inline unsigned segments_of(struct fixture *f)
{
    fixture_close(f);
    unsigned count = (unsigned)fixture_check(f).segments;
    ss_check_msg(f->finding[0] == '\0', "%s", f->finding);
    fixture_reopen(f);
    return count;
}

/* ---- what most tests begin with ---- */

/* "a" has @events of 50 bytes on disk, 64 a commit. */
static inline void open_with_events(struct fixture *f, unsigned events)
{
    fixture_open(f);
    fixture_publish(f, "a", events, 50, 64);
    fixture_flush_all(f);
}

/* And its entities as of the newest. */
static inline void open_with_entity(struct fixture *f, unsigned events)
{
    open_with_events(f, events);
    entity_at(f, "a", events);
}

static inline void publish_more(struct fixture *f, const char *id, unsigned count)
{
    fixture_publish(f, id, count, 50, 64);
    fixture_flush_all(f);
}

static inline void cut_at(struct fixture *f, uint64_t through)
{
    stage_cut(f, "a", through);
    fixture_flush_all(f);
}

static inline void base_at(struct fixture *f, uint64_t through)
{
    stage_base(f, "a", through);
    fixture_flush_all(f);
}

/* Events 65 to 128, and a base of event 64. */
static inline void open_based(struct fixture *f)
{
    open_with_entity(f, 128);
    base_at(f, 64);
    fixture_close(f);
}

#endif
