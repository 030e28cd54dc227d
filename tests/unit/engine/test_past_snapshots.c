/* Snapshots through the public calls: the present one, and earlier ones while events come in. */
#include "engine_fixture.h"

#include <sessionstream/snapshot.h>

#define EVENTS 3000
#define PASTS 40

struct shown {
    sem_t given;
    int err;
    uint64_t ordinal;
    size_t count;
    uint64_t newest;    /* last_ordinal of any entity */
    char text[16];      /* of the newest entity */
};

static void on_snapshot(const struct ss_result *result, const struct ss_snapshot *snapshot,
                        void *ctx)
{
    struct shown *shown = ctx;
    shown->err = result->err;
    if (snapshot != NULL) {
        shown->ordinal = snapshot->ordinal;
        shown->count = snapshot->count;
    }
    for (size_t i = 0; i < shown->count; i++) {
        const struct ss_entity *entity = &snapshot->entities[i];
        if (entity->last_ordinal > shown->newest) {
            Sessionstream__Test__Notes__Note *note = sessionstream__test__notes__note__unpack(
                NULL, entity->packed.len, (const uint8_t *)entity->packed.data);
            shown->newest = entity->last_ordinal;
            (void)snprintf(shown->text, sizeof shown->text, "%s", note->text);
            sessionstream__test__notes__note__free_unpacked(note, NULL);
        }
    }
    (void)sem_post(&shown->given);
}

static void wait_shown(struct shown *shown)
{
    while (sem_wait(&shown->given) != 0) {
    }
}

static int put(struct ss_timeline *timeline, const struct ss_event *event,
               const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    return ss_put_entity(timeline, "Note", ss_str(note->id), &note->base);
}

static void init(struct fixture *fixture)
{
    fixture_init(fixture);
    ss_check(ss_register_timeline_projection(fixture->registry, "timeline", 1, put, NULL) == 0);
    ss_check(ss_register_entity(fixture->registry, "Note", NOTE, "timeline") == 0);
    fixture->options.shard_count = 1;
    make(fixture);
    start(fixture);
}

static void publish(struct fixture *fixture, unsigned ordinal, struct answer *answer)
{
    char id[16];
    char text[16];
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    (void)snprintf(id, sizeof id, "n%u", ordinal % 100);
    (void)snprintf(text, sizeof text, "t%u", ordinal);
    note.id = id;
    note.text = text;
    ss_check(ss_engine_publish(fixture->engine, ss_str("s"), "Put", &note.base,
                               answer == NULL ? NULL : on_done, answer) == 0);
}

static void check_past(const struct shown *shown, uint64_t at)
{
    char text[16];
    (void)snprintf(text, sizeof text, "t%u", (unsigned)at);
    ss_check_msg(shown->err == 0 && shown->ordinal == at && shown->newest == at &&
                     shown->count == (at < 100 ? at : 100) && strcmp(shown->text, text) == 0,
                 "%s at %d: label %d, %d entities, the newest of %d", ss_error_name(shown->err),
                 (int)at, (int)shown->ordinal, (int)shown->count, (int)shown->newest);
}

SS_TEST(past_snapshots, while_events_come_in_each_shows_its_own)
{
    struct fixture fixture;
    struct answer answer;
    static struct shown shown[PASTS];
    init(&fixture);
    answer_init(&answer);
    for (unsigned i = 1; i <= EVENTS; i++) {
        publish(&fixture, i, i % 500 == 0 ? &answer : NULL);
        if (i % 500 == 0) {
            wait_for(&answer);
        }
        if (i % (EVENTS / PASTS) == 0) {
            unsigned index = i / (EVENTS / PASTS) - 1;
            ss_check(sem_init(&shown[index].given, 0, 0) == 0);
            ss_check(ss_engine_snapshot_at(fixture.engine, ss_str("s"), i / 2 + 1, on_snapshot,
                                           &shown[index]) == 0);
        }
    }
    for (unsigned i = 0; i < PASTS; i++) {
        wait_shown(&shown[i]);
        check_past(&shown[i], (uint64_t)(i + 1) * (EVENTS / PASTS) / 2 + 1);
    }
    struct shown now = { .err = 0 };
    ss_check(sem_init(&now.given, 0, 0) == 0);
    ss_check(ss_engine_snapshot(fixture.engine, ss_str("s"), on_snapshot, &now) == 0);
    wait_shown(&now);
    check_past(&now, EVENTS);
    fixture_end(&fixture);
}

SS_TEST(past_snapshots, what_is_asked_for_is_checked)
{
    struct fixture fixture;
    struct shown shown = { .err = 1 };
    init(&fixture);
    ss_check(sem_init(&shown.given, 0, 0) == 0);
    ss_check(ss_engine_snapshot(fixture.engine, ss_str(""), on_snapshot, &shown) ==
             SS_E_SESSION_ID);
    ss_check(ss_engine_snapshot_at(fixture.engine, ss_str("unknown"), 9, on_snapshot, &shown) ==
             0);
    wait_shown(&shown);
    ss_check(shown.err == 0 && shown.ordinal == 0 && shown.count == 0);
    ss_engine_stop(fixture.engine);
    ss_check(ss_engine_snapshot(fixture.engine, ss_str("s"), on_snapshot, &shown) ==
             SS_E_STOPPING);
    fixture_end(&fixture);
}
