/* The end of the log, gaps in it and its files: what is a torn end, what is damage, what is refused. */
#include <errno.h>

#include "damage.h"
#include "store_fixture.h"
#include "store/store_state.h"

static uint64_t batch_of(struct fixture *f, unsigned record)
{
    uint64_t position = fixture_position(f, record);
    ss_check(position % SS_LOG_BLOCK_BYTES == SS_LOG_BATCH_HEAD_BYTES);
    return position - SS_LOG_BATCH_HEAD_BYTES;
}

static void torn_at(uint64_t at)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 1, 50, 1);
    struct ss_session_row a = fixture_row_of(&f, "a");
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 4) + at);
    for (unsigned opened = 0; opened < 5; opened++) {
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0 && f.report.incarnation == incarnation + 1);
        ss_check(f.report.sessions == 1 && f.report.recovered_records == 3);
        ss_check(fixture_row_of(&f, "a").epoch != a.epoch);
        struct ss_store_session *none;
        ss_check(ss__store_get_session(f.store, ss_str("b"), &none) == SS_E_NOTFOUND);
        fixture_verify(&f, "a", 3, 50);
        fixture_crash(&f);
    }
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_publish(&f, "b", 2, 50, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "b", 2, 50);
    ss_check(f.report.damaged_records == 0 && f.report.incarnation == incarnation + 1);
    fixture_end(&f);
}

SS_TEST(recover_log, torn_last_batch_is_dropped_and_every_epoch_changes_once)
{
    torn_at(20);     /* its head */
    torn_at(60);     /* the new session */
    torn_at(140);    /* the event */
}

SS_TEST(recover_log, last_batch_a_flush_has_seen_is_damage_and_no_torn_end)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    ss_check(ss__store_flush(f.store, 1) > 0);
    fixture_crash(&f);
    fixture_flip_record(&f, 7, 60);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && fixture_row_of(&f, "b").quarantined);
    fixture_verify(&f, "a", 3, 50);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && fixture_row_of(&f, "b").quarantined);
    fixture_end(&f);
}

SS_TEST(recover_log, batches_missing_at_the_end_are_reported_and_their_numbers_not_used_again)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_flush_all(&f);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_flush_due(&f);
    uint64_t next = f.store->log.next_batch;
    fixture_crash(&f);
    uint8_t zeros[1024] = { 0 };
    fixture_write_log(&f, batch_of(&f, 6), zeros, 512);
    fixture_write_log(&f, ss__log_position(1, 512 * 6), zeros, 512);
    ss_check(fixture_check(&f).findings >= 1 && strstr(f.finding, "missing") != NULL);
    uint64_t incarnation = f.report.incarnation;
    for (unsigned opened = 0; opened < 3; opened++) {
        fixture_reopen(&f);
        ss_check(f.store->log.next_batch == next && f.report.incarnation == incarnation + 1);
        ss_check((f.report.damaged_records > 0) == (opened == 0));
        fixture_verify(&f, "a", 3, 50);
        fixture_crash(&f);
    }
    fixture_end(&f);
}

SS_TEST(recover_log, unreadable_batch_in_the_middle_is_a_gap_reported_each_time_but_counted_once)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_publish(&f, "c", 1, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 6) + 20);    /* the second event of b */
    for (unsigned opened = 0; opened < 5; opened++) {
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 2 && f.report.incarnation == incarnation + 1);
        ss_check(fixture_row_of(&f, "b").quarantined);    /* its third event does not follow */
        ss_check(!fixture_row_of(&f, "a").quarantined);
        fixture_verify(&f, "a", 3, 50);
        fixture_verify(&f, "c", 1, 50);
        fixture_flush_all(&f);
        ss_check(fixture_count_files(&f, "log-") == 2);    /* evidence stays */
        fixture_crash(&f);
        ss_check(fixture_check(&f).findings >= 2 && strstr(f.finding, "log-00000001") != NULL);
    }
    fixture_end(&f);
}

/* Two damages at one place must not cancel out. */
SS_TEST(recover_log, record_without_a_length_hides_the_rest_of_its_batch_and_changes_the_epochs)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_record(&f, 2, 3);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 2 && f.report.incarnation == incarnation + 1);
    fixture_verify(&f, "b", 3, 50);
    fixture_end(&f);
}

/* Killed between the write of a batch and its sync; the power fails while the next process starts. */
SS_TEST(recover_log, batch_that_was_never_synced_may_be_lost_amid_the_next_start)
{
    struct fixture f;
    uint8_t zeros[SS_LOG_BLOCK_BYTES] = { 0 };
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    uint64_t last = batch_of(&f, 3);
    fixture_crash(&f);
    ss__fault_arm("log.sync", 1, 1, EIO);
    fixture_open_fails(&f, SS_E_STOREIO, "cannot be opened");
    ss__fault_reset();
    fixture_write_log(&f, last, zeros, sizeof zeros);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0 && f.report.incarnation == incarnation);
    fixture_verify(&f, "a", 2, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, missing_file_is_refused_with_the_remedy)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 50, 60000, 1);
    ss_check(f.store->log.count >= 3);
    fixture_crash(&f);
    fixture_delete_log(&f, 2);
    fixture_open_fails(&f, SS_E_CORRUPT, "file of it is missing");
    fixture_open_fails(&f, SS_E_CORRUPT, "ssctl store check");
    ss_check(fixture_check(&f).findings >= 1 && strstr(f.finding, "missing") != NULL);
    fixture_end(&f);
}

SS_TEST(recover_log, all_files_missing_is_refused_too)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_crash(&f);
    fixture_delete_log(&f, 1);
    fixture_open_fails(&f, SS_E_CORRUPT, "file of it is missing");
    fixture_end(&f);
}

SS_TEST(recover_log, damaged_first_block_is_reported_and_its_events_are_read)
{
    for (uint64_t serial = 1; serial <= 2; serial++) {
        struct fixture f;
        fixture_open(&f);
        fixture_publish(&f, "a", 25, 60000, 1);
        ss_check(ss__log_current(&f.store->log)->head.serial == 2);
        uint64_t incarnation = f.report.incarnation;
        fixture_crash(&f);
        fixture_flip_log(&f, ss__log_position(serial, 40));
        for (unsigned opened = 0; opened < 2; opened++) {
            fixture_reopen(&f);
            ss_check(f.report.damaged_records >= 1 && f.report.incarnation == incarnation + 1);
            fixture_verify(&f, "a", 25, 60000);
            fixture_crash(&f);
            ss_check(fixture_check(&f).findings >= 1);
            ss_check(strstr(f.finding, "first block") != NULL);
        }
        fixture_reopen(&f);
        fixture_flush_all(&f);
        fixture_verify(&f, "a", 25, 60000);
        fixture_end(&f);
    }
}

static void first_unreadable_is_the_end(enum ss_durability durability, uint64_t at)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 3) + at);    /* the third event of a */
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0 && f.report.incarnation > incarnation);
    struct ss_store_session *none;
    ss_check(ss__store_get_session(f.store, ss_str("b"), &none) == SS_E_NOTFOUND);
    fixture_verify(&f, "a", 2, 50);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, without_syncs_the_first_unreadable_batch_is_the_end)
{
    first_unreadable_is_the_end(SS_DURABILITY_NONE, 20);
    first_unreadable_is_the_end(SS_DURABILITY_INTERVAL, 20);
    first_unreadable_is_the_end(SS_DURABILITY_NONE, 60);
}

SS_TEST(recover_log, end_is_judged_by_the_mode_it_was_written_in_also_when_a_start_failed)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 2) + 20);    /* the second event */
    f.options.durability = SS_DURABILITY_FSYNC;
    ss__fault_arm("log.create", 1, 1, ENOSPC);
    fixture_open_fails(&f, SS_E_STOREFULL, "cannot be opened");
    ss__fault_reset();
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0);
    fixture_verify(&f, "a", 1, 50);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 1, 50, 1);
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 3) + 20);    /* from here on every batch was synced */
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 2 && fixture_row_of(&f, "a").quarantined);
    fixture_verify(&f, "b", 1, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, start_that_ended_before_the_first_flush_is_repeated)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_crash(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_LOG), (struct ss_str){ 0 });
    fixture_reopen(&f);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, done_five_times_in_a_row_it_gives_the_same)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 70, 50, 7);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_flush_due(&f);
    fixture_publish(&f, "c", 3, 50, 2);
    uint64_t epoch = fixture_row_of(&f, "b").epoch;
    uint64_t unflushed = fixture_stats(&f).unflushed_bytes;
    for (unsigned i = 0; i < 5; i++) {
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);    /* and killed again before the first batch */
        ss_check(f.report.recovered_records == 6 && f.report.sessions == 3);
        ss_check(f.report.damaged_records == 0 && fixture_row_of(&f, "b").epoch == epoch);
        ss_check(fixture_stats(&f).unflushed_bytes == unflushed);
        fixture_verify(&f, "a", 70, 50);
        fixture_verify(&f, "b", 3, 50);
        fixture_verify(&f, "c", 3, 50);
    }
    fixture_flush_all(&f);
    ss_check(fixture_count_files(&f, "log-") == 1);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(recover_log, starts_that_write_nothing_make_no_files)
{
    for (int mode = SS_DURABILITY_FSYNC; mode <= SS_DURABILITY_NONE; mode++) {
        struct fixture f;
        fixture_open(&f);
        fixture_crash(&f);
        f.options.durability = (enum ss_durability)mode;
        fixture_reopen(&f);
        fixture_publish(&f, "a", 3, 50, 1);
        for (unsigned i = 0; i < 5; i++) {
            fixture_crash(&f);
            fixture_check_clean(&f);
            fixture_reopen(&f);
            ss_check(fixture_count_files(&f, "log-") == 2);
            ss_check(f.report.recovered_records == 3 && f.report.damaged_records == 0);
        }
        fixture_publish(&f, "a", 2, 50, 1);
        fixture_crash(&f);
        fixture_reopen(&f);
        ss_check(fixture_count_files(&f, "log-") == 3);
        fixture_verify(&f, "a", 5, 50);
        fixture_end(&f);
    }
}

SS_TEST(recover_log, a_file_with_anything_in_it_is_not_gone_on_with)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    struct ss_log_head head = ss__log_current(&f.store->log)->head;
    uint64_t last = ss__log_position(head.serial, head.bytes - 1);
    fixture_crash(&f);
    fixture_flip_log(&f, last);    /* what is left of a write that did not reach its head */
    fixture_reopen(&f);
    ss_check(ss__log_current(&f.store->log)->head.serial == head.serial);
    ss_check(ss__log_unused(&f.store->log) && f.report.damaged_records == 0);    /* made anew */
    fixture_close(&f);
    fixture_flip_log(&f, last);
    fixture_reopen(&f);
    ss_check(ss__log_current(&f.store->log)->head.serial == head.serial + 1);
    ss_check(f.report.damaged_records == 0);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, events_of_an_earlier_life_of_a_file_never_come_back)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 40; i++) {
        fixture_publish(&f, i % 2 == 0 ? "a" : "b", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    ss_check(fixture_count_files(&f, "spare-") > 0);
    for (unsigned i = 0; i < 6; i++) {
        fixture_publish(&f, "c", 1, 50, 1);
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0 && f.report.sessions == 3);
        ss_check(f.report.recovered_records == i + 1);
        fixture_verify(&f, "a", 20, 60000);
        fixture_verify(&f, "b", 20, 60000);
        fixture_verify(&f, "c", i + 1, 50);
    }
    fixture_end(&f);
}

/* A file that is kept outlives the one behind it, which had said where it ends. */
static void torn_end_stays_dropped(enum ss_durability durability)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "hurt", 3, 50, 1);
    fixture_publish(&f, "well", 1, 50, 1);
    struct ss_store_session *well = fixture_session(&f, "well");
    struct ss_store_session *other = fixture_session(&f, "other");
    fixture_stage(&f, well, 1, 50);
    fixture_stage(&f, other, 1, 50);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, well);
    ss__store_put_session(f.store, other);
    fixture_crash(&f);
    struct fixture_log log;
    fixture_read_log(&f, &log);
    fixture_flip_log(&f, log.positions[log.count - 1] + 60);    /* the last one: torn */
    if (durability == SS_DURABILITY_FSYNC) {
        fixture_flip_record(&f, 2, 60);    /* evidence for which the file is kept */
    } else {
        fixture_forge(&f, 2, 999, 1, true);
    }
    fixture_reopen(&f);
    uint64_t incarnation = f.report.incarnation;
    ss_check(f.report.damaged_records >= 1 && fixture_row_of(&f, "well").ordinal == 1);
    for (unsigned i = 0; i < 60; i++) {
        fixture_publish(&f, "busy", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    ss_check(f.store->log.count == 2 && f.store->log.files[0]->head.serial == 1);
    for (unsigned opened = 0; opened < 2; opened++) {
        fixture_close(&f);
        fixture_reopen(&f);
        ss_check(fixture_row_of(&f, "well").ordinal == 1);
        ss_check(f.report.incarnation == incarnation);
    }
    fixture_publish(&f, "well", 1, 50, 1);
    fixture_verify(&f, "well", 2, 50);
    fixture_end(&f);
}

SS_TEST(recover_log, torn_end_of_a_kept_file_stays_dropped_when_the_next_file_is_gone)
{
    torn_end_stays_dropped(SS_DURABILITY_FSYNC);
    torn_end_stays_dropped(SS_DURABILITY_NONE);
}
