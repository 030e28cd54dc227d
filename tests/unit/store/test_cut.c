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
