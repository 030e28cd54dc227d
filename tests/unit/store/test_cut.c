#include "backup_fixture.h"

#include "store/store_state.h"

static struct ss_cut *cut_now(struct backup_fixture *b)
{
    struct ss_cut *cut = NULL;
    ss_check(ss__store_cut(b->f.store, &cut) == 0 && cut != NULL);
    return cut;
}

/* What is flushed and logged behind the cut is not in the copy; all before is, wherever it was. */
SS_TEST(cut, the_copy_is_of_one_moment_whatever_follows)
{
    struct backup_fixture b;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    backup_init(&b);
    fixture_publish(&b.f, "flushed", 200, 300, 7);
    fixture_flush_all(&b.f);
    fixture_publish(&b.f, "flushed", 5, 300, 1);
    fixture_publish(&b.f, "logged", 40, 300, 3);
    struct ss_cut *cut = cut_now(&b);
    for (int round = 0; round < 20; round++) {
        fixture_publish(&b.f, "flushed", 100, 300, 9);
        fixture_publish(&b.f, "new", 70, 3000, 9);
        fixture_flush_all(&b.f);
    }
    int err = backup_copy(&b, "b", cut, NULL, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss__store_uncut(b.f.store);
    err = backup_restore(&b, "b", false, &summary, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(summary.findings == 0 && summary.sessions == 2 && summary.events == 245);
    backup_switch(&b);
    fixture_verify(&b.f, "flushed", 205, 300);
    fixture_verify(&b.f, "logged", 40, 300);
    backup_deinit(&b);
}

SS_TEST(cut, log_files_stay_until_it_is_over)
{
    struct backup_fixture b;
    backup_init(&b);
    fixture_publish(&b.f, "s", 100, 60000, 5);
    size_t files = b.f.store->log.count;
    ss_check(files > 3);
    (void)cut_now(&b);
    fixture_flush_all(&b.f);
    ss_check(b.f.store->log.count == files);
    ss__store_uncut(b.f.store);
    ss_check_msg(b.f.store->log.count == 1, "%zu", b.f.store->log.count);    /* it is quiet */
    fixture_publish(&b.f, "s", 1, 100, 1);
    fixture_flush_all(&b.f);
    ss_check(b.f.store->log.count == 1);
    backup_deinit(&b);
}

/* Pages that the cut has are not used again: the file grows, up to a limit. */
SS_TEST(cut, it_is_stopped_when_the_data_file_has_grown_too_much)
{
    struct backup_fixture b;
    backup_init(&b);
    b.f.store->options.backup_growth_bytes = 1u << 20;
    fixture_publish(&b.f, "s", 500, 300, 9);
    fixture_flush_all(&b.f);
    struct ss_cut *cut = cut_now(&b);
    fixture_publish(&b.f, "s", 64, 300, 9);
    fixture_flush_all(&b.f);
    ss_check(!ss__cut_stopped(cut));
    for (int round = 0; round < 200 && !ss__cut_stopped(cut); round++) {
        fixture_publish(&b.f, "s", 64, 300, 9);
        fixture_flush_all(&b.f);
    }
    ss_check(ss__cut_stopped(cut));
    uint64_t grown = ss__env_used(&b.f.store->env) - cut->grown_from;
    ss_check_msg(grown > (1u << 20) && grown < (2u << 20), "%llu", (unsigned long long)grown);
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

/* Free pages take what is flushed: the data file stays, the log files do not go. */
SS_TEST(cut, it_is_stopped_when_the_log_has_grown_too_much)
{
    struct backup_fixture b;
    backup_init(&b);
    struct ss_store_options *options = &b.f.store->options;
    options->log_window_bytes = options->log_window_bytes_max = 1u << 20;
    struct ss_cut *cut = cut_now(&b);
    options->backup_growth_bytes = 2u << 20;
    for (int round = 0; round < 200 && !ss__cut_stopped(cut); round++) {
        cut->grown_from = ss__env_used(&b.f.store->env);    /* as if pages were free */
        fixture_publish(&b.f, "s", 10, 10000, 1);
        fixture_flush_all(&b.f);
        ss_check(ss__log_bytes(&b.f.store->log) < (4u << 20));
    }
    ss_check(ss__cut_stopped(cut) && b.f.store->log.count <= 2);
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

SS_TEST(cut, it_is_stopped_before_the_disk_is_so_full_that_publishes_are_refused)
{
    struct backup_fixture b;
    backup_init(&b);
    struct ss_cut *cut = cut_now(&b);
    uint64_t free_disk = ss__env_free_disk(&b.f.store->env);
    b.f.store->options.min_free_bytes = free_disk - free_disk / 10;
    b.f.clock.now_ns += UINT64_C(2000000000);
    fixture_publish(&b.f, "s", 1, 100, 1);
    ss_check(ss__cut_stopped(cut) && b.f.store->refusal == 0);
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

/* Whoever copies it hangs and never looks. */
SS_TEST(cut, stopped_one_holds_nothing_though_nobody_gives_it_back)
{
    struct backup_fixture b;
    backup_init(&b);
    fixture_publish(&b.f, "s", 100, 60000, 5);
    struct ss_cut *cut = cut_now(&b);
    fixture_flush_all(&b.f);
    ss_check(b.f.store->log.count > 3 && atomic_load(&b.f.store->env.readers) > 0);
    unsigned readers = atomic_load(&b.f.store->env.readers);
    ss__cut_stop(b.f.store, "test");
    ss_check(ss__cut_stopped(cut) && b.f.store->log.count == 1);
    ss_check(atomic_load(&b.f.store->env.readers) == readers - 1);
    ss_check(!ss__store_flush_can_wait(b.f.store));
    ss_check(ss__env_grow(&b.f.store->env) == 0);    /* waits for readers */
    fixture_publish(&b.f, "s", 10, 60000, 5);
    fixture_flush_all(&b.f);
    struct ss_failure failure = { 0 };
    ss_check(backup_copy(&b, "torn", cut, NULL, &failure) == SS_E_LIMIT);
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

SS_TEST(cut, it_is_stopped_when_publishes_are_refused)
{
    struct backup_fixture b;
    backup_init(&b);
    struct ss_cut *cut = cut_now(&b);
    ss_check(!ss__cut_stopped(cut));
    ss__space_refuse(b.f.store);
    ss_check(ss__cut_stopped(cut));
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

SS_TEST(cut, flushes_can_wait_while_the_log_is_within_its_window)
{
    struct backup_fixture b;
    backup_init(&b);
    ss_check(!ss__store_flush_can_wait(b.f.store));
    (void)cut_now(&b);
    ss_check(ss__store_flush_can_wait(b.f.store));
    b.f.store->options.log_window_bytes = b.f.store->options.log_window_bytes_max = 100000;
    fixture_publish(&b.f, "s", 10, 5000, 2);
    ss_check(ss__store_flush_can_wait(b.f.store));
    fixture_publish(&b.f, "s", 20, 5000, 2);
    ss_check(!ss__store_flush_can_wait(b.f.store));
    ss__store_uncut(b.f.store);
    ss_check(!ss__store_flush_can_wait(b.f.store));
    backup_deinit(&b);
}

/* Each reader of that session would copy all of it. */
SS_TEST(cut, flushes_do_not_wait_for_a_session_with_much_in_the_log)
{
    struct backup_fixture b;
    backup_init(&b);
    (void)cut_now(&b);
    unsigned half = SS_TAIL_LONG_BYTES / FIXTURE_PAYLOAD_MAX / 2;
    fixture_publish(&b.f, "s", half, FIXTURE_PAYLOAD_MAX, 8);
    fixture_publish(&b.f, "t", half, FIXTURE_PAYLOAD_MAX, 8);
    ss_check(ss__store_flush_can_wait(b.f.store));
    fixture_publish(&b.f, "t", half, FIXTURE_PAYLOAD_MAX, 8);
    ss_check(!ss__store_flush_can_wait(b.f.store));
    fixture_flush_all(&b.f);
    ss_check(ss__store_flush_can_wait(b.f.store));
    ss__store_uncut(b.f.store);
    backup_deinit(&b);
}

SS_TEST(cut, without_memory_there_is_none)
{
    struct backup_fixture b;
    struct ss_cut *cut = NULL;
    backup_init(&b);
    ss__fault_arm("store.cut", 1, 1, SS_E_NOMEM);
    ss_check(ss__store_cut(b.f.store, &cut) == SS_E_NOMEM && cut == NULL);
    ss__fault_reset();
    ss_check(b.f.store->cut == NULL && !b.f.store->log.pinned);
    (void)cut_now(&b);
    fixture_close(&b.f);    /* ends it */
    fixture_reopen(&b.f);
    backup_deinit(&b);
}

SS_TEST(cut, whoever_holds_it_can_read_when_the_store_has_given_it_back)
{
    struct backup_fixture b;
    struct ss_cut *cut;
    uint8_t byte;
    backup_init(&b);
    fixture_publish(&b.f, "s", 10, 100, 3);
    ss_check(ss__store_cut(b.f.store, &cut) == 0 && ss__store_cuts_rest(b.f.store));
    ss__cut_hold(cut);
    ss__store_uncut(b.f.store);
    ss_check(ss__cut_stopped(cut) && !ss__store_cuts_rest(b.f.store));
    ss_check(cut->files_count >= 2 && pread(cut->files[1].fd, &byte, 1, 0) == 1);
    ss__cut_put(cut);
    backup_deinit(&b);
}
