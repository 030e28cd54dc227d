#include "gateway/followers.h"

#include <stdio.h>

#include "ss_test.h"

static struct ss_followed *enter(struct ss_followers *table, const char *id)
{
    struct ss_followed *session =
        ss__followers_enter(table, ss_str(id), ss__map_hash(ss_str(id)));
    ss_check(session != NULL);
    return session;
}

static uint32_t add(struct ss_followers *table, struct ss_followed *session, uint32_t connection)
{
    struct ss_follower follower = { .connection = connection };
    uint32_t place;
    ss_check(ss__followers_add(table, session, follower, &place) == 0);
    return place;
}

SS_TEST(followers, one_session_per_id)
{
    struct ss_followers table;
    ss__followers_init(&table, 3);
    struct ss_followed *a = enter(&table, "a");
    ss_check(enter(&table, "a") == a);
    ss_check(enter(&table, "b") != a);
    ss_check(ss__followers_find(&table, ss_str("a"), ss__map_hash(ss_str("a"))) == a);
    ss_check(ss__followers_find(&table, ss_str("c"), ss__map_hash(ss_str("c"))) == NULL);
    ss_check(ss__followers_get(&table, a->farewell.handle) == a);
    ss__followers_deinit(&table);
}

SS_TEST(followers, removing_moves_the_last_one)
{
    struct ss_followers table;
    ss__followers_init(&table, 0);
    struct ss_followed *session = enter(&table, "s");
    for (uint32_t i = 0; i < 10; i++) {
        ss_check(add(&table, session, i) == i);
    }
    struct ss_follower moved;
    ss_check(ss__followers_remove(&table, session, 2, &moved));
    ss_check(moved.connection == 9 && ss__followed_by(session)[2].connection == 9);
    ss_check(!ss__followers_remove(&table, session, 8, &moved));
    ss_check(session->count == 8 && table.total == 8);
    ss__followers_deinit(&table);
}

SS_TEST(followers, leaves_when_nobody_follows_or_asks)
{
    struct ss_followers table;
    ss__followers_init(&table, 5);
    struct ss_followed *session = enter(&table, "s");
    struct ss_session_handle handle = session->farewell.handle;
    session->asking = 1;
    session->known = true;
    ss_check(ss__followers_settle(&table, session) == NULL);
    uint32_t place = add(&table, session, 1);
    session->asking = 0;
    ss_check(ss__followers_settle(&table, session) == NULL);
    struct ss_follower moved;
    ss_check(!ss__followers_remove(&table, session, place, &moved));
    struct ss_msg_uninterested *farewell = ss__followers_settle(&table, session);
    ss_check(farewell != NULL && farewell->gateway == 5);
    ss_check(farewell->handle.slot == handle.slot &&
             farewell->handle.generation == handle.generation);
    ss_check(ss_str_equal(farewell->session_id, ss_str("s")));
    ss_check(farewell->session_hash == ss__map_hash(ss_str("s")));
    ss__msg_free(&farewell->base);
    ss_check(ss__followers_get(&table, handle) == NULL);
    ss__followers_deinit(&table);
}

SS_TEST(followers, says_no_farewell_to_a_shard_that_never_heard)
{
    struct ss_followers table;
    ss__followers_init(&table, 0);
    struct ss_followed *session = enter(&table, "s");
    ss_check(ss__followers_settle(&table, session) == NULL);
    ss_check(table.by_id.count == 0);
    ss__followers_deinit(&table);
}

SS_TEST(followers, a_slot_comes_back_with_another_generation)
{
    struct ss_followers table;
    ss__followers_init(&table, 0);
    struct ss_followed *session = enter(&table, "s");
    struct ss_session_handle old = session->farewell.handle;
    ss_check(ss__followers_settle(&table, session) == NULL);
    session = enter(&table, "s");
    ss_check(session->farewell.handle.slot == old.slot);
    ss_check(session->farewell.handle.generation != old.generation);
    ss_check(ss__followers_get(&table, old) == NULL);
    struct ss_session_handle outside = { .slot = 1000, .generation = 1 };
    ss_check(ss__followers_get(&table, outside) == NULL);
    ss__followers_deinit(&table);
}

SS_TEST(followers, holds_many_sessions)
{
    struct ss_followers table;
    ss__followers_init(&table, 0);
    struct ss_followed *sessions[1000];
    for (int i = 0; i < 1000; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "s-%d", i);
        sessions[i] = enter(&table, id);
        (void)add(&table, sessions[i], (uint32_t)i);
    }
    for (int i = 0; i < 1000; i++) {
        ss_check(ss__followers_get(&table, sessions[i]->farewell.handle) == sessions[i]);
        struct ss_follower moved;
        ss_check(!ss__followers_remove(&table, sessions[i], 0, &moved));
        ss_check(ss__followers_settle(&table, sessions[i]) == NULL);
    }
    ss_check(table.by_id.count == 0 && table.total == 0);
    ss__followers_deinit(&table);
}
