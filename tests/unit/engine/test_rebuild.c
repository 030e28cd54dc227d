/* Rebuilds through the public call, again and again while another thread publishes as fast as it
 * can: what is shown afterwards is the fold of all events, each once. */
#include "engine_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include <sessionstream/snapshot.h>

#define IDS 20
#define EVENTS_MAX 60000
#define REBUILDS 12

/* Puts what the code marks behind what is there, so that an event that is applied twice, or not
 * at all, shows: the note counts its events, by mark. */
struct app {
    struct fixture fixture;
    atomic_uint mark;
    atomic_bool over;
    uint64_t published;
};

static int count(struct ss_timeline *timeline, const struct ss_event *event,
                 const struct ss_view *view, void *ctx)
{
    struct app *app = ctx;
    unsigned before = 0;
    unsigned mark = 0;
    char text[32];
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(note->id));
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *was = (const void *)ss_entity_payload(view, old);
        ss_check(sscanf(was->text, "%u of %u", &before, &mark) == 2);
    }
    (void)snprintf(text, sizeof text, "%u of %u", before + 1, atomic_load(&app->mark));
    Sessionstream__Test__Notes__Note next = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    next.id = note->id;
    next.text = text;
    return ss_put_entity(timeline, "Note", ss_str(note->id), &next.base);
}

static void *publish_all(void *arg)
{
    struct app *app = arg;
    struct answer answer;
    answer_init(&answer);
    unsigned i = 0;
    for (; i < EVENTS_MAX && !atomic_load(&app->over); i++) {
        char id[16];
        char empty[] = "";
        Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
        (void)snprintf(id, sizeof id, "n%u", i % IDS);
        note.id = id;
        note.text = empty;
        bool last = i % 64 == 63;
        ss_check(ss_engine_publish(app->fixture.engine, ss_str("s"), "Put", &note.base,
                                   last ? on_done : NULL, &answer) == 0);
        if (last) {
            wait_for(&answer);
            ss_check(answer.err == 0);
        }
    }
    app->published = i;
    return NULL;
}

struct seen {
    sem_t given;
    uint64_t ordinal;
    unsigned mark;
    unsigned events[IDS];
};

static void on_snapshot(const struct ss_result *result, const struct ss_snapshot *snapshot,
                        void *ctx)
{
    struct seen *seen = ctx;
    ss_check(result->err == 0);
    seen->ordinal = snapshot->ordinal;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct ss_entity *entity = &snapshot->entities[i];
        Sessionstream__Test__Notes__Note *note = sessionstream__test__notes__note__unpack(
            NULL, entity->packed.len, (const uint8_t *)entity->packed.data);
        unsigned index = (unsigned)atoi(note->id + 1);
        ss_check(sscanf(note->text, "%u of %u", &seen->events[index], &seen->mark) == 2);
        sessionstream__test__notes__note__free_unpacked(note, NULL);
    }
    (void)sem_post(&seen->given);
}

/* Every event up to the label has been counted once. */
static struct seen look(struct app *app)
{
    struct seen seen = { .ordinal = 0 };
    ss_check(sem_init(&seen.given, 0, 0) == 0);
    ss_check(ss_engine_snapshot(app->fixture.engine, ss_str("s"), on_snapshot, &seen) == 0);
    while (sem_wait(&seen.given) != 0) {
    }
    for (unsigned i = 0; i < IDS; i++) {
        unsigned want = (unsigned)(seen.ordinal / IDS + (i < seen.ordinal % IDS));
        ss_check_msg(seen.events[i] == want, "n%u at %llu: %u events, not %u", i,
                     (unsigned long long)seen.ordinal, seen.events[i], want);
    }
    return seen;
}

static void init(struct app *app)
{
    struct fixture *fixture = &app->fixture;
    fixture_init(fixture);
    atomic_init(&app->mark, 1);
    atomic_init(&app->over, false);
    ss_check(ss_register_timeline_projection(fixture->registry, "timeline", 1, count, app) == 0);
    ss_check(ss_register_entity(fixture->registry, "Note", NOTE, "timeline") == 0);
    fixture->options.store_map_bytes = UINT64_C(256) << 20;
    fixture->options.shard_count = 1;
    make(fixture);
    start(fixture);
}

SS_TEST(rebuild, while_a_thread_publishes_nothing_is_lost_or_doubled)
{
    static struct app app;
    struct answer answer;
    pthread_t publisher;
    init(&app);
    answer_init(&answer);
    ss_check(pthread_create(&publisher, NULL, publish_all, &app) == 0);
    unsigned done = 0;
    for (unsigned i = 0; done < REBUILDS; i++) {
        atomic_store(&app.mark, i + 2);    /* so that something is different */
        ss_check(ss_engine_rebuild(app.fixture.engine, ss_str("s"), i % 2 == 0 ? NULL : "timeline",
                                   i % 3 == 2 ? 1 : 0, on_done, &answer) == 0);
        wait_for(&answer);
        if (answer.err == SS_E_NOTFOUND) {
            continue;    /* it is faster than the first event */
        }
        ss_check_msg(answer.err == 0, "%s %s", ss_error_name(answer.err), answer.message);
        struct seen seen = look(&app);
        ss_check(seen.ordinal >= answer.ordinal && seen.mark == i + 2);
        done++;
    }
    atomic_store(&app.over, true);
    ss_check(pthread_join(publisher, NULL) == 0);
    struct seen before = look(&app);
    ss_check(before.ordinal == app.published);
    ss_engine_stop(app.fixture.engine);
    ss_engine_free(app.fixture.engine);
    ss_registry_free(app.fixture.registry);
    app.fixture.registry = new_registry();
    ss_check(ss_register_timeline_projection(app.fixture.registry, "timeline", 1, count, &app) ==
             0);
    ss_check(ss_register_entity(app.fixture.registry, "Note", NOTE, "timeline") == 0);
    make(&app.fixture);
    start(&app.fixture);
    struct seen after = look(&app);
    ss_check(after.ordinal == before.ordinal &&
             memcmp(after.events, before.events, sizeof after.events) == 0);
    fixture_end(&app.fixture);
}

SS_TEST(rebuild, what_is_asked_for_is_checked)
{
    static struct app app;
    struct answer answer;
    init(&app);
    answer_init(&answer);
    ss_check(ss_engine_rebuild(app.fixture.engine, ss_str(""), NULL, 0, on_done, &answer) ==
             SS_E_SESSION_ID);
    ss_check(ss_engine_rebuild(app.fixture.engine, ss_str("s"), "other", 0, on_done, &answer) ==
             SS_E_NOTFOUND);
    ss_check(ss_engine_rebuild(app.fixture.engine, ss_str("s"), NULL, 0, on_done, &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == SS_E_NOTFOUND);
    fixture_end(&app.fixture);
}
