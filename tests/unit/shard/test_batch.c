/* Fairness, bounds and rest of batches. */
#include "notes_app.h"

#include <sessionstream/limits.h>

#include "shard/batch.h"
#include "shard/shard_state.h"

SS_TEST(batch, i5_a_busy_session_leaves_room_for_the_others)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < SS_BATCH_SESSION_MESSAGES_MAX + 50; i++) {
        post_put(&f, "busy", "a", "delete");
    }
    post_put(&f, "quiet", "a", "1");
    ss_check(ss__shard_step(f.shard));
    /* One batch: the share of the busy one, and all of the other. */
    ss_check(f.dones == SS_BATCH_SESSION_MESSAGES_MAX + 1);
    step_all(&f);
    ss_check(f.dones == SS_BATCH_SESSION_MESSAGES_MAX + 51);
    ss_check(f.done_err == 0 && f.done_ordinal == SS_BATCH_SESSION_MESSAGES_MAX + 50);
    fixture_deinit(&f);
}

SS_TEST(batch, has_a_bounded_number_of_messages_and_one_commit)
{
    struct fixture f;
    char session[16];
    fixture_init(&f);
    for (int i = 0; i < SS_BATCH_MESSAGES_MAX + 10; i++) {
        snprintf(session, sizeof session, "s%d", i % 100);
        post_put(&f, session, "a", "delete");
    }
    ss_check(ss__shard_step(f.shard) && f.dones == SS_BATCH_MESSAGES_MAX);
    ss_check(atomic_load(&f.stats->commits) == 1);
    ss_check(!ss__shard_step(f.shard) && f.dones == SS_BATCH_MESSAGES_MAX + 10);
    ss_check(atomic_load(&f.stats->commits) == 2);
    fixture_deinit(&f);
}

static int take_long(struct ss_context *context, struct fixture *fixture)
{
    (void)context;
    fixture->now_ns += 6000000;
    return 0;
}

SS_TEST(batch, i5_a_slow_handler_ends_it_and_is_counted)
{
    struct fixture f;
    fixture_init(&f);
    f.call = take_long;
    post_note(&f, SS_REQUEST_SUBMIT, "Call", "s", "", "");
    post_put(&f, "s", "a", "1");
    ss_check(ss__shard_step(f.shard) && f.dones == 1);
    ss_check(atomic_load(&f.stats->slow_handlers) == 1);
    step_all(&f);
    ss_check(f.dones == 2);
    fixture_deinit(&f);
}

SS_TEST(batch, i6_idle_sessions_leave_memory_and_come_back)
{
    struct fixture f;
    char session[16];
    char text[4096];
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.cache_bytes = 20000;
    fixture_open(&f);
    for (int i = 0; i < 200; i++) {
        snprintf(session, sizeof session, "s%d", i);
        post_put(&f, session, "a", session);
        step_all(&f);
    }
    for (int i = 0; i < 10; i++) {
        post_put(&f, "s199", "b", "x");
        step_all(&f);
    }
    ss_check(atomic_load(&f.stats->sessions_evicted) > 100);
    ss_check(atomic_load(&f.stats->state_bytes) <= 20000);
    post_subscribe(&f, "s3", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "\"text\":\"s3\"") != NULL);
    post_put(&f, "s3", "a", "again");
    step_all(&f);
    ss_check(f.done_ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(batch, an_idle_shard_writes_what_a_start_would_have_to_replay)
{
    struct fixture f;
    struct ss_store_report report;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_put(&f, "t", "a", "1");
    step_all(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    fixture_open(&f);
    report = *ss__shard_report(f.shard);
    ss_check(report.sessions == 2 && report.recovered_records == 0 && report.clean);
    fixture_deinit(&f);
}

/* I6: as many go as a batch can bring. */
SS_TEST(batch, i6_the_memory_of_idle_sessions_stays_within_two_batches_of_its_limit)
{
    struct fixture f;
    char session[16];
    int made = 0;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.cache_bytes = 100000;
    fixture_open(&f);
    post_put(&f, "first", "a", "1");
    step_all(&f);
    uint64_t one = atomic_load(&f.stats->state_bytes);
    for (int batch = 0; batch < 8; batch++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(session, sizeof session, "s%d", made++);
            post_put(&f, session, "a", "1");
        }
        ss_check(!ss__shard_step(f.shard));
        uint64_t bytes = atomic_load(&f.stats->state_bytes);
        ss_check_msg(bytes <= f.cache_bytes + 2000 * one, "%llu bytes", (unsigned long long)bytes);
    }
    for (int i = 0; i < 3; i++) {
        post_put(&f, "first", "a", "1");
        ss_check(!ss__shard_step(f.shard));
    }
    ss_check(atomic_load(&f.stats->state_bytes) <= f.cache_bytes);
    ss_check(f.shard->channels.count <= f.cache_bytes / one + 1);
    fixture_deinit(&f);
}

static struct ss_state *state_of(struct fixture *f, const char *session)
{
    struct ss_str id = ss_str(session);
    struct ss_channel *channel = ss__channel_get(f->shard, id, ss__map_hash(id), false);
    return channel == NULL ? NULL : channel->state;
}

/* Damage is found by reads of the store, which tests of that folder do. */
static void set_aside(struct ss_state *state)
{
    struct ss_session_row *row =
        (struct ss_session_row *)(uintptr_t)ss__store_row(state->stored);
    row->quarantined = true;
}

SS_TEST(batch, a_session_that_cannot_be_written_does_not_keep_others_in_memory)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.cache_bytes = 1;
    fixture_open(&f);
    post_put(&f, "damaged", "a", "1");
    post_put(&f, "sound", "a", "1");
    step_all(&f);
    set_aside(state_of(&f, "damaged"));
    for (int i = 0; i < 2; i++) {
        post_put(&f, "other", "a", "1");
        step_all(&f);
    }
    ss_check(state_of(&f, "damaged") != NULL && state_of(&f, "damaged")->dirty_count == 1);
    ss_check(state_of(&f, "sound") == NULL);
    fixture_deinit(&f);
}

SS_TEST(batch, changes_leave_memory_unwritten_when_it_is_well_over_its_budget)
{
    static char text[4096];
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_put(&f, "other", "a", "1");
    step_all(&f);
    f.shard->options.session_cache_bytes = f.shard->state_bytes * 9 / 10;
    step_all(&f);
    ss_check(state_of(&f, "s") != NULL && !ss__list_empty(&state_of(&f, "s")->due));
    f.shard->options.session_cache_bytes = f.shard->state_bytes / 2;
    post_put(&f, "other", "a", "2");
    f.shard->due_rows = 0;
    f.shard->flush_wanted = false;    /* as if the disk were slow */
    step_all(&f);
    ss_check(state_of(&f, "s") == NULL && atomic_load(&f.stats->flushes) == 0);
    ss_check(ss__list_empty(&f.shard->due));
    post_put(&f, "s", "a", "2");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss_check(f.done_ordinal == 2);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check_msg(strstr(text, "\"text\":\"1+2\"") != NULL, "%s", text);
    fixture_deinit(&f);
}

SS_TEST(batch, nor_does_it_keep_an_idle_shard_from_writing_them)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "damaged", "a", "1");
    post_put(&f, "sound", "a", "1");
    step_all(&f);
    set_aside(state_of(&f, "damaged"));
    ss_check(ss__batch_rest(f.shard));
    ss_check(state_of(&f, "sound")->dirty_count == 0);
    ss_check(state_of(&f, "damaged")->dirty_count == 1);
    fixture_deinit(&f);
}
