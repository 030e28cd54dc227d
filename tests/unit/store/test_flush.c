#include "store_fixture.h"
#include "store/store_state.h"

static uint64_t segments(struct fixture *f)
{
    fixture_close(f);
    struct ss_check_summary summary = fixture_check(f);
    ss_check_msg(summary.findings == 0, "%s", f->finding);
    fixture_reopen(f);
    return summary.segments;
}

SS_TEST(flush, tail_becomes_a_segment_at_64_events_and_not_before)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 63, 20, 1);
    ss_check(fixture_stats(&f).segments_written == 0);
    fixture_publish(&f, "a", 1, 20, 1);
    ss_check(fixture_stats(&f).segments_written == 1);
    fixture_verify(&f, "a", 64, 20);
    ss_check(segments(&f) == 1);
    ss_check(f.report.recovered_records == 0);
    fixture_end(&f);
}

SS_TEST(flush, tail_becomes_a_segment_at_32_kib)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 7, 4000, 1);
    ss_check(fixture_stats(&f).segments_written == 0);
    fixture_publish(&f, "a", 2, 4000, 1);
    ss_check(fixture_stats(&f).segments_written == 1);
    fixture_verify(&f, "a", 9, 4000);
    ss_check(segments(&f) == 1);
    fixture_end(&f);
}

SS_TEST(flush, event_larger_than_a_segment_gets_one_of_its_own)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 60000, 1);
    ss_check(fixture_stats(&f).segments_written == 3);
    fixture_verify(&f, "a", 3, 60000);
    ss_check(segments(&f) == 3);
    fixture_end(&f);
}

SS_TEST(flush, many_events_in_one_commit_become_several_segments)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 300, 20, 300);
    fixture_verify(&f, "a", 300, 20);
    ss_check(segments(&f) >= 4);
    fixture_verify(&f, "a", 300, 20);
    fixture_end(&f);
}

SS_TEST(flush, partial_segment_grows_in_place)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 1; i <= 6; i++) {
        fixture_publish(&f, "a", 10, 20, 10);
        fixture_flush_all(&f);
        fixture_verify(&f, "a", i * 10, 20);
    }
    ss_check(segments(&f) == 1);
    fixture_verify(&f, "a", 60, 20);
    fixture_publish(&f, "a", 10, 20, 10);
    fixture_flush_all(&f);
    ss_check(segments(&f) == 2);
    fixture_verify(&f, "a", 70, 20);
    fixture_end(&f);
}

SS_TEST(flush, stragglers_leave_the_log_when_the_window_is_full)
{
    struct fixture f;
    fixture_init(&f);
    f.options.log_window_bytes = 16u << 10;
    f.options.log_window_bytes_max = 32u << 10;
    fixture_reopen(&f);
    char id[16];
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(id, sizeof id, "slow-%u", i);
        fixture_publish(&f, id, 1, 100, 1);
    }
    uint64_t bytes_max = 0;
    for (unsigned i = 0; i < 50; i++) {
        fixture_publish(&f, "busy", 20, 100, 20);
        struct ss_store_stats stats = fixture_stats(&f);
        bytes_max = stats.log_bytes > bytes_max ? stats.log_bytes : bytes_max;
    }
    ss_check(fixture_stats(&f).stragglers_flushed >= 40);
    ss_check_msg(bytes_max < 2 * f.options.log_window_bytes_max, "%llu bytes",
                 (unsigned long long)bytes_max);
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(id, sizeof id, "slow-%u", i);
        fixture_verify(&f, id, 1, 100);
    }
    fixture_verify(&f, "busy", 1000, 100);
    (void)segments(&f);
    fixture_verify(&f, "busy", 1000, 100);
    fixture_end(&f);
}

SS_TEST(flush, one_commit_trims_at_most_twice_what_it_appends)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1000, 20, 1000);
    uint64_t before = fixture_stats(&f).records_trimmed;
    for (unsigned i = 0; i < 20; i++) {
        fixture_publish(&f, "b", 5, 20, 5);
        uint64_t now = fixture_stats(&f).records_trimmed;
        ss_check(now - before <= 10);
        before = now;
    }
    fixture_end(&f);
}

SS_TEST(flush, log_stays_short_in_a_steady_state)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned round = 0; round < 200; round++) {
        fixture_publish(&f, round % 2 == 0 ? "a" : "b", 16, 100, 16);
    }
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.records_trimmed > 3000 - 2 * 128 && stats.log_records < 300);
    ss_check(stats.log_records + stats.records_trimmed == 3200);
    fixture_verify(&f, "a", 1600, 100);
    fixture_end(&f);
}

SS_TEST(flush, idle_flush_empties_every_tail_oldest_first)
{
    struct fixture f;
    fixture_open(&f);
    char id[16];
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "s%u", i);
        fixture_publish(&f, id, 3, 50, 3);
    }
    ss_check(ss__store_flush(f.store, 4) == 4);
    ss_check(fixture_stats(&f).stragglers_flushed == 4);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(f.report.recovered_records == 6 * 3);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).log_records <= 1);
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

SS_TEST(flush, damaged_segment_sets_its_session_aside_and_the_rest_goes_on)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 5, 50, 5);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_SEGMENT, 0, 3);
    fixture_reopen(&f);
    fixture_publish(&f, "a", 5, 50, 5);
    fixture_publish(&f, "b", 5, 50, 5);
    fixture_flush_all(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_row(a)->quarantined);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "b", 5, 50);
    fixture_publish(&f, "b", 200, 50, 20);
    ss_check(fixture_stats(&f).log_records < 100);
    fixture_end(&f);
}

/* Flips a bit of a log record under the open store. */
static void spoil_log(struct fixture *f, uint64_t sequence)
{
    uint8_t key_bytes[8];
    uint8_t changed[1024];
    MDB_txn *txn;
    MDB_val value;
    ss__put_be64(key_bytes, sequence);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    ss__env_reader_stale(&f->store->env);
    ss_check(mdb_txn_begin(f->store->env.env, NULL, 0, &txn) == 0);
    ss_check(mdb_get(txn, f->store->env.dbi[SS_DB_LOG], &key, &value) == 0);
    ss_check(value.mv_size <= sizeof changed);
    memcpy(changed, value.mv_data, value.mv_size);
    changed[value.mv_size - 1] ^= 1;
    value.mv_data = changed;
    ss_check(mdb_put(txn, f->store->env.dbi[SS_DB_LOG], &key, &value, 0) == 0);
    ss_check(mdb_txn_commit(txn) == 0);
}

SS_TEST(flush, damage_further_on_leaves_what_was_flushed_out_of_the_unflushed_bytes)
{
    struct fixture f;
    const uint64_t record_bytes = SS_LOG_RECORD_FIXED_BYTES + 50;
    fixture_open(&f);
    fixture_publish(&f, "a", 40, 50, 40);
    fixture_flush_all(&f);
    ss_check(f.store->log.unflushed_bytes == 0);
    fixture_publish(&f, "a", 50, 50, 50);
    ss_check(f.store->log.unflushed_bytes == 50 * record_bytes);
    struct ss_store_session *a = fixture_session(&f, "a");
    spoil_log(&f, a->tail[40]);
    fixture_flush_all(&f);
    ss_check(ss__store_row(a)->quarantined && a->now.flushed_ordinal == SS_SEGMENT_RECORDS_MAX);
    ss_check_msg(f.store->log.unflushed_bytes == 26 * record_bytes, "%llu",
                 (unsigned long long)f.store->log.unflushed_bytes);
    ss_check(a->now.tail_count == 26 && a->now.tail_bytes == 26 * record_bytes);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}
