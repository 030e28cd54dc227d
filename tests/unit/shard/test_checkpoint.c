/* When entities go to disk, and that loads afterwards replay only what came later. */
#include <errno.h>

#include "notes_app.h"

#include "shard/checkpoint.h"
#include "shard/shard_state.h"

static uint64_t replayed(struct fixture *f, const char *session)
{
    struct ss_store *store;
    struct ss_store_report report;
    struct ss_store_options options;
    struct ss_store_session *row;
    ss__store_options_init(&options);
    options.dir = f->dir;
    options.map_bytes = UINT64_C(64) << 20;
    options.min_free_bytes = 0;
    options.clock = &f->clock;
    ss_check(ss__store_open(&options, &store, &report, NULL) == 0);
    ss_check(ss__store_get_session(store, ss_str(session), &row) == 0);
    struct ss_type_entry type = { .space = SS_TYPE_PROJECTION, .name = ss_str("timeline"),
                                  .full_name = ss_str(SS_PROJECTION_TIMELINE) };
    ss_check(ss__store_intern_types(store, &type, 1) == 0);
    ss__store_set_timelines(store, &(struct ss_timeline_code){ type.ret_type_id, 1 }, 1);
    uint64_t count = ss__store_replay_count(store, row);
    ss__store_put_session(store, row);
    ss__store_close(store);
    return count;
}

static void put_each(struct fixture *f, unsigned events, unsigned entities)
{
    char id[16];
    for (unsigned i = 0; i < events; i++) {
        snprintf(id, sizeof id, "n%u", i % entities);
        post_put(f, "s", id, i % 7 == 6 ? "delete" : "x");
        step_all(f);
    }
    ss_check(f->done_err == 0 && fixture_flush(f) >= 0);
}

/* After @events, a flush, and @more. */
static uint64_t replayed_after(unsigned events, unsigned entities, unsigned more)
{
    struct fixture f;
    fixture_init(&f);
    put_each(&f, events, entities);
    put_each(&f, more, entities);
    ss__shard_free(f.shard);
    f.shard = NULL;
    uint64_t count = replayed(&f, "s");
    fixture_deinit(&f);
    return count;
}

SS_TEST(checkpoint, is_written_after_so_many_events_that_it_costs_them_little)
{
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN - 1, 1, 0) == SS_CHECKPOINT_EVENTS_MIN - 1);
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN, 1, 0) == 0);
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN, 1, 5) == 5);
}

SS_TEST(checkpoint, waits_for_more_events_when_many_entities_changed)
{
    unsigned entities = SS_CHECKPOINT_EVENTS_MIN;
    unsigned due = entities * SS_CHECKPOINT_EVENTS_PER_ENTITY;
    ss_check(replayed_after(due - 1, entities, 0) == due - 1);
    ss_check(replayed_after(due, entities, 0) == 0);
}

SS_TEST(checkpoint, the_snapshot_from_it_is_the_one_from_memory)
{
    struct fixture f;
    char before[16384];
    char after[16384];
    fixture_init(&f);
    put_each(&f, 150, 11);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, before, sizeof before)->base);
    fixture_restart(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, after, sizeof after)->base);
    ss_check(strlen(before) > 400 && strcmp(before, after) == 0);
    fixture_deinit(&f);
}

SS_TEST(checkpoint, of_a_failed_commit_is_written_again)
{
    struct fixture f;
    fixture_init(&f);
    put_each(&f, SS_CHECKPOINT_EVENTS_MIN - 1, 1);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "n0", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT);
    put_each(&f, 1, 1);
    ss_check(f.done_ordinal == SS_CHECKPOINT_EVENTS_MIN);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss_check(replayed(&f, "s") == 0);
    fixture_deinit(&f);
}

static struct ss_state *state_of(struct fixture *f, const char *session)
{
    struct ss_str id = ss_str(session);
    struct ss_channel *channel = ss__channel_get(f->shard, id, ss__map_hash(id), false);
    ss_check(channel != NULL && channel->state != NULL);
    return channel->state;
}

static void snapshot_of(struct fixture *f, const char *session, char *out, size_t cap)
{
    post_subscribe(f, session, 9, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, out, cap)->base);
}

static void put_one(struct fixture *f, const char *session, const char *id, const char *text)
{
    post_put(f, session, id, text);
    (void)ss__shard_step(f->shard);
    ss_check(f->done_err == 0);
}

static void flush(struct fixture *f, const char *session)
{
    ss__checkpoint_want(f->shard, state_of(f, session));
    ss_check(fixture_flush(f) > 0);
    ss_check(state_of(f, session)->dirty_count == 0);
}

/* An eviction wants its checkpoint at the end of one batch, the next one writes it. */
SS_TEST(checkpoint, has_what_changed_after_it_was_wanted)
{
    static char text[1 << 16];
    struct fixture f;
    fixture_init(&f);
    put_one(&f, "s", "a", "1");
    put_one(&f, "s", "b", "1");
    put_one(&f, "other", "a", "1");
    f.shard->options.session_cache_bytes = f.shard->state_bytes - 1;
    step_all(&f);
    ss_check(!ss__list_empty(&state_of(&f, "s")->due) && state_of(&f, "s")->dirty_count == 2);
    put_one(&f, "s", "a", "2");
    ss_check(ss__list_empty(&state_of(&f, "s")->due) && state_of(&f, "s")->dirty_count == 0);
    put_one(&f, "s", "c", "1");
    ss_check(state_of(&f, "s")->dirty_count == 1);
    put_one(&f, "other", "a", "2");
    ss_check(!ss__list_empty(&state_of(&f, "s")->due));
    put_one(&f, "other", "a", "3");
    ss_check(f.shard->states_count == 1);
    fixture_restart(&f);
    snapshot_of(&f, "s", text, sizeof text);
    ss_check_msg(strstr(text, "\"text\":\"1+2\"") != NULL, "%s", text);
    fixture_deinit(&f);
}

SS_TEST(checkpoint, is_of_the_moment_it_was_written)
{
    static char text[1 << 16];
    struct fixture f;
    fixture_init(&f);
    put_one(&f, "s", "a", "1");
    put_one(&f, "s", "b", "1");
    flush(&f, "s");
    put_one(&f, "s", "a", "2");
    put_one(&f, "s", "b", "delete");
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss_check(replayed(&f, "s") == 2);    /* what came afterwards */
    fixture_open(&f);
    snapshot_of(&f, "s", text, sizeof text);
    ss_check(strstr(text, "\"text\":\"1+2\"") != NULL && strstr(text, "\"b\"") == NULL);
    fixture_deinit(&f);
}

SS_TEST(checkpoint, that_is_wanted_leaves_with_its_state)
{
    struct fixture f;
    fixture_init(&f);
    put_one(&f, "s", "a", "1");
    ss__checkpoint_want(f.shard, state_of(&f, "s"));
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT && ss__list_empty(&f.shard->due));
    ss_check(fixture_flush(&f) >= 0);
    fixture_deinit(&f);
}

SS_TEST(checkpoint, of_a_deleted_entity_frees_its_memory_and_it_may_come_back_as_a_new_one)
{
    static char text[1 << 16];
    struct fixture f;
    fixture_init(&f);
    put_one(&f, "s", "a", "1");
    size_t one = state_of(&f, "s")->bytes;
    char id[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "t%d", i);
        put_one(&f, "s", id, "x");
        put_one(&f, "s", id, "delete");
    }
    flush(&f, "s");
    put_one(&f, "s", "t1", "again");
    put_one(&f, "s", "t2", "delete");
    ss_check(state_of(&f, "s")->entities.count == 2);
    put_one(&f, "s", "t1", "delete");
    flush(&f, "s");
    put_one(&f, "s", "a", "delete");
    put_one(&f, "s", "a", "2");
    ss_check(state_of(&f, "s")->bytes <= one && state_of(&f, "s")->live_count == 1);
    for (int round = 0; round < 2; round++) {
        snapshot_of(&f, "s", text, sizeof text);
        ss_check_msg(strstr(text, "\"createdOrdinal\":\"206\"") != NULL, "%s", text);
        ss_check(strstr(text, "\"text\":\"2\"") != NULL && strstr(text, "\"t1\"") == NULL);
        fixture_restart(&f);
    }
    fixture_deinit(&f);
}
