/* What leaves after a commit, and what a gateway is told when something could not. */
#include <sessionstream/limits.h>

#include "notes_app.h"

static void take_kind(struct fixture *f, enum ss_msg_kind kind)
{
    struct ss_msg *msg = next_message(f);
    ss_check_msg(msg != NULL && msg->kind == kind, "kind %d, not %d",
                 msg == NULL ? -1 : msg->kind, (int)kind);
    ss__msg_free(msg);
}

static void follow(struct fixture *f, uint64_t number)
{
    char text[4096];
    post_subscribe(f, "s", 7, number);
    step_all(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
}

SS_TEST(effect, a_frame_that_could_not_be_encoded_becomes_a_resync)
{
    struct fixture f;
    fixture_init(&f);
    follow(&f, 1);
    ss__fault_arm("shard.frame", 1, 1, SS_E_NOMEM);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    take_kind(&f, SS_MSG_FRAME);    /* without a buffer for anyone */
    take_kind(&f, SS_MSG_RESYNC);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(next_message(&f) == NULL);    /* a snapshot comes first */
    follow(&f, 2);
    post_put(&f, "s", "a", "3");
    step_all(&f);
    ss_check(take_frame(&f) == 3);
    fixture_deinit(&f);
}

SS_TEST(effect, a_resync_without_memory_is_made_up_for_without_another_message)
{
    struct fixture f;
    fixture_init(&f);
    follow(&f, 1);
    ss__fault_arm("shard.frame", 1, 1, SS_E_NOMEM);
    ss__fault_arm("outbox.resync", 1, 2, SS_E_NOMEM);    /* at release, and before the flush */
    post_put(&f, "s", "a", "1");
    ss_check(!ss__shard_step(f.shard));
    take_kind(&f, SS_MSG_FRAME);
    ss_check(next_message(&f) == NULL);
    ss_check(!ss__shard_step(f.shard));
    take_kind(&f, SS_MSG_RESYNC);
    fixture_deinit(&f);
}

SS_TEST(effect, i6_a_subscribe_answered_behind_a_resync_hears_of_frames_dropped_later)
{
    struct fixture f;
    fixture_init(&f);
    follow(&f, 1);
    struct ss_msg *big = ss__msg_new(SS_MSG_RESYNC, sizeof(struct ss_msg_resync));
    ss_check(big != NULL);
    big->node.bytes = SS_INBOX_BYTES_MAX;    /* the gateway is behind */
    ss_check(ss__inbox_post(f.gateway, &big->node, SS_POST_INSIDE) == 0);
    ss__fault_arm("shard.frame", 1, 1, SS_E_NOMEM);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    post_subscribe(&f, "s", 7, 2);
    step_all(&f);
    ss__fault_arm("shard.frame", 1, 1, SS_E_NOMEM);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    take_kind(&f, SS_MSG_RESYNC);
    ss_check(next_message(&f) == NULL);
    step_all(&f);
    take_kind(&f, SS_MSG_FRAME);
    take_kind(&f, SS_MSG_RESYNC);
    take_kind(&f, SS_MSG_REPLY);
    take_kind(&f, SS_MSG_FRAME);
    take_kind(&f, SS_MSG_RESYNC);
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}

SS_TEST(effect, a_closing_shard_leaves_nothing_behind_for_a_gateway_that_is_late)
{
    struct fixture f;
    fixture_init(&f);
    follow(&f, 1);
    struct ss_msg *big = ss__msg_new(SS_MSG_RESYNC, sizeof(struct ss_msg_resync));
    ss_check(big != NULL);
    big->node.bytes = SS_INBOX_BYTES_MAX;
    ss_check(ss__inbox_post(f.gateway, &big->node, SS_POST_INSIDE) == 0);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__shard_close(f.shard);
    take_kind(&f, SS_MSG_RESYNC);
    ss_check(take_frame(&f) == 1);
    fixture_deinit(&f);
}
