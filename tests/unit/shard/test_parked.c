#include "notes_app.h"

#include <sched.h>
#include <semaphore.h>

#include "runtime/pool.h"
#include "shard/shard_state.h"

#define FLOOD 1024u

static unsigned answered;
static unsigned place_of[FLOOD];

static void note_place(const struct ss_result *result, void *ctx)
{
    (void)result;
    *(unsigned *)ctx = answered++;
}

static void post_numbered(struct fixture *f, const char *session, unsigned number)
{
    char id[] = "k";
    char text[] = "x";
    uint8_t packed[64];
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    note.id = id;
    note.text = text;
    size_t len = protobuf_c_message_pack(&note.base, packed);
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, ss_str(session), ss_str(""),
                                                 ss_str_of(packed, len));
    ss_check(request != NULL);
    request->name = ss__registry_find(f->registry, SS_SPACE_COMMAND, ss_str("Put"));
    request->done = note_place;
    request->ctx = &place_of[number];
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static void flood(struct fixture *f, const char *session)
{
    answered = 0;
    for (unsigned i = 0; i < FLOOD; i++) {
        post_numbered(f, session, i);
    }
}

static void check_order(void)
{
    ss_check(answered == FLOOD);
    for (unsigned i = 0; i < FLOOD; i++) {
        ss_check_msg(place_of[i] == i, "request %u was answered as number %u", i, place_of[i]);
    }
}

SS_TEST(parked, requests_beyond_the_share_of_a_session_keep_their_order)
{
    struct fixture f;
    fixture_init(&f);
    flood(&f, "s");
    step_all(&f);
    check_order();
    fixture_deinit(&f);
}

SS_TEST(parked, what_is_parked_counts_as_waiting_in_the_inbox)
{
    struct fixture f;
    fixture_init(&f);
    flood(&f, "s");
    (void)ss__shard_step(f.shard);
    ss_check(answered == SS_BATCH_SESSION_MESSAGES_MAX);
    ss_check(ss__inbox_depth(ss__shard_inbox(f.shard)) == FLOOD - answered);
    step_all(&f);
    ss_check(ss__inbox_depth(ss__shard_inbox(f.shard)) == 0);
    ss_check(ss__inbox_bytes(ss__shard_inbox(f.shard)) == 0);
    fixture_deinit(&f);
}

SS_TEST(parked, another_session_waits_for_one_batch_of_a_flooded_one)
{
    struct fixture f;
    fixture_init(&f);
    flood(&f, "s");
    (void)ss__shard_step(f.shard);
    unsigned before = f.dones;
    post_put(&f, "other", "a", "1");
    (void)ss__shard_step(f.shard);
    ss_check(f.dones == before + 1);
    step_all(&f);
    check_order();
    fixture_deinit(&f);
}

/* ---- while a session loads ---- */

static sem_t reader_in;
static sem_t reader_gate;

static void hold_reader(struct ss_pool_job *job)
{
    (void)job;
    (void)sem_post(&reader_in);
    (void)sem_wait(&reader_gate);
}

static void reopen_cold(struct fixture *f, struct ss_pool *pool)
{
    for (int i = 0; i < 200; i++) {
        post_put(f, "s", "k", "x");
    }
    step_all(f);
    f->pool = pool;
    fixture_restart(f);
}

SS_TEST(parked, requests_that_waited_for_a_load_run_before_later_ones)
{
    struct fixture f;
    struct ss_pool *pool;
    struct ss_pool_job job = { .run = hold_reader };
    ss_check(ss__pool_new(1, &pool) == 0);
    ss_check(sem_init(&reader_in, 0, 0) == 0 && sem_init(&reader_gate, 0, 0) == 0);
    fixture_init(&f);
    reopen_cold(&f, pool);
    ss_check(ss__pool_post(pool, &job) == 0 && sem_wait(&reader_in) == 0);
    answered = 0;
    post_subscribe(&f, "s", 7, 1);    /* needs all entities: the pool reads them */
    for (unsigned i = 0; i < FLOOD / 2; i++) {
        post_numbered(&f, "s", i);
    }
    (void)ss__shard_step(f.shard);
    uint32_t parked = ss__inbox_depth(ss__shard_inbox(f.shard));
    ss_check(answered == 0 && parked == FLOOD / 2 + 1);
    ss_check(sem_post(&reader_gate) == 0);
    while (ss__inbox_depth(ss__shard_inbox(f.shard)) == parked) {
        (void)sched_yield();    /* until the reader's answer is there */
    }
    for (unsigned i = FLOOD / 2; i < FLOOD; i++) {
        post_numbered(&f, "s", i);
    }
    step_all(&f);
    check_order();
    fixture_deinit(&f);
    ss__pool_free(pool);
}

/* ---- beside tasks ---- */

static int run_for_ever(struct ss_context *context, void *arg);

static void on_cancel(void *arg, int reason)
{
    (void)arg;
    (void)reason;
}

static const struct ss_task_ops for_ever = { run_for_ever, on_cancel };

static int run_for_ever(struct ss_context *context, void *arg)
{
    return ss_after(context, 0, &for_ever, arg, NULL);
}

static int start_many(struct ss_context *context, struct fixture *fixture)
{
    for (unsigned i = 0; i < SS_BATCH_SESSION_MESSAGES_MAX; i++) {
        ss_check(ss_after(context, 0, &for_ever, fixture, NULL) == 0);
    }
    return 0;
}

SS_TEST(parked, tasks_that_are_always_due_do_not_starve_requests)
{
    struct fixture f;
    char session[16];
    fixture_init(&f);
    f.call = start_many;
    for (int i = 0; i < 12; i++) {
        (void)snprintf(session, sizeof session, "hot-%d", i);
        post_note(&f, SS_REQUEST_SUBMIT, "Call", session, "", "");
    }
    (void)ss__shard_step(f.shard);
    unsigned before = f.dones;
    post_put(&f, "other", "a", "1");
    (void)ss__shard_step(f.shard);
    ss_check(f.dones == before + 1);
    fixture_deinit(&f);
}
