/* A desk replays events as the shard does, and keeps nothing of the shard. */
#include "notes_app.h"

#include "shard/desk.h"
#include "shard/replay.h"

SS_TEST(desk, replays_an_event_without_touching_the_session)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "x", "a");
    step_all(&f);
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    struct ss_shard *desk = ss__desk_new(f.shard, channel);
    ss_check(desk != NULL);
    struct ss_state *state = ss__desk_channel(desk)->state;
    ss_check(state->ordinal == 0 && state->epoch == channel->state->epoch);
    ss_check(state->entities.count == 0);
    const struct ss_name *put = ss__registry_find(f.registry, SS_SPACE_EVENT, ss_str("Put"));
    Sessionstream__Test__Notes__Note note = make_note("y", "b");
    uint8_t packed[64];
    struct ss_record record = {
        .ordinal = 1,
        .time_us = 5,
        .type_id = f.shard->event_type_ids[put->index],
        .payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed)),
    };
    ss_check(ss__replay(desk, ss__desk_channel(desk), &record) == 0);
    ss__desk_clear(desk);
    ss_check(state->ordinal == 1 && state->timeline_ordinal == 1 && state->live_count == 1);
    ss_check(channel->state->ordinal == 1 && channel->state->live_count == 1);
    ss_check(f.shard->states_count == 1);
    ss__desk_free(desk);
    ss__desk_free(NULL);
    fixture_deinit(&f);
}
