/* Each kind of message on its own. */
#include "notes_app.h"
#include "shard/shard_state.h"

static void post_uninterested(struct fixture *f, uint32_t handle, uint32_t generation)
{
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ handle, generation }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
}

SS_TEST(dispatch, a_barrier_is_answered_after_everything_before_it)
{
    struct fixture f;
    struct ss_str none = { NULL, 0 };
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    struct ss_request *request = ss__request_new(SS_REQUEST_BARRIER, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = &f;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    ss_check(f.dones == 2 && f.done_err == 0 && f.done_ordinal == 0);
    fixture_deinit(&f);
}

SS_TEST(dispatch, a_publish_past_any_handler_is_projected_like_another)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_note(&f, SS_REQUEST_PUBLISH, "Put", "s", "a", "1");
    post_note(&f, SS_REQUEST_PUBLISH, "Put", "s", "a", "2");
    step_all(&f);
    ss_check(f.dones == 2 && f.done_ordinal == 2);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "\"text\":\"1+2\"") != NULL);
    fixture_deinit(&f);
}

SS_TEST(dispatch, a_session_without_events_keeps_no_state_and_an_unfollowed_one_nothing)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(f.shard->channels.count == 1 && f.shard->states_count == 0);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    ss__msg_free(msg);
    ss_check(f.dones == 1 && f.done_ordinal == 1 && f.shard->states_count == 1);
    post_note(&f, SS_REQUEST_SNAPSHOT, "Put", "other", "a", "1");
    step_all(&f);
    ss_check(f.dones == 2 && f.done_err == 0);
    ss_check(f.shard->channels.count == 1 && f.shard->states_count == 1);
    fixture_deinit(&f);
}

/* A subscribe that waits for its turn must not bring back what its gateway has given up. */
SS_TEST(dispatch, a_subscribe_that_still_waits_is_withdrawn)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 300; i++) {
        post_put(&f, "s", "a", "delete");    /* its share of more than two batches */
    }
    post_subscribe(&f, "s", 7, 1);
    ss_check(ss__shard_step(f.shard));
    post_uninterested(&f, 7, 1);
    step_all(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    ss_check(((struct ss_request *)(void *)msg)->err == SS_E_CANCELED);
    ss__msg_free(msg);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}

SS_TEST(dispatch, an_older_generation_cannot_end_the_interest_of_a_newer)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    post_uninterested(&f, 7, 0);
    post_uninterested(&f, 8, 1);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(take_frame(&f) == 1);
    fixture_deinit(&f);
}

SS_TEST(dispatch, an_unknown_session_has_an_empty_snapshot_and_leaves_nothing_behind)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    struct ss_request *answer = take_snapshot(&f, text, sizeof text);
    ss_check(answer->ordinal == 0 && strstr(text, "entities") == NULL);
    ss__msg_free(&answer->base);
    ss__shard_close(f.shard);
    fixture_restart(&f);
    ss_check(ss__shard_report(f.shard)->sessions == 0);
    fixture_deinit(&f);
}
