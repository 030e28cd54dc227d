/* A session as /debug/sessions/{id} shows it. */
#include "notes_app.h"

#include "message/debug_view.h"
#include "shard/debug.h"

static void on_view(const struct ss_result *result, void *ctx)
{
    ss_check(result->err == 0);
    ++*(unsigned *)ctx;
}

/* The view is freed with the request: it is filled directly. */
static struct ss_debug_view look(struct fixture *f, const char *session, uint64_t after)
{
    unsigned answered = 0;
    struct ss_request *request =
        ss__request_new(SS_REQUEST_DEBUG, ss_str(session), ss_str(NULL), ss_str(NULL));
    struct ss_debug_view *view = calloc(1, sizeof *view);
    struct ss_debug_view copy;
    ss_check(request != NULL && view != NULL);
    view->after = after;
    request->debug = view;
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->done = on_view;
    request->ctx = &answered;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(f);
    struct ss_msg *msg = next_message(f);
    ss_check(msg == &request->base && msg->kind == SS_MSG_REPLY);
    copy = *view;
    ss__msg_free(msg);
    return copy;
}

SS_TEST(debug, a_session_is_shown_as_it_is_and_is_not_loaded_for_it)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    struct ss_debug_view view = look(&f, "s", 0);
    ss_check(!view.stored && !view.in_memory && !view.tracing && view.ordinal == 0);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "b", "2");
    step_all(&f);
    ss_check(take_frame(&f) == 1 && take_frame(&f) == 2);
    view = look(&f, "s", 0);
    ss_check(view.stored && view.in_memory && view.ordinal == 2 && view.timeline == 2);
    ss_check(view.entities == 2 && view.dirty == 2 && view.state_bytes > 0 && view.epoch != 0);
    ss_check(view.interests_count == 1 && view.interests[0].gateway == 0);
    ss_check(view.interests[0].encodings == 1u << SS_ENCODING_V1_JSON);
    ss_check(view.has_frames && view.frames == 2 && view.frames_newest == 2);
    ss_check(view.parked == 0 && view.tasks == 0 && !view.loading && !view.quarantined);
    post_note(&f, SS_REQUEST_SUBMIT, "Timed", "s", "a", "3");
    step_all(&f);
    ss_check(take_frame(&f) == 3);
    ss_check(look(&f, "s", 0).tasks == 1);
    fixture_restart(&f);
    view = look(&f, "s", 0);
    ss_check(view.stored && !view.in_memory && view.ordinal == 3 && view.entities == 0);
    ss_check(f.shard->states_count == 0);
    fixture_deinit(&f);
}

SS_TEST(debug, a_failed_and_halted_timeline_is_shown)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.timeline_policy = SS_POLICY_HALT;
    fixture_open(&f);
    post_put(&f, "s", "a", "1");
    post_fail(&f, "s", false, true);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    struct ss_debug_view view = look(&f, "s", 0);
    ss_check(view.halted_at == 2 && view.timeline == 1 && view.ordinal == 3 && view.shown == 1);
    fixture_deinit(&f);
}

SS_TEST(debug, records_come_behind_a_number_and_the_ring_is_bounded)
{
    struct fixture f;
    atomic_uint_fast64_t numbers = 0;
    fixture_init(&f);
    struct ss_trace *trace = ss__trace_new(8, &numbers);
    f.shard->options.trace = trace;
    f.shard->observed = true;
    for (int i = 0; i < 6; i++) {
        post_put(&f, "s", "a", "1");
        post_put(&f, "other", "a", "1");
    }
    step_all(&f);
    struct ss_debug_view view = look(&f, "s", 0);
    ss_check(view.tracing && view.until == 12 && view.records_count == 4);
    ss_check(view.records[0].ordinal == 3 && view.records[3].ordinal == 6);
    ss_check(strcmp(view.records[0].event, "Put") == 0 && view.records[0].appended);
    view = look(&f, "s", view.records[2].number);
    ss_check(view.records_count == 1 && view.records[0].ordinal == 6);
    ss_check(look(&f, "s", 12).records_count == 0);
    fixture_deinit(&f);
    free(trace);
}
