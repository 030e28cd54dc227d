/* A session that leaves memory because somebody asks for it. */
#include <sched.h>
#include <semaphore.h>

#include "notes_app.h"
#include "resume_notes.h"

#include "core/fault.h"
#include "runtime/pool.h"
#include "shard/shard_state.h"

static void post_close(struct fixture *f, const char *session)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_CLOSE, ss_str(session), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = f;
    f->done_err = -1;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static int close_now(struct fixture *f, const char *session)
{
    unsigned dones = f->dones;
    post_close(f, session);
    step_all(f);
    ss_check(f->dones == dones + 1);
    return f->done_err;
}

static struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

/* What its entities on disk show. */
static uint64_t written(struct fixture *f, const char *session)
{
    struct ss_store_session *stored;
    ss_check(ss__store_get_session(f->shard->store, ss_str(session), &stored) == 0);
    uint64_t ordinal = ss__store_timeline_ordinal(stored, f->shard->timeline_ids[0]);
    ss__store_put_session(f->shard->store, stored);
    return ordinal;
}

SS_TEST(close, writes_the_checkpoint_and_frees_the_state)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    put(&f, "s", "b", "2");
    ss_check(written(&f, "s") == 0 && f.shard->states_count == 1);
    ss_check(close_now(&f, "s") == 0 && f.done_ordinal == 2);
    ss_check(written(&f, "s") == 2 && f.unloads == 1);
    ss_check(f.shard->states_count == 0 && channel_of(&f, "s") == NULL);
    ss_check(close_now(&f, "s") == 0 && f.done_ordinal == 2);    /* it is not in memory */
    ss_check(f.shard->states_count == 0);
    put(&f, "s", "a", "3");
    ss_check(f.done_err == 0 && f.done_ordinal == 3);
    struct answer answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "1+3") != NULL);
    fixture_deinit(&f);
}

SS_TEST(close, of_a_session_that_does_not_exist_says_so)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(close_now(&f, "s") == SS_E_NOTFOUND);
    post_subscribe(&f, "s", 7, 1);
    post_close(&f, "s");
    step_all(&f);
    ss_check(f.done_err == SS_E_NOTFOUND);
    fixture_deinit(&f);
}

SS_TEST(close, behind_a_command_of_the_same_batch_takes_its_event_along)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_close(&f, "s");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 1 && written(&f, "s") == 1);
    ss_check(f.shard->states_count == 0);
    fixture_deinit(&f);
}

SS_TEST(close, leaves_followers_where_they_are)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    ss_check(close_now(&f, "s") == 0 && channel_of(&f, "s") != NULL);
    ss_check(next_message(&f) == NULL);    /* they notice nothing */
    put(&f, "s", "a", "2");
    ss_check(take_frame(&f) == 2);
    struct answer back = resume_from(&f, "s", 7, first.cursor);
    ss_check(back.recovered && back.frames == 1 && back.first == 2);
    fixture_deinit(&f);
}

static int run_on(struct ss_context *context, struct fixture *f)
{
    (void)f;
    Sessionstream__Test__Notes__Note note = make_note("a", "busy");
    ss_set_running(context, true);
    return ss_publish(context, "Put", &note.base);
}

static int append(struct ss_context *context, struct fixture *f)
{
    (void)f;
    return ss_append(context, "Note", ss_str("a"), "text", ss_str("more"));
}

SS_TEST(close, is_refused_while_the_session_works)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "running", run_on);
    ss_check(close_now(&f, "running") == SS_E_IN_USE);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "timed", "a", "x");
    step_all(&f);
    ss_check(close_now(&f, "timed") == SS_E_IN_USE);
    f.now_ns += 3000000;
    step_all(&f);
    ss_check(f.task_runs == 1 && close_now(&f, "timed") == 0);
    put(&f, "appended", "a", "text");
    call_in(&f, "appended", append);
    ss_check(close_now(&f, "appended") == SS_E_IN_USE);
    ss_check(f.shard->states_count == 2);
    fixture_deinit(&f);
}

SS_TEST(close, stays_when_it_cannot_be_written)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    ss_check(close_now(&f, "s") == SS_E_STOREIO);
    ss__fault_reset();
    ss_check(f.shard->states_count == 1);
    f.now_ns += 1000000000;
    ss_check(close_now(&f, "s") == 0 && f.shard->states_count == 0);
    fixture_deinit(&f);
}

/* ---- while the pool writes ---- */

static sem_t writer_in;
static sem_t writer_gate;

static void hold_writer(struct ss_pool_job *job)
{
    (void)job;
    (void)sem_post(&writer_in);
    (void)sem_wait(&writer_gate);
}

/* A close whose checkpoint waits behind a job of the pool's only thread. */
struct slow {
    struct fixture f;
    struct ss_pool_job job;
};

static void slow_init(struct slow *slow)
{
    struct fixture *f = &slow->f;
    fixture_init(f);
    ss__shard_close(f->shard);
    ss_check(ss__pool_new(1, &f->pool) == 0);
    fixture_restart(f);
    put(f, "s", "a", "1");
    slow->job = (struct ss_pool_job){ .run = hold_writer };
    ss_check(sem_init(&writer_in, 0, 0) == 0 && sem_init(&writer_gate, 0, 0) == 0);
    ss_check(ss__pool_post(f->pool, &slow->job) == 0);
    (void)sem_wait(&writer_in);
    post_close(f, "s");
    step_all(f);
    ss_check(f->done_err == -1 && !ss__list_empty(&f->shard->closes));
}

static void slow_deinit(struct slow *slow)
{
    struct ss_pool *pool = slow->f.pool;
    fixture_deinit(&slow->f);
    ss__pool_free(pool);
}

static void let_it_write(struct fixture *f)
{
    (void)sem_post(&writer_gate);
    while (!ss__list_empty(&f->shard->closes)) {
        step_all(f);
        (void)sched_yield();
    }
}

SS_TEST(close, waits_for_the_pool_and_holds_up_nobody)
{
    struct slow slow;
    slow_init(&slow);
    put(&slow.f, "other", "a", "1");
    ss_check(slow.f.done_err == 0 && slow.f.shard->states_count == 2);
    slow.f.done_err = -1;
    let_it_write(&slow.f);
    ss_check(slow.f.done_err == 0 && slow.f.done_ordinal == 1);
    ss_check(slow.f.shard->states_count == 1 && written(&slow.f, "s") == 1);
    slow_deinit(&slow);
}

SS_TEST(close, of_a_session_that_is_used_meanwhile_is_refused)
{
    struct slow slow;
    slow_init(&slow);
    put(&slow.f, "s", "a", "2");
    let_it_write(&slow.f);
    ss_check(slow.f.done_err == SS_E_IN_USE && slow.f.shard->states_count == 1);
    slow_deinit(&slow);
}

SS_TEST(close, of_a_session_that_is_deleted_meanwhile_finds_none)
{
    struct slow slow;
    slow_init(&slow);
    struct ss_request *request =
        ss__request_new(SS_REQUEST_DELETE, ss_str("s"), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(slow.f.shard), &request->base.node,
                            SS_POST_OUTSIDE) == 0);
    step_all(&slow.f);
    let_it_write(&slow.f);
    ss_check(slow.f.done_err == SS_E_NOTFOUND && slow.f.shard->states_count == 0);
    slow_deinit(&slow);
}

SS_TEST(close, is_answered_when_the_shard_ends)
{
    struct slow slow;
    slow_init(&slow);
    unsigned dones = slow.f.dones;
    (void)sem_post(&writer_gate);
    ss__shard_close(slow.f.shard);
    ss_check(slow.f.dones == dones + 1 && ss__list_empty(&slow.f.shard->closes));
    fixture_restart(&slow.f);
    ss_check(written(&slow.f, "s") == 1);
    slow_deinit(&slow);
}
