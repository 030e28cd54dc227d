/* Folds in the pool: long ones, many at once, ones that are cut off, and what they leave behind. */
#include "as_of_notes.h"
#include "notes_app.h"
#include "pool_gate.h"

#include "shard/fold.h"
#include "store/history.h"

static unsigned published;

static int publish_many(struct ss_context *context, struct fixture *f)
{
    (void)f;
    int err = 0;
    for (unsigned i = 0; i < 1000 && err == 0; i++, published++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", published % 50);
        Sessionstream__Test__Notes__Note note =
            make_note(id, published % 100 >= 50 ? "delete" : "t");
        err = ss_publish(context, "Put", &note.base);
    }
    return err;
}

static void publish_thousands(struct fixture *f, const char *session, unsigned thousands)
{
    published = 0;
    for (unsigned i = 0; i < thousands; i++) {
        call_in(f, session, publish_many);
        ss_check(f->done_err == 0);
        while (ss__store_flush(f->shard->store, 0) > 0) {
        }
    }
    flush_everything(f);
}

SS_TEST(fold, a_long_history_is_read_once_and_the_second_time_from_where_the_first_ended)
{
    struct fixture f;
    struct ss_pool *pool;
    struct shown *first = malloc(sizeof *first);
    struct shown *second = malloc(sizeof *second);
    ss_check(first != NULL && second != NULL && ss__pool_new(2, &pool) == 0);
    fixture_init(&f);
    f.map_bytes = UINT64_C(256) << 20;
    with_pool(&f, NULL);
    publish_thousands(&f, "s", 100);
    with_pool(&f, pool);
    ss_check(as_of(&f, "s", 90030, first) == 0);
    ss_check(first->ordinal == 90030 && first->count == 30);
    ss_check(fold_events(&f) == 90030);
    /* It shows the 30 texts put since all were removed. */
    ss_check(strncmp(first->text, "n0:90001:90001:t\n", 17) == 0);
    flush_everything(&f);
    ss_check(as_of(&f, "s", 90030, second) == 0);
    ss_check(fold_events(&f) == 90030 && strcmp(first->text, second->text) == 0);
    ss_check(as_of(&f, "s", 90040, second) == 0 && second->count == 40);
    ss_check(fold_events(&f) == 90030 + 10);
    /* Also in the next process; one before it takes the events again. */
    with_pool(&f, pool);
    ss_check(as_of(&f, "s", 90045, second) == 0 && second->count == 45);
    ss_check(fold_events(&f) == 90030 + 10 + 15);
    ss_check(as_of(&f, "s", 9999, second) == 0);
    ss_check(fold_events(&f) == 90030 + 10 + 15 + 9999);
    fixture_deinit(&f);
    ss__pool_free(pool);
    free(first);
    free(second);
}

SS_TEST(fold, entities_on_disk_are_a_base_when_they_are_old_enough)
{
    struct fixture f;
    struct shown shown;
    fixture_init(&f);
    for (unsigned i = 0; i < 20; i++) {
        post_put(&f, "s", "x", "t");
        step_all(&f);
    }
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss__checkpoint_want(f.shard, channel->state);
    ss_check(fixture_flush(&f) > 0);
    for (unsigned i = 0; i < 10; i++) {
        post_put(&f, "s", "y", "t");
        step_all(&f);
    }
    ss_check(as_of(&f, "s", 25, &shown) == 0 && shown.count == 2 && fold_events(&f) == 5);
    ss_check(as_of(&f, "s", 19, &shown) == 0 && shown.count == 1 && fold_events(&f) == 24);
    fixture_deinit(&f);
}

SS_TEST(fold, other_code_takes_nothing_that_this_one_left)
{
    struct fixture f;
    struct shown *shown = malloc(sizeof *shown);
    ss_check(shown != NULL);
    fixture_init(&f);
    publish_thousands(&f, "s", 9);
    ss_check(as_of(&f, "s", 8500, shown) == 0 && fold_events(&f) == 8500);
    flush_everything(&f);
    ss_check(as_of(&f, "s", 8500, shown) == 0 && fold_events(&f) == 8500);
    f.registry->timelines[0].version = 2;
    fixture_restart(&f);
    ss_check(as_of(&f, "s", 8500, shown) == 0 && fold_events(&f) == 17000);
    fixture_deinit(&f);
    free(shown);
}

/* ---- the pool and the shard's end ---- */

static void init_with_gate(struct fixture *f, struct ss_pool **pool, struct gate *gate)
{
    ss_check(ss__pool_new(1, pool) == 0);
    fixture_init(f);
    for (unsigned i = 0; i < 5; i++) {
        post_put(f, "s", "x", "t");
        step_all(f);
    }
    with_pool(f, *pool);
    /* In memory, so that it need not be read. */
    struct shown shown;
    ss_check(as_of(f, "s", 0, &shown) == 0);
    close_gate(gate, *pool);
}

SS_TEST(fold, sessions_go_on_while_one_waits_for_its_history)
{
    struct fixture f;
    struct ss_pool *pool;
    struct gate gate;
    struct shown shown;
    init_with_gate(&f, &pool, &gate);
    post_snapshot(&f, "s", 3, &shown);
    step_all(&f);
    ss_check(shown.calls == 0 && f.shard->jobs == 1);
    unsigned before = f.dones;
    post_put(&f, "s", "x", "more");
    post_put(&f, "other", "x", "t");
    step_all(&f);
    ss_check(f.dones == before + 2 && shown.calls == 0);
    open_gate(&gate);
    step_jobs(&f);
    ss_check(shown.calls == 1 && shown.err == 0 && shown.ordinal == 3);
    ss_check(strcmp(shown.text, "x:1:3:t+t+t\n") == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(fold, a_few_run_others_wait_and_beyond_that_they_are_refused)
{
    struct fixture f;
    struct ss_pool *pool;
    struct gate gate;
    struct shown *shown = calloc(SS_FOLDS_MAX + 1, sizeof *shown);
    ss_check(shown != NULL);
    init_with_gate(&f, &pool, &gate);
    for (unsigned i = 0; i <= SS_FOLDS_MAX; i++) {
        post_snapshot(&f, "s", 1 + i % 4, &shown[i]);
    }
    step_all(&f);
    ss_check(f.shard->folds_running == SS_FOLDS_RUNNING_MAX);
    ss_check(shown[SS_FOLDS_MAX].calls == 1 && shown[SS_FOLDS_MAX].err == SS_E_BUSY);
    open_gate(&gate);
    step_jobs(&f);
    for (unsigned i = 0; i < SS_FOLDS_MAX; i++) {
        ss_check(shown[i].calls == 1 && shown[i].err == 0 && shown[i].ordinal == 1 + i % 4);
    }
    ss_check(f.shard->folds_count == 0 && ss__list_empty(&f.shard->folds));
    fixture_deinit(&f);
    ss__pool_free(pool);
    free(shown);
}

SS_TEST(fold, the_end_of_the_shard_ends_those_that_run_and_those_that_wait)
{
    struct fixture f;
    struct ss_pool *pool;
    struct gate gate;
    struct shown *shown = calloc(4, sizeof *shown);
    ss_check(shown != NULL);
    init_with_gate(&f, &pool, &gate);
    for (unsigned i = 0; i < 4; i++) {
        post_snapshot(&f, "s", 2, &shown[i]);
    }
    step_all(&f);
    ss__folds_cancel(f.shard);
    ss_check(shown[2].calls == 1 && shown[3].calls == 1 && shown[3].err == SS_E_STOPPING);
    open_gate(&gate);
    ss__shard_close(f.shard);
    ss_check(shown[0].calls == 1 && shown[0].err == SS_E_STOPPING);
    ss_check(shown[1].calls == 1 && shown[1].err == SS_E_STOPPING);
    fixture_deinit(&f);
    ss__pool_free(pool);
    free(shown);
}

#ifdef SS_FAULTS
SS_TEST(fold, a_read_that_fails_is_told_and_nothing_is_kept)
{
    struct fixture f;
    struct shown *shown = malloc(sizeof *shown);
    ss_check(shown != NULL);
    fixture_init(&f);
    publish_thousands(&f, "s", 9);
    ss__fault_arm("store.history", 3, 1, SS_E_STOREIO);
    ss_check(as_of(&f, "s", 8500, shown) == SS_E_STOREIO);
    uint64_t before = fold_events(&f);
    ss_check(before > 0 && before < 8500);
    ss_check(as_of(&f, "s", 8500, shown) == 0 && fold_events(&f) == before + 8500);
    fixture_deinit(&f);
    free(shown);
}
#endif
