/* Events that come with their ordinals. */
#include <errno.h>

#include "notes_app.h"

#include <sched.h>

#include "message/import.h"
#include "runtime/pool.h"
#include "shard/import.h"
#include "shard/shard_state.h"

struct answer {
    unsigned calls;
    int err;
    uint64_t ordinal;
    char message[512];
};

static void on_answer(const struct ss_result *result, void *ctx)
{
    struct answer *answer = ctx;
    answer->calls++;
    answer->err = result->err;
    answer->ordinal = result->ordinal;
    snprintf(answer->message, sizeof answer->message, "%s", result->message);
}

static void add_packed(struct fixture *f, struct ss_import *import, uint64_t ordinal,
                       const char *event, struct ss_str packed)
{
    ss_check(ss__import_add(import, ordinal, 1000 + ordinal,
                            ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str(event)), packed,
                            NULL) == 0);
}

static void add(struct fixture *f, struct ss_import *import, uint64_t ordinal, const char *text)
{
    uint8_t packed[2048];
    Sessionstream__Test__Notes__Note note = make_note("n", text);
    add_packed(f, import, ordinal, "Put",
               ss_str_of(packed, protobuf_c_message_pack(&note.base, packed)));
}

static void post(struct fixture *f, const char *session, struct ss_import *import,
                 struct answer *answer)
{
    *answer = (struct answer){ 0 };
    struct ss_request *request = ss__request_new_import(ss_str(session), import);
    ss_check(request != NULL);
    request->done = on_answer;
    request->ctx = answer;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

/* Also while a job of the pool is under way. */
static void step_until(struct fixture *f, const struct answer *answer)
{
    while (answer->calls == 0) {
        (void)ss__shard_step(f->shard);
        (void)sched_yield();
    }
    step_all(f);
}

static struct answer run(struct fixture *f, const char *session, struct ss_import *import)
{
    struct answer answer;
    post(f, session, import, &answer);
    step_until(f, &answer);
    ss_check(answer.calls == 1);
    return answer;
}

/* Events @from to @to whose texts are their ordinals. */
static struct ss_import *numbers(struct fixture *f, uint64_t from, uint64_t to)
{
    struct ss_import *import = ss__import_new();
    for (uint64_t i = from; i <= to; i++) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)i);
        add(f, import, i, text);
    }
    return import;
}

static struct ss_import *one(struct fixture *f, uint64_t ordinal, const char *text)
{
    struct ss_import *import = ss__import_new();
    add(f, import, ordinal, text);
    return import;
}

static void snapshot_has(struct fixture *f, const char *session, const char *part)
{
    static char text[1 << 16];
    static uint32_t handle = 100;
    post_subscribe(f, session, handle++, 1);
    struct ss_msg *msg = NULL;
    while (msg == NULL) {
        (void)ss__shard_step(f->shard);
        msg = next_message(f);
        if (msg != NULL && msg->kind == SS_MSG_FRAME) {
            ss__msg_free(msg);
            msg = NULL;
        }
    }
    struct ss_request *request = (struct ss_request *)(void *)msg;
    struct ss_str body = ss__ws_payload(request->snapshot);
    snprintf(text, sizeof text, "%.*s", (int)body.len, body.data);
    ss_check_msg(strstr(text, part) != NULL, "%s", text);
    ss__msg_free(msg);
}

SS_TEST(import, events_are_appended_with_their_time_and_projected)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    struct answer answer = run(&f, "s", numbers(&f, 1, 3));
    ss_check(answer.err == 0 && answer.ordinal == 3);
    for (uint64_t i = 1; i <= 3; i++) {
        ss_check(take_frame(&f) == i);
    }
    answer = run(&f, "s", one(&f, 4, "4"));
    ss_check(answer.err == 0 && answer.ordinal == 4);
    snapshot_has(&f, "s", "\"text\":\"1+2+3+4\"");
    ss_check(atomic_load(&f.stats->events) == 4);
    fixture_restart(&f);
    snapshot_has(&f, "s", "\"text\":\"1+2+3+4\"");
    fixture_deinit(&f);
}

/* In the log, in segments, in both, with and without a pool. */
static void accepts_what_is_there(struct ss_pool *pool, uint64_t flushed)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.pool = pool;
    fixture_open(&f);
    for (uint64_t from = 1; from <= 100; from += 50) {
        ss_check(run(&f, "s", numbers(&f, from, from + 49)).err == 0);
        if (from + 49 == flushed) {
            while (ss__store_flush(f.shard->store, 32) > 0) {
            }
        }
    }
    for (uint64_t from = 1; from <= 101; from += 25) {
        struct answer again = run(&f, "s", numbers(&f, from, from + 24 > 100 ? 100 + 5 : from + 24));
        ss_check(again.err == 0 && again.ordinal >= from);
    }
    struct answer all = run(&f, "s", numbers(&f, 1, 110));    /* some are there, some are not */
    ss_check(all.err == 0 && all.ordinal == 110);
    ss_check(atomic_load(&f.stats->events) == 110);
    struct answer other = run(&f, "s", one(&f, 77, "not 77"));
    ss_check(other.err == SS_E_CONFLICT && other.ordinal == 0);
    post_put(&f, "s", "n", "x");
    step_all(&f);
    ss_check(f.done_ordinal == 111);
    fixture_deinit(&f);
}

SS_TEST(import, identical_events_are_accepted_without_effect)
{
    struct ss_pool *pool;
    ss_check(ss__pool_new(1, &pool) == 0);
    for (uint64_t flushed = 0; flushed <= 100; flushed += 50) {
        accepts_what_is_there(NULL, flushed);
        accepts_what_is_there(pool, flushed);
    }
    ss__pool_free(pool);
}

SS_TEST(import, another_event_is_a_conflict_that_names_both)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "s", numbers(&f, 1, 3)).err == 0);
    struct answer answer = run(&f, "s", one(&f, 2, "other"));
    ss_check(answer.err == SS_E_CONFLICT);
    ss_check_msg(strstr(answer.message, "session \"s\" has another event 2: stored is \"Put\" "
                                        "(6 bytes, hash ") == answer.message &&
                     strstr(answer.message, "given is \"Put\" (10 bytes, hash ") != NULL,
                 "%s", answer.message);
    struct ss_import *import = ss__import_new();
    add_packed(&f, import, 2, "Raw", ss_str("\x0a\x01n\x12\x01" "2"));
    answer = run(&f, "s", import);
    ss_check(answer.err == SS_E_CONFLICT && strstr(answer.message, "given is \"Raw\"") != NULL);
    import = numbers(&f, 2, 2);    /* the second is new, but the first is wrong: none is taken */
    import->payloads.data[import->payloads.len - 1] = '9';
    add(&f, import, 3, "3");
    add(&f, import, 4, "4");
    ss_check(run(&f, "s", import).err == SS_E_CONFLICT);
    ss_check(atomic_load(&f.stats->events) == 3);
    fixture_deinit(&f);
}

SS_TEST(import, payloads_that_mean_the_same_are_identical)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "s", one(&f, 1, "1")).err == 0);
    struct ss_import *import = ss__import_new();
    add_packed(&f, import, 1, "Put", ss_str("\x12\x01" "1\x0a\x01n"));
    ss_check(run(&f, "s", import).err == 0);
    ss_check(atomic_load(&f.stats->events) == 1);
    fixture_deinit(&f);
}

SS_TEST(import, a_gap_names_the_ordinal_that_is_next)
{
    struct fixture f;
    fixture_init(&f);
    struct answer answer = run(&f, "new", one(&f, 2, "2"));
    ss_check(answer.err == SS_E_INVAL && strstr(answer.message, "the session is 1") != NULL);
    ss_check(run(&f, "s", numbers(&f, 1, 3)).err == 0);
    answer = run(&f, "s", one(&f, 5, "5"));
    ss_check(answer.err == SS_E_INVAL && strstr(answer.message, "the session is 4") != NULL);
    fixture_deinit(&f);
}

/* The second is compared with what the first has staged, so it waits for the commit. */
SS_TEST(import, two_in_one_batch_keep_their_order)
{
    struct fixture f;
    struct answer first;
    struct answer second;
    struct answer third;
    fixture_init(&f);
    post(&f, "s", numbers(&f, 1, 3), &first);
    post(&f, "s", numbers(&f, 2, 5), &second);
    post(&f, "s", one(&f, 3, "other"), &third);
    step_until(&f, &third);
    ss_check(first.err == 0 && second.err == 0 && second.ordinal == 5);
    ss_check(third.err == SS_E_CONFLICT && atomic_load(&f.stats->events) == 5);
    fixture_deinit(&f);
}

SS_TEST(import, requests_behind_it_wait_for_the_comparison)
{
    struct fixture f;
    struct answer answer;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    ss_check(ss__pool_new(1, &f.pool) == 0);
    fixture_open(&f);
    ss_check(run(&f, "s", numbers(&f, 1, 10)).err == 0);
    post(&f, "s", numbers(&f, 1, 12), &answer);
    post_put(&f, "s", "n", "13");
    step_until(&f, &answer);
    while (f.dones == 0) {
        (void)ss__shard_step(f.shard);
    }
    ss_check(answer.err == 0 && answer.ordinal == 12 && f.done_ordinal == 13);
    post(&f, "s", numbers(&f, 1, 12), &answer);    /* and the shard ends meanwhile */
    (void)ss__shard_step(f.shard);
    ss__shard_close(f.shard);
    ss_check(answer.calls == 1 && (answer.err == SS_E_STOPPING || answer.err == 0));
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss__pool_free(f.pool);
    fixture_deinit(&f);
}

SS_TEST(import, all_is_committed_or_nothing)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "s", numbers(&f, 1, 2)).err == 0);
    ss__fault_arm("log.write", 1, 2, EIO);
    ss_check(run(&f, "s", numbers(&f, 3, 6)).err == SS_E_COMMIT);
    ss__fault_arm("shard.change", 2, 1, SS_E_NOMEM);    /* at the second event */
    ss_check(run(&f, "s", numbers(&f, 3, 6)).err != 0);
    ss__fault_reset();
    struct answer answer = run(&f, "s", numbers(&f, 3, 4));
    ss_check(answer.err == 0 && answer.ordinal == 4);
    fixture_restart(&f);
    snapshot_has(&f, "s", "\"text\":\"1+2+3+4\"");
    fixture_deinit(&f);
}

SS_TEST(import, projection_that_fails_is_told_and_the_rest_is_stored)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_import *import = one(&f, 1, "1");
    add_packed(&f, import, 2, "Fail", ss_str("\x10\x01"));
    add(&f, import, 3, "3");
    struct answer answer = run(&f, "s", import);
    ss_check(answer.err == SS_E_PROJECTION && answer.ordinal == 3);
    snapshot_has(&f, "s", "\"text\":\"1+3\"");
    fixture_deinit(&f);
}
