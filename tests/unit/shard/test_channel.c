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
    ss_check(channel->interests_count == 0 && channel->ring == NULL);
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
