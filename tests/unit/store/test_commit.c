#include <errno.h>

#include "store_fixture.h"

#include "store/command.h"
#include "store/delete.h"
#include "store/store_state.h"

SS_TEST(commit, events_are_there_after_close_and_reopen)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 10, 300, 3);
    fixture_publish(&f, "b", 1, 0, 1);
    fixture_verify(&f, "a", 10, 300);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.sessions == 2 && f.report.recovered_records == 11 && f.report.clean);
    fixture_verify(&f, "a", 10, 300);
    fixture_verify(&f, "b", 1, 0);
    fixture_publish(&f, "a", 1, 300, 1);
    fixture_verify(&f, "a", 11, 300);
    fixture_end(&f);
}

SS_TEST(commit, row_shows_staged_values_and_abort_takes_them_back)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 2, 10, 2);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss_check(fixture_stage_flags(&f, a, 10, SS_RECORD_RUNNING) == 0);
    const struct ss_session_row *row = ss__store_row(a);
    ss_check(row->ordinal == 3 && row->running && row->updated_us == 1003);
    ss_check(ss__store_staged_bytes(f.store) > 0);
    ss__store_abort(f.store);
    ss_check(row->ordinal == 2 && !row->running && row->updated_us == 1002);
    ss_check(ss__store_staged_bytes(f.store) == 0);
    fixture_stage(&f, a, 1, 10);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", 3, 10);
    fixture_end(&f);
}

/* One batch with events of an old session and a new one. */
struct batch {
    struct ss_store_session *old;
    struct ss_store_session *created;
};

static struct batch stage_batch(struct fixture *f)
{
    struct batch batch = { .old = fixture_session(f, "old") };
    ss_check(ss__store_stage_session(f->store, ss_str("new"), 5, &batch.created) == 0);
    fixture_stage(f, batch.old, 60, 50);
    fixture_stage(f, batch.created, 2, 50);
    return batch;
}

static void fails_and_leaves_no_trace(const char *point, unsigned times, int code, int expected)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "old", 10, 50, 10);
    uint64_t records = fixture_stats(&f).log_records;
    uint64_t bytes = fixture_stats(&f).log_bytes;
    struct batch batch = stage_batch(&f);
    ss__fault_arm(point, 1, times, code);
    int err = ss__store_commit(f.store);
    ss_check_msg(err == expected, "%s: %s", point, ss_error_name(err));
    ss__fault_reset();

    const struct ss_session_row *row = ss__store_row(batch.old);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(row->ordinal == 10 && row->updated_us == 1010);
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss_check(stats.log_records == records && stats.log_bytes == bytes);
    ss_check(stats.commit_errors == 1 && stats.events == 10);
    ss_check(fixture_stage_flags(&f, batch.created, 1, 0) == SS_E_CLOSED);
    struct ss_store_session *none;
    ss_check(ss__store_get_session(f.store, ss_str("new"), &none) == SS_E_NOTFOUND);
    ss__store_put_session(f.store, batch.created);
    ss__store_put_session(f.store, batch.old);
    fixture_verify(&f, "old", 10, 50);

    batch = stage_batch(&f);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, batch.old);
    ss__store_put_session(f.store, batch.created);
    for (unsigned round = 0; round < 3; round++) {
        fixture_verify(&f, "old", 70, 50);
        fixture_verify(&f, "new", 2, 50);
        if (round == 0) {
            fixture_crash(&f);
        } else {
            fixture_close(&f);
        }
        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0 && f.report.sessions == 2);
        fixture_flush_all(&f);
    }
    fixture_end(&f);
}

SS_TEST(commit, failed_one_is_undone_in_memory_and_the_next_one_takes_its_place)
{
    fails_and_leaves_no_trace("store.commit.before", 1, SS_E_STOREIO, SS_E_STOREIO);
    fails_and_leaves_no_trace("store.commit.before", 1, SS_E_NOMEM, SS_E_NOMEM);
    fails_and_leaves_no_trace("log.write", 2, EIO, SS_E_STOREIO);
    fails_and_leaves_no_trace("log.write", 1, ENOSPC, SS_E_STOREFULL);
    fails_and_leaves_no_trace("log.write", 1, EDQUOT, SS_E_STOREFULL);
}

SS_TEST(commit, write_error_gets_a_second_chance)
{
    struct fixture f;
    fixture_open(&f);
    ss__fault_arm("log.write", 1, 1, EIO);
    fixture_publish(&f, "a", 64, 50, 64);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.commit_errors == 0 && stats.log_records == 65 && stats.events == 64);
    fixture_verify(&f, "a", 64, 50);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 64, 50);
    fixture_end(&f);
}

/* Events of "a" until the file has no room for another one of 60000 bytes. */
static unsigned fill_file(struct fixture *f)
{
    unsigned count = 0;
    for (; ss__log_room(&f->store->log) >= 60500; count++) {
        fixture_publish(f, "a", 1, 60000, 1);
    }
    return count;
}

SS_TEST(commit, batch_that_does_not_fit_moves_to_the_next_file_with_its_positions)
{
    struct fixture f;
    fixture_open(&f);
    unsigned count = fill_file(&f);
    uint64_t serial = ss__log_current(&f.store->log)->head.serial;
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_store_session *b = fixture_session(&f, "b");    /* staged before it is known where */
    fixture_stage(&f, b, 2, 60000);
    fixture_stage(&f, a, 1, 60000);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(ss__log_current(&f.store->log)->head.serial == serial + 1);
    ss_check(b->born >> 32 == serial + 1 && b->tail[0] >> 32 == serial + 1);
    ss_check(a->tail[count] >> 32 == serial + 1 && a->tail[0] >> 32 == serial);
    ss__store_put_session(f.store, a);
    ss__store_put_session(f.store, b);
    for (unsigned round = 0; round < 2; round++) {
        fixture_verify(&f, "a", count + 1, 60000);
        fixture_verify(&f, "b", 2, 60000);
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);
    }
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    fixture_verify(&f, "a", count + 1, 60000);
    fixture_verify(&f, "b", 2, 60000);
    fixture_end(&f);
}

SS_TEST(commit, batch_larger_than_a_file_gets_one_of_its_size)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 40, 60000, 40);
    ss_check(ss__log_current(&f.store->log)->head.bytes > 40 * 60000);
    fixture_publish(&f, "a", 1, 60000, 1);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 41, 60000);
    fixture_end(&f);
}

static void next_file_fails(int code, int expected)
{
    struct fixture f;
    fixture_open(&f);
    unsigned count = fill_file(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 60000);
    ss__fault_arm("log.create", 1, 1, code);
    ss_check(ss__store_commit(f.store) == expected);
    ss_check(ss__store_row(a)->ordinal == count);
    ss_check(ss__store_writable(f.store) == (expected == SS_E_STOREFULL ? SS_E_STOREFULL : 0));
    fixture_verify(&f, "a", count, 60000);
    f.clock.now_ns += 10000000000u;
    ss_check(ss__store_writable(f.store) == 0);
    /* Would still fit the old file, which may have a successor on disk by now. */
    uint64_t serial = ss__log_current(&f.store->log)->head.serial;
    fixture_stage(&f, a, 1, 100);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(ss__log_current(&f.store->log)->head.serial == serial + 1);
    ss__store_put_session(f.store, a);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, "a").ordinal == count + 1 && f.report.damaged_records == 0);
    fixture_end(&f);
}

SS_TEST(commit, without_space_for_the_next_file_publishes_are_refused_until_there_is)
{
    next_file_fails(ENOSPC, SS_E_STOREFULL);
    next_file_fails(EDQUOT, SS_E_STOREFULL);
    next_file_fails(EFBIG, SS_E_STOREFULL);
}

SS_TEST(commit, next_file_that_cannot_be_made_fails_that_commit_only)
{
    next_file_fails(EMFILE, SS_E_STOREIO);
    next_file_fails(ENOMEM, SS_E_NOMEM);
}

SS_TEST(commit, next_file_that_was_made_although_it_failed_hides_no_later_batch)
{
    struct fixture f;
    char path[400];
    char block[512] = { 0 };
    fixture_open(&f);
    unsigned count = fill_file(&f);
    const struct ss_log_file *current = ss__log_current(&f.store->log);
    struct ss_log_head head = { .directory_id = f.options.directory_id,
                                .serial = current->head.serial + 1, .bytes = 1024,
                                .previous_serial = current->head.serial,
                                .previous_end = current->end,
                                .first_batch = f.store->log.next_batch };
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 60000);
    ss__fault_arm("log.create", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__log_head_encode((uint8_t *)block, &head);
    fixture_log_path(&f, head.serial, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    ss_check(fd >= 0 && write(fd, block, sizeof block) == 512 && ftruncate(fd, 1024) == 0);
    (void)close(fd);
    for (unsigned i = 0; i < 3; i++) {
        fixture_stage(&f, a, 1, 10);
        ss_check(ss__store_commit(f.store) == 0);
    }
    ss__store_put_session(f.store, a);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, "a").ordinal == count + 3);
    fixture_end(&f);
}

SS_TEST(commit, full_store_refuses_publishes_and_heals)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 50);
    ss__fault_arm("log.write", 1, 1, ENOSPC);
    ss_check(ss__store_commit(f.store) == SS_E_STOREFULL);
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    f.clock.now_ns += 10000000000u;
    ss_check(ss__store_writable(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_verify(&f, "a", 1, 50);
    fixture_end(&f);
}

SS_TEST(commit, little_free_disk_refuses_publishes_but_not_reads)
{
    struct fixture f;
    fixture_init(&f);
    f.options.min_free_bytes = UINT64_MAX;
    fixture_reopen(&f);
    f.clock.now_ns += 10000000000u;
    fixture_publish(&f, "a", 1, 50, 1);
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    fixture_verify(&f, "a", 1, 50);
    fixture_end(&f);
}

SS_TEST(commit, after_a_failed_sync_only_reads_go_on_until_reopened)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 50);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    fixture_stage(&f, a, 1, 50);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO && !ss__store_may_flush(f.store));
    ss_check(ss__store_flush(f.store, 16) == SS_E_STOREIO);
    ss_check(ss__store_sync(f.store) == SS_E_STOREIO);
    ss_check(ss__store_row(a)->ordinal == 3);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", 3, 50);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean);
    fixture_publish(&f, "a", 1, 50, 1);    /* the outcome was unknown: it is there */
    fixture_verify(&f, "a", 5, 50);
    fixture_end(&f);
}

/* All batches are synced already: what fails is the sync of the end of the file. */
SS_TEST(commit, failed_sync_of_the_end_of_a_file_latches)
{
    struct fixture f;
    fixture_open(&f);
    unsigned count = fill_file(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 60000);
    ss__fault_arm("log.mark", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == 0);    /* nothing was lost: the next one tries again */
    fixture_stage(&f, a, 1, 60000);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_stage(&f, a, 1, 10);    /* there would be room for this one */
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", count, 60000);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean && f.report.damaged_records == 0);
    fixture_publish(&f, "a", 1, 60000, 1);
    fixture_verify(&f, "a", count + 1, 60000);
    fixture_end(&f);
}

SS_TEST(commit, failed_sync_before_the_next_file_latches_in_every_mode)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    unsigned count = fill_file(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 60000);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", count, 60000);
    fixture_end(&f);
}

SS_TEST(commit, lost_answer_of_a_commit_means_unknown_until_reopened)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 2, 50);
    ss__fault_arm("store.commit.after", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, a);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_close(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 2, 50);
    fixture_end(&f);
}

/* Nothing of what does not fit stays, in the batch or in memory. */
SS_TEST(commit, batch_that_cannot_grow_refuses_and_stages_nothing)
{
    struct fixture f;
    struct ss_store_session *session;
    struct ss_command_value value = { .time_us = 1000000, .ordinal = 3, .session_id = ss_str("a"),
                                      .key = ss_str("key") };
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_close(&f);
    fixture_reopen(&f);    /* whose batch has no memory yet */
    struct ss_store_session *a = fixture_session(&f, "a");
    size_t max = f.store->batch.max;
    f.store->batch.max = 8;
    ss_check(ss__store_stage_session(f.store, ss_str("b"), 100, &session) == SS_E_NOMEM);
    ss_check(ss__store_stage_command(f.store, &value) == SS_E_NOMEM);
    ss_check(fixture_stage_flags(&f, a, 50, 0) == SS_E_NOMEM);
    ss_check(ss__store_stage_delete(f.store, a, 200) == SS_E_NOMEM);
    f.store->batch.max = max;
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss_check(ss__store_get_session(f.store, ss_str("b"), &session) == SS_E_NOTFOUND);
    ss_check(ss__store_find_command(f.store, ss_str("a"), 0, ss_str("key"), 1000000) == NULL);
    ss_check(ss__store_row(a)->ordinal == 3);
    ss__store_put_session(f.store, a);
    fixture_publish(&f, "b", 2, 50, 1);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 4, 50);
    fixture_verify(&f, "b", 2, 50);
    fixture_end(&f);
}
