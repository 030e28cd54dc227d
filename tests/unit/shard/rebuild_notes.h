/* rebuild_notes.h - notes whose projection is one version of the code or another; rebuilds. */
#ifndef SS_REBUILD_NOTES_H
#define SS_REBUILD_NOTES_H

#include "as_of_notes.h"
#include "notes_app.h"

#include "shard/fold.h"
#include "shard/rebuild.h"

/* The code that runs: what it puts before each text, and the event it fails for. */
struct code {
    const char *mark;
    uint64_t fails_at;
    atomic_uint calls;
};

static inline int append_raw(struct ss_timeline *timeline, const struct ss_event *event,
                             const struct ss_view *view, struct fixture *f)
{
    struct code *code = f->given;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(note->id));
    char text[2000] = "";
    atomic_fetch_add(&code->calls, 1);
    if (event->ordinal == code->fails_at) {
        return SS_E_HANDLER;
    }
    if (strcmp(note->text, "delete") == 0) {
        return ss_tombstone(timeline, "Note", ss_str(note->id));
    }
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *before = (const void *)ss_entity_payload(view, old);
        snprintf(text, sizeof text, "%.1800s", before->text);
    }
    strcat(text, code->mark);
    strcat(text, note->text);
    Sessionstream__Test__Notes__Note entity = make_note(note->id, text);
    return ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
}

static inline void init(struct fixture *f, struct code *code)
{
    *code = (struct code){ .mark = "" };
    fixture_init(f);
    f->raw_timeline = append_raw;
    f->given = code;
}

static inline int publish(struct fixture *f, const char *id, const char *text)
{
    post_note(f, SS_REQUEST_PUBLISH, "Raw", "s", id, text);
    step_all(f);
    return f->done_err;
}

static inline void put(struct fixture *f, const char *id, const char *text)
{
    ss_check(publish(f, id, text) == 0);
}

static inline void on_rebuilt(const struct ss_result *result, void *ctx)
{
    struct shown *shown = ctx;
    shown->calls++;
    shown->err = result->err;
    shown->ordinal = result->ordinal;
    snprintf(shown->message, sizeof shown->message, "%s", result->message);
}

static inline void post_of_session(struct fixture *f, enum ss_request_kind kind, uint64_t at,
                                   struct shown *shown)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, ss_str("s"), none, none);
    ss_check(request != NULL);
    *shown = (struct shown){ .calls = 0 };
    request->at = at;
    request->done = on_rebuilt;
    request->ctx = shown;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static inline void post_rebuild(struct fixture *f, uint64_t from, struct shown *shown)
{
    post_of_session(f, SS_REQUEST_REBUILD, from, shown);
}

static inline int rebuild(struct fixture *f, uint64_t from, struct shown *shown)
{
    post_rebuild(f, from, shown);
    step_jobs(f);
    ss_check(shown->calls == 1);
    ss_check(f->shard->folds_count == 0 && ss__list_empty(&f->shard->rebuilds_over));
    return shown->err;
}

static inline bool shows(struct fixture *f, const char *text)
{
    struct shown *shown = malloc(sizeof *shown);
    ss_check(shown != NULL && as_of(f, "s", 0, shown) == 0);
    bool same = strcmp(shown->text, text) == 0;
    if (!same) {
        fprintf(stderr, "%s instead of %s", shown->text, text);
    }
    free(shown);
    return same;
}

static inline struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

#endif
