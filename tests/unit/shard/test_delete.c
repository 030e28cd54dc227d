/* The end of a session, as its shard sees it. */
#include <sessionstream/work.h>

#include "notes_app.h"
#include "resume_notes.h"

#include "core/fault.h"
#include "shard/shard_state.h"

static void post_delete(struct fixture *f, const char *session)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_DELETE, ss_str(session), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = f;
    f->done_err = -1;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static bool has(struct fixture *f, const char *session)
{
    struct ss_store_session *stored;
    int err = ss__store_get_session(f->shard->store, ss_str(session), &stored);
    if (err == 0) {
        ss__store_put_session(f->shard->store, stored);
    }
    return err == 0;
}

SS_TEST(delete, of_a_session_that_is_written_in_the_same_batch_comes_after_it)
{
    struct fixture f;
    fixture_init(&f);
    post_delete(&f, "s");
    step_all(&f);
    ss_check(f.done_err == SS_E_NOTFOUND);
    post_put(&f, "s", "a", "text");
    post_delete(&f, "s");
    step_all(&f);
    ss_check(f.done_err == 0 && !has(&f, "s"));
    post_put(&f, "s", "a", "text");
    step_all(&f);
    ss_check(f.done_err == 0 && has(&f, "s"));
    fixture_restart(&f);
    ss_check(has(&f, "s"));
    fixture_deinit(&f);
}

SS_TEST(delete, that_is_not_committed_leaves_the_session)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "text");
    step_all(&f);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    post_delete(&f, "s");
    step_all(&f);
    ss__fault_reset();
    ss_check(f.done_err == SS_E_STOREFULL && has(&f, "s"));
    fixture_deinit(&f);
}

static bool delete_now(struct fixture *f, const char *session)
{
    post_delete(f, session);
    step_all(f);
    return f->done_err == 0;
}

/* The next message, which must end the session for followers with @handle. */
static void take_end(struct fixture *f, uint32_t handle, uint8_t encodings)
{
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    const struct ss_msg_frame *frame = (const void *)msg;
    ss_check(frame->ends && frame->handle.slot == handle);
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        if ((encodings & 1u << encoding) != 0) {
            struct ss_str body = ss__ws_payload(frame->bufs[encoding]);
            ss_check(memmem(body.data, body.len, "session_deleted", 15) != NULL);
        }
    }
    ss__msg_free(msg);
}

SS_TEST(delete, of_what_is_not_there_says_so)
{
    struct fixture f;
    fixture_init(&f);
    ss_check(!delete_now(&f, "s") && f.done_err == SS_E_NOTFOUND);
    post_subscribe(&f, "s", 7, 1);    /* followed, but without an event */
    step_all(&f);
    ss_check(!delete_now(&f, "s") && f.done_err == SS_E_NOTFOUND);
    ss__msg_free(next_message(&f));
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}

SS_TEST(delete, is_told_in_every_encoding_behind_the_answers_before_it)
{
    struct fixture f;
    struct answer answer;
    fixture_init(&f);
    put(&f, "s", "a", "old");
    answer = resume_from(&f, "s", 7, NULL);
    post_resume_as(&f, "s", 7, SS_ENCODING_V1_JSON, NULL);
    post_resume_as(&f, "s", 7, SS_ENCODING_V2_PROTOBUF, NULL);
    post_delete(&f, "s");
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__msg_free(&take_answer(&f)->base);
    ss__msg_free(&take_answer(&f)->base);
    take_end(&f, 7, 7);
    struct answer next = read_answer(&f);
    ss_check(strstr(next.snapshot, "old") == NULL && !next.recovered);
    answer = resume_from(&f, "s", 7, answer.cursor);
    ss_check(answer.reason == SS_RESUME_STALE_EPOCH && strstr(answer.snapshot, "old") == NULL);
    put(&f, "s", "a", "new");
    ss_check(take_frame(&f) == 1);
    fixture_deinit(&f);
}

/* What a client has missed of the old life is no part of the new one. */
SS_TEST(delete, leaves_no_frames_to_resume_from)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "old");
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "older");
    ss_check(take_frame(&f) == 2);
    ss_check(delete_now(&f, "s"));
    take_end(&f, 7, 2);
    put(&f, "s", "a", "new");
    put(&f, "s", "a", "newer");
    drop_messages(&f);
    struct answer back = resume_from(&f, "s", 7, first.cursor);
    ss_check(back.reason == SS_RESUME_STALE_EPOCH && !back.recovered);
    ss_check(strstr(back.snapshot, "old") == NULL && strstr(back.snapshot, "newer") != NULL);
    fixture_deinit(&f);
}

/* Whose resume is answered before it misses nothing of what was before. */
SS_TEST(delete, takes_no_frames_from_a_resume_in_front_of_it)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "old");
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "older");
    ss_check(take_frame(&f) == 2);
    post_resume(&f, "s", 7, first.cursor);
    post_delete(&f, "s");
    step_all(&f);
    struct answer back = read_answer(&f);
    ss_check(back.recovered && back.frames == 1 && back.first == 2);
    take_end(&f, 7, 2);
    fixture_deinit(&f);
}

static int set_data(struct ss_context *context, struct fixture *f)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "data");
    ss_context_set_data(context, f->given);
    return ss_publish(context, "Put", &note.base);
}

static int get_data(struct ss_context *context, struct fixture *f)
{
    f->given = ss_context_data(context);
    return 0;
}

SS_TEST(delete, hands_what_the_application_keeps_to_its_unload_hook)
{
    struct fixture f;
    int data;
    fixture_init(&f);
    f.given = &data;
    call_in(&f, "s", set_data);
    ss_check(f.unloads == 0);
    ss_check(delete_now(&f, "s"));
    ss_check(f.unloads == 1 && f.unloaded == &data);
    call_in(&f, "s", get_data);
    ss_check(f.given == NULL && f.loads == 2);
    fixture_deinit(&f);
}

SS_TEST(delete, leaves_no_data_to_the_next_life_without_such_a_hook_either)
{
    struct fixture f;
    int data;
    fixture_init(&f);
    f.registry->hooks.unload = NULL;
    f.given = &data;
    call_in(&f, "s", set_data);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    ss_check(!delete_now(&f, "s"));
    ss__fault_reset();
    f.given = NULL;
    call_in(&f, "s", get_data);
    ss_check(f.given == &data);    /* not deleted after all */
    ss_check(delete_now(&f, "s"));
    call_in(&f, "s", get_data);
    ss_check(f.given == NULL);
    fixture_deinit(&f);
}

SS_TEST(delete, cancels_the_tasks_of_the_session)
{
    struct fixture f;
    fixture_init(&f);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "x");
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "other", "a", "x");
    step_all(&f);
    ss_check(delete_now(&f, "s"));
    ss_check(f.task_canceled == SS_E_DELETED);
    f.now_ns += 3000000;
    step_all(&f);
    ss_check(f.task_runs == 1 && !has(&f, "s") && has(&f, "other"));
    fixture_deinit(&f);
}

struct work_record {
    unsigned runs;
    unsigned dones;
    int reason;
};

static void run_work(void *arg)
{
    ((struct work_record *)arg)->runs++;
}

static int work_done(struct ss_context *context, void *arg)
{
    (void)context;
    ((struct work_record *)arg)->dones++;
    return 0;
}

static void work_canceled(void *arg, int reason)
{
    ((struct work_record *)arg)->reason = reason;
}

static int start_work(struct ss_context *context, struct fixture *f)
{
    static const struct ss_work_ops ops = { run_work, work_done, work_canceled };
    Sessionstream__Test__Notes__Note note = make_note("a", "works");
    int err = ss_work(context, &ops, f->given);
    return err != 0 ? err : ss_publish(context, "Put", &note.base);
}

SS_TEST(delete, cancels_works_that_are_under_way)
{
    struct fixture f;
    struct work_record record = { 0 };
    fixture_init(&f);
    f.given = &record;
    f.call = start_work;
    post_note(&f, SS_REQUEST_SUBMIT, "Call", "s", "", "");
    post_delete(&f, "s");    /* before it comes back */
    step_all(&f);
    ss_check(f.done_err == 0 && !has(&f, "s"));
    ss_check(record.runs == 1 && record.dones == 0 && record.reason == SS_E_DELETED);
    fixture_deinit(&f);
}

SS_TEST(delete, undone_by_its_commit_cancels_tasks_and_runs_the_recover_hook_as_others_do)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "run");
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "run");
    post_put(&f, "s", "a", "run");
    step_all(&f);
    fixture_restart(&f);
    step_all(&f);
    unsigned before = f.recovered;
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "x");
    post_put(&f, "s", "a", "run");
    step_all(&f);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    ss_check(!delete_now(&f, "s") && f.done_err == SS_E_STOREFULL);
    ss__fault_reset();
    step_all(&f);
    ss_check(f.task_canceled == SS_E_DELETED);
    ss_check(f.recovered == before + 1);    /* without being asked: it says it is running */
    ss_check(has(&f, "s"));
    fixture_deinit(&f);
}

SS_TEST(delete, survives_a_crash_before_and_after_it_is_taken_out)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "old");
    put(&f, "t", "a", "stays");
    ss_check(fixture_flush(&f) >= 0);
    ss_check(delete_now(&f, "s"));
    fixture_restart(&f);
    ss_check(!has(&f, "s") && has(&f, "t"));
    ss_check(fixture_flush(&f) > 0);
    fixture_restart(&f);
    ss_check(!has(&f, "s") && has(&f, "t"));
    ss_check(!delete_now(&f, "s") && f.done_err == SS_E_NOTFOUND);
    struct answer answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "old") == NULL);
    fixture_deinit(&f);
}

static int fail_at_first(struct ss_timeline *timeline, const struct ss_event *event,
                         const struct ss_view *view, struct fixture *f)
{
    (void)timeline;
    (void)event;
    (void)view;
    int err = f->given == NULL ? SS_E_HANDLER : 0;
    f->given = f;
    return err;
}

static void on_retried(const struct ss_result *result, void *ctx)
{
    *(int *)ctx = result->err;
}

SS_TEST(delete, answers_a_retry_whose_result_is_not_written_yet)
{
    struct fixture f;
    fixture_init(&f);
    f.timeline_policy = SS_POLICY_ADVANCE;
    ss__shard_close(f.shard);
    fixture_restart(&f);
    f.raw_timeline = fail_at_first;
    post_note(&f, SS_REQUEST_PUBLISH, "Raw", "s", "a", "x");
    step_all(&f);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    ss_check(request != NULL);
    int retried = 1;
    request->done = on_retried;
    request->ctx = &retried;
    ss__fault_arm("store.flush.plan", 1, 8, SS_E_NOMEM);
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    ss_check(retried == 1 && !ss__list_empty(&f.shard->retries));
    post_delete(&f, "s");
    step_all(&f);
    ss__fault_reset();
    ss_check(retried == SS_E_DELETED && ss__list_empty(&f.shard->retries));
    ss_check(f.done_err == 0 && !has(&f, "s"));
    fixture_deinit(&f);
}
