/* When entities go to disk, and that loads afterwards replay only what came later. */
#include "notes_app.h"

#include "shard/checkpoint.h"

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
    uint64_t count = ss__store_replay_count(row);
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
    ss_check(f->done_err == 0);
}

static uint64_t replayed_after(unsigned events, unsigned entities)
{
    struct fixture f;
    fixture_init(&f);
    put_each(&f, events, entities);
    ss__shard_free(f.shard);
    f.shard = NULL;
    uint64_t count = replayed(&f, "s");
    fixture_deinit(&f);
    return count;
}

SS_TEST(checkpoint, is_written_after_so_many_events_that_it_costs_them_little)
{
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN - 1, 1) == SS_CHECKPOINT_EVENTS_MIN - 1);
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN, 1) == 0);
    ss_check(replayed_after(SS_CHECKPOINT_EVENTS_MIN + 5, 1) == 5);
}

SS_TEST(checkpoint, waits_for_more_events_when_many_entities_changed)
{
    unsigned entities = SS_CHECKPOINT_EVENTS_MIN;
    unsigned due = entities * SS_CHECKPOINT_EVENTS_PER_ENTITY;
    ss_check(replayed_after(due - 1, entities) == due - 1);
    ss_check(replayed_after(due, entities) == 0);
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
    ss__fault_arm("store.commit.write", 1, 2, SS_E_STOREIO);
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
