#include <errno.h>

#include "command_fixture.h"
#include "store/delete.h"

SS_TEST(command_flush, results_come_back_from_the_log_and_from_lmdb)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "flushed", 1);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0);
    fixture_keep_command(&f, "s", "logged", 2);
    fixture_crash(&f);
    fixture_check_clean(&f);
    ss_check(fixture_check(&f).commands == 2 && fixture_command_rows(&f) == 1);
    fixture_reopen(&f);
    ss_check(fixture_find_command(&f, "s", "flushed") == 1);
    ss_check(fixture_find_command(&f, "s", "logged") == 2 && fixture_live(&f) == 1);
    ss_check(f.report.damaged_records == 0);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    ss_check(fixture_command_rows(&f) == 2);
    fixture_end(&f);
}

SS_TEST(command_flush, everything_of_a_result_comes_back)
{
    struct fixture f;
    fixture_open(&f);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct ss_command_value value = fixture_command(&f, "s", "k", 0);
        value.err = SS_E_HANDLER;
        value.text = ss_str("why not");
        memcpy(value.digest, "0123456789abcdef", 16);
        ss_check(ss__store_stage_command(f.store, &value) == 0);
        ss_check(ss__store_commit(f.store) == 0);
        if (flushed == 1) {
            fixture_flush_all(&f);
        }
        fixture_crash(&f);
        fixture_reopen(&f);
        const struct ss_command_value *got =
            ss__store_find_command(f.store, ss_str("s"), 0, ss_str("k"), value.time_us);
        ss_check(got != NULL && got->err == SS_E_HANDLER && got->time_us == value.time_us);
        ss_check(ss_str_equal(got->text, ss_str("why not")));
        ss_check(memcmp(got->digest, "0123456789abcdef", 16) == 0);
    }
    ss_check(fixture_commands_kept(&f) == 1);
    fixture_end(&f);
}

SS_TEST(command_flush, failed_flush_leaves_them_in_the_log)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "a", 1);
    fixture_keep_command(&f, "s", "b", 2);
    ss__fault_arm("store.flush.disk", 1, 1, EPERM);
    ss_check(ss__store_flush(f.store, 0) < 0);
    ss_check(fixture_live(&f) == 2 && f.store->commands.logged_count == 2);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0 && f.store->commands.logged_count == 0);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(fixture_find_command(&f, "s", "a") == 1 && fixture_find_command(&f, "s", "b") == 2);
    fixture_end(&f);
}

/* What is forgotten while a flush runs that copies it must not come back. */
static void forgets_during_a_flush(bool fails)
{
    struct fixture f;
    struct ss_flush *flush;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 1);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == 1);
    fixture_keep_command(&f, "late", "k", 2);
    ss__store_forget_commands(f.store, ss_str("s"));
    ss_check(fixture_find_command(&f, "s", "k") == -1);
    fixture_keep_command(&f, "s", "k", 3);
    if (fails) {
        ss__fault_arm("store.flush.disk", 1, 1, EPERM);
    }
    ss__store_flush_run(flush);
    ss_check((ss__store_flush_settle(f.store, flush) < 0) == fails);
    ss_check(fixture_find_command(&f, "s", "k") == 3 && fixture_live(&f) == 2);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    ss_check(fixture_command_rows(&f) == 2);
    fixture_reopen(&f);
    ss_check(fixture_find_command(&f, "s", "k") == 3);
    ss_check(fixture_find_command(&f, "late", "k") == 2);
    fixture_end(&f);
}

SS_TEST(command_flush, forgotten_during_a_flush)
{
    forgets_during_a_flush(false);
}

SS_TEST(command_flush, forgotten_during_a_flush_that_fails)
{
    forgets_during_a_flush(true);
}

/* Begins a session after results were kept for its id, and deletes it. */
static void live_and_die(struct fixture *f, const char *id)
{
    struct ss_store_session *session = fixture_session(f, id);
    fixture_stage(f, session, 1, 20);
    ss_check(ss__store_commit(f->store) == 0);
    ss_check(ss__store_stage_delete(f->store, session, 77) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

/* The deletion has left the log's records behind, which tell of it no more. */
static void check_without_keys(struct fixture *f)
{
    for (unsigned opened = 0; opened < 3; opened++) {
        ss_check(fixture_find_command(f, "s", "k") == -1);
        fixture_crash(f);
        fixture_check_clean(f);
        fixture_reopen(f);
    }
    ss_check(fixture_find_command(f, "s", "k") == -1);
}

SS_TEST(command_flush, result_kept_before_its_session_ends_with_it)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 0);
    live_and_die(&f, "s");
    fixture_flush_due(&f);    /* the session leaves */
    fixture_keep_command(&f, "late", "k", 2);
    check_without_keys(&f);
    ss_check(fixture_find_command(&f, "late", "k") == 2);
    fixture_end(&f);
}

SS_TEST(command_flush, result_kept_before_its_session_ends_with_it_amid_a_flush_that_fails)
{
    struct fixture f;
    struct ss_flush *flush;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 0);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == 1);
    live_and_die(&f, "s");
    ss__fault_arm("store.flush.disk", 1, 1, EPERM);
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) < 0);
    f.clock.now_ns += 1000000000;
    fixture_flush_due(&f);
    check_without_keys(&f);
    fixture_end(&f);
}

/* More rows are to be removed than go with another flush. */
SS_TEST(command_flush, rows_of_a_deleted_session_go_before_the_deletion_is_forgotten)
{
    struct fixture f;
    char key[16];
    fixture_open(&f);
    for (unsigned i = 0; i < SS_SESSION_KEYS_MAX; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        fixture_stage_command(&f, "other", key, 1);
    }
    fixture_stage_command(&f, "other2", "k", 1);
    fixture_stage_command(&f, "s", "k", 0);
    ss_check(ss__store_commit(f.store) == 0);
    fixture_flush_all(&f);
    ss__store_forget_commands(f.store, ss_str("other"));
    ss__store_forget_commands(f.store, ss_str("other2"));
    live_and_die(&f, "s");
    fixture_flush_due(&f);
    check_without_keys(&f);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 0);
    fixture_end(&f);
}

SS_TEST(command_flush, without_memory_to_remove_rows_later_none_is_put)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 1);
    ss__fault_arm("store.doomed", 1, 1, SS_E_NOMEM);
    ss_check(ss__store_flush(f.store, 0) == SS_E_NOMEM && fixture_live(&f) == 1);
    f.clock.now_ns += 1000000000;
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0 && fixture_find_command(&f, "s", "k") == 1);
    fixture_end(&f);
}

SS_TEST(command_flush, close_during_a_flush_frees_all)
{
    struct fixture f;
    struct ss_flush *flush;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 1);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == 1);
    ss__store_forget_commands(f.store, ss_str("s"));
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    fixture_close(&f);    /* the row is there still; the next open reads it and a flush takes it */
    ss_check(fixture_command_rows(&f) == 1);
    fixture_end(&f);
}

/* 3000 results of six sessions, which are kept for a second. */
static void open_with_many(struct fixture *f)
{
    fixture_init(f);
    f->options.command_ttl_ms = 1000;
    fixture_reopen(f);
    for (unsigned i = 0; i < 3000; i++) {
        char session[32];
        char key[32];
        (void)snprintf(session, sizeof session, "s%u", i / 500);
        (void)snprintf(key, sizeof key, "k%u", i);
        fixture_stage_command(f, session, key, i);
    }
    ss_check(ss__store_commit(f->store) == 0);
}

SS_TEST(command_flush, expired_rows_go_in_slices)
{
    struct fixture f;
    open_with_many(&f);
    ss_check(ss__store_flush_due(f.store));
    fixture_flush_all(&f);
    ss_check(!ss__store_flush_due(f.store));
    f.clock.now_ns += UINT64_C(2000000000);
    ss_check(ss__store_flush(f.store, 0) > 0);
    ss_check(fixture_commands_kept(&f) == 3000 - 1024);
    fixture_flush_all(&f);
    ss_check(fixture_commands_kept(&f) == 0);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 0);
    fixture_reopen(&f);    /* records of the log that were moved do not come back */
    ss_check(fixture_commands_kept(&f) == 0);
    fixture_keep_command(&f, "s", "new", 1);
    fixture_close(&f);
    f.clock.now_ns += UINT64_C(2000000000);
    fixture_reopen(&f);
    ss_check(fixture_commands_kept(&f) == 0 && fixture_live(&f) == 0);
    fixture_end(&f);
}

SS_TEST(command_flush, log_of_nothing_but_results_is_trimmed)
{
    struct fixture f;
    char key[32];
    fixture_init(&f);
    f.options.log_window_bytes = 1u << 20;
    f.options.log_window_bytes_max = 1u << 20;
    fixture_reopen(&f);
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof key, "k%u", i);
        fixture_keep_command(&f, i % 2 == 0 ? "a" : "b", key, i);
        if (ss__store_flush_due(f.store)) {
            fixture_flush_due(&f);
        }
    }
    fixture_flush_all(&f);
    ss_check_msg(f.store->log.count <= 2, "%zu files", f.store->log.count);
    ss_check(fixture_commands_kept(&f) == 2 * SS_SESSION_KEYS_MAX);
    fixture_close(&f);
    fixture_check_clean(&f);
    ss_check(fixture_command_rows(&f) == 2 * SS_SESSION_KEYS_MAX);
    fixture_end(&f);
}

SS_TEST(command_flush, batch_moved_to_the_next_file_is_found_again)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *s = fixture_session(&f, "s");
    for (unsigned i = 0; i < 40; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%u", i);
        fixture_stage(&f, s, 2, 60000);
        fixture_keep_command(&f, "s", key, i);
    }
    ss__store_put_session(f.store, s);
    ss_check(f.store->log.count > 1);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(fixture_commands_kept(&f) == 40 && fixture_find_command(&f, "s", "k39") == 39);
    fixture_end(&f);
}

SS_TEST(command_flush, damage_is_named_and_the_rest_serves)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "a", 1);
    fixture_keep_command(&f, "s", "b", 2);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_COMMAND, 0, 12);
    ss_check(fixture_check(&f).findings == 1);
    ss_check(strstr(f.finding, "command") != NULL);
    fixture_reopen(&f);
    ss_check(fixture_find_command(&f, "s", "a") == -1 && fixture_find_command(&f, "s", "b") == 2);
    fixture_end(&f);
}

SS_TEST(command_flush, damaged_record_of_the_log_changes_every_epoch)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "well", 3, 50, 3);
    uint64_t epoch = fixture_row_of(&f, "well").epoch;
    fixture_keep_command(&f, "s", "a", 1);
    fixture_keep_command(&f, "s", "b", 2);
    fixture_crash(&f);
    fixture_flip_record(&f, 4, 60);
    ss_check(fixture_check(&f).findings == 1);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && fixture_row_of(&f, "well").epoch != epoch);
    ss_check(fixture_find_command(&f, "s", "a") == -1 && fixture_find_command(&f, "s", "b") == 2);
    fixture_verify(&f, "well", 3, 50);
    fixture_end(&f);
}

/* Positions of LMDB that the log never had. */
SS_TEST(command_flush, row_behind_the_newest_is_a_finding)
{
    struct fixture f;
    uint8_t key[SS_KEY_BYTES_MAX];
    static uint8_t row[FIXTURE_PAYLOAD_MAX];
    size_t key_len;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "a", 1);
    fixture_flush_all(&f);
    fixture_close(&f);
    size_t len = fixture_row(&f, SS_DB_COMMAND, 0, key, &key_len, row);
    struct ss_command_value value;
    ss_check(ss__command_row_decode(ss_str_of(key, key_len), ss_str_of(row, len), &value) == 0);
    ss__put_be64(key, ss__get_be64(key) + 512);
    uint8_t moved[512];
    value.sid = 4000000;
    ss__command_row_encode(moved, ss_str_of(key, 8), &value);
    fixture_plant(&f, SS_DB_COMMAND, ss_str_of(key, 8), ss_str_of(moved, len));
    ss_check(fixture_check(&f).findings == 2);
    ss_check(strstr(f.finding, "newest row") != NULL && strstr(f.finding, "handed out") != NULL);
    fixture_end(&f);
}

SS_TEST(command_flush, result_that_expired_while_the_store_was_closed_is_taken_out)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "a", 1);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 1);
    f.clock.now_ns += UINT64_C(1000000) * f.options.command_ttl_ms + UINT64_C(1000000000);
    fixture_reopen(&f);
    ss_check(fixture_find_command(&f, "s", "a") == -1 && fixture_commands_kept(&f) == 0);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 0);
    fixture_end(&f);
}

/* Flushes that fail leave what is to be removed to the next one, and that takes no more at a time. */
SS_TEST(command_flush, rows_that_failed_flushes_left_go_in_slices)
{
    struct fixture f;
    open_with_many(&f);
    fixture_flush_all(&f);
    f.clock.now_ns += UINT64_C(2000000000);
    for (unsigned i = 0; i < 2; i++) {
        ss__fault_arm("store.flush.write", 1, 1, SS_E_NOMEM);
        ss_check(ss__store_flush(f.store, 0) == SS_E_NOMEM);
        f.clock.now_ns += UINT64_C(1000000000);
    }
    ss_check(f.store->commands.doomed_count == 2048);
    ss_check(ss__store_flush(f.store, 0) > 0);
    ss_check(f.store->commands.doomed_count == 3000 - 1024);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 0);
    fixture_end(&f);
}
