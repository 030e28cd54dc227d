#include <errno.h>
#include <sched.h>

#include "notes_app.h"

#include "shard/batch.h"
#include "shard/cut.h"
#include "shard/flusher.h"
#include "shard/retention.h"
#include "store/cut.h"
#include "store/store_state.h"

static struct ss_msg_cut *made;

static void on_made(struct ss_msg_cut *msg)
{
    ss_check(made == NULL);
    made = msg;
}

static struct ss_msg_cut *post_cut(struct fixture *f)
{
    struct ss_msg_cut *msg = ss__msg_new(SS_MSG_CUT, sizeof *msg);
    ss_check(msg != NULL);
    made = NULL;
    msg->made = on_made;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    return msg;
}

static void post_over(struct fixture *f, struct ss_msg_cut *msg)
{
    msg->over = true;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    (void)ss__shard_step(f->shard);
}

static void put(struct fixture *f, const char *session, const char *id, const char *text)
{
    post_put(f, session, id, text);
    (void)ss__shard_step(f->shard);
    ss_check(f->done_err == 0);
}

static struct ss_state *state_of(struct fixture *f, const char *session)
{
    struct ss_str id = ss_str(session);
    struct ss_channel *channel = ss__channel_get(f->shard, id, ss__map_hash(id), false);
    ss_check(channel != NULL && channel->state != NULL);
    return channel->state;
}

SS_TEST(cut, is_made_between_two_batches_and_given_back)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct ss_msg_cut *msg = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == msg && msg->err == 0 && msg->cut != NULL && f.shard->store->cut == msg->cut);
    put(&f, "s", "a", "2");
    post_over(&f, msg);
    ss_check(f.shard->store->cut == NULL);
    struct ss_msg_cut *second = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == second && second->err == 0);
    post_over(&f, second);
    fixture_deinit(&f);
}

/* The data file is written by a flush: it has to end first, and no other may begin. */
SS_TEST(cut, waits_for_the_flush_that_is_under_way)
{
    struct fixture f;
    struct ss_pool *pool;
    ss_check(ss__pool_new(0, &pool) == 0);    /* runs what the test tells it to */
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.pool = pool;
    fixture_open(&f);
    post_put(&f, "s", "a", "1");
    while (ss__shard_step(f.shard) || ss__pool_run_one(pool)) {
    }
    ss__checkpoint_want(f.shard, state_of(&f, "s"));
    f.shard->flush_wanted = true;
    (void)ss__shard_step(f.shard);
    ss_check(ss__store_flushing(f.shard->store));
    struct ss_msg_cut *msg = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == NULL);
    f.shard->flush_wanted = true;
    while (made == NULL) {
        ss_check(ss__pool_run_one(pool) || f.shard->jobs == 0);
        (void)ss__shard_step(f.shard);
    }
    ss_check(msg->err == 0);
    post_over(&f, msg);
    while (ss__shard_step(f.shard) || ss__pool_run_one(pool)) {
    }
    f.pool = NULL;
    ss__shard_free(f.shard);
    fixture_open(&f);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(cut, flushes_that_nobody_needs_wait_for_its_end)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_msg_cut *msg = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == msg);
    for (int i = 0; i < 100; i++) {
        put(&f, "s", "a", "1");
    }
    ss_check(ss__store_flush_due(f.shard->store) || f.shard->due_rows > 0);
    f.shard->due_rows = SS_FLUSH_ROWS_MIN;
    put(&f, "s", "a", "1");
    ss_check(atomic_load(&f.stats->flushes) == 0 && !ss__flusher_rest(f.shard, 10));
    f.shard->flush_wanted = true;    /* as memory that is short does, or a request that waits */
    put(&f, "s", "a", "1");
    ss_check(atomic_load(&f.stats->flushes) == 1);
    put(&f, "t", "a", "1");
    ss_check(!ss__flusher_rest(f.shard, 10));
    post_over(&f, msg);
    ss_check(ss__flusher_rest(f.shard, 10));
    fixture_deinit(&f);
}

SS_TEST(cut, an_error_is_told)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("store.cut", 1, 1, 1);
    struct ss_msg_cut *msg = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == msg && msg->err == SS_E_NOMEM && msg->cut == NULL);
    ss__msg_free(&msg->base);
    ss__fault_reset();
    fixture_deinit(&f);
}

/* What retention wants of flushes waits for the end of a backup, and comes then. */
SS_TEST(cut, retention_rests_until_its_end)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    f.retention = (struct ss_retention_policy){ .events = 1 };
    fixture_restart(&f);
    for (int i = 0; i < 200; i++) {
        put(&f, "s", "a", "1");
    }
    while (ss__batch_rest(f.shard)) {
    }
    struct ss_msg_cut *msg = post_cut(&f);
    (void)ss__shard_step(f.shard);
    ss_check(made == msg && msg->err == 0);
    uint64_t flushes = atomic_load(&f.stats->flushes);
    for (int i = 0; i < 100; i++) {
        f.now_ns += 300000000;
        put(&f, "t", "a", "1");
        ss_check(!f.shard->flush_wanted);
    }
    ss_check(atomic_load(&f.stats->flushes) == flushes &&
             atomic_load(&f.stats->retention_passes) == 0 &&
             ss__retention_due_ns(f.shard) == UINT64_MAX);
    post_over(&f, msg);
    ss_check(f.shard->jobs > 0 || ss__retention_due_ns(f.shard) != UINT64_MAX);
    for (int i = 0; i < 100; i++) {
        f.now_ns += 300000000;
        put(&f, "t", "a", "1");
    }
    ss_check(atomic_load(&f.stats->retention_passes) > 0 &&
             atomic_load(&f.stats->retention_events) > 0);
    fixture_deinit(&f);
}
