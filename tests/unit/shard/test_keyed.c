/* Commands with an idempotency key run once, also when the process dies or a commit fails. */
#include <errno.h>

#include "notes_app.h"

#include "shard/keyed.h"
#include "shard/shard_state.h"
#include "store/command.h"

#define DAY_NS (UINT64_C(86400) * 1000000000)

struct answer {
    unsigned calls;
    int err;
    uint64_t ordinal;
    bool replayed;
    char message[256];
};

static void on_answer(const struct ss_result *result, void *ctx)
{
    struct answer *answer = ctx;
    answer->calls++;
    answer->err = result->err;
    answer->ordinal = result->ordinal;
    answer->replayed = result->replayed;
    snprintf(answer->message, sizeof answer->message, "%s", result->message);
}

static void post_packed(struct fixture *f, const char *command, const char *session,
                        const char *key, struct ss_str payload, struct answer *answer)
{
    struct ss_request *request = ss__request_new_keyed(
        SS_REQUEST_SUBMIT, ss_str(session), (struct ss_str){ NULL, 0 }, payload, ss_str(key));
    ss_check(request != NULL);
    request->name = ss__registry_find(f->registry, SS_SPACE_COMMAND, ss_str(command));
    request->done = on_answer;
    request->ctx = answer;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static void post_keyed(struct fixture *f, const char *command, const char *session,
                       const char *key, const char *text, struct answer *answer)
{
    uint8_t packed[512];
    Sessionstream__Test__Notes__Note note = make_note("n", text);
    *answer = (struct answer){ 0 };
    post_packed(f, command, session, key,
                ss_str_of(packed, protobuf_c_message_pack(&note.base, packed)), answer);
}

static struct answer run(struct fixture *f, const char *command, const char *session,
                         const char *key, const char *text)
{
    struct answer answer;
    post_keyed(f, command, session, key, text, &answer);
    step_all(f);
    ss_check(answer.calls == 1);
    return answer;
}

SS_TEST(keyed, retry_gets_the_result_and_the_handler_runs_once)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = run(&f, "Put", "s", "k", "1");
    ss_check(first.err == 0 && first.ordinal == 1 && !first.replayed);
    struct answer again = run(&f, "Put", "s", "k", "1");
    ss_check(again.err == 0 && again.ordinal == 1 && again.replayed);
    ss_check(run(&f, "Put", "s", "l", "1").ordinal == 2);
    ss_check(run(&f, "Put", "t", "k", "1").ordinal == 1);    /* another session's key */
    ss_check(!run(&f, "Put", "t", "l", "1").replayed);
    ss_check(atomic_load(&f.stats->replays) == 1 && atomic_load(&f.stats->keys) == 4);
    ss_check(atomic_load(&f.stats->keys_bytes) > 0);
    fixture_deinit(&f);
}

SS_TEST(keyed, without_a_key_nothing_is_kept)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "n", "1");
    post_put(&f, "s", "n", "1");
    step_all(&f);
    struct ss_command_stats stats;
    ss__store_command_stats(f.shard->store, &stats);
    ss_check(f.done_ordinal == 2 && stats.kept == 0);
    fixture_deinit(&f);
}

SS_TEST(keyed, two_in_one_batch_get_one_answer)
{
    struct fixture f;
    struct answer one;
    struct answer two;
    fixture_init(&f);
    post_keyed(&f, "Put", "s", "k", "1", &one);
    post_keyed(&f, "Put", "s", "k", "1", &two);
    ss_check(!ss__shard_step(f.shard));
    ss_check(one.err == 0 && one.ordinal == 1 && !one.replayed);
    ss_check(two.err == 0 && two.ordinal == 1 && two.replayed);
    fixture_deinit(&f);
}

SS_TEST(keyed, other_command_or_payload_is_a_conflict_that_names_the_key)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "Put", "s", "k-17", "1").err == 0);
    struct answer other = run(&f, "Put", "s", "k-17", "2");
    ss_check(other.err == SS_E_CONFLICT && other.ordinal == 0 && !other.replayed);
    ss_check(strstr(other.message, "\"k-17\"") != NULL);
    ss_check(run(&f, "Broken", "s", "k-17", "1").err == SS_E_CONFLICT);
    ss_check(run(&f, "Put", "s", "k-17", "1").replayed);
    fixture_deinit(&f);
}

SS_TEST(keyed, payloads_that_mean_the_same_are_the_same)
{
    struct fixture f;
    struct answer one = { 0 };
    struct answer two = { 0 };
    fixture_init(&f);
    post_packed(&f, "Put", "s", "k", ss_str("\x0a\x01n\x12\x01x"), &one);
    post_packed(&f, "Put", "s", "k", ss_str("\x12\x01x\x0a\x01n"), &two);
    step_all(&f);
    ss_check(one.err == 0 && two.err == 0 && two.replayed && two.ordinal == one.ordinal);
    fixture_deinit(&f);
}

SS_TEST(keyed, result_is_there_after_a_crash)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "Put", "s", "k", "1").ordinal == 1);
    ss_check(run(&f, "Broken", "s", "b", "2").err == SS_E_HANDLER);
    for (int round = 0; round < 3; round++) {
        fixture_restart(&f);
        struct answer again = run(&f, "Put", "s", "k", "1");
        ss_check(again.err == 0 && again.ordinal == 1 && again.replayed);
        again = run(&f, "Broken", "s", "b", "2");
        ss_check(again.err == SS_E_HANDLER && again.ordinal == 2 && again.replayed);
        ss_check(strcmp(again.message, "broken on purpose") == 0);
        ss_check(run(&f, "Put", "s", "k", "other").err == SS_E_CONFLICT);
        if (round == 1) {
            while (fixture_flush(&f) > 0) {
            }
        }
    }
    post_put(&f, "s", "n", "3");
    step_all(&f);
    ss_check(f.done_ordinal == 3);
    fixture_deinit(&f);
}

static int refuse(struct ss_context *context, struct fixture *fixture)
{
    ++*(unsigned *)fixture->given;
    return ss_fail(context, SS_E_HANDLER, "not today");
}

/* Nothing is published, the session does not even exist. */
SS_TEST(keyed, result_of_a_command_that_published_nothing_is_kept_too)
{
    struct fixture f;
    unsigned runs = 0;
    fixture_init(&f);
    f.call = refuse;
    f.given = &runs;
    ss_check(run(&f, "Call", "none", "k", "").err == SS_E_HANDLER);
    fixture_restart(&f);
    struct answer again = run(&f, "Call", "none", "k", "");
    ss_check(again.err == SS_E_HANDLER && again.replayed && runs == 1);
    ss_check(strcmp(again.message, "not today") == 0);
    post_put(&f, "none", "n", "1");    /* the session begins; its key stays */
    step_all(&f);
    ss_check(run(&f, "Call", "none", "k", "").replayed && runs == 1);
    fixture_deinit(&f);
}

static int fail_passing(struct ss_context *context, struct fixture *fixture)
{
    unsigned *runs = fixture->given;
    (void)context;
    return (*runs)++ == 0 ? SS_E_STOREFULL : 0;
}

static int fail_passing_late(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("n", "x");
    ss_check(ss_publish(context, "Put", &note.base) == 0);
    return fail_passing(context, fixture);
}

SS_TEST(keyed, error_that_passes_is_not_kept_unless_the_command_had_an_effect)
{
    struct fixture f;
    unsigned runs = 0;
    fixture_init(&f);
    f.given = &runs;
    f.call = fail_passing;
    ss_check(run(&f, "Call", "s", "a", "").err == SS_E_STOREFULL);
    struct answer again = run(&f, "Call", "s", "a", "");
    ss_check(again.err == 0 && !again.replayed && runs == 2);
    runs = 0;
    f.call = fail_passing_late;
    ss_check(run(&f, "Call", "s", "b", "").err == SS_E_STOREFULL);
    again = run(&f, "Call", "s", "b", "");
    ss_check(again.err == SS_E_STOREFULL && again.replayed && again.ordinal == 1 && runs == 1);
    fixture_deinit(&f);
}

SS_TEST(keyed, failed_commit_leaves_no_result_and_the_retry_runs)
{
    struct fixture f;
    struct answer one;
    struct answer two;
    struct answer broken;
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_keyed(&f, "Put", "s", "k", "1", &one);
    post_keyed(&f, "Put", "s", "k", "1", &two);
    post_keyed(&f, "Broken", "s", "b", "1", &broken);
    step_all(&f);
    ss_check(one.err == SS_E_COMMIT && two.err == SS_E_COMMIT && !two.replayed);
    ss_check(broken.err == SS_E_COMMIT && broken.ordinal == 0);
    struct answer again = run(&f, "Put", "s", "k", "1");
    ss_check(again.err == 0 && again.ordinal == 1 && !again.replayed);
    ss_check(run(&f, "Put", "s", "k", "1").replayed);
    fixture_deinit(&f);
}

/* The sync fails after the write: what became of it shows after the restart, and is one of two. */
SS_TEST(keyed, lost_answer_of_the_disk_is_found_after_the_restart)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("store.commit.after", 1, 1, EIO);
    ss_check(run(&f, "Put", "s", "k", "1").err == SS_E_COMMIT);
    struct answer again = run(&f, "Put", "s", "k", "1");    /* nothing is accepted any more */
    ss_check(again.err == SS_E_STOREIO && !again.replayed);
    fixture_restart(&f);
    again = run(&f, "Put", "s", "k", "1");
    ss_check(again.err == 0 && again.ordinal == 1 && again.replayed);
    post_put(&f, "s", "n", "2");
    step_all(&f);
    ss_check(f.done_ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(keyed, without_memory_for_the_result_the_batch_is_undone)
{
    struct fixture f;
    struct answer answer;
    fixture_init(&f);
    post_put(&f, "other", "n", "x");
    post_keyed(&f, "Put", "s", "k", "1", &answer);
    ss__fault_arm("store.command", 1, 1, SS_E_NOMEM);
    step_all(&f);
    ss_check(answer.err == SS_E_COMMIT && f.done_err == SS_E_COMMIT);
    struct answer again = run(&f, "Put", "s", "k", "1");
    ss_check(again.err == 0 && again.ordinal == 1 && !again.replayed);
    post_put(&f, "other", "n", "x");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    fixture_deinit(&f);
}

SS_TEST(keyed, full_store_answers_retries_and_runs_no_keyed_command)
{
    struct fixture f;
    unsigned runs = 0;
    fixture_init(&f);
    f.given = &runs;
    f.call = refuse;
    ss_check(run(&f, "Put", "s", "k", "1").err == 0);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    post_put(&f, "s", "n", "does not fit");
    step_all(&f);
    ss_check(f.done_err == SS_E_STOREFULL);
    ss_check(run(&f, "Call", "s", "l", "").err == SS_E_STOREFULL && runs == 0);
    ss_check(run(&f, "Put", "s", "k", "1").replayed);
    f.now_ns += UINT64_C(5000000000);    /* it looks again and finds room */
    ss_check(run(&f, "Call", "s", "l", "").err == SS_E_HANDLER && runs == 1);
    fixture_deinit(&f);
}

SS_TEST(keyed, result_ends_with_its_time_to_live)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(run(&f, "Put", "s", "k", "1").ordinal == 1);
    f.now_ns += DAY_NS - 1000000000;
    ss_check(run(&f, "Put", "s", "k", "1").replayed);
    f.now_ns += 2000000000;
    struct answer again = run(&f, "Put", "s", "k", "2");
    ss_check(again.err == 0 && !again.replayed && again.ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(keyed, long_sentences_and_keys_are_cut_where_they_are_shown)
{
    struct fixture f;
    char key[SS_IDEMPOTENCY_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    fixture_init(&f);
    ss_check(run(&f, "Put", "s", key, "1").err == 0);
    struct answer other = run(&f, "Put", "s", key, "2");
    ss_check(other.err == SS_E_CONFLICT && strstr(other.message, " and more") != NULL);
    fixture_restart(&f);
    ss_check(run(&f, "Put", "s", key, "1").replayed);
    fixture_deinit(&f);
}

static void delete_session(struct fixture *f, const char *session)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_DELETE, ss_str(session), none, none);
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    ss_check(f->done_err == 0);
}

SS_TEST(keyed, keys_go_with_their_session)
{
    struct fixture f;
    fixture_init(&f);
    for (int flushed = 0; flushed < 2; flushed++) {
        ss_check(run(&f, "Put", "s", "k", "1").ordinal == 1);
        ss_check(run(&f, "Put", "t", "k", "1").err == 0);
        if (flushed == 1) {
            while (fixture_flush(&f) > 0) {
            }
        }
        delete_session(&f, "s");
        struct ss_command_stats stats;
        ss__store_command_stats(f.shard->store, &stats);
        ss_check(stats.kept == 1);
        fixture_restart(&f);
        ss__store_command_stats(f.shard->store, &stats);
        ss_check(stats.kept == 1);
        struct answer again = run(&f, "Put", "s", "k", "2");
        ss_check(again.err == 0 && again.ordinal == 1 && !again.replayed);
        fixture_restart(&f);
        ss_check(run(&f, "Put", "s", "k", "2").replayed);
        ss_check(run(&f, "Put", "t", "k", "1").replayed);
        delete_session(&f, "s");
    }
    fixture_deinit(&f);
}

static uint64_t shown(struct fixture *f)
{
    return atomic_load(&ss__stats(f->shard)->keys);
}

SS_TEST(keyed, only_results_that_are_committed_and_kept_are_shown)
{
    struct fixture f;
    static struct answer answers[128];
    char key[32];
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    ss_check(run(&f, "Put", "s", "k", "1").err == SS_E_COMMIT);
    ss_check(shown(&f) == 0);
    for (unsigned i = 0; i < SS_SESSION_KEYS_MAX + 256; i++) {
        snprintf(key, sizeof key, "k%u", i);
        post_keyed(&f, "Put", "s", key, "1", &answers[i % 128]);
        if (i % 128 == 127) {
            step_all(&f);
        }
    }
    ss_check(answers[127].err == 0);
    ss_check_msg(shown(&f) == SS_SESSION_KEYS_MAX, "%llu", (unsigned long long)shown(&f));
    delete_session(&f, "s");
    ss_check_msg(shown(&f) == 0, "%llu", (unsigned long long)shown(&f));
    fixture_deinit(&f);
}
