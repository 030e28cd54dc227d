/* Session metadata with real threads: once for sessions that many ask for at once, and a stop while
 * it is being made. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <sessionstream/metadata.h>
#include <sessionstream/work.h>

#include "engine_fixture.h"

#define SESSIONS 8
#define THREADS 4
#define ROUNDS 25

struct made {
    struct fixture *fixture;
    atomic_uint creates[SESSIONS];
    atomic_uint begun;      /* creates of all sessions: of some the pool has no thread left */
    atomic_uint destroys;
    atomic_uint handled;
    atomic_uint wrong;
    atomic_uint answers;
    atomic_bool hold;    /* until the stop */
    char id[SESSIONS];
};

static int create(struct ss_metadata_call *call, struct ss_str session_id, void *ctx,
                  void **ret_metadata)
{
    struct made *made = ctx;
    size_t index = (size_t)(session_id.data[0] - 'a');
    atomic_fetch_add(&made->creates[index], 1);
    atomic_fetch_add(&made->begun, 1);
    while (atomic_load(&made->hold) && !ss_work_canceled()) {
        (void)sched_yield();
    }
    if (ss_work_canceled()) {
        return ss_metadata_fail(call, SS_E_STOPPING, "given up");
    }
    made->id[index] = session_id.data[0];
    *ret_metadata = &made->id[index];
    return 0;
}

static void destroy(void *metadata, void *ctx)
{
    (void)metadata;
    atomic_fetch_add(&((struct made *)ctx)->destroys, 1);
}

static int look(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    struct made *made = ctx;
    const char *metadata = ss_context_metadata(context);
    atomic_fetch_add(&made->handled, 1);
    if (metadata == NULL || *metadata != command->session_id.data[0]) {
        atomic_fetch_add(&made->wrong, 1);
    }
    return 0;
}

static void open_made(struct fixture *f, struct made *made)
{
    static const struct ss_metadata_ops ops = { create, destroy };
    fixture_init(f);
    *made = (struct made){ .fixture = f };
    ss_check(ss_register_command(f->registry, "Look", NOTE, look, made) == 0);
    ss_check(ss_register_session_metadata(f->registry, &ops, made) == 0);
    make(f);
    start(f);
}

static void count_answer(const struct ss_result *result, void *ctx)
{
    struct made *made = ctx;
    if (result->err != 0 && result->err != SS_E_STOPPING) {
        atomic_fetch_add(&made->wrong, 1);
    }
    atomic_fetch_add(&made->answers, 1);
}

static void submit_to(struct made *made, unsigned session)
{
    char id = (char)('a' + session);
    int err = ss_engine_submit(made->fixture->engine, ss_str_of(&id, 1), "Look", note(),
                               count_answer, made);
    if (err != 0) {
        atomic_fetch_add(&made->wrong, 1);
    }
}

static void *submit_all(void *arg)
{
    for (unsigned i = 0; i < ROUNDS * SESSIONS; i++) {
        submit_to(arg, i % SESSIONS);
    }
    return NULL;
}

static void await_count(const atomic_uint *counter, unsigned count)
{
    while (atomic_load(counter) < count) {
        (void)sched_yield();
    }
}

SS_TEST(engine_metadata, is_made_once_for_each_session_under_concurrent_submits)
{
    struct fixture f;
    struct made made;
    pthread_t threads[THREADS];
    open_made(&f, &made);
    for (unsigned i = 0; i < THREADS; i++) {
        ss_check(pthread_create(&threads[i], NULL, submit_all, &made) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
    await_count(&made.answers, THREADS * ROUNDS * SESSIONS);
    ss_check(atomic_load(&made.handled) == THREADS * ROUNDS * SESSIONS);
    ss_check(atomic_load(&made.wrong) == 0 && atomic_load(&made.destroys) == 0);
    for (unsigned i = 0; i < SESSIONS; i++) {
        ss_check(atomic_load(&made.creates[i]) == 1);
    }
    fixture_end(&f);
    ss_check(atomic_load(&made.destroys) == SESSIONS);
}

SS_TEST(engine_metadata, that_is_being_made_does_not_keep_the_engine_from_stopping)
{
    struct fixture f;
    struct made made;
    open_made(&f, &made);
    atomic_store(&made.hold, true);
    for (unsigned i = 0; i < SESSIONS; i++) {
        submit_to(&made, i);
        submit_to(&made, i);
    }
    await_count(&made.begun, 1);
    ss_engine_stop(f.engine);
    ss_check(atomic_load(&made.answers) == 2 * SESSIONS && atomic_load(&made.handled) == 0);
    ss_check(atomic_load(&made.wrong) == 0 && atomic_load(&made.destroys) == 0);
    ss_engine_free(f.engine);
    f.engine = NULL;
    fixture_end(&f);
}
