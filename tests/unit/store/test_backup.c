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
