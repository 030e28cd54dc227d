#include "backup_fixture.h"

#include <errno.h>
#include <sys/file.h>

SS_TEST(backup, names_are_plain_words)
{
    static const char *const good[] = { "a", "2026-11-21", "x.y_z", "A9", "a.partial.b" };
    static const char *const bad[] = { "", ".", "..", ".a", "-a", "_a", "a/b", "a b", "\xC3\xA4",
                                       "x.partial", ".partial", "a\n" };
    char text[SS_BACKUP_NAME_BYTES_MAX + 2];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ss_check_msg(ss__backup_check_name(ss_str(good[i]), NULL) == 0, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ss_check_msg(ss__backup_check_name(ss_str(bad[i]), NULL) == SS_E_INVAL, "%s", bad[i]);
    }
    memset(text, 'a', sizeof text);
    ss_check(ss__backup_check_name(ss_str_of(text, sizeof text - 2), NULL) == 0);
    ss_check(ss__backup_check_name(ss_str_of(text, sizeof text - 1), NULL) == SS_E_INVAL);
}

SS_TEST(backup, a_name_is_used_once)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    backup_init(&b);
    fixture_publish(&b.f, "s", 10, 100, 3);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    ss_check(backup_exists(&b, "b") && !backup_exists(&b, "b.partial"));
    ss_check(backup_now(&b, "b", NULL, &failure) == SS_E_EXISTS);
    ss_check(strstr(failure.text, "another name") != NULL);
    ss_check(backup_now(&b, "b2", NULL, &failure) == 0);
    backup_deinit(&b);
}

SS_TEST(backup, what_was_left_is_removed_unless_somebody_writes_it)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    char path[600];
    backup_init(&b);
    (void)snprintf(path, sizeof path, "%s/b.partial", b.parent);
    ss_check(mkdir(path, 0700) == 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    ss_check(fd >= 0 && flock(fd, LOCK_EX) == 0);
    ss_check(backup_now(&b, "b", NULL, &failure) == SS_E_BUSY);
    ss_check(backup_exists(&b, "b.partial"));
    (void)close(fd);
    (void)snprintf(path, sizeof path, "%s/b.partial/shard-0000", b.parent);
    ss_check(mkdir(path, 0700) == 0);
    int err = backup_now(&b, "b", NULL, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(backup_exists(&b, "b") && !backup_exists(&b, "b.partial"));
    backup_deinit(&b);
}

static int cancel(uint64_t bytes, void *ctx)
{
    uint64_t *left = ctx;
    *left -= bytes < *left ? bytes : *left;
    return *left == 0 ? SS_E_CANCELED : 0;
}

/* Whatever stops it, nothing is left, and the store goes on. */
SS_TEST(backup, one_that_fails_leaves_nothing)
{
    static const struct {
        const char *point;
        int code;
        int err;
    } faults[] = {
        { "copy.write", ENOSPC, SS_E_STOREFULL }, { "copy.write", EIO, SS_E_STOREIO },
        { "copy.sync", EIO, SS_E_STOREIO },       { "manifest.write", ENOSPC, SS_E_STOREFULL },
        { "backup.sync", 1, SS_E_IO },            { "backup.name", 1, SS_E_IO },
    };
    struct backup_fixture b;
    backup_init(&b);
    fixture_publish(&b.f, "s", 300, 1000, 9);
    fixture_flush_all(&b.f);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct ss_failure failure = { 0 };
        ss__fault_arm(faults[i].point, 1, 1, faults[i].code);
        errno = EIO;
        int err = backup_now(&b, "b", NULL, &failure);
        ss_check_msg(err == faults[i].err && failure.text[0] != '\0', "%s: %s %s",
                     faults[i].point, ss_error_name(err), failure.text);
        ss__fault_reset();
        ss_check(!backup_exists(&b, "b") && !backup_exists(&b, "b.partial"));
    }
    struct ss_failure failure = { 0 };
    uint64_t left = 100000;
    struct ss_copier copier = { .step = cancel, .ctx = &left };
    ss_check(backup_now(&b, "b", &copier, &failure) == SS_E_CANCELED);
    ss_check(!backup_exists(&b, "b") && !backup_exists(&b, "b.partial"));
    copier = (struct ss_copier){ .min_free_bytes = UINT64_C(1) << 60 };
    ss_check(backup_now(&b, "b", &copier, &failure) == SS_E_STOREFULL);
    ss_check(strstr(failure.text, "--min-free") != NULL);
    fixture_publish(&b.f, "s", 1, 1000, 1);
    ss_check(backup_now(&b, "b", NULL, &failure) == 0);
    backup_deinit(&b);
}

SS_TEST(backup, a_parent_that_is_not_there_is_named)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    backup_init(&b);
    ss_check(rmdir(b.parent) == 0);
    ss_check(backup_now(&b, "b", NULL, &failure) == SS_E_IO);
    ss_check(strstr(failure.text, b.parent) != NULL);
    backup_deinit(&b);
}

SS_TEST(backup, what_is_in_the_way_and_a_path_that_is_too_long_are_named)
{
    static char parent[4090];
    static struct ss_backup backup;
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_copier copier = { 0 };
    char path[600];
    backup_init(&b);
    (void)snprintf(path, sizeof path, "%s/b.partial", b.parent);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ss_check(fd >= 0 && close(fd) == 0);
    ss_check(backup_now(&b, "b", NULL, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, path) != NULL, "%s", failure.text);
    ss_check(access(path, F_OK) == 0);
    memset(parent, 'x', sizeof parent - 1);
    failure = (struct ss_failure){ 0 };
    ss_check(ss__backup_begin(&backup, parent, "b", b.f.directory, &copier, &failure) ==
             SS_E_TOOBIG);
    ss_check(strstr(failure.text, "too long") != NULL);
    backup_deinit(&b);
}

static int cancel_at_the_end(uint64_t bytes, void *ctx)
{
    (void)ctx;
    return bytes == 0 ? SS_E_CANCELED : 0;
}

SS_TEST(backup, one_that_is_stopped_when_all_is_copied_leaves_nothing)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_copier copier = { .step = cancel_at_the_end };
    backup_init(&b);
    fixture_publish(&b.f, "s", 10, 100, 3);
    ss_check(backup_now(&b, "b", &copier, &failure) == SS_E_CANCELED);
    ss_check(!backup_exists(&b, "b") && !backup_exists(&b, "b.partial"));
    backup_deinit(&b);
}

/* Directories that no backup has are not gone through. */
SS_TEST(backup, what_cannot_be_removed_stays_under_its_partial_name)
{
    static struct ss_backup backup;
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_copier copier = { 0 };
    char path[600];
    backup_init(&b);
    ss_check(ss__backup_begin(&backup, b.parent, "b", b.f.directory, &copier, &failure) == 0);
    (void)snprintf(path, sizeof path, "%s/b.partial", b.parent);
    for (unsigned i = 0; i < 7; i++) {
        strcat(path, "/d");
        ss_check(mkdir(path, 0700) == 0);
    }
    ss__backup_end(&backup);
    ss_check(backup_exists(&b, "b.partial") && !backup_exists(&b, "b"));
    backup_deinit(&b);
}

struct told {
    uint64_t bytes;
    uint32_t shards;
};

static void on_begun(uint64_t bytes, uint32_t shards, uint64_t begun_us, void *ctx)
{
    ss_check(begun_us > 0);
    *(struct told *)ctx = (struct told){ bytes, shards };
}

static void on_raised(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation, void *ctx)
{
    (void)ctx;
    ss_check(shard == 0 && new_incarnation > old_incarnation);
}

SS_TEST(backup, its_bytes_are_told_before_it_is_made_and_before_it_is_restored)
{
    struct backup_fixture b;
    struct ss_failure failure = { 0 };
    struct ss_check_summary summary;
    struct ss_cut *cut;
    struct told told = { 0, 0 };
    char path[600];
    backup_init(&b);
    fixture_publish(&b.f, "s", 100, 100, 3);
    ss_check(ss__store_cut(b.f.store, &cut) == 0);
    uint64_t bytes = ss__backup_bytes(cut);
    ss_check(backup_copy(&b, "b", cut, NULL, &failure) == 0);
    ss__store_uncut(b.f.store);
    (void)snprintf(path, sizeof path, "%s/b", b.parent);
    struct ss_restore_options options = { .backup = path, .dir = b.target, .begun = on_begun,
                                          .raised = on_raised, .report = backup_on_finding,
                                          .ctx = &told };
    int err = ss__restore(&options, &summary, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(bytes > 10000 && told.bytes == bytes && told.shards == 1);
    backup_deinit(&b);
}
