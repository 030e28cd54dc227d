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

SS_TEST(segment, tail_becomes_a_segment_at_64_events_and_not_before)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 63, 20, 1);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).segments_written == 0);
    fixture_publish(&f, "a", 1, 20, 1);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).segments_written == 1);
    fixture_verify(&f, "a", 64, 20);
    ss_check(segments(&f) == 1);
    ss_check(f.report.recovered_records == 0);
    fixture_end(&f);
}

SS_TEST(segment, tail_becomes_a_segment_at_32_kib)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 7, 4000, 1);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).segments_written == 0);
    fixture_publish(&f, "a", 2, 4000, 1);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).segments_written == 1);
    fixture_verify(&f, "a", 9, 4000);
    ss_check(segments(&f) == 1);
    fixture_end(&f);
}

SS_TEST(segment, event_larger_than_a_segment_gets_one_of_its_own)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 60000, 1);
    fixture_flush_due(&f);
    ss_check(fixture_stats(&f).segments_written == 3);
    fixture_verify(&f, "a", 3, 60000);
    ss_check(segments(&f) == 3);
    fixture_end(&f);
}

SS_TEST(segment, many_events_in_one_commit_become_several_segments)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 300, 20, 300);
    fixture_flush_due(&f);
    fixture_verify(&f, "a", 300, 20);
    ss_check(segments(&f) >= 4);
    fixture_verify(&f, "a", 300, 20);
    fixture_end(&f);
}

SS_TEST(segment, partial_segment_grows_in_place)
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

SS_TEST(segment, damaged_segment_sets_its_session_aside_and_the_rest_goes_on)
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
    fixture_flush_all(&f);
    fixture_verify(&f, "b", 205, 50);
    fixture_end(&f);
}

SS_TEST(segment, damage_further_on_leaves_the_events_before_it_in_the_log)
{
    struct fixture f;
    const uint64_t record_bytes = SS_LOG_EVENT_FIXED_BYTES + 50;
    fixture_open(&f);
    fixture_publish(&f, "a", 40, 50, 40);
    fixture_flush_all(&f);
    ss_check(f.store->unflushed_bytes == 0);
    fixture_publish(&f, "a", 50, 50, 50);
    ss_check(f.store->unflushed_bytes == 50 * record_bytes);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_flip_log(&f, a->tail[40] + record_bytes - 1);
    fixture_flush_all(&f);
    ss_check(ss__store_row(a)->quarantined && a->now.flushed_ordinal == SS_SEGMENT_RECORDS_MAX);
    ss_check_msg(f.store->unflushed_bytes == 26 * record_bytes, "%llu",
                 (unsigned long long)f.store->unflushed_bytes);
    ss_check(a->now.tail_count == 26 && a->now.tail_bytes == 26 * record_bytes);
    struct ss_log_file *file = ss__log_file_at(&f.store->log, a->tail[0]);
    ss_check(file != NULL && file->live == 26 && file->leaving == 0);
    ss_check(stage_checkpoint(f.store, a, NULL, 0, 1, 1) == SS_E_CORRUPT);
    ss__store_put_session(f.store, a);
    /* They are evidence: their file stays, however many come and go. */
    for (unsigned i = 0; i < 60; i++) {
        fixture_publish(&f, "b", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    a = fixture_session(&f, "a");
    ss_check(ss__log_file_at(&f.store->log, a->tail[0]) == file && file->kept);
    ss_check(f.store->log.count == 2 && fixture_count_files(&f, "log-") == 2);
    ss__store_put_session(f.store, a);
    fixture_crash(&f);
    ss_check(fixture_check(&f).findings > 0);
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, "a").quarantined && f.report.damaged_records >= 1);
    fixture_verify(&f, "b", 60, 60000);
    fixture_end(&f);
}

SS_TEST(segment, failure_while_it_is_written_leaves_the_tail_as_it_was)
{
    const int codes[] = { SS_E_NOMEM, SS_E_STOREIO, SS_E_STOREFULL };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct fixture f;
        fixture_open(&f);
        fixture_publish(&f, "a", 64, 50, 64);
        ss__fault_arm("store.segment", 1, 1, codes[i]);
        ss_check(ss__store_flush(f.store, 0) == codes[i]);
        ss_check(fixture_stats(&f).segments_written == 0);
        fixture_verify(&f, "a", 64, 50);
        fixture_flush_all(&f);
        ss_check(fixture_stats(&f).segments_written == 1);
        ss_check(fixture_stats(&f).unflushed_bytes == 0);
        fixture_verify(&f, "a", 64, 50);
        fixture_close(&f);
        fixture_check_clean(&f);
        fixture_end(&f);
    }
}
