/* Rebuilds of a session that goes on: the pool is held until enough has happened. */
#include "notes_app.h"
#include "pool_gate.h"
#include "rebuild_notes.h"

/* A shard whose pool has one job, which waits. */
struct held {
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;    /* of the rebuild */
};

/* "x" and "y" are there. */
static void hold(struct held *h)
{
    ss_check(ss__pool_new(1, &h->pool) == 0);
    init(&h->f, &h->code);
    put(&h->f, "x", "a");
    put(&h->f, "y", "b");
    with_pool(&h->f, h->pool);
    ss_check(shows(&h->f, "x:1:1:a\ny:2:2:b\n"));
    close_gate(&h->gate, h->pool);
}

static void hold_a_rebuild(struct held *h)
{
    hold(h);
    post_rebuild(&h->f, 0, &h->shown);
    step_all(&h->f);
}

static void let_go(struct held *h)
{
    open_gate(&h->gate);
    step_jobs(&h->f);
}

static void end(struct held *h)
{
    fixture_deinit(&h->f);
    ss__pool_free(h->pool);
}

SS_TEST(rebuild, what_is_published_meanwhile_is_in_it)
{
    struct held h;
    hold_a_rebuild(&h);
    put(&h.f, "x", "c");
    put(&h.f, "y", "delete");
    put(&h.f, "z", "d");
    put(&h.f, "y", "e");
    struct shown *now = malloc(sizeof *now);
    ss_check(now != NULL);
    post_snapshot(&h.f, "s", 0, now);
    step_all(&h.f);
    ss_check(now->calls == 1 && strcmp(now->text, "x:1:3:ac\nz:5:5:d\ny:6:6:e\n") == 0);
    free(now);
    h.code.mark = "-";
    put(&h.f, "x", "f");
    ss_check(h.shown.calls == 0);
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == 0 && h.shown.ordinal == 7);
    ss_check(shows(&h.f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    fixture_restart(&h.f);
    step_jobs(&h.f);
    ss_check(shows(&h.f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    end(&h);
}

SS_TEST(rebuild, an_event_that_fails_meanwhile_stays_out)
{
    struct held h;
    hold_a_rebuild(&h);
    h.code.fails_at = 3;
    ss_check(publish(&h.f, "x", "c") == SS_E_PROJECTION);
    put(&h.f, "x", "d");
    h.code = (struct code){ .mark = "-" };
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == 0 && h.shown.ordinal == 2);
    ss_check(shows(&h.f, "x:1:4:-a-d\ny:2:2:-b\n"));
    fixture_restart(&h.f);
    ss_check(shows(&h.f, "x:1:4:-a-d\ny:2:2:-b\n"));
    end(&h);
}

SS_TEST(rebuild, a_second_one_and_a_retry_are_refused_meanwhile)
{
    struct held h;
    struct shown second;
    hold(&h);
    h.code.fails_at = 3;
    ss_check(publish(&h.f, "x", "c") == SS_E_PROJECTION);
    h.code.fails_at = 0;
    post_rebuild(&h.f, 0, &h.shown);
    post_rebuild(&h.f, 0, &second);
    step_all(&h.f);
    ss_check(h.shown.calls == 0 && second.calls == 1 && second.err == SS_E_BUSY);
    post_of_session(&h.f, SS_REQUEST_RETRY, 0, &second);
    step_all(&h.f);
    ss_check(second.calls == 1 && second.err == SS_E_BUSY);
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == 0);
    ss_check(shows(&h.f, "x:1:3:ac\ny:2:2:b\n"));
    ss_check(rebuild(&h.f, 0, &h.shown) == 0);
    end(&h);
}

SS_TEST(rebuild, a_state_that_is_dropped_meanwhile_is_read_again)
{
    struct held h;
    hold_a_rebuild(&h);
    struct ss_channel *channel = channel_of(&h.f, "s");
    ss__state_free(h.f.shard, channel->state);
    ss__channel_release_later(h.f.shard, channel);
    post_put(&h.f, "other", "x", "t");
    step_all(&h.f);
    ss_check(channel_of(&h.f, "s") == channel);    /* the rebuild needs it */
    h.code.mark = "-";
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == 0);
    ss_check(shows(&h.f, "x:1:1:-a\ny:2:2:-b\n"));
    end(&h);
}

SS_TEST(rebuild, a_session_that_is_deleted_meanwhile_stays_deleted)
{
    struct held h;
    struct shown deleted;
    hold_a_rebuild(&h);
    post_of_session(&h.f, SS_REQUEST_CLOSE, 0, &deleted);
    step_all(&h.f);
    ss_check(deleted.calls == 1 && deleted.err == SS_E_IN_USE);
    post_of_session(&h.f, SS_REQUEST_DELETE, 0, &deleted);
    step_all(&h.f);
    ss_check(deleted.calls == 1 && deleted.err == 0);
    h.code.mark = "-";
    put(&h.f, "z", "n");    /* another life */
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == SS_E_DELETED);
    ss_check(shows(&h.f, "z:1:1:-n\n"));
    ss_check(rebuild(&h.f, 0, &h.shown) == 0);
    ss_check(shows(&h.f, "z:1:1:-n\n"));
    end(&h);
}

SS_TEST(rebuild, other_sessions_are_served_meanwhile)
{
    struct held h;
    hold_a_rebuild(&h);
    unsigned before = h.f.dones;
    for (unsigned i = 0; i < 100; i++) {
        char session[16];
        snprintf(session, sizeof session, "other%u", i);
        post_put(&h.f, session, "x", "t");
    }
    step_all(&h.f);
    ss_check(h.f.dones == before + 100 && h.shown.calls == 0);
    let_go(&h);
    ss_check(h.shown.calls == 1 && h.shown.err == 0);
    end(&h);
}

SS_TEST(rebuild, the_end_of_the_shard_ends_it)
{
    struct held h;
    hold_a_rebuild(&h);
    h.code.mark = "-";
    open_gate(&h.gate);
    ss__shard_close(h.f.shard);
    ss_check(h.shown.calls == 1 && h.shown.err == SS_E_STOPPING);
    h.f.pool = NULL;
    fixture_restart(&h.f);
    h.code.mark = "";
    ss_check(shows(&h.f, "x:1:1:a\ny:2:2:b\n"));
    end(&h);
}

static int publish_many(struct ss_context *context, struct fixture *f)
{
    (void)f;
    int err = 0;
    for (unsigned i = 0; i < 1000 && err == 0; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", i % 50);
        Sessionstream__Test__Notes__Note note = make_note(id, i < 950 ? "delete" : "t");
        err = ss_publish(context, "Raw", &note.base);
    }
    return err;
}

SS_TEST(rebuild, of_a_long_session_that_grows_it_catches_up_in_the_pool)
{
    struct held h;
    ss_check(ss__pool_new(1, &h.pool) == 0);
    init(&h.f, &h.code);
    with_pool(&h.f, h.pool);
    call_in(&h.f, "s", publish_many);
    step_jobs(&h.f);
    close_gate(&h.gate, h.pool);
    post_rebuild(&h.f, 0, &h.shown);
    step_all(&h.f);
    for (unsigned i = 0; i < 3; i++) {
        call_in(&h.f, "s", publish_many);
    }
    h.code.mark = "-";
    let_go(&h);
    for (h.f.now_ns += UINT64_C(200000000); h.shown.calls == 0; step_jobs(&h.f)) {
        sched_yield();
    }
    ss_check(h.shown.err == 0 && h.shown.ordinal == 4000);
    ss_check(fold_events(&h.f) == 4000);
    struct shown *after = malloc(sizeof *after);
    ss_check(after != NULL && as_of(&h.f, "s", 0, after) == 0);
    ss_check(after->count == 50 && strncmp(after->text, "n0:3951:3951:-t\n", 16) == 0);
    free(after);
    end(&h);
}
