/* Publishing from foreign threads, for as long as they like. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <sessionstream/work.h>

#include "notes_app.h"

#define THREADS 4
#define EVENTS 500

static int take_publisher(struct ss_context *context, struct fixture *fixture)
{
    fixture->given = ss_publisher_ref(context);
    return fixture->given == NULL ? SS_E_NOMEM : 0;
}

static struct ss_publisher *publisher_of(struct fixture *f, const char *session)
{
    call_in(f, session, take_publisher);
    ss_check(f->done_err == 0);
    return f->given;
}

static int publish(struct ss_publisher *publisher, const char *event, const char *text,
                   struct fixture *f)
{
    Sessionstream__Test__Notes__Note note = make_note("a", text);
    return ss_publisher_publish(publisher, event, &note.base, on_done, f);
}

SS_TEST(publisher, publishes_to_its_session)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_publisher *publisher = publisher_of(&f, "s");
    ss_check(publish(publisher, "Put", "1", &f) == 0 && publish(publisher, "Put", "2", &f) == 0);
    step_all(&f);
    ss_check(f.dones == 3 && f.done_err == 0 && f.done_ordinal == 2);
    ss_publisher_unref(ss_publisher_share(publisher));
    ss_publisher_unref(publisher);
    ss_publisher_unref(NULL);
    fixture_deinit(&f);
}

SS_TEST(publisher, says_at_once_or_through_done_what_is_wrong)
{
    struct fixture f;
    char name[SS_NAME_BYTES_MAX + 2] = { 0 };
    static char big[SS_PAYLOAD_BYTES_MAX + 1];
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    fixture_init(&f);
    memset(name, 'x', sizeof name - 1);
    memset(big, 'x', sizeof big - 1);
    struct ss_publisher *publisher = publisher_of(&f, "s");
    ss_check(publish(publisher, NULL, "", &f) == SS_E_UNKNOWN_EVENT);
    ss_check(publish(publisher, "", "", &f) == SS_E_UNKNOWN_EVENT);
    ss_check(publish(publisher, name, "", &f) == SS_E_UNKNOWN_EVENT);
    ss_check(publish(publisher, "Put", big, &f) == SS_E_TOOBIG);
    ss_check(ss_publisher_publish(publisher, "Put", NULL, NULL, NULL) == SS_E_PAYLOAD);
    step_all(&f);
    ss_check(f.dones == 1);    /* of the call that made the publisher */
    ss_check(publish(publisher, "Nope", "", &f) == 0);
    step_all(&f);
    ss_check(f.dones == 2 && f.done_err == SS_E_UNKNOWN_EVENT);
    ss_check(ss_publisher_publish(publisher, "Put", &fail.base, on_done, &f) == 0);
    step_all(&f);
    ss_check(f.dones == 3 && f.done_err == SS_E_TYPE);
    ss_check(publish(publisher, "Put", "\xff", &f) == 0);
    step_all(&f);
    ss_check(f.dones == 4 && f.done_err == SS_E_PAYLOAD && f.done_ordinal == 0);
    ss_publisher_unref(publisher);
    fixture_deinit(&f);
}

SS_TEST(publisher, outlives_shard_and_registry)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_publisher *publisher = publisher_of(&f, "s");
    fixture_deinit(&f);
    ss_check(publish(publisher, "Put", "late", &f) == SS_E_STOPPING);
    ss_publisher_unref(publisher);
}

struct crowd {
    struct ss_publisher *publisher;
    atomic_uint accepted;
    atomic_uint refused;
    atomic_uint dones;
};

static void on_crowd_done(const struct ss_result *result, void *ctx)
{
    struct crowd *crowd = ctx;
    ss_check(result->err == 0);
    atomic_fetch_add(&crowd->dones, 1);
}

static void *publish_until_refused(void *ctx)
{
    struct crowd *crowd = ctx;
    struct ss_publisher *publisher = crowd->publisher;
    Sessionstream__Test__Notes__Note note = make_note("a", "");
    int err = 0;
    while (err != SS_E_STOPPING) {
        err = ss_publisher_publish(publisher, "Put", &note.base, on_crowd_done, crowd);
        ss_check(err == 0 || err == SS_E_BUSY || err == SS_E_STOPPING);
        atomic_fetch_add(err == 0 ? &crowd->accepted : &crowd->refused, 1);
        (void)sched_yield();
    }
    ss_publisher_unref(publisher);
    return NULL;
}

SS_TEST(publisher, every_accepted_event_is_answered_when_the_shard_stops_under_load)
{
    struct fixture f;
    struct crowd crowd = { 0 };
    pthread_t threads[THREADS];
    fixture_init(&f);
    crowd.publisher = publisher_of(&f, "s");
    ss_check(ss__shard_start(f.shard) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        (void)ss_publisher_share(crowd.publisher);
        ss_check(pthread_create(&threads[i], NULL, publish_until_refused, &crowd) == 0);
    }
    while (atomic_load(&crowd.dones) < EVENTS) {
        (void)sched_yield();
    }
    ss__shard_stop(f.shard);
    ss__shard_join(f.shard);
    for (unsigned i = 0; i < THREADS; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
    ss_check(atomic_load(&crowd.accepted) == atomic_load(&crowd.dones));
    ss_check(atomic_load(&crowd.refused) >= THREADS);
    ss_publisher_unref(crowd.publisher);
    fixture_deinit(&f);
}
