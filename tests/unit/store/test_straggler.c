#include "store_fixture.h"

#include "store/flush.h"
#include "store/store_state.h"

static void publish_slow(struct fixture *f, unsigned count, size_t len)
{
    char id[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "slow-%u", i);
        fixture_publish(f, id, 1, len, 1);
    }
}

static void verify_slow(struct fixture *f, unsigned count, size_t len)
{
    char id[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "slow-%u", i);
        fixture_verify(f, id, 1, len);
    }
}

static void open_with_window(struct fixture *f, uint64_t bytes)
{
    fixture_init(f);
    f->options.log_window_bytes = bytes;
    f->options.log_window_bytes_max = 2 * bytes;
    f->options.log_file_bytes = 64u << 10;
    fixture_reopen(f);
}

SS_TEST(straggler, tails_leave_the_log_when_the_window_is_full_and_files_do_not_pile_up)
{
    struct fixture f;
    open_with_window(&f, 128u << 10);
    publish_slow(&f, 40, 100);
    unsigned files = 0;
    for (unsigned i = 0; i < 400; i++) {
        fixture_publish(&f, "busy", 20, 100, 20);
        if (ss__store_flush_due(f.store)) {
            fixture_flush_due(&f);
        }
        unsigned now = fixture_count_files(&f, "log-") + fixture_count_files(&f, "spare-");
        files = now > files ? now : files;
    }
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.stragglers_flushed >= 40);
    ss_check_msg(files <= 12, "%u files", files);
    ss_check(stats.log_records + stats.records_trimmed == 40 * 2 + 1 + 400 * 20);
    verify_slow(&f, 40, 100);
    fixture_verify(&f, "busy", 8000, 100);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    verify_slow(&f, 40, 100);
    fixture_verify(&f, "busy", 8000, 100);
    fixture_end(&f);
}

/* How many sessions a flush moves because of their place in the log. */
static uint64_t stragglers(struct fixture *f, unsigned forced)
{
    uint64_t before = fixture_stats(f).stragglers_flushed;
    ss_check(ss__store_flush(f->store, forced) > 0);
    return fixture_stats(f).stragglers_flushed - before;
}

SS_TEST(straggler, one_flush_moves_at_most_32_or_256_kib)
{
    struct fixture f;
    open_with_window(&f, 1u << 10);
    publish_slow(&f, 100, 100);
    ss_check(ss__log_over_window(f.store) && ss__store_flush_due(f.store));
    ss_check(stragglers(&f, 0) == 32);
    ss_check(stragglers(&f, 0) == 32);
    ss_check(stragglers(&f, 0) == 32);
    ss_check(ss__store_flush(f.store, 0) > 0);
    verify_slow(&f, 100, 100);
    fixture_end(&f);
    open_with_window(&f, 1u << 10);
    publish_slow(&f, 30, 30000);
    ss_check(stragglers(&f, 0) == 9);
    verify_slow(&f, 30, 30000);
    fixture_end(&f);
}

SS_TEST(straggler, window_is_wide_while_most_of_it_is_unflushed)
{
    struct fixture f;
    open_with_window(&f, 100u << 10);
    publish_slow(&f, 5, 30000);
    ss_check(!ss__log_over_window(f.store) && fixture_stats(&f).log_bytes > 150000);
    publish_slow(&f, 3, 1);    /* of sessions that are there: their second event */
    fixture_publish(&f, "more", 2, 30000, 1);
    ss_check(ss__log_over_window(f.store));
    fixture_end(&f);
}

SS_TEST(straggler, forced_ones_go_oldest_first_as_many_as_asked_for)
{
    struct fixture f;
    fixture_open(&f);
    char id[16];
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "s%u", i);
        fixture_publish(&f, id, 3, 50, 3);
    }
    ss_check(stragglers(&f, 4) == 4);
    ss_check(fixture_stats(&f).stragglers_flushed == 4);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(f.report.recovered_records == 6 * 3 && f.report.sessions == 10);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.recovered_records == 0);
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "s%u", i);
        fixture_verify(&f, id, 3, 50);
    }
    fixture_publish(&f, "s0", 1, 50, 1);
    fixture_verify(&f, "s0", 4, 50);
    fixture_end(&f);
}

/* The search goes on where it stopped: a flush looks at a limited number of records. */
SS_TEST(straggler, tail_behind_very_many_records_is_reached)
{
    struct fixture f;
    fixture_init(&f);
    f.options.log_file_bytes = 16u << 20;
    fixture_reopen(&f);
    fixture_publish(&f, "first", 1, 1, 1);
    for (unsigned i = 0; i < 40; i++) {
        fixture_publish(&f, "busy", 1000, 1, 1000);
        fixture_flush_due(&f);
    }
    fixture_publish(&f, "slow", 1, 1, 1);
    fixture_flush_all(&f);
    ss_check_msg(fixture_stats(&f).unflushed_bytes == 0, "%llu bytes",
                 (unsigned long long)fixture_stats(&f).unflushed_bytes);
    fixture_end(&f);
}

SS_TEST(straggler, search_passes_damage_and_what_an_earlier_life_left)
{
    struct fixture f;
    open_with_window(&f, 128u << 10);
    /* Two files are filled, moved and used again. */
    for (unsigned i = 0; i < 3; i++) {
        fixture_publish(&f, "old", 2, 30000, 2);
        fixture_flush_all(&f);
    }
    publish_slow(&f, 10, 100);
    fixture_publish(&f, "old", 1, 100, 1);
    fixture_crash(&f);
    struct fixture_log log;
    fixture_read_log(&f, &log);
    unsigned hit = log.count - 1 - 2 * 5;    /* the batch of slow-5 */
    while ((log.positions[hit] & 511) != SS_LOG_BATCH_HEAD_BYTES) {
        hit--;
    }
    fixture_flip_log(&f, log.positions[hit] - SS_LOG_BATCH_HEAD_BYTES + 20);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records >= 1);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    verify_slow(&f, 4, 100);
    fixture_end(&f);
}

SS_TEST(straggler, failed_flush_moves_the_search_back)
{
    struct fixture f;
    fixture_open(&f);
    publish_slow(&f, 10, 100);
    struct ss_log_walker before = f.store->walker;
    ss__fault_arm("store.segment", 5, 1, SS_E_NOMEM);
    ss_check(ss__store_flush(f.store, 16) == SS_E_NOMEM);
    ss_check(memcmp(&before, &f.store->walker, sizeof before) == 0);
    verify_slow(&f, 10, 100);
    ss_check(stragglers(&f, 16) == 10);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    verify_slow(&f, 10, 100);
    fixture_end(&f);
}

SS_TEST(straggler, sessions_that_nobody_uses_are_flushed_before_they_fill_memory)
{
    struct fixture f;
    fixture_init(&f);
    f.options.sessions_held_max = 100;
    fixture_reopen(&f);
    publish_slow(&f, 100, 100);
    ss_check(ss__store_held(f.store) == 100 && !ss__log_over_window(f.store));
    struct ss_store_session *used = fixture_session(&f, "slow-0");
    ss_check(ss__store_held(f.store) == 99);
    ss__store_put_session(f.store, used);
    publish_slow(&f, 200, 100);
    ss_check(ss__log_over_window(f.store) && ss__store_flush_due(f.store));
    ss_check(!ss__store_crowded(f.store));
    publish_slow(&f, 201, 100);
    ss_check(ss__store_held(f.store) == 201 && ss__store_crowded(f.store));
    ss_check(stragglers(&f, 0) == 201 && ss__store_held(f.store) == 0);
    ss_check(!ss__log_over_window(f.store));
    fixture_end(&f);
}

/* Events are published at 1000 and their ordinal. */
SS_TEST(straggler, events_that_have_been_in_the_log_for_long_leave_it)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 10, 50, 1);
    fixture_publish(&f, "b", 20, 50, 1);
    fixture_flush_due(&f);    /* they are born */
    uint64_t all = fixture_stats(&f).unflushed_bytes;
    ss_check(all > 0 && !ss__store_flush_due(f.store));
    ss__store_flush_before(f.store, 1001);
    ss_check(ss__store_flush_due(f.store));
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == all && !ss__store_flush_due(f.store));
    ss__store_flush_before(f.store, 1002);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);    /* each tail as a whole */
    fixture_publish(&f, "b", 1, 50, 1);
    ss__store_flush_before(f.store, 1021);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).unflushed_bytes > 0 && !ss__store_flush_due(f.store));
    ss__store_flush_before(f.store, 1022);
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_flush(f.store, 0) == SS_E_STOREIO);
    ss__fault_reset();
    ss_check(fixture_stats(&f).unflushed_bytes > 0);
    ss__store_flush_before(f.store, 1022);    /* the next pass */
    f.clock.now_ns += 1000000000;
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0 && !ss__store_flush_due(f.store));
    fixture_verify(&f, "b", 21, 50);
    fixture_end(&f);
}
