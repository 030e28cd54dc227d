/* Flushes run in the pool; the shard goes on meanwhile. */
#include <errno.h>
#include <sched.h>

#include "notes_app.h"

#include "shard/flusher.h"
#include "store/store_state.h"

static void open_with_pool(struct fixture *f, struct ss_pool **ret_pool)
{
    ss_check(ss__pool_new(1, ret_pool) == 0);
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->pool = *ret_pool;
    fixture_open(f);
}

static void close_with_pool(struct fixture *f, struct ss_pool *pool)
{
    fixture_deinit(f);
    ss__pool_free(pool);
}

static struct ss_state *state_of(struct fixture *f, const char *session)
{
    struct ss_str id = ss_str(session);
    struct ss_channel *channel = ss__channel_get(f->shard, id, ss__map_hash(id), false);
    ss_check(channel != NULL && channel->state != NULL);
    return channel->state;
}

static void put(struct fixture *f, const char *session, const char *id, const char *text)
{
    post_put(f, session, id, text);
    (void)ss__shard_step(f->shard);
    ss_check(f->done_err == 0);
}

static void want(struct fixture *f, const char *session)
{
    ss__checkpoint_want(f->shard, state_of(f, session));
    f->shard->flush_wanted = true;
}

static void await_flush(struct fixture *f)
{
    while (f->shard->jobs > 0 || ss__store_flushing(f->shard->store)) {
        step_all(f);
        (void)sched_yield();
    }
}

SS_TEST(flusher, what_changes_while_the_pool_writes_is_of_the_next_one)
{
    static char text[1 << 16];
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    put(&f, "s", "a", "1");
    put(&f, "s", "gone", "1");
    want(&f, "s");
    put(&f, "s", "b", "1");    /* the flush is planned behind this batch */
    ss_check(ss__store_flushing(f.shard->store) && f.shard->jobs == 1);
    ss_check(state_of(&f, "s")->dirty_count == 0);
    put(&f, "s", "a", "2");
    put(&f, "s", "gone", "delete");
    put(&f, "s", "b", "2");
    await_flush(&f);
    ss_check(atomic_load(&f.stats->flushes) == 1 && state_of(&f, "s")->dirty_count == 3);
    want(&f, "s");
    put(&f, "other", "a", "1");
    await_flush(&f);
    ss_check(state_of(&f, "s")->dirty_count == 0 && state_of(&f, "s")->entities.count == 2);
    for (int round = 0; round < 2; round++) {
        post_subscribe(&f, "s", 9, 1);
        step_all(&f);
        while (f.shard->jobs > 0) {
            step_all(&f);
        }
        ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
        ss_check_msg(strstr(text, "\"text\":\"1+2\"") != NULL, "%s", text);
        ss_check_msg(strstr(text, "\"gone\"") == NULL, "%s", text);
        fixture_restart(&f);
    }
    close_with_pool(&f, pool);
}

SS_TEST(flusher, state_that_is_dropped_meanwhile_comes_back_from_the_log)
{
    static char text[1 << 16];
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    put(&f, "s", "a", "1");
    want(&f, "s");
    put(&f, "s", "a", "2");
    ss_check(ss__store_flushing(f.shard->store));
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_COMMIT);
    await_flush(&f);
    put(&f, "s", "a", "3");
    post_subscribe(&f, "s", 9, 1);
    step_all(&f);
    while (f.shard->jobs > 0) {
        step_all(&f);
    }
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"text\":\"1+2+3\"") != NULL, "%s", text);
    close_with_pool(&f, pool);
}

static struct ss_flush *plan(struct fixture *f, const char *session)
{
    struct ss_flush *flush;
    ss__checkpoint_want(f->shard, state_of(f, session));
    ss__checkpoint_stage(f->shard);
    ss_check(ss__store_flush_plan(f->shard->store, 0, &flush) == 1 && flush != NULL);
    return flush;
}

static void settle(struct fixture *f, struct ss_flush *flush)
{
    ss_check(ss__store_flush_settle(f->shard->store, flush) > 0);
    ss__checkpoint_settle(f->shard, true);
}

static void check_texts(struct fixture *f, const char *a, const char *b)
{
    static char text[1 << 16];
    for (struct ss_msg *frame; (frame = next_message(f)) != NULL;) {
        ss__msg_free(frame);
    }
    f->now_ns += UINT64_C(1000000000);    /* no snapshot is used again */
    post_subscribe(f, "s", 9, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    ss_check_msg(strstr(text, a) != NULL && strstr(text, b) != NULL, "%s", text);
}

/* A state that leaves memory while its checkpoint is written comes back before it is settled. */
static void drop_between(bool older, bool reader)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    put(&f, "s", "b", "1");
    put(&f, "other", "a", "1");
    struct ss_flush *first = plan(&f, older ? "s" : "other");
    ss__store_flush_run(first);
    settle(&f, first);
    put(&f, "s", "a", "2");
    struct ss_flush *flush = plan(&f, "s");
    if (reader) {
        put(&f, "s", "new", "1");    /* looks whether LMDB has it */
    }
    ss__store_flush_run(flush);
    ss__state_free(f.shard, state_of(&f, "s"));
    put(&f, "s", "a", "3");
    check_texts(&f, "\"text\":\"1+2+3\"", "\"text\":\"1\"");
    settle(&f, flush);
    put(&f, "s", "b", "2");
    check_texts(&f, "\"text\":\"1+2+3\"", "\"text\":\"1+2\"");
    fixture_restart(&f);
    check_texts(&f, "\"text\":\"1+2+3\"", "\"text\":\"1+2\"");
    fixture_deinit(&f);
}

SS_TEST(flusher, state_reloaded_between_commit_and_settling_has_one_view_of_the_store)
{
    for (int i = 0; i < 4; i++) {
        drop_between((i & 1) != 0, (i & 2) != 0);
    }
}

SS_TEST(flusher, that_fails_leaves_its_checkpoints_wanted)
{
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    put(&f, "s", "a", "1");
    want(&f, "s");
    ss__fault_arm("store.flush.disk", 1, 1, EPERM);
    put(&f, "s", "b", "1");
    await_flush(&f);
    ss_check(atomic_load(&f.stats->flush_errors) == 1);
    ss_check(state_of(&f, "s")->dirty_count == 2 && !ss__list_empty(&state_of(&f, "s")->due));
    f.now_ns += UINT64_C(1000000000);
    f.shard->flush_wanted = true;
    put(&f, "s", "c", "1");
    await_flush(&f);
    ss_check(state_of(&f, "s")->dirty_count == 0);
    close_with_pool(&f, pool);
}

SS_TEST(flusher, shard_that_ends_waits_for_it)
{
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    put(&f, "s", "a", "1");
    want(&f, "s");
    put(&f, "s", "b", "1");
    ss_check(ss__store_flushing(f.shard->store));
    ss__shard_close(f.shard);
    ss_check(!ss__store_flushing(f.shard->store) && f.shard->jobs == 0);
    fixture_restart(&f);
    put(&f, "s", "c", "1");
    want(&f, "s");
    put(&f, "s", "d", "1");
    fixture_restart(&f);    /* without closing it */
    put(&f, "s", "e", "1");
    ss_check(f.done_ordinal == 5);
    close_with_pool(&f, pool);
}

SS_TEST(flusher, at_rest_moves_everything)
{
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        put(&f, id, "a", "1");
    }
    while (ss__flusher_rest(f.shard, 8)) {
        step_all(&f);
        (void)sched_yield();
    }
    struct ss_store_stats stats;
    ss__store_stats(f.shard->store, &stats);
    ss_check(stats.unflushed_bytes == 0 && atomic_load(&f.stats->flush_errors) == 0);
    close_with_pool(&f, pool);
}

/* Whoever brings new sessions faster than the disk takes them waits for it. */
SS_TEST(flusher, runs_on_the_shard_when_evicted_sessions_would_fill_memory)
{
    struct fixture f;
    struct ss_pool *pool;
    open_with_pool(&f, &pool);
    put(&f, "s", "a", "1");
    await_flush(&f);
    ss__state_free(f.shard, state_of(&f, "s"));    /* as an eviction does */
    ss_check(ss__store_held(f.shard->store) == 1);
    f.shard->store->options.sessions_held_max = 0;
    (void)ss__shard_step(f.shard);
    ss_check(f.shard->jobs == 0 && !ss__store_flushing(f.shard->store));
    ss_check(ss__store_held(f.shard->store) == 0);
    ss_check(atomic_load(&f.stats->held) == 0 && atomic_load(&f.stats->flushes) > 0);
    close_with_pool(&f, pool);
}
