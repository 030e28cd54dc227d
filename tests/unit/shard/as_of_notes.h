/* as_of_notes.h - snapshots of the notes of a session, now and as they were, as text. */
#ifndef SS_AS_OF_NOTES_H
#define SS_AS_OF_NOTES_H

#include "notes_app.h"

#include <sched.h>

#include "runtime/pool.h"
#include "shard/as_of.h"

struct shown {
    unsigned calls;
    int err;
    char message[200];
    uint64_t ordinal;
    size_t count;
    char text[16384];    /* "id:created:last:text\n" for each */
};

static inline void on_snapshot(const struct ss_result *result, const struct ss_snapshot *snapshot,
                               void *ctx)
{
    struct shown *shown = ctx;
    shown->calls++;
    shown->err = result->err;
    snprintf(shown->message, sizeof shown->message, "%s", result->message);
    ss_check((snapshot == NULL) == (result->err != 0));
    if (snapshot == NULL) {
        return;
    }
    shown->ordinal = snapshot->ordinal;
    shown->count = snapshot->count;
    size_t len = 0;
    for (size_t i = 0; i < snapshot->count && len < sizeof shown->text; i++) {
        const struct ss_entity *entity = &snapshot->entities[i];
        Sessionstream__Test__Notes__Note *note = sessionstream__test__notes__note__unpack(
            NULL, entity->packed.len, (const uint8_t *)entity->packed.data);
        ss_check(note != NULL && ss_str_equal(entity->kind, ss_str("Note")));
        len += (size_t)snprintf(shown->text + len, sizeof shown->text - len, "%s:%d:%d:%s\n",
                                note->id, (int)entity->created_ordinal,
                                (int)entity->last_ordinal, note->text);
        sessionstream__test__notes__note__free_unpacked(note, NULL);
    }
}

static inline void post_snapshot(struct fixture *f, const char *session, uint64_t at,
                                 struct shown *shown)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SNAPSHOT, ss_str(session), none, none);
    ss_check(request != NULL);
    *shown = (struct shown){ .calls = 0 };
    request->at = at;
    request->snapshot_done = on_snapshot;
    request->ctx = shown;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

/* Steps until the pool owes the shard nothing. */
static inline void step_jobs(struct fixture *f)
{
    for (step_all(f); f->shard->jobs > 0; step_all(f)) {
        sched_yield();
    }
    step_all(f);
}

static inline int as_of(struct fixture *f, const char *session, uint64_t at, struct shown *shown)
{
    post_snapshot(f, session, at, shown);
    step_jobs(f);
    ss_check(shown->calls == 1);
    return shown->err;
}

/* The whole shard anew, perhaps with a pool; what it had not flushed comes back from its log. */
static inline void with_pool(struct fixture *f, struct ss_pool *pool)
{
    ss__shard_close(f->shard);
    f->pool = pool;
    fixture_restart(f);
}

/* Flushes all there is. */
static inline void flush_everything(struct fixture *f)
{
    while (ss__store_flush(f->shard->store, 64) > 0) {
    }
}

static inline uint64_t fold_events(struct fixture *f)
{
    return atomic_load(&f->stats->fold_events);
}

#endif
