#include "backup_fixture.h"
#include "store_fixture.h"

static int restore_fails(struct backup_fixture *b, const char *words)
{
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    int err = backup_restore(b, "b", false, &summary, &failure);
    ss_check_msg(err != 0 && strstr(failure.text, words) != NULL, "%s", failure.text);
    return err;
}

static void change(const struct backup_fixture *b, const char *name, off_t at, uint8_t flip)
{
    char path[600];
    uint8_t byte;
    (void)snprintf(path, sizeof path, "%s/b/%s", b->parent, name);
    int fd = open(path, O_RDWR);
    ss_check(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= flip;
    ss_check(pwrite(fd, &byte, 1, at) == 1 && close(fd) == 0);
}

static uint64_t epoch_of(struct fixture *f, const char *id)
{
    struct ss_store_session *session = fixture_session(f, id);
    uint64_t epoch = ss__store_row(session)->epoch;
    ss__store_put_session(f->store, session);
    return epoch;
}

SS_TEST(restore, gives_back_all_events_and_other_epochs)
{
    struct backup_fixture b;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    backup_init(&b);
    fixture_publish(&b.f, "a", 300, 400, 9);
    fixture_flush_all(&b.f);
    fixture_publish(&b.f, "a", 3, 400, 1);
    fixture_publish(&b.f, "b", 1, 400, 1);
    uint64_t epoch = epoch_of(&b.f, "a");
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    int err = backup_restore(&b, "b", false, &summary, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(summary.events == 304 && summary.sessions == 2 && summary.shards == 1);
    ss_check(backup_restore(&b, "b", false, &summary, &failure) == SS_E_EXISTS);
    backup_switch(&b);
    ss_check(epoch_of(&b.f, "a") != epoch);
    fixture_verify(&b.f, "a", 303, 400);
    fixture_publish(&b.f, "a", 1, 400, 1);
    fixture_verify(&b.f, "a", 304, 400);
    fixture_close(&b.f);
    fixture_check_clean(&b.f);
    fixture_reopen(&b.f);
    backup_deinit(&b);
}

SS_TEST(restore, backup_without_its_name_is_refused_although_it_has_everything)
{
    struct backup_fixture b;
    struct ss_check_summary summary;
    char from[300];
    char to[300];
    backup_init(&b);
    fixture_publish(&b.f, "a", 3, 400, 1);
    struct ss_failure failure = { 0 };
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    (void)snprintf(from, sizeof from, "%s/b", b.parent);
    (void)snprintf(to, sizeof to, "%s/b.partial", b.parent);
    ss_check(rename(from, to) == 0);
    const char *const names[] = { "b.partial", "b.partial//" };
    for (size_t i = 0; i < 2; i++) {
        failure = (struct ss_failure){ 0 };
        ss_check(backup_restore(&b, names[i], true, &summary, &failure) == SS_E_INVAL);
        ss_check_msg(strstr(failure.text, "not a finished backup") != NULL, "%s", failure.text);
        ss_check(access(b.target, F_OK) != 0);
    }
    ss_check(rename(to, from) == 0);
    failure = (struct ss_failure){ 0 };
    ss_check(backup_restore(&b, "b", false, &summary, &failure) == 0 && summary.events == 3);
    backup_deinit(&b);
}

SS_TEST(restore, every_changed_byte_is_found)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    backup_init(&b);
    fixture_publish(&b.f, "a", 100, 400, 9);
    fixture_flush_all(&b.f);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    for (off_t at = 0; at < 40000; at += 3989) {
        change(&b, "shard-0000/data.mdb", at, 1);
        ss_check(restore_fails(&b, "data.mdb") == SS_E_CORRUPT);
        change(&b, "shard-0000/data.mdb", at, 1);
    }
    change(&b, "shard-0000/log-00000001", 700, 0x80);
    ss_check(restore_fails(&b, "log-00000001") == SS_E_CORRUPT);
    change(&b, "shard-0000/log-00000001", 700, 0x80);
    ss_check(backup_restore(&b, "b", false, &summary, &failure) == 0);
    backup_deinit(&b);
}

SS_TEST(restore, what_a_backup_lacks_is_told_before_anything_is_made)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    char path[600];
    backup_init(&b);
    fixture_publish(&b.f, "a", 10, 400, 9);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    (void)snprintf(path, sizeof path, "%s/b/shard-0000/log-00000001", b.parent);
    ss_check(truncate(path, 100) == 0);
    ss_check(restore_fails(&b, "log-00000001\" is missing or has another size") == SS_E_CORRUPT);
    ss_check(unlink(path) == 0);
    ss_check(restore_fails(&b, "log-00000001\" is missing or has another size") == SS_E_CORRUPT);
    ss_check(symlink("log-00000001", path) == 0);    /* it leads nowhere, for ever */
    ss_check(restore_fails(&b, "log-00000001\" cannot be read") == SS_E_IO);
    ss_check(access(b.target, F_OK) != 0);
    backup_deinit(&b);
}

/* The manifest is in reach, and what it names is not. */
SS_TEST(restore, backup_whose_path_is_too_long_is_refused)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    static char path[4096];
    backup_init(&b);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    int len = snprintf(path, sizeof path, "%s/b", b.parent);
    for (; len < 4078; len += 2) {
        strcpy(path + len, "/.");
    }
    struct ss_restore_options options = { .backup = path, .dir = b.target,
                                          .report = backup_on_finding };
    ss_check(ss__restore(&options, &summary, &failure) == SS_E_TOOBIG);
    ss_check_msg(strstr(failure.text, "too long") != NULL, "%s", failure.text);
    ss_check(access(b.target, F_OK) != 0);
    backup_deinit(&b);
}

SS_TEST(restore, a_directory_that_is_used_is_left_alone)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    char path[600];
    backup_init(&b);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    ss_check(mkdir(b.target, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/mine", b.target);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ss_check(fd >= 0 && close(fd) == 0);
    ss_check(restore_fails(&b, "mine") == SS_E_EXISTS);
    ss_check(access(path, F_OK) == 0 && unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/shard-0000", b.target);
    ss_check(mkdir(path, 0700) == 0);
    ss_check(restore_fails(&b, "shard-0000") == SS_E_EXISTS);
    backup_deinit(&b);
}

/* As after a kill -9 in the middle. */
SS_TEST(restore, one_that_was_cut_off_is_no_data_directory_and_begins_again)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    struct ss_directory *directory = NULL;
    struct ss_directory identity = { .shard_count = 1, .directory_id = 7 };
    char path[600];
    backup_init(&b);
    fixture_publish(&b.f, "a", 100, 400, 9);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    ss_check(ss__directory_begin(b.target, &identity, &directory, &failure) == 0);
    (void)snprintf(path, sizeof path, "%s/shard-0000", b.target);
    ss_check(mkdir(path, 0700) == 0);
    ss_check(restore_fails(&b, "in use") == SS_E_LOCKED);
    ss__directory_close(directory);
    ss_check(ss__directory_open(b.target, 1, false, &directory, &failure) == SS_E_INVAL);
    ss_check_msg(strstr(failure.text, "ssctl restore") != NULL, "%s", failure.text);
    int err = backup_restore(&b, "b", false, &summary, &failure);
    ss_check_msg(err == 0 && summary.events == 100, "%s", failure.text);
    (void)snprintf(path, sizeof path, "%s/b", b.parent);
    ss_check(ss__directory_open(path, 1, false, &directory, &failure) == SS_E_INVAL);
    ss_check_msg(strstr(failure.text, "is a backup") != NULL, "%s", failure.text);
    backup_deinit(&b);
}

/* The copy is what was there: the check finds what was damaged before. */
SS_TEST(restore, damage_from_before_is_found_and_taken_along_only_if_told)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    backup_init(&b);
    fixture_publish(&b.f, "a", 100, 400, 9);
    fixture_flush_all(&b.f);
    fixture_close(&b.f);
    uint8_t key[16];
    ss__segment_key(key, 1, 1);
    fixture_plant(&b.f, SS_DB_SEGMENT, ss_str_of(key, sizeof key), ss_str("damaged"));
    fixture_reopen(&b.f);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    ss_check(restore_fails(&b, "--force") == SS_E_CORRUPT);
    int err = backup_restore(&b, "b", true, &summary, &failure);
    ss_check_msg(err == 0 && summary.findings > 0, "%s", failure.text);
    backup_deinit(&b);
}

/* That of the identity too, which makes it a data directory. */
SS_TEST(restore, one_whose_names_do_not_become_durable_is_taken_back_and_begins_again)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    char identity[600];
    unsigned failed = 0;
    backup_init(&b);
    fixture_publish(&b.f, "a", 10, 400, 9);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    (void)snprintf(identity, sizeof identity, "%s/sessionstream", b.target);
    for (unsigned pass = 1; failed + 1 == pass; pass++) {
        ss__fault_arm("create.sync", pass, 1, 1);
        int err = backup_restore(&b, "b", false, &summary, &failure);
        ss__fault_reset();
        failed += err != 0 ? 1 : 0;
        ss_check_msg(err == 0 || err == SS_E_IO, "%s", ss_error_name(err));
        ss_check((access(identity, F_OK) == 0) == (err == 0));
    }
    ss_check_msg(failed >= 3, "%u syncs", failed);
    ss_check(ss__remove_tree(b.target, NULL) == 0);
    ss__fault_arm("directory.identity", 1, 1, 1);
    ss_check(backup_restore(&b, "b", false, &summary, &failure) == SS_E_IO);
    ss__fault_reset();
    ss_check(backup_restore(&b, "b", false, &summary, &failure) == 0);
    ss_check(summary.events == 10);
    backup_deinit(&b);
}
