#include "engine.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sessionstream/sessions.h>

#include "app.h"
#include "notes.pb-c.h"
#include "runs.h"
#include "verdict.h"

/* A start makes more than a thousand calls: with 5 of 1,000 failing, one of some hundred gets through. */
#define STARTS_MAX 20000
#define DEADLINE_S 15

void run_init(struct run *run, const char *dir, const struct fault_plan *plan,
              struct outcome *outcome)
{
    *run = (struct run){ .calm = plan->first == 0 && plan->per_million == 0, .outcome = outcome };
    /* EIO may be a sync that failed; what else a transaction of LMDB says is not told apart. */
    run->latches = plan->code == EIO || plan->code == FAULT_SHORT || plan->per_million != 0 ||
                   plan->call == CALL_SYNC || plan->call == CALL_RENAME;
    run->once = plan->first != 0 && plan->count == 1;
    struct ss_engine_options *options = &run->options;
    ss_engine_options_init(options);
    options->data_dir = dir;
    options->shard_count = 2;
    options->listen_port = 0;
    options->store_map_bytes = UINT64_C(64) << 20;
    options->log_window_bytes = UINT64_C(1) << 20;
    options->min_free_bytes = 1 << 20;
    options->session_cache_bytes = 0;    /* all sessions leave memory when they are idle */
    options->stop_timeout_ms = 2000;
    options->debug_ring = 64;
}

void run_refused_name(struct run *run, const char *what, const char *name)
{
    /* not_found: all that came before was refused. */
    static const char *const fine[] = { "out_of_memory", "overloaded", "outcome_unknown",
                                        "store_full", "store_io", "io_error", "not_found" };
    bool allowed = false;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        allowed = allowed || strcmp(name, fine[i]) == 0;
    }
    run->outcome->requests_refused++;
    if (!allowed || run->calm) {
        broken("%s is refused with %s", what, name);
    }
}

void run_refused(struct run *run, const char *what, int err)
{
    run_refused_name(run, what, ss_error_wire_name(err));
}

static int try_start(struct run *run)
{
    faults_include_me(true);
    int err = SS_E_NOMEM;
    run->registry = app_registry();
    if (run->registry != NULL) {
        err = ss_engine_new(&run->options, run->registry, &run->engine);
    }
    if (err == 0) {
        err = ss_engine_start(run->engine);
    }
    faults_include_me(false);
    if (err != 0 && run->engine != NULL && ss_engine_error(run->engine)[0] == '\0') {
        broken("a start is refused with %s and no sentence", ss_error_name(err));
    }
    return err;
}

static void free_engine(struct run *run)
{
    ss_engine_free(run->engine);
    ss_registry_free(run->registry);
    run->engine = NULL;
    run->registry = NULL;
}

void run_start(struct run *run)
{
    for (unsigned tries = 0; tries < STARTS_MAX; tries++) {
        int err = try_start(run);
        if (err == 0) {
            run->port = ss_engine_port(run->engine);
            run->latched = false;
            return;
        }
        fprintf(stderr, "start refused: %s: %s\n", ss_error_name(err),
                run->engine == NULL ? "" : ss_engine_error(run->engine));
        if (err == SS_E_CORRUPT || err == SS_E_VERSION || err == SS_E_SHARDS || run->calm) {
            broken("a start is refused with %s: %s", ss_error_name(err),
                   run->engine == NULL ? "" : ss_engine_error(run->engine));
        }
        run->outcome->starts_refused++;
        free_engine(run);
    }
    broken("no start works any more");
    exit(1);
}

void run_stop(struct run *run)
{
    faults_include_me(true);
    ss_engine_stop(run->engine);
    faults_include_me(false);
    free_engine(run);
}

/* ---- calls ---- */

struct answer {
    sem_t given;
    int err;
    uint64_t ordinal;
};

static void on_done(const struct ss_result *result, void *ctx)
{
    struct answer *answer = ctx;
    answer->err = result->err;
    answer->ordinal = result->ordinal;
    (void)sem_post(&answer->given);
}

static int await(struct answer *answer, int err, const char *what)
{
    struct timespec deadline;
    if (err != 0) {
        return err;
    }
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    while (sem_timedwait(&answer->given, &deadline) != 0) {
        if (errno == ETIMEDOUT) {
            broken("%s was accepted and is not answered", what);
            exit(1);    /* the answer's memory is on the stack */
        }
    }
    return answer->err;
}

char *run_mark(struct run *run, unsigned padding)
{
    char *text = malloc(APP_MARK_BYTES + padding);
    int len = snprintf(text, APP_MARK_BYTES, "m%u:", ++run->marks);
    memset(text + len, '.', padding);
    text[len + (int)padding] = '\0';
    return text;
}

int run_publish(struct run *run, unsigned session, const char *id, unsigned padding)
{
    char session_id[8];
    struct answer answer = { .err = 0 };
    char *text = run_mark(run, padding);
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    note.id = (char *)(uintptr_t)id;
    note.text = text;
    (void)snprintf(session_id, sizeof session_id, "s%u", session);
    (void)sem_init(&answer.given, 0, 0);
    faults_include_me(true);
    int err = ss_engine_publish(run->engine, ss_str(session_id), "Put", &note.base, on_done,
                                &answer);
    faults_include_me(false);
    err = await(&answer, err, "a publish");
    if (err == 0) {
        verdict_acked(session, text, answer.ordinal);
    } else {
        run_refused(run, "a publish", err);
        run->latched_session = err == SS_E_STOREIO ? session : run->latched_session;
        run->latched = run->latched || err == SS_E_STOREIO;
    }
    free(text);
    (void)sem_destroy(&answer.given);
    return err;
}

int run_call(struct run *run, enum run_call call, unsigned session, int may)
{
    static const char *const names[] = { "a retry", "a rebuild", "a close", "a delete",
                                         "a barrier" };
    char id[8];
    struct answer answer = { .err = 0 };
    (void)snprintf(id, sizeof id, "s%u", session);
    (void)sem_init(&answer.given, 0, 0);
    struct ss_engine *engine = run->engine;
    faults_include_me(true);
    int err = call == RUN_RETRY     ? ss_engine_retry(engine, ss_str(id), NULL, on_done, &answer)
              : call == RUN_REBUILD ? ss_engine_rebuild(engine, ss_str(id), NULL, 0, on_done,
                                                        &answer)
              : call == RUN_CLOSE   ? ss_engine_close(engine, ss_str(id), on_done, &answer)
              : call == RUN_DELETE  ? ss_engine_delete(engine, ss_str(id), on_done, &answer)
                                    : ss_engine_barrier(engine, ss_str(id), on_done, &answer);
    faults_include_me(false);
    err = await(&answer, err, names[call]);
    if (err != 0 && err != may) {
        run_refused(run, names[call], err);
    }
    (void)sem_destroy(&answer.given);
    return err;
}
