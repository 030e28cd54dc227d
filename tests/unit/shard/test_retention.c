/* Retention: which events go, that nothing which is left changes, and what is told of the rest. */
#include "shard/retention.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/history.h>

#include "as_of_notes.h"
#include "core/fault.h"
#include "notes_app.h"
#include "schema/registry.h"
#include "shard/batch.h"

#define DAY_NS UINT64_C(86400000000000)

/* Opens it again under a policy. */
static void with_policy(struct fixture *f, struct ss_retention_policy policy)
{
    ss__shard_close(f->shard);
    f->retention = policy;
    fixture_restart(f);
}

static void put_some(struct fixture *f, const char *session, unsigned count)
{
    static unsigned number;
    for (unsigned i = 0; i < count; i++) {
        char id[8];
        char text[16];
        snprintf(id, sizeof id, "n%u", number % 5);
        snprintf(text, sizeof text, "%u", number);
        number++;
        post_put(f, session, id, number % 17 == 0 ? "delete" : text);
        step_all(f);
        ss_check(f->done_err == 0);
    }
}

static uint64_t passes(struct fixture *f)
{
    return atomic_load(&f->stats->retention_passes);
}

/* Rests and lets time pass until retention has looked at everything so often, and flushed. */
static void run_passes(struct fixture *f, uint64_t count)
{
    uint64_t until = passes(f) + count;
    for (unsigned turn = 0; passes(f) < until || turn % 4 != 0; turn++) {
        ss_check(turn < 20000);
        f->now_ns += 300000000;
        step_jobs(f);
        while (ss__batch_rest(f->shard) && f->shard->jobs == 0) {
        }
        step_jobs(f);
    }
    while (ss__batch_rest(f->shard) || f->shard->jobs > 0) {
        step_jobs(f);
    }
}

static uint64_t first_of(struct fixture *f, const char *session)
{
    struct ss_store_session *stored;
    ss_check(ss__store_get_session(f->shard->store, ss_str(session), &stored) == 0);
    uint64_t first = ss__store_row(stored)->first_retained;
    ss__store_put_session(f->shard->store, stored);
    return first;
}

#define EVENTS_MAX 400

/* What a session showed after each of its events. */
struct past {
    struct shown at[EVENTS_MAX + 1];
    uint64_t newest;
};

static void remember(struct fixture *f, const char *session, struct past *past, uint64_t newest)
{
    for (uint64_t at = past->newest + 1; at <= newest; at++) {
        ss_check(as_of(f, session, at, &past->at[at]) == 0);
    }
    past->newest = newest;
}

/* Everything from the cut on is as it was, and below it is nothing. */
static void check_past(struct fixture *f, const char *session, const struct past *past)
{
    static struct shown shown;
    uint64_t first = first_of(f, session);
    for (uint64_t at = 1; at <= past->newest; at++) {
        int err = as_of(f, session, at, &shown);
        if (at + 1 < first) {
            char text[80];
            snprintf(text, sizeof text, "event %llu is the first that has been retained",
                     (unsigned long long)first);
            ss_check_msg(err == SS_E_GONE && strcmp(shown.message, text) == 0, "at %llu: %d %s",
                         (unsigned long long)at, err, shown.message);
        } else {
            ss_check_msg(err == 0 && shown.ordinal == at &&
                             strcmp(shown.text, past->at[at].text) == 0,
                         "at %llu, first %llu: %d %s\n%s---\n%s", (unsigned long long)at,
                         (unsigned long long)first, err, shown.message, shown.text,
                         past->at[at].text);
        }
    }
}

static void on_rebuilt(const struct ss_result *result, void *ctx)
{
    *(struct ss_result *)ctx = *result;
}

static int ask(struct fixture *f, enum ss_request_kind kind, const char *session, uint64_t at,
               uint64_t *ret_ordinal)
{
    struct ss_str none = { NULL, 0 };
    struct ss_result result = { .err = 1 };
    struct ss_request *request = ss__request_new(kind, ss_str(session), none, none);
    ss_check(request != NULL);
    request->at = at;
    request->done = on_rebuilt;
    request->ctx = &result;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    for (unsigned i = 0; i < 1000 && result.err == 1; i++) {
        f->now_ns += 1000000;
        step_jobs(f);
    }
    *ret_ordinal = result.ordinal;
    return result.err;
}

struct page {
    int err;
    uint64_t count;
    uint64_t first;
    uint64_t ordinal;
};

static void on_page(const struct ss_result *result, const struct ss_event_page *events, void *ctx)
{
    *(struct page *)ctx = (struct page){ .err = result->err,
                                         .count = events == NULL ? 0 : events->count,
                                         .first = events == NULL || events->count == 0
                                                      ? 0
                                                      : events->events[0].ordinal,
                                         .ordinal = result->ordinal };
}

static struct page read_page(struct fixture *f, const char *session, uint64_t after)
{
    struct ss_str none = { NULL, 0 };
    struct page page = { .err = 1 };
    struct ss_request *request = ss__request_new(SS_REQUEST_EVENTS, ss_str(session), none, none);
    ss_check(request != NULL);
    request->at = after;
    request->limit = 10;
    request->events_done = on_page;
    request->ctx = &page;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_jobs(f);
    return page;
}

static void keep_the_newest(struct ss_pool *pool, bool restart)
{
    static struct past past;
    struct fixture f;
    uint64_t ordinal;
    past.newest = 0;
    fixture_init(&f);
    f.pool = pool;
    with_policy(&f, (struct ss_retention_policy){ .events = 100 });
    for (unsigned round = 0; round < 3; round++) {
        put_some(&f, "s", 110);
        remember(&f, "s", &past, (round + 1) * 110);
        run_passes(&f, 3);
        if (restart) {
            fixture_restart(&f);
        }
        uint64_t first = first_of(&f, "s");
        uint64_t newest = (round + 1) * 110;
        ss_check_msg(newest - first + 1 >= 100 && newest - first + 1 < 100 + 64 + 64,
                     "%llu of %llu", (unsigned long long)first, (unsigned long long)newest);
        check_past(&f, "s", &past);
    }
    uint64_t first = first_of(&f, "s");
    ss_check(first > 128);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", 0, &ordinal) == 0 && ordinal == 330);
    check_past(&f, "s", &past);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", first - 2, &ordinal) == SS_E_GONE &&
             ordinal == first);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", first - 1, &ordinal) == 0);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", first + 20, &ordinal) == 0);
    check_past(&f, "s", &past);
    struct page page = read_page(&f, "s", 0);
    ss_check(page.err == SS_E_GONE && page.ordinal == first);
    page = read_page(&f, "s", first - 2);
    ss_check(page.err == SS_E_GONE);
    page = read_page(&f, "s", first - 1);
    ss_check(page.err == 0 && page.count == 10 && page.first == first);
    ss_check(atomic_load(&f.stats->retention_events) == first - 1 || restart);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    fixture_deinit(&f);
}

SS_TEST(retention, the_newest_events_stay_and_all_that_they_show)
{
    keep_the_newest(NULL, false);
    keep_the_newest(NULL, true);
}

/* Entities as of the last event that would go are more than a base may have. */
SS_TEST(retention, events_stay_whose_entities_are_too_many_for_a_base)
{
    static struct past past;
    struct fixture f;
    past.newest = 0;
    fixture_init(&f);
    with_policy(&f, (struct ss_retention_policy){ .events = 100 });
    put_some(&f, "s", 300);
    remember(&f, "s", &past, 300);
    ss__fault_arm("store.base.bytes", 1, UINT_MAX, 20);
    run_passes(&f, 3);
    ss_check(atomic_load(&f.stats->retention_held) > 0);
    ss_check(first_of(&f, "s") == 1 && atomic_load(&f.stats->retention_events) == 0);
    check_past(&f, "s", &past);
    ss__fault_reset();
    run_passes(&f, 3);
    ss_check(first_of(&f, "s") > 128);
    check_past(&f, "s", &past);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    fixture_deinit(&f);
}

SS_TEST(retention, the_same_with_a_pool)
{
    struct ss_pool *pool;
    ss_check(ss__pool_new(2, &pool) == 0);
    keep_the_newest(pool, false);
    ss__pool_free(pool);
}

SS_TEST(retention, an_idle_session_loses_all_that_is_old_and_goes_on_with_its_entities)
{
    static struct past past;
    static struct shown shown;
    struct fixture f;
    uint64_t ordinal;
    past.newest = 0;
    fixture_init(&f);
    with_policy(&f, (struct ss_retention_policy){ .age_us = 2 * DAY_NS / 1000 });
    put_some(&f, "s", 90);
    put_some(&f, "young", 1);
    remember(&f, "s", &past, 90);
    run_passes(&f, 2);
    ss_check(first_of(&f, "s") == 1);
    f.now_ns += DAY_NS;
    put_some(&f, "young", 10);
    f.now_ns += DAY_NS + 1000000000;
    run_passes(&f, 2);
    ss_check(first_of(&f, "s") == 91);
    ss_check(first_of(&f, "young") == 1);    /* the other events of its segment are too young */
    fixture_restart(&f);
    check_past(&f, "s", &past);
    ss_check(read_page(&f, "s", 90).count == 0 && read_page(&f, "s", 89).err == SS_E_GONE);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", 0, &ordinal) == 0 && ordinal == 90);
    /* The entities on disk were all there was as of then; now they move on. */
    put_some(&f, "s", 70);
    remember(&f, "s", &past, 160);
    run_passes(&f, 1);
    fixture_restart(&f);
    check_past(&f, "s", &past);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", 0, &ordinal) == 0 && ordinal == 160);
    check_past(&f, "s", &past);
    ss_check(as_of(&f, "s", 90, &shown) == 0 && shown.ordinal == 90);
    fixture_deinit(&f);
}

/* A clock that leaps is not believed. */
static uint64_t leap_us;

static uint64_t leaping_wall(struct ss_clock *clock)
{
    return fake_wall(clock) + leap_us;
}

SS_TEST(retention, a_clock_that_is_set_drops_nothing_early)
{
    struct fixture f;
    fixture_init(&f);
    leap_us = 0;
    f.clock.wall_us = leaping_wall;
    with_policy(&f, (struct ss_retention_policy){ .age_us = 2 * DAY_NS / 1000 });
    put_some(&f, "s", 64);
    run_passes(&f, 1);
    leap_us = 365 * DAY_NS / 1000;
    run_passes(&f, 2);
    ss_check(first_of(&f, "s") == 1);
    leap_us = 0;
    /* Events that were published when the clock was a year behind. */
    leap_us = 0 - 365 * DAY_NS / 1000;
    put_some(&f, "s", 64);
    leap_us = 0;
    put_some(&f, "s", 64);
    run_passes(&f, 2);
    ss_check(first_of(&f, "s") == 1);    /* those before them are younger, and come first */
    f.now_ns += 2 * DAY_NS;
    run_passes(&f, 2);
    ss_check(first_of(&f, "s") == 193);
    fixture_deinit(&f);
}

SS_TEST(retention, over_the_total_the_oldest_events_of_all_sessions_go)
{
    struct fixture f;
    fixture_init(&f);
    with_policy(&f, (struct ss_retention_policy){ .total_bytes = 40000 });
    put_some(&f, "old", 128);
    f.now_ns += DAY_NS;
    put_some(&f, "middle", 128);
    f.now_ns += DAY_NS;
    put_some(&f, "new", 128);
    run_passes(&f, 4);
    uint64_t bytes = atomic_load(&f.stats->segment_bytes);
    ss_check(first_of(&f, "old") == 1 && bytes > 0 && bytes < 40000);
    uint64_t enough = bytes * 5 / 6;
    with_policy(&f, (struct ss_retention_policy){ .total_bytes = enough });
    run_passes(&f, 5);
    bytes = atomic_load(&f.stats->segment_bytes);
    ss_check_msg(bytes <= enough && bytes > enough / 2, "%llu of %llu", (unsigned long long)bytes,
                 (unsigned long long)enough);
    ss_check(first_of(&f, "old") > 1 && first_of(&f, "middle") == 1 && first_of(&f, "new") == 1);
    with_policy(&f, (struct ss_retention_policy){ .bytes = 3000 });
    run_passes(&f, 3);
    ss_check(first_of(&f, "middle") == 65 && first_of(&f, "new") == 65);    /* the newest segment */
    fixture_deinit(&f);
}

SS_TEST(retention, other_code_begins_with_what_is_left)
{
    static struct shown before;
    static struct shown after;
    struct fixture f;
    uint64_t ordinal;
    fixture_init(&f);
    with_policy(&f, (struct ss_retention_policy){ .events = 64 });
    put_some(&f, "s", 200);
    put_some(&f, "idle", 64);
    run_passes(&f, 3);
    uint64_t first = first_of(&f, "s");
    ss_check(first == 129);
    ss_check(as_of(&f, "s", 0, &before) == 0);
    f.registry->timelines[0].version = 2;
    fixture_restart(&f);
    ss_check(as_of(&f, "s", 0, &after) == 0 && after.ordinal == 200);
    ss_check_msg(strcmp(before.text, after.text) == 0, "%s---\n%s", before.text, after.text);
    put_some(&f, "s", 1);
    ss_check(as_of(&f, "s", 0, &before) == 0);
    ss__shard_close(f.shard);    /* writes what the new code has made */
    fixture_restart(&f);
    ss_check(as_of(&f, "s", 0, &after) == 0 && strcmp(before.text, after.text) == 0);
    ss_check(ask(&f, SS_REQUEST_REBUILD, "s", 0, &ordinal) == 0 && ordinal == 201);
    ss_check(as_of(&f, "s", 0, &after) == 0 && strcmp(before.text, after.text) == 0);
    ss_check(as_of(&f, "s", first - 1, &after) == 0 && after.ordinal == first - 1);
    fixture_deinit(&f);
}

/* Projections that fail: until they are mended. */
static bool mended;

static int raw_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, struct fixture *f)
{
    (void)view;
    (void)f;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    if (!mended) {
        return SS_E_HANDLER;
    }
    Sessionstream__Test__Notes__Note entity = make_note(note->id, "mended");
    return ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
}

static void put_raw(struct fixture *f, const char *id)
{
    post_note(f, SS_REQUEST_PUBLISH, "Raw", "s", id, "x");
    step_all(f);
}

SS_TEST(retention, a_retry_tries_what_is_left_and_gives_up_what_is_gone)
{
    static struct shown shown;
    struct fixture f;
    uint64_t ordinal;
    mended = false;
    fixture_init(&f);
    f.raw_timeline = raw_timeline;
    f.timeline_policy = SS_POLICY_ADVANCE;
    with_policy(&f, (struct ss_retention_policy){ .events = 64 });
    put_some(&f, "s", 30);
    put_raw(&f, "gone");
    put_some(&f, "s", 149);
    put_raw(&f, "left");
    put_some(&f, "s", 29);
    run_passes(&f, 3);
    ss_check(first_of(&f, "s") > 31 && first_of(&f, "s") < 180);
    ss_check(ask(&f, SS_REQUEST_RETRY, "s", 0, &ordinal) == SS_E_PROJECTION && ordinal == 180);
    mended = true;
    ss_check(ask(&f, SS_REQUEST_RETRY, "s", 0, &ordinal) == 0 && ordinal == 210);
    ss_check(as_of(&f, "s", 0, &shown) == 0 && strstr(shown.text, "left:181:181:mended") != NULL &&
             strstr(shown.text, "gone") == NULL);
    fixture_restart(&f);
    ss_check(as_of(&f, "s", 0, &shown) == 0 && strstr(shown.text, "left:181:181:mended") != NULL);
    fixture_deinit(&f);
}

SS_TEST(retention, a_projection_that_has_stopped_keeps_what_it_needs)
{
    static struct shown shown;
    struct fixture f;
    uint64_t ordinal;
    mended = false;
    fixture_init(&f);
    f.raw_timeline = raw_timeline;
    f.timeline_policy = SS_POLICY_HALT;
    with_policy(&f, (struct ss_retention_policy){ .events = 10 });
    put_some(&f, "s", 70);
    put_raw(&f, "x");
    put_some(&f, "s", 200);
    run_passes(&f, 4);
    ss_check(first_of(&f, "s") == 65);
    mended = true;
    ss_check(ask(&f, SS_REQUEST_RETRY, "s", 0, &ordinal) == 0 && ordinal == 271);
    run_passes(&f, 4);
    ss_check(first_of(&f, "s") == 257);
    ss_check(as_of(&f, "s", 0, &shown) == 0 && strstr(shown.text, "x:71:71:mended") != NULL);
    fixture_deinit(&f);
}
