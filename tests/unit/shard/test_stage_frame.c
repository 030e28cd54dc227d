#include "shard/stage_frame.h"

#include <errno.h>

#include "notes_app.h"
#include "resume_notes.h"

#include "shard/context.h"
#include "shard/shard_state.h"

static int start_running(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_set_running(context, true);
    return 0;
}

SS_TEST(stage_frame, activity_is_nothing_for_who_knows_only_the_contract)
{
    struct fixture f;
    fixture_init(&f);
    post_resume_as(&f, "s", 7, SS_ENCODING_V1_JSON, NULL);
    step_all(&f);
    drop_messages(&f);
    call_in(&f, "s", start_running);
    ss_check(f.done_err == 0 && next_message(&f) == NULL);
    fixture_deinit(&f);
}

static uint32_t told(struct fixture *f)
{
    uint32_t count = 0;
    for (struct ss_msg *msg; (msg = next_message(f)) != NULL; ss__msg_free(msg)) {
        count += msg->kind == SS_MSG_FRAME && ((struct ss_msg_frame *)(void *)msg)->live;
    }
    return count;
}

SS_TEST(stage_frame, activity_is_told_when_it_changes)
{
    struct fixture f;
    fixture_init(&f);
    (void)resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", start_running);
    ss_check(told(&f) == 1);
    call_in(&f, "s", start_running);
    ss_check(told(&f) == 0);
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    channel->running = false;    /* as after a commit that failed */
    call_in(&f, "s", start_running);
    ss_check(told(&f) == 1);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
static int run_and_publish(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("a", "x");
    ss_set_running(context, true);
    return ss_publish(context, "Put", &note.base);
}

SS_TEST(stage_frame, activity_of_a_failed_commit_is_told_when_it_is_said_again)
{
    struct fixture f;
    fixture_init(&f);
    (void)resume_from(&f, "s", 7, NULL);
    ss__fault_arm("log.write", 1, 2, EIO);
    call_in(&f, "s", run_and_publish);
    ss__fault_reset();
    ss_check(f.done_err == SS_E_COMMIT && told(&f) == 0);
    call_in(&f, "s", start_running);
    ss_check(told(&f) == 1);
    fixture_deinit(&f);
}

SS_TEST(stage_frame, one_that_cannot_be_encoded_becomes_a_resync)
{
    struct fixture f;
    fixture_init(&f);
    (void)resume_from(&f, "s", 7, NULL);
    ss__fault_arm("shard.frame", 1, 1, SS_E_NOMEM);
    put(&f, "s", "a", "1");
    ss__fault_reset();
    ss_check(take_frame(&f) == 1);    /* for those who follow in another encoding */
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_RESYNC);
    ss__msg_free(msg);
    struct answer answer = resume_from(&f, "s", 7, "0:0");
    ss_check(!answer.recovered && answer.reason == SS_RESUME_TOO_OLD);
    fixture_deinit(&f);
}
#endif
