/* Several events or none. */
#include <errno.h>

#include "notes_app.h"

#include "shard/context.h"

static int publish_three(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note notes[] = { make_note("a", "1"), make_note("a", "2"),
                                                 make_note("a", "3") };
    struct ss_batch_event events[] = { { "Put", &notes[0].base }, { "Put", &notes[1].base },
                                       { "Put", &notes[2].base } };
    ss_check(ss_publish_batch(context, events, 0) == 0 && ss_context_ordinal(context) == 0);
    ss_check(ss_publish_batch(context, events, 3) == 0);
    ss_check(ss_context_ordinal(context) == 3);
    return 0;
}

SS_TEST(publish_batch, events_follow_each_other)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    call_in(&f, "s", publish_three);
    ss_check(f.done_err == 0 && f.done_ordinal == 3);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "1+2+3") != NULL);
    fixture_deinit(&f);
}

static int publish_wrong(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note good = make_note("a", "1");
    Sessionstream__Test__Notes__Note bad = make_note("a", "\xff");
    Sessionstream__Test__Notes__Fail other = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    const struct {
        struct ss_batch_event second;
        int err;
    } cases[] = { { { "Nope", &good.base }, SS_E_UNKNOWN_EVENT },
                  { { NULL, &good.base }, SS_E_UNKNOWN_EVENT },
                  { { "Put", &bad.base }, SS_E_PAYLOAD },
                  { { "Put", NULL }, SS_E_PAYLOAD },
                  { { "Put", &other.base }, SS_E_TYPE } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss_batch_event events[] = { { "Put", &good.base }, cases[i].second };
        ss_check(ss_publish_batch(context, events, 2) == cases[i].err);
        ss_check(ss_context_ordinal(context) == 0);
    }
    static struct ss_batch_event many[SS_HANDLER_EVENTS_MAX + 1];
    for (size_t i = 0; i <= SS_HANDLER_EVENTS_MAX; i++) {
        many[i] = (struct ss_batch_event){ "Put", &good.base };
    }
    ss_check(ss_publish_batch(context, many, SS_HANDLER_EVENTS_MAX + 1) == SS_E_LIMIT);
    ss_check(ss_publish(context, "Put", &good.base) == 0);
    ss_check(ss_publish_batch(context, many, SS_HANDLER_EVENTS_MAX) == SS_E_LIMIT);
    ss_check(ss_context_ordinal(context) == 1);
    return 0;
}

SS_TEST(publish_batch, one_wrong_event_keeps_all_of_them_out)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", publish_wrong);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    fixture_deinit(&f);
}

static int publish_failing(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("a", "1");
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    fail.timeline = true;
    struct ss_batch_event events[] = { { "Fail", &fail.base }, { "Put", &note.base } };
    ss_check(ss_publish_batch(context, events, 2) == SS_E_PROJECTION);
    ss_check(ss_context_ordinal(context) == 2);
    return 0;
}

SS_TEST(publish_batch, a_projection_that_fails_concerns_its_event_alone)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", publish_failing);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    fixture_deinit(&f);
}

/* Reading fails at the second event: as if memory or disk had failed there. */
static int spoil(struct ss_timeline *timeline, const struct ss_event *event,
                 const struct ss_view *view, struct fixture *fixture)
{
    (void)timeline;
    (void)event;
    (void)fixture;
    *view->err = SS_E_STOREIO;
    return 0;
}

static int publish_spoiled(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "half");
    struct ss_batch_event events[] = { { "Put", &note.base }, { "Raw", &note.base } };
    fixture->raw_timeline = spoil;
    ss_check(ss_publish_batch(context, events, 2) == SS_E_STOREIO);
    return 0;
}

SS_TEST(publish_batch, half_of_it_is_never_committed)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    call_in(&f, "s", publish_spoiled);
    ss_check(f.done_err == SS_E_COMMIT && atomic_load(&f.stats->commit_errors) == 1);
    post_put(&f, "s", "a", "whole");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    fixture_restart(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "whole") != NULL && strstr(text, "half") == NULL);
    fixture_deinit(&f);
}
