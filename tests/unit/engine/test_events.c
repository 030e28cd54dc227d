/* Stored events through the public call. */
#include "engine_fixture.h"

#include <sessionstream/history.h>

struct seen {
    sem_t given;
    int err;
    size_t count;
    uint64_t last;
    bool more;
};

static void on_page(const struct ss_result *result, const struct ss_event_page *page, void *ctx)
{
    struct seen *seen = ctx;
    seen->err = result->err;
    seen->count = page == NULL ? 0 : page->count;
    seen->more = page != NULL && page->more;
    seen->last = seen->count == 0 ? 0 : page->events[page->count - 1].ordinal;
    (void)sem_post(&seen->given);
}

static void read_page(struct fixture *fixture, const char *session, uint64_t after,
                      uint32_t limit, struct seen *seen)
{
    ss_check(sem_init(&seen->given, 0, 0) == 0);
    ss_check(ss_engine_events(fixture->engine, ss_str(session), after, limit, on_page, seen) == 0);
    while (sem_wait(&seen->given) != 0) {
    }
}

SS_TEST(events, pages_follow_each_other_and_what_is_asked_for_is_checked)
{
    struct fixture fixture;
    struct seen seen;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    for (unsigned i = 0; i < 1500; i++) {
        Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
        ss_check(ss_engine_publish(fixture.engine, ss_str("s"), "Put", &note.base, NULL, NULL) ==
                 0);
    }
    read_page(&fixture, "s", 0, 0, &seen);
    ss_check(seen.err == 0 && seen.count == SS_EVENT_PAGE_MAX && seen.more);
    read_page(&fixture, "s", seen.last, 499, &seen);
    ss_check(seen.err == 0 && seen.count == 499 && seen.last == 1499 && seen.more);
    read_page(&fixture, "s", seen.last, 2, &seen);
    ss_check(seen.err == 0 && seen.count == 1 && seen.last == 1500 && !seen.more);
    read_page(&fixture, "unknown", 0, 0, &seen);
    ss_check(seen.err == SS_E_NOTFOUND && seen.count == 0);
    ss_check(ss_engine_events(fixture.engine, ss_str("s"), 0, SS_EVENT_PAGE_MAX + 1, on_page,
                              &seen) == SS_E_INVAL);
    ss_check(ss_engine_events(fixture.engine, ss_str(""), 0, 0, on_page, &seen) ==
             SS_E_SESSION_ID);
    ss_engine_stop(fixture.engine);
    ss_check(ss_engine_events(fixture.engine, ss_str("s"), 0, 0, on_page, &seen) ==
             SS_E_STOPPING);
    fixture_end(&fixture);
}
