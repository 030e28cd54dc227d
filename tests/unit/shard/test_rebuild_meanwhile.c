/* Rebuilds of a session that goes on: the pool is held until enough has happened. */
#include "notes_app.h"
#include "pool_gate.h"
#include "rebuild_notes.h"

static void init_with_gate(struct fixture *f, struct code *code, struct ss_pool **pool,
                           struct gate *gate)
{
    ss_check(ss__pool_new(1, pool) == 0);
    init(f, code);
    put(f, "x", "a");
    put(f, "y", "b");
    with_pool(f, *pool);
    ss_check(shows(f, "x:1:1:a\ny:2:2:b\n"));
    close_gate(gate, *pool);
}

SS_TEST(rebuild, what_is_published_meanwhile_is_in_it)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    put(&f, "x", "c");
    put(&f, "y", "delete");
    put(&f, "z", "d");
    put(&f, "y", "e");
    struct shown *now = malloc(sizeof *now);
    ss_check(now != NULL);
    post_snapshot(&f, "s", 0, now);
    step_all(&f);
    ss_check(now->calls == 1 && strcmp(now->text, "x:1:3:ac\nz:5:5:d\ny:6:6:e\n") == 0);
    free(now);
    code.mark = "-";
    put(&f, "x", "f");
    ss_check(shown.calls == 0);
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0 && shown.ordinal == 7);
    ss_check(shows(&f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    fixture_restart(&f);
    step_jobs(&f);
    ss_check(shows(&f, "x:1:7:-a-c-f\nz:5:5:-d\ny:6:6:-e\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, an_event_that_fails_meanwhile_stays_out)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    code.fails_at = 3;
    ss_check(publish(&f, "x", "c") == SS_E_PROJECTION);
    put(&f, "x", "d");
    code = (struct code){ .mark = "-" };
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0 && shown.ordinal == 2);
    ss_check(shows(&f, "x:1:4:-a-d\ny:2:2:-b\n"));
    fixture_restart(&f);
    ss_check(shows(&f, "x:1:4:-a-d\ny:2:2:-b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, a_second_one_and_a_retry_are_refused_meanwhile)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    struct shown second;
    init_with_gate(&f, &code, &pool, &gate);
    code.fails_at = 3;
    ss_check(publish(&f, "x", "c") == SS_E_PROJECTION);
    code.fails_at = 0;
    post_rebuild(&f, 0, &shown);
    post_rebuild(&f, 0, &second);
    step_all(&f);
    ss_check(shown.calls == 0 && second.calls == 1 && second.err == SS_E_BUSY);
    post_of_session(&f, SS_REQUEST_RETRY, 0, &second);
    step_all(&f);
    ss_check(second.calls == 1 && second.err == SS_E_BUSY);
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    ss_check(shows(&f, "x:1:3:ac\ny:2:2:b\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, a_state_that_is_dropped_meanwhile_is_read_again)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    struct ss_channel *channel = channel_of(&f, "s");
    ss__state_free(f.shard, channel->state);
    ss__channel_release_later(f.shard, channel);
    post_put(&f, "other", "x", "t");
    step_all(&f);
    ss_check(channel_of(&f, "s") == channel);    /* the rebuild needs it */
    code.mark = "-";
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    ss_check(shows(&f, "x:1:1:-a\ny:2:2:-b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, a_session_that_is_deleted_meanwhile_stays_deleted)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    struct shown deleted;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    post_of_session(&f, SS_REQUEST_CLOSE, 0, &deleted);
    step_all(&f);
    ss_check(deleted.calls == 1 && deleted.err == SS_E_IN_USE);
    post_of_session(&f, SS_REQUEST_DELETE, 0, &deleted);
    step_all(&f);
    ss_check(deleted.calls == 1 && deleted.err == 0);
    code.mark = "-";
    put(&f, "z", "n");    /* another life */
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == SS_E_DELETED);
    ss_check(shows(&f, "z:1:1:-n\n"));
    ss_check(rebuild(&f, 0, &shown) == 0);
    ss_check(shows(&f, "z:1:1:-n\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, other_sessions_are_served_meanwhile)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    unsigned before = f.dones;
    for (unsigned i = 0; i < 100; i++) {
        char session[16];
        snprintf(session, sizeof session, "other%u", i);
        post_put(&f, session, "x", "t");
    }
    step_all(&f);
    ss_check(f.dones == before + 100 && shown.calls == 0);
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(rebuild, the_end_of_the_shard_ends_it)
{
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &code, &pool, &gate);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    code.mark = "-";
    open_gate(&gate);
    ss__shard_close(f.shard);
    ss_check(shown.calls == 1 && shown.err == SS_E_STOPPING);
    f.pool = NULL;
    fixture_restart(&f);
    code.mark = "";
    ss_check(shows(&f, "x:1:1:a\ny:2:2:b\n"));
    fixture_deinit(&f);
    ss__pool_free(pool);
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
    struct fixture f;
    struct code code;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    ss_check(ss__pool_new(1, &pool) == 0);
    init(&f, &code);
    with_pool(&f, pool);
    call_in(&f, "s", publish_many);
    step_jobs(&f);
    close_gate(&gate, pool);
    post_rebuild(&f, 0, &shown);
    step_all(&f);
    for (unsigned i = 0; i < 3; i++) {
        call_in(&f, "s", publish_many);
    }
    code.mark = "-";
    open_gate(&gate);
    step_jobs(&f);
    for (f.now_ns += UINT64_C(200000000); shown.calls == 0; step_jobs(&f)) {
        sched_yield();
    }
    ss_check(shown.err == 0 && shown.ordinal == 4000);
    ss_check(fold_events(&f) == 4000);
    struct shown *after = malloc(sizeof *after);
    ss_check(after != NULL && as_of(&f, "s", 0, after) == 0);
    ss_check(after->count == 50 && strncmp(after->text, "n0:3951:3951:-t\n", 16) == 0);
    free(after);
    fixture_deinit(&f);
    ss__pool_free(pool);
}
