/* Who follows a session, and how long its channel lives. */
#include "notes_app.h"

#include "shard/context.h"
#include "shard/shard_state.h"

static const struct ss_session_handle first = { 3, 1 };
static const struct ss_session_handle newer = { 3, 2 };

static int follow_and_look(struct ss_context *context, struct fixture *fixture)
{
    struct ss_shard *shard = context->view.shard;
    struct ss_channel *channel = context->channel;
    ss_check(ss__channel_encodings(channel) == 0 && channel->ring == NULL);
    ss_check(ss__channel_follow(shard, channel, 0, first, SS_ENCODING_V1_JSON) == 0);
    ss_check(ss__channel_follow(shard, channel, 0, first, SS_ENCODING_V2_PROTOBUF) == 0);
    ss_check(channel->interests_count == 1 && ss__channel_encodings(channel) == 0x5);
    ss_check(atomic_load(&fixture->stats->followed) == 1);
    /* The gateway forgot the session and came back: what it wanted before counts no more. */
    ss_check(ss__channel_follow(shard, channel, 0, newer, SS_ENCODING_V2_JSON) == 0);
    ss_check(channel->interests_count == 1 && ss__channel_encodings(channel) == 0x2);
    ss__channel_unfollow(shard, channel, 0, first);
    ss_check(channel->interests_count == 1);
    ss__channel_unfollow(shard, channel, 1, newer);
    ss_check(channel->interests_count == 1);
    ss__channel_unfollow(shard, channel, 0, newer);
    ss_check(channel->interests_count == 0 && ss__ring_lingers(channel->ring));
    ss_check(atomic_load(&fixture->stats->followed) == 0);
    return 0;
}

SS_TEST(channel, an_interest_is_of_one_generation_and_has_the_union_of_encodings)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", follow_and_look);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}

SS_TEST(channel, is_found_by_its_id_and_made_only_when_asked)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_str id = ss_str_of("with\0nul", 8);
    uint64_t hash = ss__map_hash(id);
    ss_check(ss__channel_get(f.shard, id, hash, false) == NULL);
    struct ss_channel *channel = ss__channel_get(f.shard, id, hash, true);
    ss_check(channel != NULL && ss_str_equal(channel->id, id));
    ss_check(ss__channel_get(f.shard, id, hash, false) == channel);
    ss__channel_release(f.shard, channel);    /* nothing needs it */
    ss_check(ss__channel_get(f.shard, id, hash, false) == NULL);
    fixture_deinit(&f);
}

SS_TEST(channel, stays_while_someone_follows)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_str id = ss_str("s");
    struct ss_channel *channel = ss__channel_get(f.shard, id, ss__map_hash(id), true);
    ss_check(ss__channel_follow(f.shard, channel, 0, first, SS_ENCODING_V1_JSON) == 0);
    ss__channel_release(f.shard, channel);
    ss_check(ss__channel_get(f.shard, id, ss__map_hash(id), false) == channel);
    ss__channel_unfollow(f.shard, channel, 0, first);
    ss__channel_release(f.shard, channel);
    ss_check(ss__channel_get(f.shard, id, ss__map_hash(id), false) == NULL);
    fixture_deinit(&f);
}

static struct ss_channel *find(struct fixture *f)
{
    return ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
}

static void post_uninterested(struct fixture *f, uint32_t handle)
{
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ handle, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
}

SS_TEST(channel, frames_are_made_for_a_while_after_the_last_follower_who_may_come_back)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe_v2(&f, "s", 7, 1);
    post_uninterested(&f, 7);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(next_message(&f) == NULL && total_of(f.stats->frames_encoded) == 1);
    ss_check(ss__ring_lingers(find(&f)->ring) && find(&f)->ring->count == 1);
    f.now_ns += SS_RING_LINGER_NS;
    post_put(&f, "other", "a", "1");    /* any batch ends what is over */
    step_all(&f);
    ss_check(find(&f)->ring == NULL);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(total_of(f.stats->frames_encoded) == 1);
    fixture_deinit(&f);
}

SS_TEST(channel, nobody_without_cursors_is_waited_for)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(find(&f)->ring != NULL);
    post_uninterested(&f, 7);
    step_all(&f);
    ss_check(find(&f)->ring == NULL);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    fixture_deinit(&f);
}

SS_TEST(channel, i6_a_lingering_one_is_given_back_when_its_time_is_over)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe_v2(&f, "s", 7, 1);
    post_put(&f, "s", "a", "1");
    post_uninterested(&f, 7);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    struct ss_channel *channel = find(&f);
    ss__state_free(f.shard, channel->state);    /* as an eviction does */
    ss__channel_release(f.shard, channel);
    ss_check(find(&f) == channel);
    f.now_ns += SS_RING_LINGER_NS;
    post_put(&f, "other", "a", "1");
    step_all(&f);
    post_put(&f, "other", "a", "2");
    step_all(&f);
    ss_check(find(&f) == NULL);
    fixture_deinit(&f);
}
