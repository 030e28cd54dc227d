/* Observers of an engine with several shards: called on their threads at once. */
#include "engine_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include <sessionstream/observer.h>

#define SESSIONS 16
#define EVENTS_EACH 20

struct counts {
    atomic_uint records;
    atomic_uint appended;
    atomic_uint shards;
    atomic_uint errors;
    atomic_ullong ordinals;
};

static void on_pipeline(const struct ss_pipeline_record *record, void *ctx)
{
    struct counts *counts = ctx;
    atomic_fetch_add(&counts->records, 1);
    atomic_fetch_add(&counts->appended, record->appended);
    atomic_fetch_or(&counts->shards, 1u << record->shard);
    atomic_fetch_add(&counts->ordinals, record->ordinal);
}

static void on_error(const struct ss_error_record *record, void *ctx)
{
    struct counts *counts = ctx;
    ss_check(record->kind == SS_ERROR_KIND_UI_PROJECTION);
    atomic_fetch_add(&counts->errors, 1);
}

static int fail_first(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)ui;
    (void)view;
    (void)ctx;
    return event->ordinal == 1 ? SS_E_HANDLER : 0;
}

static void *publish_some(void *arg)
{
    struct fixture *fixture = arg;
    char session[16];
    for (int i = 0; i < SESSIONS / 2 * EVENTS_EACH; i++) {
        struct answer answer;
        (void)snprintf(session, sizeof session, "s%d", i % SESSIONS);
        answer_init(&answer);
        ss_check(ss_engine_publish(fixture->engine, ss_str(session), "Put", note(), on_done,
                                   &answer) == 0);
        wait_for(&answer);
    }
    return NULL;
}

SS_TEST(observers, every_shard_tells_each_event_once)
{
    struct fixture fixture;
    static struct counts counts;
    pthread_t threads[2];
    struct ss_observer observer = { .pipeline = on_pipeline, .error = on_error, .ctx = &counts };
    fixture_init(&fixture);
    fixture.options.shard_count = 4;
    fixture.options.ui_policy = SS_POLICY_ADVANCE;
    ss_check(ss_register_ui_projection(fixture.registry, "ui", fail_first, NULL) == 0);
    ss_check(ss_register_observer(fixture.registry, &observer) == 0);
    make(&fixture);
    ss_check(ss_register_observer(fixture.registry, &observer) == SS_E_FROZEN);
    start(&fixture);
    for (int i = 0; i < 2; i++) {
        ss_check(pthread_create(&threads[i], NULL, publish_some, &fixture) == 0);
    }
    for (int i = 0; i < 2; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
    fixture_end(&fixture);
    unsigned all = SESSIONS * EVENTS_EACH;
    ss_check_msg(atomic_load(&counts.records) == all, "%u", atomic_load(&counts.records));
    ss_check(atomic_load(&counts.appended) == all);
    ss_check((atomic_load(&counts.shards) & (atomic_load(&counts.shards) - 1)) != 0);    /* two */
    ss_check(atomic_load(&counts.ordinals) ==
             (unsigned long long)SESSIONS * (EVENTS_EACH * (EVENTS_EACH + 1) / 2));
    ss_check(atomic_load(&counts.errors) == SESSIONS);
}
